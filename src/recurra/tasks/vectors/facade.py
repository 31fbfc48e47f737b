"""The class of trained word vectors: neighbours, tests, files; train, evaluate, predict."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from recurra.arguments import AtLeastOne, checks_arguments
from recurra.data import TextSource
from recurra.data.inputs import Input
from recurra.errors import ConfigError
from recurra.models.word_vectors.keyed import KeyedVectors
from recurra.models.word_vectors.lookup import Key, MissingWord, Vector, unit
from recurra.models.word_vectors.subwords import Subwords
from recurra.runs import RunFolder
from recurra.tasks.model import Model
from recurra.tasks.shown import CountedNote, Evaluation, Page, ignored
from recurra.tasks.vectors.config import NeighboursPart, VectorReadingPart, VectorsConfig
from recurra.tasks.vectors.corpus import WordSymbols, WordText, read_text
from recurra.tasks.vectors.judging import PAIRS, Judge, VectorFigures
from recurra.tasks.vectors.networks import VectorNetwork, chosen_vectors
from recurra.tasks.vectors.report import page_of
from recurra.tasks.vectors.word_tests import WordTests, word_tests

RESTRICT = VectorReadingPart.model_fields["restrict_vocab"].default
"""Number of words among which tests look words up, if not given."""


@dataclass(frozen=True)
class Neighbours:
    """The nearest words of a word or of several words, with their cosines; none if it is unknown."""

    text: str
    words: tuple[tuple[str, float], ...]

    def line(self) -> str:
        """Return the words, separated by blanks."""
        return " ".join(word for word, _ in self.words)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {"text": self.text, "nearest": [{"word": w, "cosine": c} for w, c in self.words]}


# `load` and `save` are those of a model: of a run folder.
class WordVectors(Model, KeyedVectors):  # type: ignore[misc]
    """Trained word vectors.

        vectors = recurra.WordVectors.train("corpus.txt", lowercase=True, out="runs/vectors")
        vectors.most_similar(positive=["king", "woman"], negative=["man"])

    The methods of `KeyedVectors` work on the vectors that the option `vectors` names. With subwords, unknown
    words have vectors too, made from their character n-grams. `load` and `save` are those of a run;
    added words and changed vectors are written by `save_vectors`, not by `save`.
    """

    task = "vectors"
    network: VectorNetwork
    symbols: WordSymbols
    config: VectorsConfig

    def __init__(
        self,
        network: VectorNetwork,
        symbols: WordSymbols,
        config: VectorsConfig,
        run: RunFolder | None = None,
    ) -> None:
        Model.__init__(self, network, symbols, config, run)
        KeyedVectors.__init__(self, symbols.words, chosen_vectors(network, config, symbols).cpu().numpy())
        self.expandos["count"] = symbols.counts.copy()

    def __repr__(self) -> str:
        return Model.__repr__(self)

    @property
    def counts(self) -> dict[str, int]:
        """The number of occurrences of each word in the training text."""
        return dict(zip(self.symbols.words, self.symbols.counts.tolist(), strict=True))

    def _word_vectors(self, kind: str, data: Path | None, min_count: int) -> KeyedVectors:
        if kind != "input":
            raise ConfigError(f"kind: got {kind}, but a run of word vectors has input only; set that.")
        found = KeyedVectors(self.index_to_key, self.vectors)
        found.expandos["count"] = self.expandos["count"].copy()
        return found

    def __contains__(self, key: object) -> bool:
        return super().__contains__(key) or (isinstance(key, str) and bool(self._parts_of(key)))

    @checks_arguments
    def get_vector(self, key: Key, norm: bool = False) -> Vector:
        """Return the vector of a word; with subwords, that of an unknown word is the mean of its n-grams'.

        Raises: MissingWord without subwords, or for a word without n-grams.
        """
        if not isinstance(key, str) or key in self.key_to_index:
            return super().get_vector(key, norm)
        rows = self._parts_of(key)
        if not rows:
            raise MissingWord(key)
        vector = self.network.input.data[rows].mean(0).cpu().numpy()
        return unit(vector) if norm else vector

    word_vec = get_vector

    def _parts_of(self, word: str) -> list[int]:
        """Return the rows of the n-grams of a word; none without subwords."""
        config = self.config
        if not config.subwords:
            return []
        how = Subwords(config.min_ngram, config.max_ngram, config.buckets)
        return [len(self.symbols.words) + row for row in how.rows(word)]

    @checks_arguments
    def save(self, out: str | Path) -> None:
        """Copy the run into another folder, or write words and vectors into a file that ends in .npz.

        The run has the vectors as they were trained; `save_vectors` writes them with later changes.

        Raises: as `Model.save`; StorageError.
        """
        if Path(out).suffix == ".npz":
            self.save_vectors(out)
        else:
            Model.save(self, out)

    @checks_arguments
    def evaluate(self, data: str | Path | None = None, *, pairs: AtLeastOne = PAIRS) -> VectorFigures:
        """Return the loss on a text file, or on the held-out text if no file is given.

        `pairs` pairs of a context and its word are drawn for the likelihood over the whole vocabulary.

        Raises: DataError if the file cannot be used.
        """
        text = self.held_out() if data is None else self.read_file(data)
        return Judge(self.config, self.symbols, self.network).figures(text, pairs)

    @checks_arguments
    def word_tests(
        self,
        analogies: Sequence[str | Path] = (),
        similarity: Sequence[str | Path] = (),
        *,
        restrict_vocab: AtLeastOne = RESTRICT,
    ) -> WordTests:
        """Return the results of tests by files of analogies and of similarity judgements.

        Words are looked up among the first `restrict_vocab`, without regard to case.

        A similarity file with fewer than two known pairs has no correlation, which is nan.

        Raises: DataError if a file cannot be read, or there is no result, as no file has two known pairs.
        """
        return word_tests(self, map(Path, analogies), map(Path, similarity), restrict_vocab)

    @checks_arguments
    def evaluation(self, data: Path | None, options: VectorReadingPart) -> Evaluation:
        """Evaluate a text, or test the vectors by files, as `recurra evaluate` shows it."""
        tests = self.word_tests(options.analogies, options.similarity, restrict_vocab=options.restrict_vocab)
        lines, values = [*tests.lines()], tests.to_dict()
        if data is None and lines and "pairs" not in options.given():
            return Evaluation(values, lines)
        figures = self.evaluate(data, pairs=options.pairs)
        return Evaluation(figures.to_dict() | values, [figures.sentence(), *lines])

    def page(self) -> Page:
        """Contents of report.html: figures, and the nearest words of some words."""
        return page_of(self)

    @checks_arguments
    def read_file(self, data: str | Path) -> WordText:
        """Read a text file as ids of known words. Raises: DataError if it cannot be used."""
        return read_text(TextSource(Path(data).absolute()), self.symbols, self.config)

    @checks_arguments
    def predictions(
        self,
        source: Input,
        options: NeighboursPart,
        *,
        as_json: bool = False,
        tell: Callable[[str], None] = ignored,
    ) -> Iterator[Neighbours]:
        """Yield the nearest words of each line, which has a word, or several whose mean is used."""
        unknown = 0
        for line in source.lines():
            words = self.symbols.reading.words(line)
            # A vector of n-grams has no row.
            known = [
                word if word in self.key_to_index else self.get_vector(word, norm=True)
                for word in words
                if word in self
            ]
            unknown += len(words) - len(known)
            yield Neighbours(line, tuple(self.most_similar(known, topn=options.n_best)) if known else ())
        if unknown:
            tell(CountedNote(unknown, "word", "left out: not in the vocabulary"))

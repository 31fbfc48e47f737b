"""The language model class: a text model that also corrects spelling, fills gaps and writes tunes."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, overload

from recurra.arguments import AtLeastOne, Seed, checks_arguments, each_text
from recurra.data import TextSource
from recurra.data.misspellings import count_words, learnable, read_misspellings
from recurra.decoding import Edits
from recurra.errors import ArgumentTypeError
from recurra.metrics import ClozeFigures, SpellingFigures
from recurra.models.word_vectors.keyed import KeyedVectors
from recurra.plain import quoted
from recurra.tasks.language_modeling.filling import Filling, GapFiller
from recurra.tasks.language_modeling.spelling import (
    Correction,
    SpellingCorrector,
    SpellingOptions,
    evaluate_text,
    evaluate_words,
)
from recurra.tasks.language_modeling.text_model import TextModel
from recurra.tasks.language_modeling.tunes import sample_tune
from recurra.tasks.language_modeling.vectors import vectors_of_model
from recurra.text_files import read_lines

Misspellings = str | Path | Iterable[tuple[str, str]]
"""A file of misspellings, or pairs of the right word and the typed word."""


class LanguageModel(TextModel):
    """A trained language model: P(next symbol | all before it).

        lm = recurra.LanguageModel.train("corpus.txt", out="runs/tiny", hidden_size=256)
        lm.perplexity("held-out.txt");  lm.sample("The ", seed=1);  lm.complete("The ca")

    `tokenizer` splits text into symbols; see `Model` for the other attributes.
    """

    def _word_vectors(self, kind: str, data: Path | None, min_count: int) -> KeyedVectors:
        return vectors_of_model(self, kind, data, min_count)

    @checks_arguments
    def spelling_corrector(
        self,
        *,
        words: str | Path | Mapping[str, AtLeastOne] | None = None,
        errors: Misspellings | None = None,
        context: bool = True,
        caution: float = 2.0,
        max_edits: AtLeastOne = 2,
    ) -> SpellingCorrector:
        """Return a spelling corrector that judges each word in its context by this model.

        The correct words are those of `words`, a text file or word counts; if not given, those of the
        training text of the run. `errors` are misspellings to estimate error probabilities from. `context`
        False ignores the language model; `caution` is the additional cost of changing a known word, in nats.

        Raises: DataError if a file cannot be used; ConfigError for invalid values, if the model reads
        backward, or if it has no run folder and no `words` are given.
        """
        options = SpellingOptions(caution=caution, max_edits=max_edits)
        if words is None or isinstance(words, str | Path):
            source = (
                self.source_of("train", "name a list of words with --words")
                if words is None
                else TextSource(Path(words).absolute())
            )
            words = count_words(source.chunks())
        edits = None if errors is None else Edits.learn(learnable(_pairs(errors)))
        return SpellingCorrector(words, self if context else None, edits=edits, options=options)

    @overload
    def spell(self, text: str, **options: Any) -> Correction: ...

    @overload
    def spell(self, text: Iterable[str], **options: Any) -> list[Correction]: ...

    @checks_arguments
    def spell(self, text: str | Iterable[str], **options: Any) -> Correction | list[Correction]:
        """Correct the spelling of a line, or of each line of a list, word by word; a list for a list.

        `options` are those of `spelling_corrector`. Counting the words of the training text takes some time
        at each call; a `spelling_corrector` counts them once.

        Raises: ConfigError for a text of several lines; as `spelling_corrector`.
        """
        lines = [text] if isinstance(text, str) else each_text(text, "spell: text")
        corrector = self.spelling_corrector(**options)
        found = [corrector.correct(line) for line in lines]
        return found[0] if isinstance(text, str) else found

    @checks_arguments
    def spelling_figures(
        self,
        misspellings: Misspellings,
        data: str | Path | None = None,
        *,
        lines: AtLeastOne | None = None,
        one_in: AtLeastOne = 12,
        seed: Seed = 1,
        **options: Any,
    ) -> SpellingFigures:
        """Return how many misspellings are corrected: one by one, or in the context of a text file.

        In a text, one word in `one_in` is replaced by one of its misspellings, and the correct words that
        stay unchanged are counted as well; `lines` is the number of lines to use. Other options as in
        `spelling_corrector`.

        Raises: as `spelling_corrector`.
        """
        corrector, pairs = self.spelling_corrector(**options), _pairs(misspellings)
        if data is None:
            return evaluate_words(corrector, pairs)
        chosen = list(read_lines(Path(data)))[:lines]
        return evaluate_text(corrector, chosen, pairs, one_in=one_in, seed=seed)

    @overload
    def fill(  # type: ignore[overload-overlap]
        self,
        text: str,
        *,
        backward: TextModel | None = None,
        n_best: AtLeastOne = 5,
        proposals: AtLeastOne = 50,
    ) -> list[Filling]: ...

    @overload
    def fill(
        self,
        text: Iterable[str],
        *,
        backward: TextModel | None = None,
        n_best: AtLeastOne = 5,
        proposals: AtLeastOne = 50,
    ) -> list[list[Filling]]: ...

    @checks_arguments
    def fill(
        self,
        text: str | Iterable[str],
        *,
        backward: TextModel | None = None,
        n_best: AtLeastOne = 5,
        proposals: AtLeastOne = 50,
    ) -> Any:
        """Return the `n_best` most probable ways to fill the gaps, `___`, of a line; a list for a list.

        `backward` is a model trained with `direction="backward"`, which uses the context to the right.
        `proposals` is the number of candidate words per gap. The result is empty if every word has
        probability 0.

        Raises: ConfigError as `GapFiller` and `GapFiller.fill`.
        """
        lines = [text] if isinstance(text, str) else each_text(text, "fill: text")
        filler = GapFiller(self, backward, proposals=proposals)
        found = [filler.fill(line, n_best=n_best) for line in lines]
        return found[0] if isinstance(text, str) else found

    @checks_arguments
    def cloze_figures(
        self,
        data: str | Path | Iterable[str],
        *,
        backward: TextModel | None = None,
        proposals: AtLeastOne = 50,
        lines: AtLeastOne | None = None,
        seed: Seed = 1,
    ) -> ClozeFigures:
        """Remove a random word from each line of a text file, or of a list of lines, and predict it.

        `lines` is the number of lines to use; other options as in `fill`.

        Raises: DataError if the file cannot be used; ConfigError as `GapFiller`.
        """
        filler = GapFiller(self, backward, proposals=proposals)
        if isinstance(data, str | Path):
            every = list(read_lines(Path(data)))
        else:
            every = each_text(data, "cloze_figures: data")
        return filler.cloze(every[:lines], seed=seed)

    @checks_arguments
    def sample_tune(self, prime: str = "", **options: Any) -> str:
        """Sample a complete tune in ABC notation; `recurra.data.tunes.write_midi` writes it as MIDI.

        Options as in `sample_stream`, without `length` and `until_end`.

        Raises: ConfigError if the model does not write tunes, or an option is invalid.
        """
        return sample_tune(self, prime, **options)


def _pairs(misspellings: Misspellings) -> list[tuple[str, str]]:
    """Return the misspellings of a file, or those that are given. Raises: DataError, ArgumentTypeError."""
    if isinstance(misspellings, str | Path):
        return read_misspellings(Path(misspellings))
    found = list(misspellings)
    for one in found:
        if not isinstance(one, tuple) or [type(word) for word in one] != [str, str]:
            raise ArgumentTypeError(
                f"misspellings: got {quoted(one)}, expected pairs of the right word and the typed word."
            )
    return found

"""The tasks tag, classify and pair: labels of words, of texts, of two texts."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from recurra.config import Part
from recurra.data.batches import SequenceBatch
from recurra.data.examples import BadRows, Example, conversations, rows_told
from recurra.data.vector_files import WordVectors
from recurra.errors import ConfigError, RunError
from recurra.tasks.labelling.config import ClassifyConfig, LabellingConfig, PairConfig, TagConfig
from recurra.tasks.labelling.corpus import (
    LabelledCorpus,
    check_steps,
    count_symbols,
    fingerprint_of,
    pretrained,
    read_rows,
    refuse_options_of_words,
    unseen_labels,
    with_phrases,
)
from recurra.tasks.labelling.facade import Classifier, PairClassifier, Tagger
from recurra.tasks.labelling.feeds import ConversationFeed, EncodedRows
from recurra.tasks.labelling.figures import LabelFigures, measure_rows
from recurra.tasks.labelling.networks import build_network, vectors_of
from recurra.tasks.labelling.objective import LabellingObjective
from recurra.tasks.labelling.predicting import LabellingNetwork
from recurra.tasks.rows import Parts, RowCorpus, RowTask, Split
from recurra.tasks.task import Known, Setup
from recurra.text.label_symbols import Symbols, load_symbols, save_symbols
from recurra.training.rows import RowFeed


class Labelling(RowTask):
    """What the tasks that label have in common."""

    settled = ("embedding_size",)

    def read_rows(self, config: LabellingConfig, part: str, bad: BadRows) -> list[Example] | None:
        """The rows of a file that have the labels that the task needs."""
        path = getattr(config, part)
        return None if path is None else read_rows(self.name, config, path, bad)

    def groups(self, config: LabellingConfig, rows: Sequence[Example]) -> list[list[int]]:
        """Whole conversations."""
        return conversations(rows)

    def stratum(self, row: Example) -> object:
        """The label of the whole."""
        return row.label

    def fingerprint(self, rows: Sequence[Example]) -> str:
        """A digest that changes with any word, number or label of any row."""
        return fingerprint_of(rows)

    def parts(self, config: LabellingConfig, bad: BadRows, known: Split | None = None) -> Parts[Example]:
        """All rows; with `phrases` every phrase of the trees to train on."""
        parts = super().parts(config, bad, known)
        return with_phrases(config, parts) if config.phrases else parts

    def learn_symbols(
        self, config: LabellingConfig, train: Sequence[Example], vectors: WordVectors | None = None
    ) -> Symbols:
        """The words and labels of the rows to train on, and the words of a file of vectors."""
        symbols = count_symbols(self.name, config, train, () if vectors is None else vectors.words)
        if symbols.vector_shape:
            refuse_options_of_words(config)
        return symbols

    def corpus(
        self, config: LabellingConfig, parts: Parts[Example], symbols: Symbols, bad: BadRows
    ) -> LabelledCorpus:
        """Rows that were checked beside the symbols."""
        held = [*parts.valid, *(parts.test or [])]
        check_steps(held, symbols.vector_shape)
        unseen = unseen_labels(held, symbols)
        return LabelledCorpus(symbols, parts, self.fingerprint, bad.sentences, unseen)

    def read(self, config: LabellingConfig) -> LabelledCorpus:
        """The rows, split, the symbols of those to train on, and the vectors of a file."""
        bad = BadRows(config.skip_bad)
        parts = self.parts(config, bad)
        every = [row for _, rows in parts.each() for row in rows]
        vectors = pretrained(config, every, bad)
        corpus = self.corpus(config, parts, self.learn_symbols(config, parts.train, vectors), bad)
        corpus.vectors, corpus.vectors_file = vectors, config.vectors
        return corpus

    def read_again(self, config: LabellingConfig, symbols: Symbols, known: Known) -> RowCorpus[Example]:
        """The rows of an earlier run; vectors are not read, as they are among its weights."""
        if symbols.in_turns and "turns_together" not in config.model_fields_set:
            raise RunError(
                "the run was begun by an earlier version, turn by turn; train again with --overwrite."
            )
        return super().read_again(config, symbols, known)

    def save_symbols(self, symbols: Symbols, folder: Path) -> None:
        """Write words.json and labels.json."""
        save_symbols(folder, symbols)

    def load_symbols(self, folder: Path, facts: Mapping[str, Any]) -> Symbols:
        """The words and labels of a run."""
        return load_symbols(folder)

    def settle(self, config: LabellingConfig, corpus: LabelledCorpus) -> LabellingConfig:
        """The size of the words' vectors, which a file of vectors decides."""
        if corpus.vectors is None:
            return config
        if config.embedding_size not in (corpus.vectors.size, config.default_of("embedding_size")):
            raise ConfigError(
                f"embedding_size: got {config.embedding_size}, expected {corpus.vectors.size}, the size of "
                "the vectors in the file; remove the option."
            )
        return config.model_copy(update={"embedding_size": corpus.vectors.size})

    def build(
        self, config: LabellingConfig, symbols: Symbols, corpus: LabelledCorpus | None = None
    ) -> LabellingNetwork:
        """A network with its first weights, words' vectors from a file's where there are some."""
        if corpus is None:
            return build_network(config, symbols)
        return build_network(config, symbols, corpus.train, corpus.vectors)

    def setup(
        self,
        config: LabellingConfig,
        corpus: LabelledCorpus,
        network: LabellingNetwork,
        rank: int,
        processes: int,
    ) -> Setup:
        """Batches of rows near in length, or turn after turn of conversations."""
        if processes > 1 and config.tune_after:
            raise ConfigError(
                "tune_after: goes with one process; start it without torchrun, or leave it out."
            )
        if config.freeze_vectors:  # before the network is wrapped for several processes
            vectors_of(network).requires_grad_(False)
        in_turns = corpus.symbols.in_turns
        feed: RowFeed[SequenceBatch] | ConversationFeed
        if in_turns:
            if config.bidirectional:
                raise ConfigError(
                    "bidirectional: conversations are read as they come; give --no-bidirectional."
                )
            feed = ConversationFeed(corpus.train, corpus.symbols, config, processes=processes)
        elif config.turns_together != config.default_of("turns_together"):
            raise ConfigError(
                "turns_together: is of conversations that a recurrent network of single texts reads; leave "
                "it out."
            )
        else:
            rows = EncodedRows(corpus.train, corpus.symbols, config.max_words)
            feed = RowFeed(rows, config.batch_size, config.seed, rank=rank, processes=processes)
        valid = EncodedRows(corpus.valid, corpus.symbols, config.max_words)
        return Setup(LabellingObjective(network, valid, config, in_turns=in_turns), feed)

    def measure(
        self, network: LabellingNetwork, symbols: Symbols, config: LabellingConfig, part: Sequence[Example]
    ) -> LabelFigures:
        """How right a network labels rows."""
        return measure_rows(network, EncodedRows(part, symbols, config.max_words))

    def unit(self, config: LabellingConfig) -> str:
        """What has a label."""
        return "row"

    def introduce(self, corpus: LabelledCorpus) -> Iterable[str]:
        """The rows of each part, words and labels, and rows that were left out or can only be missed."""
        symbols = corpus.symbols
        counts = [f"{len(corpus.train):,} rows to train on, {len(corpus.valid):,} to validate on"]
        if corpus.test is not None:
            counts.append(f"{len(corpus.test):,} to test on")
        if symbols.words is not None:
            counts.append(f"{len(symbols.words.words):,} words")
        if symbols.labels is not None:
            counts.append(
                f"{len(symbols.labels):,} labels of words" + (" (spans in BIO)" if symbols.spans else "")
            )
        if symbols.classes is not None:
            counts.append(f"{len(symbols.classes):,} labels of rows")
        yield ", ".join(counts)
        yield from rows_told(corpus.skipped, "left out")
        yield from rows_told(
            corpus.unseen, "with a label absent from the training data, which can never be predicted"
        )

    def next_commands(self, config: Part, run: Path) -> Sequence[str]:
        """Evaluating with the worst mistakes, predicting."""
        return (f"recurra evaluate {run} --mistakes 10", f"recurra predict {run} FILE")

    def shown(self, name: str, value: float) -> str:
        """A share."""
        return f"{value:.2%}"


class Tagging(Labelling):
    """A label for each word."""

    name = "tag"
    config = TagConfig
    model = Tagger

    def unit(self, config: LabellingConfig) -> str:
        """What has a label."""
        return "word"


class Classification(Labelling):
    """A label for a text, or for any sequence."""

    name = "classify"
    config = ClassifyConfig
    model = Classifier


class PairClassification(Labelling):
    """A label for two texts."""

    name = "pair"
    config = PairConfig
    model = PairClassifier

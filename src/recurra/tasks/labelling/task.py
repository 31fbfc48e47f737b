"""The tasks tag, classify and pair: labels of words, of texts and of pairs of texts."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from recurra.config import Part
from recurra.config.part import file_by_name
from recurra.data.batches import SequenceBatch
from recurra.data.examples import BadRows, Example, conversations, rows_told
from recurra.data.readers import format_of
from recurra.data.readers import refuse_without_use as refuse_options
from recurra.data.rows_in_memory import FileContent, file_of_labelled
from recurra.errors import ConfigError, RunError
from recurra.plain import counted, listed, shell
from recurra.tasks.labelling.choosing import choice_of
from recurra.tasks.labelling.config import ClassifyConfig, LabellingConfig, PairConfig, TagConfig
from recurra.tasks.labelling.corpus import (
    LabelledCorpus,
    check_steps,
    count_symbols,
    fingerprint_of,
    notes_on,
    read_rows,
    refuse_without_use,
    scheme_as_read,
    unseen_labels,
    with_phrases,
)
from recurra.tasks.labelling.facade import Classifier, PairClassifier, Tagger
from recurra.tasks.labelling.feeds import ConversationFeed, EncodedRows
from recurra.tasks.labelling.figures import LabelFigures, measure_rows
from recurra.tasks.labelling.lists import matches_told, read_gazetteer
from recurra.tasks.labelling.networks import build_network, class_weights, vectors_of
from recurra.tasks.labelling.objective import LabellingObjective
from recurra.tasks.labelling.pairs import (
    baseline_figures,
    load_pair_symbols,
    save_pair_symbols,
    with_features,
)
from recurra.tasks.labelling.predicting import LabellingNetwork
from recurra.tasks.labelling.pretrained import pretrained
from recurra.tasks.labelling.starting import start_from
from recurra.tasks.pretrained import one_process_only
from recurra.tasks.rows import Parts, RowCorpus, RowTask, Split
from recurra.tasks.starting import Source, Start
from recurra.tasks.task import Join, Known, Setup, unchanged
from recurra.text.label_symbols import Symbols, load_symbols, save_symbols
from recurra.training import Choice
from recurra.training.rows import RowFeed


class Labelling(RowTask):
    """Base class of the labelling tasks."""

    settled = ("embedding_size", "split", "scheme")

    def files_of_rows(self, data: Any, part: str) -> Mapping[str, FileContent]:
        """Return rows in memory as a file of JSON lines, or of arrays if they have vectors."""
        kinds = {"has_word_labels": self.name == "tag", "has_pairs": self.name == "pair"}
        return {part: file_of_labelled(data, part, **kinds)}

    def read_rows(self, config: LabellingConfig, part: str, bad: BadRows) -> list[Example] | None:
        """Read the rows of a file that have the labels the task needs."""
        path = getattr(config, part)
        return None if path is None else read_rows(self.name, config, path, bad)

    def check_reading(self, config: LabellingConfig) -> None:
        """Refuse given options of reading that do not apply to the formats of the files."""
        files = (config.data, config.valid, config.test)
        formats = [format_of(file, config) for file in files if file is not None]
        refuse_options(formats, config, to_train=True)

    def settle_reading(self, config: LabellingConfig, rows: Sequence[Example]) -> LabellingConfig:
        """Settle whether word labels mark spans, which holds for every file."""
        if not isinstance(config, TagConfig) or config.scheme != "auto":
            return config
        return config.model_copy(update={"scheme": scheme_as_read(rows)})

    def groups(self, config: LabellingConfig, rows: Sequence[Example]) -> list[list[int]]:
        """Group the rows of each conversation."""
        return conversations(rows)

    def stratum(self, row: Example) -> object:
        """Return the row's label."""
        return row.label

    def fingerprint(self, rows: Sequence[Example]) -> str:
        """A digest that changes with any word, number or label of any row."""
        return fingerprint_of(rows)

    def parts(self, config: LabellingConfig, bad: BadRows, known: Split | None = None) -> Parts[Example]:
        """Read and split the rows; with `phrases`, train on every phrase of the training trees."""
        parts = super().parts(config, bad, known)
        if not config.phrases or format_of(str(config.data), config) != "trees":
            return parts
        return with_phrases(config, parts)

    def learn_symbols(
        self, config: LabellingConfig, train: Sequence[Example], others: Iterable[str] = ()
    ) -> Symbols:
        """Build the word and label vocabularies from the training rows, with `others` as words."""
        symbols = count_symbols(self.name, config, train, others)
        refuse_without_use(config, train, symbols)
        return symbols

    def corpus(
        self, config: LabellingConfig, parts: Parts[Example], symbols: Symbols, bad: BadRows
    ) -> LabelledCorpus:
        """Check the held-out rows against the symbols and return the corpus."""
        held = [*parts.valid, *(parts.test or [])]
        check_steps(held, symbols.vector_shape)
        unseen = unseen_labels(held, symbols)
        notes = [*bad.notes, *notes_on(parts.train, held, config), *matches_told(symbols.gazetteer, parts)]
        return LabelledCorpus(symbols, parts, self.fingerprint, bad.sentences, unseen, notes)

    def read(self, config: LabellingConfig, join: Join = unchanged) -> LabelledCorpus:
        """Read and split the rows, build the symbols of the training rows, and read pretrained vectors."""
        bad = BadRows(config.skip_bad)
        parts = self.parts(config, bad)
        every = [row for _, rows in parts.each() for row in rows]
        found = pretrained(config, every, bad)
        gazetteer = read_gazetteer(config, parts.train, bad)
        learnt = self.learn_symbols(parts.config, parts.train, () if found is None else found.table.words)
        symbols = join(replace(learnt, gazetteer=gazetteer))
        corpus = self.corpus(config, parts, symbols, bad)
        corpus.vectors = found
        corpus.lists = file_by_name(config.gazetteer)
        corpus.notes = [*corpus.notes, *(() if found is None else found.notes)]
        return corpus

    def read_again(self, config: LabellingConfig, symbols: Symbols, known: Known) -> RowCorpus[Example]:
        """Read the rows of an earlier run; its word vectors are part of its weights and are not read."""
        if symbols.in_turns and "turns_together" not in config.model_fields_set:
            raise RunError(
                "the run was started by an earlier version, which trained turn by turn; train again with "
                "--overwrite."
            )
        return super().read_again(config, symbols, known)

    def start_from(self, config: LabellingConfig, source: Source) -> Start:
        """Start from a run of a labelling task, or from the word vectors and layers of another run."""
        start = start_from(source, config)
        if start is None:
            raise source.refusal(self, ("tag", "classify", "pair", "lm"))
        return start

    def save_symbols(self, symbols: Symbols, folder: Path) -> None:
        """Write words.json and labels.json."""
        save_symbols(folder, symbols)

    def load_symbols(self, folder: Path, facts: Mapping[str, Any]) -> Symbols:
        """Load the words and labels of a run."""
        return load_symbols(folder)

    def settle(self, config: LabellingConfig, corpus: LabelledCorpus) -> LabellingConfig:
        """Set the embedding size to that of pretrained vectors, `split` to that of the words in the data, and
        `scheme` to how their labels were read."""
        if (scheme := corpus.parts.config.scheme) != config.scheme:
            config = config.model_copy(update={"scheme": scheme})
        if _is_tokenised(config, corpus):
            config = config.model_copy(update={"split": "punctuation"})
        return config if corpus.vectors is None else corpus.vectors.settled(config)

    def build(
        self, config: LabellingConfig, symbols: Symbols, corpus: LabelledCorpus | None = None
    ) -> LabellingNetwork:
        """Build a network with initial weights, and pretrained vectors, if there are any."""
        if corpus is None:
            return build_network(config, symbols)
        network = build_network(config, symbols, corpus.train)
        if corpus.vectors is not None:
            assert symbols.words is not None, "word vectors need words"
            corpus.vectors.fill(vectors_of(network), symbols.words.words.ids)
        return network

    def setup(
        self,
        config: LabellingConfig,
        corpus: LabelledCorpus,
        network: LabellingNetwork,
        rank: int,
        processes: int,
    ) -> Setup:
        """Set up training on batches of rows of similar length, or on conversations turn by turn."""
        if processes > 1 and config.tune_after:
            raise one_process_only("tune_after")
        if config.freeze_vectors:  # before the network is wrapped for several processes
            vectors_of(network).weight.requires_grad_(False)
        in_turns = corpus.symbols.in_turns
        feed: RowFeed[SequenceBatch] | ConversationFeed
        if in_turns:
            if config.bidirectional:
                raise ConfigError(
                    "bidirectional: conversations are read forwards only; use --no-bidirectional."
                )
            feed = ConversationFeed(corpus.train, corpus.symbols, config, processes=processes)
        else:
            rows = EncodedRows(corpus.train, corpus.symbols, config.max_words)
            feed = RowFeed(rows, config.batch_size, config.seed, rank=rank, processes=processes)
        valid = EncodedRows(corpus.valid, corpus.symbols, config.max_words)
        return Setup(LabellingObjective(network, valid, config, in_turns=in_turns), feed)

    def measure(
        self, network: LabellingNetwork, symbols: Symbols, config: LabellingConfig, part: Sequence[Example]
    ) -> LabelFigures:
        """Evaluate a network on rows."""
        return measure_rows(network, EncodedRows(part, symbols, config.max_words))

    def criterion(self, config: LabellingConfig, figures: LabelFigures) -> float | None:
        """Return 1 - the metric of `keep_best`, or the sum of 1 - metric over the main metrics."""
        return figures.criterion(config.keep_best)

    def unit(self, config: LabellingConfig) -> str:
        """Return the unit that has a label."""
        return "row"

    def choice(self, config: LabellingConfig, corpus: LabelledCorpus) -> Choice:
        """Return the metrics of labels that the validation rows can give."""
        return choice_of(corpus.symbols, corpus.valid)

    def introduce(self, corpus: LabelledCorpus) -> Iterable[str]:
        """Describe the data: sizes of parts and vocabularies, skipped rows, rows with unseen labels."""
        symbols = corpus.symbols
        counts = [f"{counted(len(corpus.train), 'row')} to train on, {len(corpus.valid):,} to validate on"]
        if corpus.test is not None:
            counts.append(f"{len(corpus.test):,} to test on")
        if symbols.words is not None:
            counts.append(counted(len(symbols.words.words), "word"))
        if symbols.labels is not None:
            counts.append(
                counted(len(symbols.labels), "word label") + (" (spans in BIO)" if symbols.spans else "")
            )
        if symbols.classes is not None:
            noun = "label" if symbols.labels is None else "sentence label"
            counts.append(counted(len(symbols.classes), noun))
        yield ", ".join(counts)
        yield from _weights_told(corpus)
        yield from corpus.notes
        yield from rows_told(corpus.skipped, "skipped", corpus.kept)
        yield from rows_told(
            corpus.unseen, "with a label absent from the training data, which can never be predicted"
        )

    def next_commands(self, config: Part, run: Path) -> Sequence[str]:
        """Commands to evaluate with the worst mistakes, and to predict."""
        return (f"recurra evaluate {shell(run)} --mistakes 10", f"recurra predict {shell(run)} FILE")


class Tagging(Labelling):
    """The task tag: a label for each word."""

    name = "tag"
    config = TagConfig
    model = Tagger

    def unit(self, config: LabellingConfig) -> str:
        """Return the unit that has a label."""
        return "word"


class Classification(Labelling):
    """The task classify: a label for a text, or for any sequence."""

    name = "classify"
    config = ClassifyConfig
    model = Classifier


class PairClassification(Labelling):
    """The task pair: a label for two texts."""

    name = "pair"
    config = PairConfig
    model = PairClassifier

    def learn_symbols(
        self, config: LabellingConfig, train: Sequence[Example], others: Iterable[str] = ()
    ) -> Symbols:
        """Build the vocabularies and the features of pairs, and fit the baselines."""
        assert isinstance(config, PairConfig), "the configuration of this task"
        return with_features(super().learn_symbols(config, train, others), config, train)

    def save_symbols(self, symbols: Symbols, folder: Path) -> None:
        """Write words.json, labels.json and baselines.json."""
        save_pair_symbols(folder, symbols)

    def load_symbols(self, folder: Path, facts: Mapping[str, Any]) -> Symbols:
        """Load the words, labels, features and baselines of a run."""
        return load_pair_symbols(folder)

    def measure(
        self, network: LabellingNetwork, symbols: Symbols, config: LabellingConfig, part: Sequence[Example]
    ) -> LabelFigures:
        """Evaluate a network on rows, and the baselines beside it."""
        figures = super().measure(network, symbols, config, part)
        return replace(figures, baselines=baseline_figures(part, symbols))


def _weights_told(corpus: LabelledCorpus) -> Iterable[str]:
    """Yield a sentence on the weights of each kind of label, if they are balanced."""
    symbols = corpus.symbols
    weights = class_weights(corpus.parts.config, symbols, corpus.train)
    noun = "labels" if symbols.labels is None else "sentence labels"
    kinds = zip(("word labels", noun), (symbols.labels, symbols.classes), weights, strict=True)
    for title, names, values in kinds:
        if names is not None and values is not None:
            each = zip(names.symbols, values.tolist(), strict=True)
            yield f"weights of the {title}: {listed(f'{name} {value:.3g}' for name, value in each)}"


def _is_tokenised(config: LabellingConfig, corpus: LabelledCorpus) -> bool:
    """Whether the files give words, with punctuation as words of its own, and `split` was not given."""
    words = corpus.symbols.words
    if words is None or "split" in config.model_fields_set or config.data is None:
        return False
    if format_of(config.data, config) not in ("conll", "atis", "parallel"):
        return False
    return any(sign in words.words for sign in (".", ",", "?"))

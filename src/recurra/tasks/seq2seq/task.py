"""The tasks translate, chat and caption: from a sequence or a picture to a sequence."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from recurra.config.conditions import can_apply
from recurra.data.examples import BadRows, rows_told
from recurra.data.readers.pairs import Pair, refuse_without_use
from recurra.data.rows_in_memory import FileContent, file_of_pairs, files_of_captions
from recurra.errors import DataError
from recurra.models.seq2seq import Seq2SeqNetwork
from recurra.models.source import EncoderDecoderConfig
from recurra.plain import counted, shell, unit_noun
from recurra.tasks.pretrained import one_process_only
from recurra.tasks.rows import Parts, RowTask
from recurra.tasks.seq2seq.config import CaptionConfig, ChatConfig, Seq2SeqConfig, TranslateConfig
from recurra.tasks.seq2seq.corpus import (
    PairCorpus,
    check_shapes,
    empty_told,
    file_beside,
    filled,
    fingerprint_of,
    formats_of,
    read_part,
)
from recurra.tasks.seq2seq.facade import Captioner, ChatBot, Translator
from recurra.tasks.seq2seq.feeds import EncodedPairs
from recurra.tasks.seq2seq.figures import METRICS, PairFigures, measure, score_of_pairs
from recurra.tasks.seq2seq.objective import Seq2SeqObjective
from recurra.tasks.seq2seq.pretrained import fill, pretrained_embeddings, settled, take_vectors
from recurra.tasks.seq2seq.starting import start_from
from recurra.tasks.seq2seq.symbols import PairSymbols, learn_symbols
from recurra.tasks.starting import Source, Start
from recurra.tasks.task import Join, Setup, unchanged
from recurra.training import Choice
from recurra.training.rows import RowFeed
from recurra.training.selection import LOSS, SCORE


class SequenceToSequence(RowTask):
    """Base class of the sequence-to-sequence tasks."""

    perplexity = True
    settled = ("embedding_size",)

    def files_of_rows(self, data: Any, part: str) -> Mapping[str, FileContent]:
        """Return pairs in memory, or for chat-bots also lists of turns, as JSON lines."""
        return {part: file_of_pairs(data, part, has_turns=self.name == "chat")}

    def read_rows(self, config: Seq2SeqConfig, part: str, bad: BadRows) -> list[Pair] | None:
        """Read the pairs of a file; pairs with an empty side are left out."""
        every = read_part(config, part, bad)
        if every is None:
            return None
        return filled(every, getattr(config, part), bad)

    def check_reading(self, config: Seq2SeqConfig) -> None:
        """Refuse given options of reading that do not apply to the formats of the files."""
        refuse_without_use(formats_of(config), config)

    def groups(self, config: Seq2SeqConfig, rows: Sequence[Pair]) -> list[list[int]]:
        """Group pairs with the same `goes_with`, by default those with the same source."""
        found: dict[object, list[int]] = {}
        for i, pair in enumerate(rows):
            found.setdefault(self.goes_with(pair), []).append(i)
        return list(found.values())

    def files_beside(self, config: Seq2SeqConfig, part: str) -> Sequence[str]:
        """Return the file with the targets of a part, or with the captions of its pictures."""
        beside = file_beside(config, part)
        return () if beside is None else (beside,)

    def goes_with(self, pair: Pair) -> object:
        """Return the key of the group that a pair belongs to: its source."""
        return pair.source

    def fingerprint(self, rows: Sequence[Pair]) -> str:
        """A digest that changes with any word or number of any pair."""
        return fingerprint_of(rows)

    def learn_symbols(self, config: Seq2SeqConfig, train: Sequence[Pair]) -> PairSymbols:
        """Build the symbols from the training pairs."""
        return learn_symbols(config, train)

    def corpus(
        self, config: Seq2SeqConfig, parts: Parts[Pair], symbols: PairSymbols, bad: BadRows
    ) -> PairCorpus:
        """Check the pairs against the symbols and return the corpus."""
        check_shapes([pair for _, pairs in parts.each() for pair in pairs], symbols.vector_shape)
        return PairCorpus(symbols, parts, self.fingerprint, bad.sentences, bad.empty)

    def read(self, config: Seq2SeqConfig, join: Join = unchanged) -> PairCorpus:
        """Read and split the pairs, build the symbols, and read pretrained vectors of their words."""
        corpus = super().read(config, join)
        assert isinstance(corpus, PairCorpus), "the corpus of this task"
        take_vectors(config, corpus)
        return corpus

    def settle(self, config: Seq2SeqConfig, corpus: PairCorpus) -> Seq2SeqConfig:
        """Set the embedding size to that of pretrained vectors."""
        return settled(config, corpus)

    def start_from(self, config: Seq2SeqConfig, source: Source) -> Start:
        """Start from another encoder-decoder, or the decoder from a run of another kind."""
        start = start_from(source, config)
        if start is None:
            others = ("caption",) if isinstance(config, CaptionConfig) else ("translate", "chat")
            raise source.refusal(self, (*others, "lm"))
        return start

    def save_symbols(self, symbols: PairSymbols, folder: Path) -> None:
        """Write the files of both tokenizers."""
        symbols.save(folder)

    def load_symbols(self, folder: Path, facts: Mapping[str, Any]) -> PairSymbols:
        """Load the symbols of a run."""
        shape = tuple(int(size) for size in facts.get("vector_shape", []))
        return PairSymbols.load(folder, shape, copies=facts.get("copies") is True)

    def build(
        self, config: Seq2SeqConfig, symbols: PairSymbols, corpus: PairCorpus | None = None
    ) -> Seq2SeqNetwork:
        """Build a network with initial weights, and pretrained vectors, if there are any."""
        own = EncoderDecoderConfig(
            **{name: getattr(config, name) for name in EncoderDecoderConfig.model_fields}
        )
        network = Seq2SeqNetwork(own, symbols.kind, symbols.target.vocabulary_size, symbols.end)
        if corpus is not None:
            fill(network, corpus)
        return network

    def setup(
        self,
        config: Seq2SeqConfig,
        corpus: PairCorpus,
        network: Seq2SeqNetwork,
        rank: int,
        processes: int,
    ) -> Setup:
        """Set up training on batches of pairs of similar length."""
        if processes > 1 and config.tune_after:
            raise one_process_only("tune_after")
        if config.freeze_vectors:  # before the network is wrapped for several processes
            for embedding in pretrained_embeddings(network, config):
                embedding.weight.requires_grad_(False)
        limits = (config.max_source_length, config.max_target_length)
        pairs = EncodedPairs(corpus.train, corpus.symbols, limits)
        if not pairs.pair_of:
            raise DataError.advising(
                f"{config.data}: "
                + ("the only pair is" if pairs.too_long == 1 else f"all {pairs.too_long:,} pairs are")
                + " too long",
                f"raise --max-source-length, which is {limits[0]:,}",
                f"raise --max-target-length, which is {limits[1]:,}",
            )
        corpus.too_long = pairs.too_long
        feed = RowFeed(pairs, config.batch_size, config.seed, rank=rank, processes=processes)
        valid = EncodedPairs(corpus.valid, corpus.symbols)
        return Setup(Seq2SeqObjective(network, valid, config), feed)

    def measure(
        self, network: Seq2SeqNetwork, symbols: PairSymbols, config: Seq2SeqConfig, part: Sequence[Pair]
    ) -> PairFigures:
        """Evaluate a network on pairs."""
        return measure(network, EncodedPairs(part, symbols), config)

    def criterion(self, config: Seq2SeqConfig, figures: PairFigures) -> float:
        """Return 1 - the metric of `keep_best`, or (1 - BLEU or chrF / 100) + (1 - exact match) of score.

        The loss breaks ties; it also takes the place of the score if validations have no outputs.
        """
        by_loss = config.keep_best == SCORE and not config.validation_rows
        return figures.criterion(LOSS if by_loss else config.keep_best)

    def unit(self, config: Seq2SeqConfig) -> str:
        """Return the unit of a symbol."""
        return unit_noun(config.unit)

    def choice(self, config: Seq2SeqConfig, corpus: PairCorpus) -> Choice:
        """Return the metrics of outputs; BLEU only if a validation target is long enough for it."""
        score = score_of_pairs(corpus.valid)
        metrics = {name: each for name, each in METRICS.items() if name != "bleu" or score.short < 1}
        return Choice(metrics, (score.figure, "exact"))

    def introduce(self, corpus: PairCorpus) -> Iterable[str]:
        """Describe the data: sizes of parts and vocabularies, the first pair, and pairs left out."""
        symbols = corpus.symbols
        counts = [f"{counted(len(corpus.train), 'pair')} to train on, {len(corpus.valid):,} to validate on"]
        if corpus.test is not None:
            counts.append(f"{len(corpus.test):,} to test on")
        unit = unit_noun(symbols.target.unit)
        if symbols.source is symbols.target:
            counts.append(f"{symbols.target.vocabulary_size:,} {unit}s (joint vocabulary)")
        elif symbols.source is not None:
            counts.append(f"{symbols.source.vocabulary_size:,} source {unit}s")
            counts.append(f"{symbols.target.vocabulary_size:,} target {unit}s")
        else:
            counts.append(f"{symbols.target.vocabulary_size:,} {unit}s")
        yield ", ".join(counts)
        first = corpus.train[0]
        read = " / ".join(first.source) if first.vectors is None else f"picture {first.source[0]}"
        yield f"first pair: {read[:80]!r} -> {first.targets[0][:80]!r}"
        for given in (corpus.vectors, corpus.target_vectors):
            yield from () if given is None else given.notes
        yield from (f"validation: {note}" for note in score_of_pairs(corpus.valid).notes())
        yield from rows_told(corpus.skipped, "skipped", corpus.kept)
        yield from empty_told(corpus.empty)
        if corpus.too_long:
            limits = ("max_source_length", "max_target_length")
            flags = [f"--{name.replace('_', '-')}" for name in limits if can_apply(self.config, name)]
            yield f"{counted(corpus.too_long, 'pair')} left out as too long; see {', '.join(flags)}"

    def next_commands(self, config: Seq2SeqConfig, run: Path) -> Sequence[str]:
        """Commands to evaluate, and to run the model on a file."""
        return (f"recurra evaluate {shell(run)}", f"recurra {self.name} {shell(run)} FILE")


class Translation(SequenceToSequence):
    """The task translate: from one text to another."""

    name = "translate"
    config = TranslateConfig
    model = Translator


class Chat(SequenceToSequence):
    """The task chat: from the last turns to an answer."""

    name = "chat"
    config = ChatConfig
    model = ChatBot

    def goes_with(self, pair: Pair) -> object:
        """Return the conversation of the pair."""
        return pair.line

    def next_commands(self, config: Seq2SeqConfig, run: Path) -> Sequence[str]:
        """Commands to evaluate, and to chat."""
        return (f"recurra evaluate {shell(run)}", f"recurra chat {shell(run)}")


class Captioning(SequenceToSequence):
    """The task caption: from a picture to a sentence."""

    name = "caption"
    config = CaptionConfig
    model = Captioner

    def files_of_rows(self, data: Any, part: str) -> Mapping[str, FileContent]:
        """Return pairs of an array and its captions as a file of features and one of captions."""
        features, captions = files_of_captions(data, part)
        return {part: features, "captions" if part == "data" else f"{part}_captions": captions}

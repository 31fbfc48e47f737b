"""The tasks translate, chat and caption: from a sequence, or a picture, to a sequence."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from recurra.data.examples import BadRows, rows_told
from recurra.data.readers.pairs import Pair
from recurra.errors import DataError
from recurra.models.seq2seq import Seq2SeqNetwork
from recurra.models.source import EncoderDecoderConfig
from recurra.tasks.rows import Parts, RowTask
from recurra.tasks.seq2seq.config import CaptionConfig, ChatConfig, Seq2SeqConfig, TranslateConfig
from recurra.tasks.seq2seq.corpus import (
    PairCorpus,
    check_shapes,
    file_beside,
    filled,
    fingerprint_of,
    read_part,
)
from recurra.tasks.seq2seq.facade import Captioner, ChatBot, Translator
from recurra.tasks.seq2seq.feeds import EncodedPairs
from recurra.tasks.seq2seq.figures import PairFigures, measure
from recurra.tasks.seq2seq.objective import Seq2SeqObjective
from recurra.tasks.seq2seq.symbols import PairSymbols, learn_symbols
from recurra.tasks.task import Setup
from recurra.training.rows import RowFeed


class SequenceToSequence(RowTask):
    """What the tasks from sequence to sequence have in common."""

    perplexity = True

    def read_rows(self, config: Seq2SeqConfig, part: str, bad: BadRows) -> list[Pair] | None:
        """The pairs of a file; those with an empty side teach nothing, and are left out."""
        every = read_part(config, part, bad)
        if every is None:
            return None
        pairs = filled(every, getattr(config, part))
        bad.empty += len(every) - len(pairs)
        return pairs

    def groups(self, config: Seq2SeqConfig, rows: Sequence[Pair]) -> list[list[int]]:
        """Pairs with one source."""
        found: dict[object, list[int]] = {}
        for i, pair in enumerate(rows):
            found.setdefault(self.goes_with(pair), []).append(i)
        return list(found.values())

    def files_beside(self, config: Seq2SeqConfig, part: str) -> Sequence[str]:
        """The other side of a part, or the captions of its pictures."""
        beside = file_beside(config, part)
        return () if beside is None else (beside,)

    def goes_with(self, pair: Pair) -> object:
        """What pairs that go together have in common."""
        return pair.source

    def fingerprint(self, rows: Sequence[Pair]) -> str:
        """A digest that changes with any word or number of any pair."""
        return fingerprint_of(rows)

    def learn_symbols(self, config: Seq2SeqConfig, train: Sequence[Pair]) -> PairSymbols:
        """The symbols of the pairs to train on."""
        return learn_symbols(config, train)

    def corpus(
        self, config: Seq2SeqConfig, parts: Parts[Pair], symbols: PairSymbols, bad: BadRows
    ) -> PairCorpus:
        """Pairs that were checked beside the symbols."""
        check_shapes([pair for _, pairs in parts.each() for pair in pairs], symbols.vector_shape)
        return PairCorpus(symbols, parts, self.fingerprint, bad.sentences, bad.empty)

    def save_symbols(self, symbols: PairSymbols, folder: Path) -> None:
        """Write the files of both tokenizers."""
        symbols.save(folder)

    def load_symbols(self, folder: Path, facts: Mapping[str, Any]) -> PairSymbols:
        """What a run's model reads and writes."""
        return PairSymbols.load(folder, tuple(int(size) for size in facts.get("vector_shape", [])))

    def build(
        self, config: Seq2SeqConfig, symbols: PairSymbols, corpus: PairCorpus | None = None
    ) -> Seq2SeqNetwork:
        """A network with its first weights."""
        own = EncoderDecoderConfig(
            **{name: getattr(config, name) for name in EncoderDecoderConfig.model_fields}
        )
        return Seq2SeqNetwork(own, symbols.kind, symbols.target.vocabulary_size, symbols.end)

    def setup(
        self,
        config: Seq2SeqConfig,
        corpus: PairCorpus,
        network: Seq2SeqNetwork,
        rank: int,
        processes: int,
    ) -> Setup:
        """Batches of pairs near in length."""
        limits = (config.max_source_length, config.max_target_length)
        pairs = EncodedPairs(corpus.train, corpus.symbols, limits)
        if not pairs.pair_of:
            raise DataError(
                f"{config.data}: all {pairs.too_long:,} pairs are longer than {limits[0]} and {limits[1]} "
                f"{config.unit}s; raise --max-source-length or --max-target-length."
            )
        corpus.too_long = pairs.too_long
        feed = RowFeed(pairs, config.batch_size, config.seed, rank=rank, processes=processes)
        valid = EncodedPairs(corpus.valid, corpus.symbols)
        return Setup(Seq2SeqObjective(network, valid, config), feed)

    def measure(
        self, network: Seq2SeqNetwork, symbols: PairSymbols, config: Seq2SeqConfig, part: Sequence[Pair]
    ) -> PairFigures:
        """How near a network's answers are to the right ones."""
        return measure(network, EncodedPairs(part, symbols), config)

    def unit(self, config: Seq2SeqConfig) -> str:
        """What a symbol is."""
        return config.unit

    def introduce(self, corpus: PairCorpus) -> Iterable[str]:
        """The pairs of each part, the symbols, the first pair, and pairs that were left out."""
        symbols = corpus.symbols
        counts = [f"{len(corpus.train):,} pairs to train on, {len(corpus.valid):,} to validate on"]
        if corpus.test is not None:
            counts.append(f"{len(corpus.test):,} to test on")
        unit = symbols.target.unit
        if symbols.source is symbols.target:
            counts.append(f"{symbols.target.vocabulary_size:,} {unit}s of both sides")
        elif symbols.source is not None:
            counts.append(f"{symbols.source.vocabulary_size:,} {unit}s to read")
            counts.append(f"{symbols.target.vocabulary_size:,} to write")
        else:
            counts.append(f"{symbols.target.vocabulary_size:,} {unit}s")
        yield ", ".join(counts)
        first = corpus.train[0]
        read = " / ".join(first.source) if first.vectors is None else f"picture {first.source[0]}"
        yield f"the first: {read[:80]!r} to {first.targets[0][:80]!r}"
        yield from rows_told(corpus.skipped, "left out")
        if corpus.empty:
            yield f"{corpus.empty:,} pairs with an empty side left out"
        if corpus.too_long:
            limits = "--max-source-length, --max-target-length"
            yield f"{corpus.too_long:,} pairs left out as too long; see {limits}"

    def next_commands(self, config: Seq2SeqConfig, run: Path) -> Sequence[str]:
        """Evaluating, and the task's own verb."""
        return (f"recurra evaluate {run}", f"recurra {self.name} {run} FILE")

    def shown(self, name: str, value: float) -> str:
        """BLEU, or a share."""
        return f"{value:.2%}" if name == "exact" else f"{value:.2f}"


class Translation(SequenceToSequence):
    """From a text to another."""

    name = "translate"
    config = TranslateConfig
    model = Translator


class Chat(SequenceToSequence):
    """From what was said last to an answer."""

    name = "chat"
    config = ChatConfig
    model = ChatBot

    def goes_with(self, pair: Pair) -> object:
        """Their conversation."""
        return pair.line

    def next_commands(self, config: Seq2SeqConfig, run: Path) -> Sequence[str]:
        """Evaluating, and talking."""
        return (f"recurra evaluate {run}", f"recurra chat {run}")


class Captioning(SequenceToSequence):
    """From a picture to a sentence."""

    name = "caption"
    config = CaptionConfig
    model = Captioner

"""The task lm: P(next symbol | all before it), by a network or by counts of n-grams."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from lightning_fabric import Fabric
from torch import nn

from recurra.errors import DataError
from recurra.metrics import LikelihoodFigures
from recurra.models import LanguageModelNetwork, NextSymbolNetwork, NGramNetwork, WindowNetwork
from recurra.runs import RunFolder
from recurra.tasks.language_modeling.config import LanguageModelConfig
from recurra.tasks.language_modeling.corpus import (
    EncodedText,
    LanguageModelCorpus,
    encode,
    find_corpus,
    known_source,
    make_streams,
    read_corpus,
)
from recurra.tasks.language_modeling.counting import ArpaLearner, CountingLearner, read_counts, start_of_lines
from recurra.tasks.language_modeling.evaluation import evaluate_text
from recurra.tasks.language_modeling.facade import LanguageModel
from recurra.tasks.language_modeling.objective import LanguageModelObjective
from recurra.tasks.task import Known, Setup, Task
from recurra.text import Tokenizer, load_tokenizer
from recurra.training import Learner, Outcome, TrainingConfig
from recurra.training.session import rows_of_process


class LanguageModeling(Task):
    """Language models of characters, words or subwords."""

    name = "lm"
    config = LanguageModelConfig
    model = LanguageModel
    reads_into_cache = True
    perplexity = True

    def read(self, config: LanguageModelConfig) -> LanguageModelCorpus:
        """The texts, split and encoded; of an ARPA file its n-grams and the texts to measure them on."""
        return read_corpus(config) if config.arpa is None else read_counts(config, Path(config.arpa))

    def read_again(
        self, config: LanguageModelConfig, symbols: Tokenizer, known: Known
    ) -> LanguageModelCorpus:
        """The texts of an earlier run, with the tokenizer that it kept."""
        return find_corpus(config, known.facts, symbols)

    def read_part(
        self, config: LanguageModelConfig, symbols: Tokenizer, known: Known, part: str
    ) -> EncodedText:
        """One text of an earlier run."""
        return encode(known_source(known.facts[part]), symbols, config)

    def save_symbols(self, symbols: Tokenizer, folder: Path) -> None:
        """Write vocabulary.json or tokenizer.json."""
        symbols.save(folder)

    def load_symbols(self, folder: Path, facts: Mapping[str, Any]) -> Tokenizer:
        """The tokenizer of a run."""
        return load_tokenizer(folder)

    def build(
        self, config: LanguageModelConfig, symbols: Tokenizer, corpus: LanguageModelCorpus | None = None
    ) -> NextSymbolNetwork:
        """A network with its first weights."""
        if config.model == "feed-forward":
            return WindowNetwork(symbols.vocabulary_size, config, config)
        return LanguageModelNetwork(symbols.vocabulary_size, config)

    def setup(
        self,
        config: LanguageModelConfig,
        corpus: LanguageModelCorpus,
        network: NextSymbolNetwork,
        rank: int,
        processes: int,
    ) -> Setup:
        """Parallel streams through the text, read in segments."""
        rows = rows_of_process(config.batch_size, rank, processes)
        streams = make_streams(corpus.training_text, corpus.symbols, config, rows=rows)
        if not len(corpus.valid.tokens):
            raise DataError(f"{corpus.valid.source.path}: has nothing to validate on.")
        return Setup(LanguageModelObjective(network, corpus, config), streams, config.updates_within_segment)

    def learner(self, config: LanguageModelConfig, corpus: LanguageModelCorpus, fabric: Fabric) -> Learner:
        """What counts n-grams, takes those of a file, or learns by the gradient."""
        if config.model != "ngram":
            return super().learner(config, corpus, fabric)
        return CountingLearner(config, corpus) if config.arpa is None else ArpaLearner(config, corpus)

    def loop_config(self, config: LanguageModelConfig) -> TrainingConfig:
        """What the loop needs to know; n-grams are counted once."""
        found = super().loop_config(config)
        return found.model_copy(update={"epochs": 1}) if config.model == "ngram" else found

    def load_network(self, config: LanguageModelConfig, symbols: Tokenizer, run: RunFolder) -> nn.Module:
        """The network of a run, or its n-grams."""
        if config.model == "ngram":
            return NGramNetwork.from_tensors(
                run.read_weights(), config.smoothing, start_of_lines(symbols), source=str(run.weights)
            )
        return super().load_network(config, symbols, run)

    def measure(
        self, network: Any, symbols: Tokenizer, config: LanguageModelConfig, part: EncodedText
    ) -> LikelihoodFigures:
        """How a network predicts a text, as one stream."""
        return evaluate_text(network, symbols, part, reset_at_documents=config.at_document == "reset")

    def unit(self, config: LanguageModelConfig) -> str:
        """What a symbol is."""
        return config.unit

    def introduce(self, corpus: LanguageModelCorpus) -> Iterable[str]:
        """The symbols of each part, and what no <unk> in training means."""
        if corpus.train is None:
            return
        unit, unseen = corpus.symbols.unit, corpus.symbols.vocabulary.unk_id
        yield (
            f"{corpus.train.source.path.name}: {len(corpus.train.tokens):,} {unit}s to train on, "
            f"{len(corpus.valid.tokens):,} to validate on, vocabulary {corpus.symbols.vocabulary_size:,}"
            + (" (encoded before)" if corpus.train.tokens.from_cache else "")
        )
        if unseen is not None and unit == "word" and not corpus.train.tokens.count(unseen):
            yield "no <unk> is seen in training, so none is learnt; --min-count 2 would make some"

    def next_commands(self, config: LanguageModelConfig, run: Path) -> Sequence[str]:
        """Sampling, or of a model that reads backward filling gaps; evaluating and scoring."""
        backward = config.direction == "backward"
        first = f"recurra fill FORWARD --backward {run}" if backward else f"recurra sample {run}"
        return (first, f"recurra evaluate {run} --data FILE", f"recurra score {run} FILE")

    def ending(self, config: LanguageModelConfig, outcome: Outcome) -> str:
        """How a training, or a count, ended."""
        seconds = f"in {outcome.elapsed_s:,.1f} s"
        if config.arpa is not None:
            return f"read {config.arpa} {seconds}"
        if config.model == "ngram":
            return f"counted {outcome.tokens:,} symbols {seconds}"
        return super().ending(config, outcome)

    def amount(self, outcome: Outcome) -> str:
        """The symbols."""
        return f"{outcome.tokens:,} symbols"

"""The task lm: P(next symbol | all before it), by a network or by counts of n-grams."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from lightning_fabric import Fabric
from torch import Tensor, nn

from recurra.data.rows_in_memory import FileContent, file_of_lines
from recurra.errors import DataError
from recurra.metrics import LikelihoodFigures
from recurra.models import LanguageModelNetwork, NextSymbolNetwork, NGramNetwork, WindowNetwork
from recurra.plain import counted, shell, unit_noun
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
from recurra.tasks.language_modeling.starting import TextStart, offer_of
from recurra.tasks.pretrained import one_process_only
from recurra.tasks.starting import Offer, Source, Start
from recurra.tasks.task import Join, Known, Setup, Task, unchanged
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
    settled = ("embedding_size",)

    def files_of_rows(self, data: Any, part: str) -> Mapping[str, FileContent]:
        """Return lines in memory as a text file."""
        return {part: file_of_lines(data, part)}

    def read(self, config: LanguageModelConfig, join: Join = unchanged) -> LanguageModelCorpus:
        """Read, split and encode the texts, or read the n-grams of an ARPA file and the evaluation texts."""
        return read_corpus(config, join) if config.arpa is None else read_counts(config, Path(config.arpa))

    def start_from(self, config: LanguageModelConfig, source: Source) -> Start:
        """Start from another language model."""
        if source.task.name != self.name:
            raise source.refusal(self, (self.name,))
        return TextStart(source, config)

    def offer(
        self, config: LanguageModelConfig, symbols: Tokenizer, weights: Mapping[str, Tensor]
    ) -> Offer | None:
        """Return the vectors, recurrent layers and output layer of a network."""
        return offer_of(config, symbols, weights)

    def read_again(
        self, config: LanguageModelConfig, symbols: Tokenizer, known: Known
    ) -> LanguageModelCorpus:
        """Read the texts of an earlier run, with its saved tokenizer."""
        return find_corpus(config, known.facts, symbols)

    def read_part(
        self, config: LanguageModelConfig, symbols: Tokenizer, known: Known, part: str
    ) -> EncodedText:
        """Read one text of an earlier run."""
        return encode(known_source(known.facts[part]), symbols, config)

    def save_symbols(self, symbols: Tokenizer, folder: Path) -> None:
        """Write vocabulary.json or tokenizer.json."""
        symbols.save(folder)

    def load_symbols(self, folder: Path, facts: Mapping[str, Any]) -> Tokenizer:
        """Load the tokenizer of a run."""
        return load_tokenizer(folder)

    def settle(self, config: LanguageModelConfig, corpus: LanguageModelCorpus) -> LanguageModelConfig:
        """Set the embedding size to that of pretrained vectors."""
        return config if corpus.vectors is None else corpus.vectors.settled(config)

    def build(
        self, config: LanguageModelConfig, symbols: Tokenizer, corpus: LanguageModelCorpus | None = None
    ) -> NextSymbolNetwork:
        """Build a network with initial weights, and pretrained vectors, if there are any."""
        network: NextSymbolNetwork
        if config.model == "feed-forward":
            network = WindowNetwork(symbols.vocabulary_size, config, config)
        else:
            network = LanguageModelNetwork(symbols.vocabulary_size, config)
        if corpus is not None and corpus.vectors is not None:
            corpus.vectors.fill(network.embedding, symbols.vocabulary.ids)
        return network

    def setup(
        self,
        config: LanguageModelConfig,
        corpus: LanguageModelCorpus,
        network: NextSymbolNetwork,
        rank: int,
        processes: int,
    ) -> Setup:
        """Return the objective, and parallel streams through the text in segments."""
        rows = rows_of_process(config.batch_size, rank, processes)
        if processes > 1 and config.tune_after:
            raise one_process_only("tune_after")
        if config.freeze_vectors:  # before the network is wrapped for several processes
            network.embedding.weight.requires_grad_(False)
        streams = make_streams(corpus.training_text, corpus.symbols, config, rows=rows)
        if not len(corpus.valid.tokens):
            raise DataError(f"{corpus.valid.source.path}: is empty, but validation needs text.")
        return Setup(LanguageModelObjective(network, corpus, config), streams, config.updates_within_segment)

    def learner(self, config: LanguageModelConfig, corpus: LanguageModelCorpus, fabric: Fabric) -> Learner:
        """Return a learner that counts n-grams, reads them from a file, or trains by gradients."""
        if config.model != "ngram":
            return super().learner(config, corpus, fabric)
        return CountingLearner(config, corpus) if config.arpa is None else ArpaLearner(config, corpus)

    def loop_config(self, config: LanguageModelConfig) -> TrainingConfig:
        """Return the options of the loop; n-grams are counted once."""
        found = super().loop_config(config)
        return found.model_copy(update={"epochs": 1}) if config.model == "ngram" else found

    def load_network(self, config: LanguageModelConfig, symbols: Tokenizer, run: RunFolder) -> nn.Module:
        """Load the network of a run, or its n-grams."""
        if config.model == "ngram":
            return NGramNetwork.from_tensors(
                run.read_weights(), config.smoothing, start_of_lines(symbols), source=str(run.weights)
            )
        return super().load_network(config, symbols, run)

    def measure(
        self, network: Any, symbols: Tokenizer, config: LanguageModelConfig, part: EncodedText
    ) -> LikelihoodFigures:
        """Evaluate a network on a text, as one stream."""
        return evaluate_text(network, symbols, part, reset_at_documents=config.at_document == "reset")

    def unit(self, config: LanguageModelConfig) -> str:
        """Return the unit of a symbol."""
        return unit_noun(config.unit)

    def introduce(self, corpus: LanguageModelCorpus) -> Iterable[str]:
        """Yield the size of each part, and a hint if the training text has no <unk>."""
        if corpus.train is None:
            return
        unit, unseen = corpus.symbols.unit, corpus.symbols.vocabulary.unk_id
        symbols = counted(len(corpus.train.tokens), unit_noun(unit))
        yield (
            f"{corpus.train.source.path.name}: {symbols} to train on, "
            f"{len(corpus.valid.tokens):,} to validate on, vocabulary {corpus.symbols.vocabulary_size:,}"
            + (" (from cache)" if corpus.train.tokens.from_cache else "")
        )
        if corpus.vectors is not None:
            yield from corpus.vectors.notes
        if unseen is not None and unit == "word" and not corpus.train.tokens.count(unseen):
            yield "the training text has no <unk>, so the model cannot learn it; --min-count 2 would add it"

    def next_commands(self, config: LanguageModelConfig, run: Path) -> Sequence[str]:
        """Return commands to sample (or, for a backward model, to fill gaps), evaluate and score."""
        backward = config.direction == "backward"
        path = shell(run)
        first = f"recurra fill FORWARD --backward {path}" if backward else f"recurra sample {path}"
        return (first, f"recurra evaluate {path} --data FILE", f"recurra score {path} FILE")

    def ending(self, config: LanguageModelConfig, outcome: Outcome) -> str:
        """Return a sentence about the outcome of training or counting."""
        seconds = f"in {outcome.elapsed_s:,.1f} s"
        if config.arpa is not None:
            return f"read {config.arpa} {seconds}"
        if config.model == "ngram":
            return f"counted {counted(outcome.tokens, 'symbol')} {seconds}"
        return super().ending(config, outcome)

    def amount(self, outcome: Outcome) -> str:
        """Return the number of symbols."""
        return counted(outcome.tokens, "symbol")

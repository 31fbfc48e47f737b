"""The task vectors: word vectors from a text."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from lightning_fabric import Fabric

from recurra.data import TextSource
from recurra.data.rows_in_memory import FileContent, file_of_lines
from recurra.errors import ConfigError, DataError
from recurra.plain import counted, shell
from recurra.tasks.starting import Source, Start
from recurra.tasks.task import Join, Known, Setup, Task, unchanged
from recurra.tasks.vectors.config import VectorsConfig
from recurra.tasks.vectors.corpus import WordCorpus, WordSymbols, WordText, read_corpus, read_text
from recurra.tasks.vectors.facade import WordVectors
from recurra.tasks.vectors.judging import PAIRS, Judge, VectorFigures
from recurra.tasks.vectors.learners import GloveLearner, TextLearner
from recurra.tasks.vectors.networks import Tables, VectorNetwork, build_network
from recurra.tasks.vectors.softmax import ContextFeed, SoftmaxObjective
from recurra.tasks.vectors.starting import VectorStart
from recurra.training import Learner, Outcome


class TrainingVectors(Task):
    """Skip-gram, CBOW, the contexts of the lecture notes, and GloVe."""

    name = "vectors"
    config = VectorsConfig
    model = WordVectors
    reads_into_cache = True

    def files_of_rows(self, data: Any, part: str) -> Mapping[str, FileContent]:
        """Return lines in memory as a text file."""
        return {part: file_of_lines(data, part)}

    def read(self, config: VectorsConfig, join: Join = unchanged) -> WordCorpus:
        """Read and split the texts, and count their words."""
        return read_corpus(config, join)

    def start_from(self, config: VectorsConfig, source: Source) -> Start:
        """Go on with the vectors of another run, with more text and new words."""
        if source.task.name != self.name:
            raise source.refusal(self, (self.name,))
        return VectorStart(source, config)

    def read_again(self, config: VectorsConfig, symbols: WordSymbols, known: Known) -> WordCorpus:
        """Read the texts of an earlier run, with its words."""
        names = [name for name in ("train", "valid", "test") if name in known.facts]
        texts = {name: self.read_part(config, symbols, known, name) for name in names}
        return WordCorpus(symbols, texts["train"], texts["valid"], texts.get("test"))

    def read_part(self, config: VectorsConfig, symbols: WordSymbols, known: Known, part: str) -> WordText:
        """Read one text of an earlier run."""
        facts = known.facts[part]
        source = TextSource(Path(facts["path"]), facts["start"], facts.get("stop"))
        if source.fingerprint != facts["fingerprint"]:
            raise DataError(
                f"{source.path}: has changed since the run began, so its figures would differ; restore "
                "the old file, or train a new run on the new one."
            )
        return read_text(source, symbols, config)

    def save_symbols(self, symbols: WordSymbols, folder: Path) -> None:
        """Write words.json."""
        symbols.save(folder)

    def load_symbols(self, folder: Path, facts: Mapping[str, Any]) -> WordSymbols:
        """Load the words of a run."""
        return WordSymbols.load(folder)

    def build(self, config: VectorsConfig, symbols: WordSymbols, corpus: Any = None) -> VectorNetwork:
        """Build vectors with initial values."""
        return build_network(config, symbols)

    def setup(
        self, config: VectorsConfig, corpus: WordCorpus, network: VectorNetwork, rank: int, processes: int
    ) -> Setup:
        """Set up training with the full softmax."""
        tables = Tables.of(config, corpus.symbols)
        Judge(config, corpus.symbols, network, tables).check(corpus.train, corpus.valid)
        feed = ContextFeed(
            corpus.train,
            tables.contexts,
            tables.keep,
            batch_size=config.batch_size,
            seed=config.seed,
            rank=rank,
            processes=processes,
        )
        return Setup(SoftmaxObjective(network, corpus, config), feed)

    def learner(self, config: VectorsConfig, corpus: WordCorpus, fabric: Fabric) -> Learner:
        """Return a native learner, or for the full softmax one that uses gradients."""
        learner = self._learner(config, corpus, fabric)
        learner.keeps_last = config.keep == "last"
        return learner

    def _learner(self, config: VectorsConfig, corpus: WordCorpus, fabric: Fabric) -> Learner:
        if config.objective == "softmax":
            return super().learner(config, corpus, fabric)
        if fabric.world_size > 1:
            raise ConfigError(
                f"objective: {config.objective} is trained by one process with several threads; start it "
                "without torchrun."
            )
        return GloveLearner(config, corpus) if config.objective == "glove" else TextLearner(config, corpus)

    def measure(
        self, network: VectorNetwork, symbols: WordSymbols, config: VectorsConfig, part: WordText
    ) -> VectorFigures:
        """Evaluate vectors on a text."""
        return Judge(config, symbols, network).figures(part, PAIRS)

    def unit(self, config: VectorsConfig) -> str:
        """Return what is counted during training."""
        return "pair" if config.objective == "glove" else "prediction"

    def introduce(self, corpus: WordCorpus) -> Iterable[str]:
        """Describe the texts and the words."""
        train, valid = corpus.train.words, corpus.valid.words
        yield (
            f"{corpus.train.source.path.name}: {counted(train.words, 'word')} to train on, {valid.words:,} "
            f"to validate on, vocabulary {len(corpus.symbols.vocabulary):,} "
            f"({len(train) / max(1, train.words):.1%} of the training text)"
            + (" (from cache)" if train.from_cache else "")
        )
        if phrases := corpus.symbols.reading.phrases:
            count = sum(map(len, phrases))
            yield f"{counted(count, 'pair')} of words {'is' if count == 1 else 'are'} joined to phrases"

    def next_commands(self, config: VectorsConfig, run: Path) -> Sequence[str]:
        """Return commands to find neighbours and to evaluate."""
        return (f"recurra predict {shell(run)} FILE", f"recurra evaluate {shell(run)} --data FILE")

    def ending(self, config: VectorsConfig, outcome: Outcome) -> str:
        """Return a sentence about the outcome of training."""
        told = super().ending(config, outcome)
        return told if config.keep == "best" else told.replace("best weights at step", "vectors of step")

    def amount(self, outcome: Outcome) -> str:
        """Return the number of passes over the text."""
        return counted(outcome.epochs, "epoch")

"""Training a language model into a run folder, and going on with one that was stopped."""

import math
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import TypeVar, cast

from lightning_fabric import Fabric
from torch import Tensor, nn

from recurra.data import Segment
from recurra.errors import DataError, RunError
from recurra.layers import State
from recurra.metrics import LikelihoodFigures
from recurra.models import NextSymbolNetwork
from recurra.runs import RunFolder
from recurra.tasks.language_modeling import counting
from recurra.tasks.language_modeling.config import LanguageModelConfig
from recurra.tasks.language_modeling.corpus import (
    EncodedText,
    LanguageModelCorpus,
    find_corpus,
    make_streams,
    read_corpus,
)
from recurra.tasks.language_modeling.evaluation import evaluate_text
from recurra.tasks.language_modeling.networks import build_network
from recurra.tasks.language_modeling.outcome import TASK, TrainingResult
from recurra.tasks.settings import resumable, task_and_config
from recurra.text import load_tokenizer
from recurra.training import (
    Listener,
    Trainer,
    make_fabric,
    named_memory_faults,
)
from recurra.training.session import (
    all_listeners,
    first_network,
    fit_to_end,
    log_final,
    loop_config,
    share_of_batch,
)

_VALIDATION_STREAMS = 20
T = TypeVar("T")
# Called once everything is built, before the first update.
OnReady = Callable[[Trainer, LanguageModelCorpus], None]


class LanguageModelObjective:
    """What the training loop needs to know of a language model."""

    loss_method = "total_loss"

    def __init__(self, network: NextSymbolNetwork, corpus: LanguageModelCorpus, config: LanguageModelConfig):
        self.network: nn.Module = network
        self._network = network
        self._corpus = corpus
        self._config = config

    def loss(
        self, network: nn.Module, segment: Segment, state: State | None, context: int
    ) -> tuple[Tensor, State, Tensor | None]:
        """The summed loss over a segment, the state after it, and a penalty; see training.Objective."""
        own = cast(NextSymbolNetwork, network)  # or a wrapper with its methods
        found = own.total_loss(
            segment.inputs, segment.targets, state, segment.lengths, segment.resets, context
        )
        return found.total, found.state, found.penalty

    def validate(self, network: nn.Module) -> dict[str, float]:
        """Loss and perplexity on the validation text, read as a few parallel streams."""
        figures = self.evaluate(_VALIDATION_STREAMS, spell_unknown=False)
        return {
            "loss": figures.loss,
            "perplexity": figures.perplexity,
            "bits_per_character": figures.bits_per_character,
        }

    def evaluate(
        self, streams: int = 1, text: EncodedText | None = None, *, spell_unknown: bool = True
    ) -> LikelihoodFigures:
        """How the network as it is predicts a text, by default the validation text."""
        return evaluate_text(
            self._network,
            self._corpus.tokenizer,
            text or self._corpus.valid,
            streams=streams,
            reset_at_documents=self._config.at_document == "reset",
            spell_unknown=spell_unknown,
        )

    def criterion(self, figures: dict[str, float]) -> float:
        """The loss."""
        return figures["loss"]

    def training_figures(self, loss: float) -> dict[str, float]:
        """The perplexity."""
        return {"perplexity": math.exp(loss)}

    def initial_state(self, batch_size: int) -> State:
        """The state before anything is read."""
        return self._network.initial_state(batch_size)


def train(
    config: LanguageModelConfig,
    out: Path,
    *,
    overwrite: bool = False,
    listeners: Sequence[Listener] = (),
    on_ready: OnReady | None = None,
) -> TrainingResult:
    """Train a language model on a text, into the folder `out`.

    Raises: RunError if `out` is in the way; DataError if a text cannot be used; ConfigError,
    OutOfMemoryError, StorageError, TrainingDiverged, Interrupted.
    """
    config = config.resolved()
    if config.model == "ngram":
        return counting.count(config, out, overwrite=overwrite)
    RunFolder.check_free(out, overwrite=overwrite)
    with named_memory_faults():
        fabric = make_fabric(config)
        corpus = _first_process_first(fabric, lambda: read_corpus(config))
        trainer, objective = _prepare(config, corpus, RunFolder(out), fabric, listeners)
        with ExitStack() as stack:
            if fabric.is_global_zero:
                run = stack.enter_context(RunFolder.claimed(out, overwrite=overwrite))
                run.begin(TASK, config.model_dump(), corpus.facts(), corpus.tokenizer.save)
            return _fit(trainer, objective, corpus, on_ready, resume=False)


def resume(
    out: Path, *, listeners: Sequence[Listener] = (), on_ready: OnReady | None = None
) -> TrainingResult:
    """Go on with the run in `out` from its latest checkpoint, to the same weights, bit for bit, as a
    run that was never stopped. A run that had ended is only evaluated.

    Raises: RunError if there is no run or no whole checkpoint; otherwise as `train`.
    """
    run = RunFolder.open(out)
    settings = run.read_settings()
    config = config_of(run)
    if config.model == "ngram":
        raise RunError(f"{out}: was counted, not trained, so there is nothing to go on with.")
    run = resumable(out)
    with named_memory_faults():
        fabric = make_fabric(config)
        tokenizer = load_tokenizer(out)
        corpus = _first_process_first(fabric, lambda: find_corpus(config, settings["data"], tokenizer))
        trainer, objective = _prepare(config, corpus, run, fabric, listeners)
        return _fit(trainer, objective, corpus, on_ready, resume=True)


def config_of(run: RunFolder) -> LanguageModelConfig:
    """The configuration of a language model's run.

    Raises: RunError if the run is of another task or its configuration is damaged.
    """
    return task_and_config(run, {TASK: LanguageModelConfig})[1]


def _prepare(
    config: LanguageModelConfig,
    corpus: LanguageModelCorpus,
    run: RunFolder,
    fabric: Fabric,
    listeners: Sequence[Listener],
) -> tuple[Trainer, LanguageModelObjective]:
    """Build network, streams and trainer; nothing is written yet."""
    rows = share_of_batch(config.batch_size, fabric)
    tokenizer = corpus.tokenizer
    network = first_network(fabric, config.seed, lambda: build_network(tokenizer.vocabulary_size, config))
    streams = make_streams(corpus.training_text, tokenizer, config, rows=rows)
    if not len(corpus.valid.tokens):
        raise DataError(f"{corpus.valid.source.path}: has nothing to validate on.")
    objective = LanguageModelObjective(network, corpus, config)
    watchers, window = all_listeners(listeners, run, fabric), config.updates_within_segment
    trainer = Trainer(objective, streams, loop_config(config), run, fabric, watchers, window=window)
    return trainer, objective


def _fit(
    trainer: Trainer,
    objective: LanguageModelObjective,
    corpus: LanguageModelCorpus,
    on_ready: OnReady | None,
    *,
    resume: bool,
) -> TrainingResult:
    ready = None if on_ready is None else partial(on_ready, trainer, corpus)
    outcome = fit_to_end(trainer, ready, resume=resume)
    validation = objective.evaluate()
    test = None if corpus.test is None else objective.evaluate(text=corpus.test)
    run, is_main_process = trainer.run_folder, trainer.fabric.is_global_zero
    if is_main_process:
        log_final(run, outcome, {"final": validation, "test": test})
    return TrainingResult(run.path, outcome, validation, test, is_main_process)


def _first_process_first(fabric: Fabric, work: Callable[[], T]) -> T:
    """Let the first process encode the corpus, the others then find it in the cache."""
    if fabric.world_size == 1:
        return work()
    result = work() if fabric.is_global_zero else None
    fabric.barrier()
    return work() if result is None else result

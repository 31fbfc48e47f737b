"""Training a translator, a chat-bot or a captioner into a run folder, and going on with one."""

import math
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from lightning_fabric import Fabric
from torch import Tensor, nn

from recurra.data.batches import PairBatch
from recurra.errors import DataError, RunError
from recurra.layers import State
from recurra.metrics.translation import count_texts
from recurra.models.seq2seq import Seq2SeqNetwork
from recurra.runs import RunFolder
from recurra.tasks.seq2seq.config import CONFIGS, Seq2SeqConfig
from recurra.tasks.seq2seq.corpus import PairCorpus, PairSymbols, build_corpus
from recurra.tasks.seq2seq.feeds import EncodedPairs
from recurra.tasks.seq2seq.figures import PairFigures, measure
from recurra.tasks.seq2seq.networks import build_network
from recurra.tasks.seq2seq.searching import search
from recurra.tasks.settings import resumable, task_and_config
from recurra.training import Listener, Outcome, Trainer, make_fabric, named_memory_faults
from recurra.training.rows import RowFeed
from recurra.training.session import (
    all_listeners,
    first_network,
    fit_to_end,
    log_final,
    loop_config,
    share_of_batch,
)

OnReady = Callable[[Trainer, PairCorpus, int], None]


@dataclass(frozen=True)
class Seq2SeqResult:
    """A finished training: how it went, how the best weights do on held-out pairs and those of --test."""

    run: Path
    outcome: Outcome
    validation: PairFigures
    test: PairFigures | None
    is_main_process: bool


class Seq2SeqObjective:
    """What the training loop needs to know of an encoder-decoder."""

    loss_method = "total_loss"

    def __init__(self, network: Seq2SeqNetwork, valid: EncodedPairs, config: Seq2SeqConfig) -> None:
        self.network: nn.Module = network
        self._network, self._config = network, config
        self._valid = valid
        self._feed = RowFeed(valid, config.batch_size, config.seed)
        rows = config.validation_rows
        self._decoded = EncodedPairs(valid.pairs[:rows], valid.symbols) if rows else None

    def loss(
        self, network: nn.Module, segment: PairBatch, state: State | None, context: int
    ) -> tuple[Tensor, State | None, Tensor | None]:
        """The summed loss over a batch; nothing is carried over."""
        config = self._config
        sampled = config.scheduled_sampling * segment.epoch / max(1, config.epochs - 1)
        total_loss: Any = network.total_loss
        return total_loss(segment, sampled, config.label_smoothing), None, None

    def validate(self, network: nn.Module) -> dict[str, float]:
        """The mean loss of a symbol on the held-out pairs, and how near to the right ones the texts are that
        a greedy search finds for some of them."""
        device = self._network.device
        total = count = 0.0
        for number in range(len(self._feed)):
            batch = self._feed.window(number, number, 0)[0]
            total += float(self._network.token_losses(batch.to(device)).sum())
            count += batch.count
        loss = total / max(1.0, count)
        figures = {"loss": loss, "perplexity": math.exp(min(loss, 700.0))}
        if self._decoded is not None and math.isfinite(loss):
            greedy = self._config.model_copy(update={"beam_width": 1, "beam_groups": 1})
            found = search(self._network, self._decoded, greedy)
            texts = [self._valid.symbols.target.decode(answers[0].symbols).strip() for answers in found]
            scores = count_texts(texts, [pair.targets for pair in self._decoded.pairs])
            figures |= {"bleu": scores.bleu, "exact": scores.exact}
        return figures

    def evaluate(self, pairs: EncodedPairs | None = None) -> PairFigures:
        """The figures of the network as it is, by default on the held-out pairs."""
        return measure(self._network, pairs or self._valid, self._config)

    def criterion(self, figures: dict[str, float]) -> float:
        """What the best weights have least of: the loss, or what BLEU and the share of right texts lack."""
        if self._config.keep_best == "loss" or "bleu" not in figures:
            return figures["loss"]
        return 2.0 - figures["bleu"] / 100 - figures["exact"] + 1e-6 * min(figures["loss"], 1e3)

    def training_figures(self, loss: float) -> dict[str, float]:
        """Nothing beside the loss."""
        return {}

    def initial_state(self, batch_size: int) -> State | None:
        """None: pairs stand alone."""
        return None


def train(
    task: str,
    config: Seq2SeqConfig,
    out: Path,
    *,
    overwrite: bool = False,
    listeners: Sequence[Listener] = (),
    on_ready: OnReady | None = None,
) -> Seq2SeqResult:
    """Train a translator ("translate"), a chat-bot ("chat") or a captioner ("caption") into the folder `out`.

    Raises: RunError if `out` is in the way; DataError if a file cannot be used; ConfigError,
    OutOfMemoryError, StorageError, TrainingDiverged, Interrupted.
    """
    RunFolder.check_free(out, overwrite=overwrite)
    with named_memory_faults():
        fabric = make_fabric(config)
        corpus = build_corpus(config)
        prepared = _prepare(config, corpus, RunFolder(out), fabric, listeners)
        with ExitStack() as stack:
            if fabric.is_global_zero:
                run = stack.enter_context(RunFolder.claimed(out, overwrite=overwrite))
                run.begin(task, config.model_dump(), corpus.facts(config), corpus.symbols.save)
            return _fit(*prepared, corpus, on_ready, resume=False)


def resume(
    out: Path, *, listeners: Sequence[Listener] = (), on_ready: OnReady | None = None
) -> Seq2SeqResult:
    """Go on with the run in `out` from its latest checkpoint, to the same weights as a run never stopped.

    Raises: RunError if there is no run or no whole checkpoint, or its pairs have changed; as `train`.
    """
    run = resumable(out)
    _, config = config_of(run)
    with named_memory_faults():
        fabric = make_fabric(config)
        corpus = build_corpus(config)
        if corpus.facts(config) != run.read_settings()["data"]:
            raise RunError(f"{out}: its pairs have changed since it began; put them back, or begin anew.")
        return _fit(*_prepare(config, corpus, run, fabric, listeners), corpus, on_ready, resume=True)


def config_of(run: RunFolder) -> tuple[str, Seq2SeqConfig]:
    """Task and configuration of a run.

    Raises: RunError if the run is of another task or its configuration is damaged.
    """
    return task_and_config(run, CONFIGS)


def symbols_of(run: RunFolder) -> PairSymbols:
    """What a run's model reads and writes.

    Raises: RunError, VocabularyError if a file is missing or damaged.
    """
    shape = run.read_settings().get("data", {}).get("vector_shape", [])
    return PairSymbols.load(run.path, tuple(int(size) for size in shape))


Prepared = tuple[Trainer, Seq2SeqObjective, int]


def _prepare(
    config: Seq2SeqConfig, corpus: PairCorpus, run: RunFolder, fabric: Fabric, listeners: Sequence[Listener]
) -> Prepared:
    """Build network, batches and trainer; nothing is written yet. Also, how many pairs were too long."""
    share_of_batch(config.batch_size, fabric)
    network = first_network(fabric, config.seed, lambda: build_network(config, corpus.symbols))
    pairs = EncodedPairs(corpus.train, corpus.symbols, (config.max_source, config.max_target))
    if not pairs.pair_of:
        raise DataError(
            f"{config.data}: all {pairs.too_long:,} pairs are longer than {config.max_source} and "
            f"{config.max_target} {config.unit}s; raise --max-source or --max-target."
        )
    feed = RowFeed(
        pairs, config.batch_size, config.seed, rank=fabric.global_rank, processes=fabric.world_size
    )
    objective = Seq2SeqObjective(network, EncodedPairs(corpus.valid, corpus.symbols), config)
    watchers = all_listeners(listeners, run, fabric)
    trainer = Trainer(objective, feed, loop_config(config), run, fabric, watchers)
    return trainer, objective, pairs.too_long


def _fit(
    trainer: Trainer,
    objective: Seq2SeqObjective,
    too_long: int,
    corpus: PairCorpus,
    on_ready: OnReady | None,
    *,
    resume: bool,
) -> Seq2SeqResult:
    ready = None if on_ready is None else partial(on_ready, trainer, corpus, too_long)
    outcome = fit_to_end(trainer, ready, resume=resume)
    with torch.no_grad():
        trainer.network.eval()
        validation, test = objective.evaluate(), None
        if corpus.test is not None:
            test = objective.evaluate(EncodedPairs(corpus.test, corpus.symbols))
    run, is_main_process = trainer.run_folder, trainer.fabric.is_global_zero
    if is_main_process:
        log_final(run, outcome, {"final": validation, "test": test})
    return Seq2SeqResult(run.path, outcome, validation, test, is_main_process)

"""Training a tagger or classifier into a run folder, and going on with one that was stopped."""

import json
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, cast

import torch
from lightning_fabric import Fabric
from torch import Tensor, nn

from recurra.data.batches import SequenceBatch, Turns
from recurra.errors import ConfigError, RunError, VocabularyError
from recurra.files import write_text
from recurra.layers import State
from recurra.models.sequence_encoder import RecurrentEncoder
from recurra.runs import RunFolder
from recurra.tasks.labelling.config import CONFIGS, LabellingConfig
from recurra.tasks.labelling.corpus import LabelledCorpus, Symbols, build_corpus
from recurra.tasks.labelling.feeds import ConversationFeed, EncodedRows
from recurra.tasks.labelling.figures import LabelFigures, count_figures
from recurra.tasks.labelling.networks import build_network
from recurra.tasks.labelling.predicting import LabellingNetwork, evaluating, predict_rows
from recurra.tasks.settings import resumable, task_and_config
from recurra.text import Vocabulary
from recurra.text.word_encoder import WordEncoder
from recurra.training import (
    Listener,
    Outcome,
    Trainer,
    make_fabric,
    named_memory_faults,
)
from recurra.training.rows import RowFeed
from recurra.training.session import (
    all_listeners,
    first_network,
    fit_to_end,
    log_final,
    loop_config,
    share_of_batch,
)

OnReady = Callable[[Trainer, LabelledCorpus], None]


@dataclass(frozen=True)
class LabellingResult:
    """A finished training: how it went, how the best weights do on held-out rows and those of --test."""

    run: Path
    outcome: Outcome
    validation: LabelFigures
    test: LabelFigures | None
    is_main_process: bool


class LabellingObjective:
    """What the training loop needs to know of a tagger or classifier."""

    loss_method = "total_loss"

    def __init__(
        self, network: LabellingNetwork, valid: EncodedRows, config: LabellingConfig, *, in_turns: bool
    ) -> None:
        self.network: nn.Module = network
        self._in_turns = in_turns
        self._valid_feed: RowFeed[SequenceBatch] | ConversationFeed
        if in_turns:
            self._valid_feed = ConversationFeed(valid.rows, valid.symbols, config)
        else:
            self._valid_feed = RowFeed(valid, config.batch_size, config.seed)
        self.max_words = config.max_words
        self._network, self._valid, self._config = network, valid, config

    def loss(
        self, network: nn.Module, segment: SequenceBatch | Turns, state: State | None, context: int
    ) -> tuple[Tensor, State | None, Tensor | None]:
        """The summed loss over a batch, and the state after it where the next one goes on with it."""
        turns = segment.turns if isinstance(segment, Turns) else (segment,)
        self._hold_vectors(turns[0].epoch)
        return *self._total(cast(LabellingNetwork, network), turns, state), None

    def _total(
        self, network: LabellingNetwork, turns: Sequence[SequenceBatch], state: State | None
    ) -> tuple[Tensor, State | None]:
        """The summed loss over turns, through which the state goes on."""
        totals = []
        for turn in turns:
            found = network.total_loss(turn, None if turn.fresh else state)
            state = found.state if self._in_turns else None
            totals.append(found.total)
        return torch.stack(totals).sum(), state

    def _hold_vectors(self, epoch: int) -> None:
        """Pretrained vectors may be tuned from some pass on."""
        words = self._network.reader.words
        if words is None or not isinstance(words.words, nn.Embedding):
            return
        if self._config.tune_after:
            words.words.weight.requires_grad_(epoch >= self._config.tune_after)

    def validate(self, network: nn.Module) -> dict[str, float]:
        """The mean loss of a target, and the figures that count, on the held-out rows."""
        device = next(self._network.parameters()).device
        total = count = 0.0
        state: State | None = None
        with evaluating(self._network):
            for number in range(len(self._valid_feed)):
                segment = self._valid_feed.window(number, number, 0)[0].to(device)
                turns = segment.turns if isinstance(segment, Turns) else (segment,)
                of_segment, state = self._total(self._network, turns, state)
                total += float(of_segment)
                count += segment.count
        return {"loss": total / max(1.0, count), **self.evaluate().main()}

    def evaluate(self, encoded: EncodedRows | None = None) -> LabelFigures:
        """The figures of the network as it is, by default on the held-out rows."""
        encoded = encoded or self._valid
        device = next(self._network.parameters()).device
        said = predict_rows(self._network, encoded, device=device)
        return count_figures(encoded.rows, said, encoded.symbols)

    def criterion(self, figures: dict[str, float]) -> float:
        """How much the figures that count lack to be perfect; where they are alike, the loss decides."""
        lacking = sum(1 - value for name, value in figures.items() if name != "loss")
        return lacking + 1e-6 * min(figures["loss"], 1e3)

    def training_figures(self, loss: float) -> dict[str, float]:
        """Nothing beside the loss."""
        return {}

    def initial_state(self, batch_size: int) -> State | None:
        """The state before a conversation; None where rows stand alone, and nothing is carried."""
        encoder = self._network.reader.encoder
        if not self._in_turns or not isinstance(encoder, RecurrentEncoder):
            return None
        return encoder.recurrent.initial_state(batch_size)


def train(
    task: str,
    config: LabellingConfig,
    out: Path,
    *,
    overwrite: bool = False,
    listeners: Sequence[Listener] = (),
    on_ready: OnReady | None = None,
) -> LabellingResult:
    """Train a tagger ("tag"), a classifier ("classify") or one of pairs ("pair") into the folder `out`.

    Raises: RunError if `out` is in the way; DataError if a file cannot be used; ConfigError,
    OutOfMemoryError, StorageError, TrainingDiverged, Interrupted.
    """
    RunFolder.check_free(out, overwrite=overwrite)
    with named_memory_faults():
        fabric = make_fabric(config)
        corpus = build_corpus(task, config)
        if corpus.vectors is not None:
            if config.word_size not in (corpus.vectors.size, config.default_of("word_size")):
                raise ConfigError(
                    f"word_size: got {config.word_size}, and the file's vectors have {corpus.vectors.size} "
                    "numbers; leave it out."
                )
            config = config.model_copy(update={"word_size": corpus.vectors.size})
        trainer, objective = _prepare(config, corpus, RunFolder(out), fabric, listeners)
        with ExitStack() as stack:
            if fabric.is_global_zero:
                run = stack.enter_context(RunFolder.claimed(out, overwrite=overwrite))
                facts, save = corpus.facts(config), partial(save_symbols, symbols=corpus.symbols)
                run.begin(task, config.model_dump(), facts, save)
            return _fit(trainer, objective, corpus, on_ready, resume=False)


def resume(
    out: Path, *, listeners: Sequence[Listener] = (), on_ready: OnReady | None = None
) -> LabellingResult:
    """Go on with the run in `out` from its latest checkpoint, to the same weights as a run never stopped.

    Raises: RunError if there is no run or no whole checkpoint, or its rows have changed; as `train`.
    """
    run = resumable(out)
    task, config = config_of(run)
    with named_memory_faults():
        fabric = make_fabric(config)
        corpus = build_corpus(task, config)
        if corpus.symbols.in_turns and "turns_together" not in run.read_settings()["config"]:
            raise RunError(
                f"{out}: was begun by an earlier version, turn by turn; begin anew with --overwrite."
            )
        if corpus.facts(config) != run.read_settings()["data"]:
            raise RunError(f"{out}: its rows have changed since it began; put them back, or begin anew.")
        trainer, objective = _prepare(config, corpus, run, fabric, listeners)
        return _fit(trainer, objective, corpus, on_ready, resume=True)


def config_of(run: RunFolder) -> tuple[str, LabellingConfig]:
    """Task and configuration of a run.

    Raises: RunError if the run is of another task or its configuration is damaged.
    """
    return task_and_config(run, CONFIGS)


def save_symbols(folder: Path, symbols: Symbols) -> None:
    """Write words.json and labels.json into a run's folder."""
    if symbols.words is not None:
        symbols.words.save(folder / "words.json")
    content: dict[str, Any] = {
        "labels": None if symbols.labels is None else symbols.labels.symbols,
        "classes": None if symbols.classes is None else symbols.classes.symbols,
        "spans": symbols.spans,
        "vector_shape": symbols.vector_shape,
        "in_turns": symbols.in_turns,
    }
    write_text(folder / "labels.json", json.dumps(content, ensure_ascii=False, indent=1) + "\n")


def load_symbols(folder: Path) -> Symbols:
    """What `save_symbols` wrote.

    Raises: VocabularyError if a file is missing or damaged.
    """
    path = folder / "labels.json"
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        labels, classes = (
            None if content[name] is None else Vocabulary(content[name]) for name in ("labels", "classes")
        )
        shape = tuple(int(size) for size in content["vector_shape"])
        spans, in_turns = bool(content["spans"]), bool(content.get("in_turns", False))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise VocabularyError(f"{path}: is missing or damaged; copy it from the run it came with.") from error
    words = None if shape else WordEncoder.load(folder / "words.json")
    return Symbols(words, labels, classes, spans, shape, in_turns)


def vectors_of(network: LabellingNetwork) -> Tensor:
    """The words' vectors of a network. Shapes: result (N, size)."""
    words = network.reader.words
    assert words is not None, "the configuration asks for vectors of words"
    assert isinstance(words.words, nn.Embedding), "which lie in an embedding"
    return words.words.weight


def _prepare(
    config: LabellingConfig,
    corpus: LabelledCorpus,
    run: RunFolder,
    fabric: Fabric,
    listeners: Sequence[Listener],
) -> tuple[Trainer, LabellingObjective]:
    """Build network, batches and trainer; nothing is written yet."""
    processes, rank = fabric.world_size, fabric.global_rank
    share_of_batch(config.batch_size, fabric)
    network = first_network(
        fabric, config.seed, lambda: build_network(config, corpus.symbols, corpus.train, corpus.vectors)
    )
    feed: RowFeed[SequenceBatch] | ConversationFeed
    in_turns = corpus.symbols.in_turns
    if processes > 1 and config.tune_after:
        raise ConfigError("tune_after: goes with one process; start it without torchrun, or leave it out.")
    if config.freeze_vectors:  # before the network is wrapped for several processes
        vectors_of(network).requires_grad_(False)
    if in_turns:
        if config.bidirectional:
            raise ConfigError("bidirectional: conversations are read as they come; give --no-bidirectional.")
        feed = ConversationFeed(corpus.train, corpus.symbols, config, processes=processes)
    elif config.turns_together != config.default_of("turns_together"):
        raise ConfigError(
            "turns_together: is of conversations that a recurrent network of single texts reads; leave it "
            "out."
        )
    else:
        feed = RowFeed(
            EncodedRows(corpus.train, corpus.symbols, config.max_words),
            config.batch_size,
            config.seed,
            rank=rank,
            processes=processes,
        )
    valid = EncodedRows(corpus.valid, corpus.symbols, config.max_words)
    objective = LabellingObjective(network, valid, config, in_turns=in_turns)
    watchers = all_listeners(listeners, run, fabric)
    return Trainer(objective, feed, loop_config(config), run, fabric, watchers), objective


def _fit(
    trainer: Trainer,
    objective: LabellingObjective,
    corpus: LabelledCorpus,
    on_ready: OnReady | None,
    *,
    resume: bool,
) -> LabellingResult:
    ready = None if on_ready is None else partial(on_ready, trainer, corpus)
    outcome = fit_to_end(trainer, ready, resume=resume)
    validation, test = objective.evaluate(), None
    if corpus.test is not None:
        test = objective.evaluate(EncodedRows(corpus.test, corpus.symbols, objective.max_words))
    run, is_main_process = trainer.run_folder, trainer.fabric.is_global_zero
    if is_main_process:
        log_final(run, outcome, {"final": validation, "test": test})
    return LabellingResult(run.path, outcome, validation, test, is_main_process)

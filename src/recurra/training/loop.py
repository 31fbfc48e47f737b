"""The loop through time: segment after segment, the state carried over, the gradient cut.

One update of truncated BPTT(k1, k2) (Williams & Peng 1990):

    loss, state = objective.loss(segment, state)     forwards through the segment of k1 steps
    backward(loss); clip; update                     the gradient stops at the segment's beginning
    state = detach(state)                            and the next segment starts from it

That is k1 = k2. Where k2 is w times k1, the last w segments are run again together from the state
before them, and only the last of them has a loss: so its gradient flows back over k2 steps.

Nothing that is computed depends on the clock; only how often checkpoints are written does.
"""

import math
import time
from collections.abc import Iterable, Sequence
from typing import Any, ClassVar

import torch
from lightning_fabric import Fabric
from torch import Tensor

from recurra.config import LoopPart, OptimizerPart, SchedulePart
from recurra.errors import Interrupted, TrainingDiverged
from recurra.layers import State, map_state, parameter_summary
from recurra.runs import RunFolder
from recurra.training import snapshot
from recurra.training.averaging import WeightAverage, stopped_improving
from recurra.training.clipping import clip_by_norm, clip_by_value
from recurra.training.interrupts import Interrupts
from recurra.training.listeners import Listener, StepReport
from recurra.training.objective import Feed, Objective, Outcome, Segment
from recurra.training.optimizers import build_optimizer, set_learning_rate
from recurra.training.place import Place
from recurra.training.schedules import Schedule

_TOO_LARGE_LOSS = 700.0  # nats: the perplexity, exp(loss), is beyond what a float holds


class TrainingConfig(OptimizerPart, SchedulePart, LoopPart):
    """What the loop needs to know: a task's configuration has these parts."""

    title: ClassVar[str] = "Training"


class Trainer:
    """Trains one objective on one corpus into one run folder."""

    def __init__(
        self,
        objective: Objective,
        feed: Feed,
        config: TrainingConfig,
        run: RunFolder,
        fabric: Fabric,
        listeners: Sequence[Listener] = (),
        *,
        window: int = 1,
        unit: str = "target",
        loss_unit: str = "nats",
    ) -> None:
        self.window = window  # k2 / k1
        self.unit, self.loss_unit = unit, loss_unit  # of what is counted, and of the loss
        self.objective, self.feed, self.config = objective, feed, config
        self.run_folder, self.fabric = run, fabric
        self.listeners = tuple(listeners) if fabric.is_global_zero else ()
        self.network = objective.network.to(fabric.device)  # before the optimiser makes state beside it
        self.optimizer = build_optimizer(self.network, config)
        self.wrapped: Any = None
        self.place = Place()
        self.average = WeightAverage()
        self.carried: list[State | None] = []  # before each of the last segments, the next one's last
        steps = config.epochs * len(feed)
        self.total_steps = min(steps, config.max_steps or steps)
        self.schedule = Schedule(config, config.learning_rate, self.total_steps)

    def sentences(self) -> Iterable[str]:
        """The weights, the number of updates, and how the loss is reduced, for people."""
        yield parameter_summary(self.network).table()
        yield (
            f"{self.total_steps:,} steps on {self.fabric.device}; loss: {self.config.loss_reduction} over an "
            f"update's {self.unit}s; Ctrl-C saves"
        )

    def fit(self, *, resume: bool = False) -> Outcome:
        """Train to the end, from the beginning or from the latest checkpoint; the network is left with the
        best weights.

        Raises: Interrupted after SIGINT or SIGTERM, once the state is saved; TrainingDiverged where
        the loss or the gradient is no finite number.
        """
        self.wrapped, wrapped_optimizer = self.fabric.setup(self.network, self.optimizer)
        if self.fabric.world_size > 1:
            self.wrapped.mark_forward_method(self.objective.loss_method)
        with Interrupts() as interrupts:
            if resume:
                self._go_back()
            else:
                self._save()
            try:
                self._tell("on_start", self.place.step, self.total_steps)
                self._loop(wrapped_optimizer, interrupts)
            finally:
                self._tell("on_end")
        if self.fabric.world_size > 1:
            self.fabric.barrier()
        run = self.run_folder
        snapshot.restore_weights(self.network, run.read_weights(), source=str(run.weights))
        return self._outcome()

    def _loop(self, optimizer: Any, interrupts: Interrupts) -> None:
        """Update until the end; save every so often."""
        started, elapsed_before = time.monotonic(), self.place.elapsed_s
        saved = started
        while not self.place.finished:
            self._step(optimizer)
            place, now = self.place, time.monotonic()
            place.elapsed_s = elapsed_before + now - started
            done = place.step >= self.total_steps
            if done or place.step % self.config.log_every == 0:
                self._log_training()
            validated = done or self._validation_due()
            if validated:
                self._validate()
                place.finished = done or self._out_of_patience()
            due, stop = self._agree(now - saved >= self.config.checkpoint_every_s, interrupts.received)
            if validated or due or stop:
                self._save()
                saved = time.monotonic()
            if stop and not place.finished:
                raise Interrupted(
                    f"stopped at step {place.step} of {self.total_steps}, and saved; go on with "
                    f"`recurra train --resume {self.run_folder.path}`",
                    stop,
                )

    def _step(self, optimizer: Any) -> None:
        """One segment forwards and backwards, one update."""
        config, place = self.config, self.place
        threshold = config.clip_norm or None
        segment, context = self._window()
        rate = self.schedule.rate(place.step, place.epoch, place.plateaus)
        set_learning_rate(self.optimizer, rate)
        self.network.train()
        with self.fabric.autocast():
            loss_sum, state, penalty = self.objective.loss(self.wrapped, segment, self.carried[0], context)
        # DDP takes the mean over processes of gradients: the sum over all is world_size times it.
        weight = segment.count if config.loss_reduction == "mean" else 1  # of what is summed
        objective = loss_sum * (self.fabric.world_size / weight)
        if penalty is not None:
            objective = objective + penalty * (segment.count / weight)
        self.fabric.backward(objective)
        norm = float(clip_by_norm(self.network.parameters(), None if config.clip_value else threshold))
        total = self._sum_over_processes(loss_sum.detach())
        self._refuse_divergence(total / segment.count, norm)
        if config.clip_value is not None:
            clip_by_value(self.network.parameters(), config.clip_value)
            clip_by_norm(self.network.parameters(), threshold)
        optimizer.step()
        optimizer.zero_grad()
        self.average.update(self.network)
        # A clone, laid out in memory as one read from a checkpoint is: so both give the same bits.
        after = None
        if state is not None:
            after = map_state(lambda part: part.detach().clone().contiguous(), state)
        self.carried = [*self.carried, after][-self.window :]
        epoch = place.epoch
        place.count_step(total, segment.count, norm, len(self.feed))
        report = StepReport(
            place.step, self.total_steps, epoch, place.tokens, total / segment.count, norm, rate
        )
        self._tell("on_step", report)

    def _window(self) -> tuple[Segment, int]:
        """The last segments joined, and how many of their steps have no loss any more."""
        index = self.place.segment
        if index == 0:  # a pass begins
            start = self.objective.initial_state(self.feed.batch_rows)
            if start is not None:
                start = map_state(lambda part: part.to(self.fabric.device), start)
            self.carried = [start]
        segment, context = self.feed.window(index + 1 - len(self.carried), index, self.place.epoch)
        return segment.to(self.fabric.device), context

    def _refuse_divergence(self, loss: float, norm: float) -> None:
        """Stop where the loss a target or the gradient is no finite number, or of nats exp(loss) is none.

        The best validated weights are kept, or where there are none yet those of the last checkpoint.
        """
        bound = _TOO_LARGE_LOSS if self.loss_unit == "nats" else math.inf
        if math.isfinite(norm) and loss < bound:
            return
        run, config = self.run_folder, self.config
        kept = "the best weights so far"
        if not run.weights.exists():
            state, tensors = run.checkpoints.load()
            kept = f"the weights of step {state['place']['step']}"
            if self.fabric.is_global_zero:
                run.write_weights(snapshot.below(tensors, "weights."))
        what = (
            "the gradient is no finite number" if loss < bound else f"the loss is {loss:.3g} {self.loss_unit}"
        )
        clip = f"--clip-norm {config.clip_norm / 4:g}" if config.clip_norm else "--clip-norm 1"
        raise TrainingDiverged(
            f"training diverged: after step {self.place.step} {what}; {kept} are kept in {run.weights}. Try "
            f"--learning-rate {config.learning_rate / 3:.2g}, {clip}, or more --warmup-steps."
        )

    def _validation_due(self) -> bool:
        every = self.config.validate_every
        return self.place.segment == 0 if every is None else self.place.step % every == 0

    def _out_of_patience(self) -> bool:
        return self.config.patience is not None and self.place.bad_validations >= self.config.patience

    def _validate(self) -> None:
        """Validate; keep the weights if none were better."""
        self.network.eval()
        with self.average.in_place(self.network):
            with torch.no_grad():
                figures = self.objective.validate(self.network)
            self._refuse_divergence(figures["loss"], 0.0)
            best = self.place.count_validation(self.objective.criterion(figures))
            if best and self.fabric.is_global_zero:
                self.run_folder.write_weights(snapshot.weights_of(self.network))
        may_begin = self.config.averaging == "non-monotone" and not self.average.begun
        if may_begin and stopped_improving(self.place.validations, self.config.averaging_after):
            self.average.begin(self.network)
        if self.average.begun:
            figures["averaged_steps"] = float(self.average.count)
        record = self._record("validation", figures)
        self._tell("on_validation", record, best=best)

    def _log_training(self) -> None:
        place = self.place
        figures = place.close_window()
        figures |= self.objective.training_figures(figures["loss"])
        figures["learning_rate"] = self.optimizer.param_groups[0]["lr"]
        figures["tokens_per_s"] = place.tokens / max(place.elapsed_s, 1e-9)
        self._record("training", figures)

    def _record(self, kind: str, figures: dict[str, float]) -> dict[str, Any]:
        place = self.place
        record = {"kind": kind, "step": place.step, "epoch": place.epoch, "tokens": place.tokens}
        # JSON has no infinity: a perplexity too large for a float is left out.
        record |= {name: float(value) for name, value in figures.items() if math.isfinite(value)}
        record["elapsed_s"] = round(place.elapsed_s, 3)
        if self.fabric.is_global_zero:
            self.run_folder.metrics.append(record)
        self._tell("on_log", record)
        return record

    def _save(self) -> None:
        """Write a checkpoint."""
        self.place.metrics_size = self.run_folder.metrics.size
        carried = self.carried if self.place.segment else []
        parts = snapshot.Parts(self.network, self.optimizer, self.average)
        state, tensors = snapshot.take(self.fabric, parts, self.place, carried)
        if self.fabric.is_global_zero:
            self.run_folder.checkpoints.save(self.place.step, state, tensors)
        if self.fabric.world_size > 1:
            self.fabric.barrier()

    def _go_back(self) -> None:
        """Return to the latest checkpoint."""
        state, tensors = self.run_folder.checkpoints.load()
        like = self.objective.initial_state(1)
        parts = snapshot.Parts(self.network, self.optimizer, self.average)
        self.place, self.carried = snapshot.restore(self.fabric, parts, state, tensors, like)
        if self.place.finished:
            self.run_folder.read_weights()  # nothing makes them anew: better said before anything is written
        if self.fabric.is_global_zero:
            self.run_folder.metrics.cut_back(self.place.metrics_size)
            self.run_folder.checkpoints.remove_older()

    def _agree(self, due: bool, received: int) -> tuple[bool, int]:
        """Whether any process finds a checkpoint due or got a signal: then all act alike."""
        if self.fabric.world_size == 1:
            return due, received
        flags = torch.tensor([int(due), received], device=self.fabric.device)
        torch.distributed.all_reduce(flags, op=torch.distributed.ReduceOp.MAX)
        return bool(flags[0]), int(flags[1])

    def _sum_over_processes(self, value: Tensor) -> float:
        if self.fabric.world_size > 1:
            torch.distributed.all_reduce(value, op=torch.distributed.ReduceOp.SUM)
        return float(value)

    def _tell(self, event: str, *values: Any, **named: Any) -> None:
        for listener in self.listeners:
            getattr(listener, event)(*values, **named)

    def _outcome(self) -> Outcome:
        place = self.place
        assert place.best is not None, "a training ends with a validation"
        assert place.best_step is not None
        return Outcome(
            steps=place.step,
            epochs=place.epoch,
            tokens=place.tokens,
            best=place.best,
            best_step=place.best_step,
            stopped_early=place.step < self.total_steps,
            elapsed_s=place.elapsed_s,
        )

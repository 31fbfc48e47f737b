"""The training loop: it updates, logs, validates, saves checkpoints, and stops without losing work.

No result depends on the clock; only the times of checkpoints do.
"""

import math
import time
from collections.abc import Iterable, Sequence
from typing import Any, ClassVar

from lightning_fabric import Fabric

from recurra.config import LoopPart, OptimizerPart, SchedulePart
from recurra.errors import Interrupted, TrainingDiverged
from recurra.plain import counted, shell
from recurra.runs import RunFolder
from recurra.training import snapshot
from recurra.training.devices import largest_of_processes
from recurra.training.interrupts import Interrupts
from recurra.training.learner import Learner, Moment, Outcome
from recurra.training.listeners import Listener, StepReport
from recurra.training.place import Place
from recurra.training.schedules import Schedule
from recurra.training.selection import Selected

_TOO_LARGE_LOSS = 700.0  # nats: the perplexity, exp(loss), is close to overflow


class TrainingConfig(OptimizerPart, SchedulePart, LoopPart):
    """The options that the loop and the gradient learner use; every task's configuration has these parts."""

    title: ClassVar[str] = "Training"


class Trainer:
    """Trains one learner and writes one run folder. `loss_unit` is the unit of the loss."""

    def __init__(
        self,
        learner: Learner,
        config: TrainingConfig,
        run: RunFolder,
        fabric: Fabric,
        listeners: Sequence[Listener] = (),
        *,
        loss_unit: str = "nats",
    ) -> None:
        self.learner, self.config, self.loss_unit = learner, config, loss_unit
        self.run_folder, self.fabric = run, fabric
        self.listeners = tuple(listeners) if fabric.is_global_zero else ()
        self.place = Place()
        self.notes: Sequence[str] = ()  # sentences of the driver
        steps = config.epochs * len(learner)
        self.total_steps = min(steps, config.max_steps or steps)
        self.schedule = Schedule(config, config.learning_rate, self.total_steps)
        self._learning_rate = 0.0  # at the last update

    def __repr__(self) -> str:
        return f"Trainer({self.run_folder!r}, step {self.place.step} of {self.total_steps})"

    def sentences(self) -> Iterable[str]:
        """Return sentences about the training that is about to start."""
        yield from self.notes
        yield from self.learner.sentences(self.total_steps)
        warmup = self.config.warmup_steps
        if self.learner.has_learning_rate and warmup > self.total_steps:
            yield (
                f"the learning rate rises over {counted(warmup, 'update')}, but the training has only "
                f"{self.total_steps:,}, so it ends at {self.total_steps / warmup:.0%} of its peak; lower "
                "warmup_steps"
            )

    def fit(self, *, resume: bool = False) -> Outcome:
        """Train to the end, from the start or from the latest checkpoint; then load the best weights.

        Raises: Interrupted after SIGINT or SIGTERM, once the state is saved; TrainingDiverged if the loss or
        the gradient is not finite.
        """
        with Interrupts() as interrupts:
            if resume:
                self._go_back()
            else:
                self._save()
            try:
                self._tell("on_start", self.place.step, self.total_steps)
                self._loop(interrupts)
            finally:
                self._tell("on_end")
        if self.fabric.world_size > 1:
            self.fabric.barrier()
        run = self.run_folder
        self.learner.load_weights(run.read_weights(), source=str(run.weights))
        return self._outcome()

    def _loop(self, interrupts: Interrupts) -> None:
        """Run updates until the end; save checkpoints on the way."""
        started, elapsed_before = time.monotonic(), self.place.elapsed_s
        saved = started
        while not self.place.finished:
            self._step()
            place, now = self.place, time.monotonic()
            place.elapsed_s = elapsed_before + now - started
            done = place.step >= self.total_steps
            if done or place.step % self.config.log_every == 0:
                self._log_training()
            validated = done or self._validation_due()
            if validated:
                self._validate()
                place.elapsed_s = elapsed_before + time.monotonic() - started
                place.finished = self._has_ended(place)
            late = now - saved >= self.config.checkpoint_every_s
            due, stop = largest_of_processes(self.fabric, late, interrupts.received)  # so that all act alike
            if validated or due or stop:
                self._save()
                saved = time.monotonic()
            if stop and not place.finished:
                raise Interrupted(
                    f"stopped at step {place.step} of {self.total_steps}, checkpoint saved; resume with "
                    f"`recurra train --resume {shell(self.run_folder.path)}`",
                    stop,
                )

    def _step(self) -> None:
        """Run one update."""
        place, epoch = self.place, self.place.epoch
        rate = self._learning_rate = self.schedule.rate(place.step, epoch, place.plateaus)
        done = self.learner.update(Moment(place.step, epoch, place.segment, rate))
        loss = None if done.loss_sum is None else done.loss_sum / done.count
        self._refuse_divergence(loss, done.gradient_norm)
        place.count_step(done, len(self.learner))
        shown = rate if self.learner.has_learning_rate else None
        report = StepReport(
            place.step, self.total_steps, epoch, place.tokens, loss, done.gradient_norm, shown
        )
        self._tell("on_step", report)

    def _refuse_divergence(self, loss: float | None, norm: float | None) -> None:
        """Stop if the gradient or the loss per target is not finite, or a loss in nats is at least 700.

        The best validated weights are kept; if there are none yet, those of the last checkpoint.
        """
        if not self.learner.has_learning_rate:  # an infinite loss is then due to the data
            return
        bound = _TOO_LARGE_LOSS if self.loss_unit == "nats" else math.inf
        if (norm is None or math.isfinite(norm)) and (loss is None or loss < bound):
            return
        run = self.run_folder
        kept = "the best weights so far"
        if not run.weights.exists():
            place = snapshot.restore(self.learner, *run.checkpoints.load())
            kept = f"the weights of step {place.step}"
            if self.fabric.is_global_zero:
                run.write_weights(self.learner.weights())
        what = (
            "the gradient is not finite"
            if loss is None or loss < bound
            else "the loss is NaN"
            if math.isnan(loss)
            else f"the loss is {loss:.3g} {self.loss_unit}"
        )
        raise TrainingDiverged(
            f"training diverged: {what} after step {self.place.step}; {run.weights} contains {kept}. "
            f"{self.learner.remedies()}."
        )

    def _validation_due(self) -> bool:
        every = self.config.validate_every
        return self.place.segment == 0 if every is None else self.place.step % every == 0

    def _has_ended(self, place: Place) -> bool:
        """Whether the training ends at this place."""
        return place.step >= self.total_steps or self.is_out_of_patience(place)

    def is_out_of_patience(self, place: Place) -> bool:
        """Whether the last validations, as many as the patience, brought no improvement."""
        return self.config.patience is not None and place.bad_validations >= self.config.patience

    def _validate(self) -> None:
        """Validate; save the weights if they are the best so far, or always if the last ones are kept."""
        learner = self.learner
        with learner.evaluating():
            figures = learner.validate()
            self._refuse_divergence(figures["loss"], None)
            best = self.place.count_validation(learner.criterion(figures))
            if learner.keeps_last:
                self.place.best_step = self.place.step
            if (best or learner.keeps_last) and self.fabric.is_global_zero:
                self.run_folder.write_weights(learner.weights())
        figures |= learner.after_validation(self.place.validations)
        record = self._record("validation", figures)
        self._tell("on_validation", record, best=best)

    def _log_training(self) -> None:
        place = self.place
        figures = place.close_window()
        if "loss" in figures:
            figures |= self.learner.training_figures(figures["loss"])
        if self.learner.has_learning_rate:
            figures["learning_rate"] = self._learning_rate
        figures["tokens_per_s"] = place.tokens / max(place.elapsed_s, 1e-9)
        self._record("training", figures)

    def _record(self, kind: str, figures: dict[str, float]) -> dict[str, Any]:
        place = self.place
        record = {"kind": kind, "step": place.step, "epoch": place.epoch, "tokens": place.tokens}
        # JSON has no infinity: a perplexity too large for a float is omitted.
        record |= {name: float(value) for name, value in figures.items() if math.isfinite(value)}
        record["elapsed_s"] = round(place.elapsed_s, 3)
        if self.fabric.is_global_zero:
            self.run_folder.metrics.append(record)
        self._tell("on_log", record)
        return record

    def _save(self) -> None:
        """Write a checkpoint."""
        self.place.metrics_size = self.run_folder.metrics.size
        self._write_checkpoint()

    def _write_checkpoint(self) -> None:
        state, tensors = snapshot.take(self.learner, self.place)
        if self.fabric.is_global_zero:
            self.run_folder.checkpoints.save(self.place.step, state, tensors)
        if self.fabric.world_size > 1:
            self.fabric.barrier()

    def _go_back(self) -> None:
        """Return to the latest checkpoint, which may be the end of a training that now ends later."""
        state, tensors = self.run_folder.checkpoints.load()
        self.place = place = snapshot.restore(self.learner, state, tensors)
        if place.finished:
            self.run_folder.read_weights()  # they cannot be recomputed: fail before anything is written
        if place.finished and not self._has_ended(place):
            place.finished = False
            self._write_checkpoint()  # before the records of the earlier end are removed
        if self.fabric.is_global_zero:
            self.run_folder.metrics.cut_back(self.place.metrics_size)
            self.run_folder.checkpoints.remove_older()

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
            best=place.validations[-1] if self.learner.keeps_last else place.best,
            best_step=place.best_step,
            stopped_early=place.step < self.total_steps,
            elapsed_s=place.elapsed_s,
            selected=self._selected(place.best_step),
        )

    def _selected(self, best_step: int) -> Selected | None:
        """Return the metric that selected the best checkpoint; None if its validation is not in the log."""
        if not self.fabric.is_global_zero:
            return None
        for record in self.run_folder.metrics.read():
            if record["kind"] == "validation" and record["step"] == best_step:
                return self.learner.selected(record)
        return None

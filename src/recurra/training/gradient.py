"""Gradient-based learning with backpropagation through time (BPTT).

One update of truncated BPTT(k1, k2) (Williams & Peng 1990):

    loss, state = objective.loss(segment, state)     forward through the segment of k1 steps
    backward(loss); clip; update                     the gradient stops at the segment's start
    state = detach(state)                            the next segment starts from it

This is the case k1 = k2. If k2 is w times k1, the last w segments are run again together from the state
before them, with a loss on the last one only, so the gradient flows back over k2 steps.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from lightning_fabric import Fabric
from torch import Tensor

from recurra.config import OptimizerPart
from recurra.errors import RunError
from recurra.layers import State, parameter_summary
from recurra.nests import flatten, map_nest, unflatten
from recurra.plain import counted
from recurra.training.averaging import WeightAverage, stopped_improving
from recurra.training.clipping import clip_by_norm, clip_by_value
from recurra.training.devices import of_every_process, sum_over_processes
from recurra.training.learner import Learner, Moment, Update
from recurra.training.objective import Feed, Objective, TrainingBatch
from recurra.training.optimizers import (
    build_optimizer,
    optimizer_tensors,
    restore_optimizer,
    set_learning_rate,
)
from recurra.training.selection import SCORE, Selected, Selection
from recurra.training.snapshot import refuse_other_keys
from recurra.training.weights import below, restore_weights, weights_of


class GradientLearner(Learner):
    """Trains the network of an objective by gradient descent, one segment per update.

    `window` is k2 / k1; `unit` is the name of a target in messages; `selection` is how the best checkpoint is
    selected (if not given, by the objective's criterion).
    """

    def __init__(
        self,
        objective: Objective,
        feed: Feed,
        config: OptimizerPart,
        fabric: Fabric,
        *,
        window: int = 1,
        unit: str = "target",
        selection: Selection | None = None,
    ) -> None:
        self.objective, self.feed, self.config, self.fabric = objective, feed, config, fabric
        self.window, self.unit, self.selection = window, unit, selection
        self.network = objective.network.to(fabric.device)  # before the optimiser creates its state
        self.optimizer = build_optimizer(self.network, config)
        self.average = WeightAverage()
        self.carried: list[State | None] = []  # before each of the last segments and the next one
        self._in_pass = False
        wrapped: Any = fabric.setup(self.network, self.optimizer)
        self._wrapped, self._wrapped_optimizer = wrapped
        if fabric.world_size > 1:
            self._wrapped.mark_forward_method(objective.loss_method)

    def __len__(self) -> int:
        """Number of segments per epoch."""
        return len(self.feed)

    def sentences(self, steps: int) -> Iterable[str]:
        """Describe the weights, the number of updates, the reduction of the loss, and a chosen selection."""
        yield parameter_summary(self.network).table()
        yield (
            f"{counted(steps, 'step')} on {self.fabric.device}; loss: {self.config.loss_reduction} over the "
            f"{self.unit}s of each update; Ctrl-C saves a checkpoint"
        )
        if self.selection is not None and self.selection.by != SCORE:
            yield self.selection.sentence()

    def remedies(self) -> str:
        """Suggest smaller steps."""
        config = self.config
        clip = f"--clip-norm {config.clip_norm / 4:g}" if config.clip_norm else "--clip-norm 1"
        return f"Try --learning-rate {config.learning_rate / 3:.2g}, {clip}, or more --warmup-steps"

    def update(self, moment: Moment) -> Update:
        """Run one segment forward and backward, then one optimiser step."""
        config = self.config
        threshold = config.clip_norm or None
        segment, context = self._segments(moment)
        set_learning_rate(self.optimizer, moment.learning_rate)
        self.network.train()
        self.objective.before_update(moment)
        with self.fabric.autocast():
            loss_sum, state, penalty = self.objective.loss(self._wrapped, segment, self.carried[0], context)
        # DDP averages gradients over the processes: the sum is world_size times the average.
        weight = segment.count if config.loss_reduction == "mean" else 1  # divisor of the summed loss
        total = loss_sum * (self.fabric.world_size / weight)
        if penalty is not None:
            total = total + penalty * (segment.count / weight)
        self.fabric.backward(total)
        norm = float(clip_by_norm(self.network.parameters(), None if config.clip_value else threshold))
        done = Update(segment.count, sum_over_processes(self.fabric, loss_sum.detach()), norm)
        if config.clip_value is not None:
            clip_by_value(self.network.parameters(), config.clip_value)
            clip_by_norm(self.network.parameters(), threshold)
        self._wrapped_optimizer.step()
        self._wrapped_optimizer.zero_grad()
        self.average.update(self.network)
        # Cloned to the memory layout of a state read from a checkpoint, so that both give the same bits.
        after = map_nest(lambda part: part.detach().clone().contiguous(), state)
        self.carried = [*self.carried, after][-self.window :]
        self._in_pass = moment.index + 1 < len(self.feed)
        return done

    def _segments(self, moment: Moment) -> tuple[TrainingBatch, int]:
        """Return the last segments joined, and the number of their first steps that have no loss."""
        index = moment.index
        if index == 0:  # start of an epoch
            start = self.objective.initial_state(self.feed.batch_rows)
            self.carried = [map_nest(lambda part: part.to(self.fabric.device), start)]
        segment, context = self.feed.window(index + 1 - len(self.carried), index, moment.epoch)
        return segment.to(self.fabric.device), context

    @contextmanager
    def evaluating(self) -> Iterator[None]:
        """Context in evaluation mode, without gradients, and with averaged weights if averaging has begun."""
        self.network.eval()
        with self.average.in_place(self.network), torch.no_grad():
            yield

    def validate(self) -> dict[str, float]:
        """Return the objective's figures."""
        return self.objective.validate(self.network)

    def after_validation(self, criteria: Sequence[float]) -> dict[str, float]:
        """Begin weight averaging once validations have stopped improving."""
        may_begin = self.config.averaging == "non-monotone" and not self.average.begun
        if may_begin and stopped_improving(criteria, self.config.averaging_after):
            self.average.begin(self.network)
        return {"averaged_steps": float(self.average.count)} if self.average.begun else {}

    def criterion(self, figures: Mapping[str, float]) -> float:
        """Return the criterion of the selection, by default the objective's."""
        if self.selection is None:
            return self.objective.criterion(figures)
        return self.selection.criterion(figures, self.objective.criterion)

    def selected(self, figures: Mapping[str, float]) -> Selected | None:
        """Return the metric that selected the best checkpoint; None without a selection."""
        return None if self.selection is None else self.selection.selected(figures)

    def training_figures(self, loss: float) -> dict[str, float]:
        """Return the objective's training figures."""
        return self.objective.training_figures(loss)

    def checkpoint(self) -> tuple[dict[str, Any], dict[str, Tensor]]:
        """Return weights, optimiser state, averaged weights, and each process's carried and random states."""
        carried = self.carried if self._in_pass else []
        tensors = {f"weights.{name}": tensor for name, tensor in weights_of(self.network).items()}
        tensors |= {f"optimizer.{name}": value for name, value in optimizer_tensors(self.optimizer).items()}
        tensors |= {f"average.{name}": tensor for name, tensor in self.average.tensors().items()}
        own = {
            f"{number}.{index}": tensor
            for number, state in enumerate(carried)
            for index, tensor in enumerate(flatten(state))
        }
        for prefix, each in (("carried", own), ("random", _random_states(self.fabric))):
            for name, tensor in each.items():
                for rank, part in enumerate(of_every_process(self.fabric, tensor)):
                    tensors[f"{prefix}.{rank}.{name}"] = part
        state = {
            "processes": self.fabric.world_size,
            "carried": len(carried),
            "averaged": self.average.count,
        }
        return state, tensors

    def restore(self, state: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> None:
        """Restore the state of `checkpoint`.

        Raises: RunError if it is from another number of processes or does not fit.
        """
        refuse_other_keys(state, {"processes", "carried", "averaged"})
        processes, rank, device = state["processes"], self.fabric.global_rank, self.fabric.device
        if processes != self.fabric.world_size:
            raise RunError(
                f"the run was trained by {processes} processes, not {self.fabric.world_size}; resume with "
                f"`torchrun --nproc-per-node {processes} -m recurra train --resume RUN`."
            )
        restore_weights(self.network, below(tensors, "weights."), source="the checkpoint")
        restore_optimizer(self.optimizer, below(tensors, "optimizer."))
        self.average.restore(below(tensors, "average."), state["averaged"], device)
        random = below(tensors, f"random.{rank}.")
        refuse_other_keys(random, {"cpu"} | random.keys() & {"cuda"}, f"random.{rank}.")
        torch.set_rng_state(random["cpu"])
        if "cuda" in random and torch.cuda.is_available():
            torch.cuda.set_rng_state(random["cuda"])
        like = self.objective.initial_state(1)
        self.carried = []
        for number in range(state["carried"]):
            own = below(tensors, f"carried.{rank}.{number}.")
            expected = {str(index) for index in range(len(flatten(like)))}
            refuse_other_keys(own, expected, f"carried.{rank}.{number}.")
            self.carried.append(unflatten(like, [own[str(i)].to(device) for i in range(len(own))]))
        self._in_pass = bool(self.carried)


def _random_states(fabric: Fabric) -> dict[str, Tensor]:
    states = {"cpu": torch.get_rng_state()}
    if fabric.device.type == "cuda":
        states["cuda"] = torch.cuda.get_rng_state()
    return states

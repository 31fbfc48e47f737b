"""The training loop and learners: clipping, optimisers, schedules, checkpoints, interrupts, progress."""

from recurra.training.clipping import clip_by_norm, clip_by_value
from recurra.training.devices import device_named, make_fabric, named_memory_faults
from recurra.training.gradient import GradientLearner
from recurra.training.learner import Learner, Moment, Outcome, Update
from recurra.training.listeners import Listener, StepReport, TensorBoardListener
from recurra.training.loop import Trainer, TrainingConfig
from recurra.training.objective import Objective
from recurra.training.progress_bar import ProgressBar, progress_bars
from recurra.training.schedules import Schedule
from recurra.training.selection import Choice, Metric, Selected, Selection, selection_of

__all__ = [
    "Choice",
    "GradientLearner",
    "Learner",
    "Listener",
    "Metric",
    "Moment",
    "Objective",
    "Outcome",
    "ProgressBar",
    "Schedule",
    "Selected",
    "Selection",
    "StepReport",
    "TensorBoardListener",
    "Trainer",
    "TrainingConfig",
    "Update",
    "clip_by_norm",
    "clip_by_value",
    "device_named",
    "make_fabric",
    "named_memory_faults",
    "progress_bars",
    "selection_of",
]

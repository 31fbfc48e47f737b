"""Frozen parts of configurations, and how they are read from TOML and named in errors."""

from recurra.config.labelling import ReaderPart
from recurra.config.part import Part, build_config, option, to_toml
from recurra.config.parts import (
    CellPart,
    LoopPart,
    ModelPart,
    NGramPart,
    OptimizerPart,
    RecurrentNetworkConfig,
    RecurrentPart,
    RegularizationPart,
    RunPart,
    SchedulePart,
    Smoothing,
    StreamPart,
    TextPart,
    WindowPart,
)

__all__ = [
    "CellPart",
    "LoopPart",
    "ModelPart",
    "NGramPart",
    "OptimizerPart",
    "Part",
    "ReaderPart",
    "RecurrentNetworkConfig",
    "RecurrentPart",
    "RegularizationPart",
    "RunPart",
    "SchedulePart",
    "Smoothing",
    "StreamPart",
    "TextPart",
    "WindowPart",
    "build_config",
    "option",
    "to_toml",
]

"""Frozen parts of configurations, and how they are read from TOML and named in errors."""

from recurra.config.part import Part, build_config, option, to_toml
from recurra.config.parts import (
    LoopPart,
    ModelPart,
    NGramPart,
    OptimizerPart,
    RecurrentPart,
    RunPart,
    SchedulePart,
    Smoothing,
    StreamPart,
    TextPart,
    WindowPart,
)

__all__ = [
    "LoopPart",
    "ModelPart",
    "NGramPart",
    "OptimizerPart",
    "Part",
    "RecurrentPart",
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

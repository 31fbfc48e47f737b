"""Frozen parts of configurations, and how they are read from TOML and named in errors."""

from recurra.config.part import Part, build_config, option, to_toml
from recurra.config.parts import (
    LoopPart,
    OptimizerPart,
    RecurrentPart,
    RunPart,
    SchedulePart,
    StreamPart,
    TextPart,
)

__all__ = [
    "LoopPart",
    "OptimizerPart",
    "Part",
    "RecurrentPart",
    "RunPart",
    "SchedulePart",
    "StreamPart",
    "TextPart",
    "build_config",
    "option",
    "to_toml",
]

"""Configurations with a name: TOML files beside this one, whose first lines say what each is."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from recurra.config import build_config
from recurra.errors import ConfigError
from recurra.tasks.language_modeling.config import LanguageModelConfig

_FOLDER = Path(__file__).parent


def preset_names() -> list[str]:
    """All names, in order."""
    return sorted(file.stem for file in _FOLDER.glob("*.toml"))


def preset_file(name: str) -> Path:
    """The TOML file of a preset.

    Raises: ConfigError if there is none of this name.
    """
    if name not in preset_names():
        raise ConfigError(f"preset: got {name!r}, expected one of {', '.join(preset_names())}.")
    return _FOLDER / f"{name}.toml"


def build_from(
    preset: str | None = None, toml: Path | None = None, options: Mapping[str, Any] | None = None
) -> LanguageModelConfig:
    """A configuration from a preset, a TOML file over it, and options over both, whichever there are.

    Raises: ConfigError naming every fault.
    """
    files = [preset_file(preset)] if preset else []
    return build_config(LanguageModelConfig, files if toml is None else [*files, toml], options)

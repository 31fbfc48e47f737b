"""Configurations with a name: TOML files beside this one, whose first lines say what each is."""

from pathlib import Path

from recurra.errors import ConfigError

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

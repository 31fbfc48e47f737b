"""Public data sets by name, `hub:NAME` or `hub:NAME:SPLIT`, through the package datasets if it is there."""

from collections.abc import Iterator, Mapping
from importlib import import_module
from typing import Any

from recurra.config import ReaderPart
from recurra.data.examples import BadRow, BadRows, Example
from recurra.data.readers.tables import Columns
from recurra.errors import DataError, MissingExtra
from recurra.files import HUB


def read_hub(name: str, config: ReaderPart, bad: BadRows) -> Iterator[Example]:
    """The rows of a public data set; numbers that stand for classes become their names.

    Raises: MissingExtra without the package datasets; DataError where it has no such data set.
    """
    try:
        load_dataset = import_module("datasets").load_dataset
    except ImportError as error:
        raise MissingExtra(f"{name}: needs the package datasets; pip install datasets.") from error
    path, _, split = name.removeprefix(HUB).partition(":")
    try:
        rows = load_dataset(path, split=split or "train")
    except Exception as error:  # of any kind: its own, of the network, of a script
        raise DataError(f"{name}: cannot be had ({error}).") from error
    columns = Columns(name, config)
    columns.check(list(rows.features))
    names = {column: _names_of(feature) for column, feature in rows.features.items()}
    for number, row in enumerate(rows, start=1):
        try:
            yield columns.example({c: _named(value, names[c]) for c, value in row.items()}, number)
        except BadRow as fault:
            bad.refuse(f"{name}:{number}", str(fault))


def _names_of(feature: Any) -> Mapping[int, str] | None:
    """The names of classes that a column has numbers for, or lists of numbers."""
    feature = getattr(feature, "feature", feature)
    names = getattr(feature, "names", None)
    return None if names is None else dict(enumerate(names))


def _named(value: Any, names: Mapping[int, str] | None) -> Any:
    if names is None:
        return value
    return [names.get(one) for one in value] if isinstance(value, list) else names.get(value)

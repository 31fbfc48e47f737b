"""Public data sets by name, `hub:NAME` or `hub:NAME:SPLIT`, read with the optional package datasets."""

from collections.abc import Iterator, Mapping
from importlib import import_module
from typing import Any

from recurra.config import ReaderPart
from recurra.data.examples import BadRow, BadRows, Example
from recurra.data.readers.tables import Columns
from recurra.errors import DataError, MissingExtra
from recurra.files import HUB
from recurra.plain import reason_of


def read_hub(name: str, config: ReaderPart, bad: BadRows) -> Iterator[Example]:
    """Read the rows of a public data set; class numbers are replaced by class names.

    Raises: MissingExtra without the package datasets; DataError where it has no such data set.
    """
    try:
        load_dataset = import_module("datasets").load_dataset
    except ImportError as error:
        raise MissingExtra(
            f"{name}: needs the package datasets; install it with `pip install datasets`."
        ) from error
    path, _, split = name.removeprefix(HUB).partition(":")
    try:
        rows = load_dataset(path, split=split or "train")
    except Exception as error:  # of any type: from the library, the network or a loading script
        raise DataError(f"{name}: cannot be loaded ({reason_of(error)}).") from error
    columns = Columns(name, config)
    columns.check(list(rows.features))
    names = {column: _names_of(feature) for column, feature in rows.features.items()}
    for number, row in enumerate(rows, start=1):
        try:
            yield columns.example({c: _named(value, names[c]) for c, value in row.items()}, number)
        except BadRow as fault:
            bad.refuse(f"{name}:{number}", str(fault))


def _names_of(feature: Any) -> Mapping[int, str] | None:
    """Return the class names of a column of class numbers, or of lists of them; None for other columns."""
    feature = getattr(feature, "feature", feature)
    names = getattr(feature, "names", None)
    return None if names is None else dict(enumerate(names))


def _named(value: Any, names: Mapping[int, str] | None) -> Any:
    if names is None:
        return value
    return [names.get(one) for one in value] if isinstance(value, list) else names.get(value)

"""What models return: short reprs, rows for data frames, and tables in notebooks."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import fields, is_dataclass
from html import escape
from typing import Any

from recurra.arguments import is_many
from recurra.errors import ArgumentTypeError, ConfigError
from recurra.plain import quoted

_MOST_SHOWN = 30  # rows of a table in a notebook
_LONGEST = 60  # characters of a text in a repr


class Result:
    """Base class of results: `told` is the inside of the repr, `to_rows` are the rows of a table."""

    def told(self) -> str:
        """Return the content in a few words."""
        sentence: str = self.sentence()  # type: ignore[attr-defined]
        return sentence

    def to_rows(self, of: str | None = None) -> list[dict[str, Any]]:
        """Return flat dictionaries for a data frame; see `recurra.rows`.

        Raises: ConfigError if the result has no rows `of` this kind.
        """
        self._refuse(of)
        return [flat(self.to_dict())]  # type: ignore[attr-defined]

    def _refuse(self, of: str | None, *known: str) -> None:
        """Refuse rows of an unknown kind. Raises: ConfigError."""
        if of is not None and of not in known:
            expected = f"one of {', '.join(map(repr, known))}" if known else "none"
            raise ConfigError(f"rows: of: got {of!r}, expected {expected} for a {type(self).__name__}.")

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.told()})"

    def _repr_html_(self) -> str:
        return html_table(self.to_rows(), self.told())


def rows(results: Any, of: str | None = None) -> list[dict[str, Any]]:
    """Return results as flat dictionaries: the rows of a data frame.

        pandas.DataFrame(recurra.rows(tagger.predict(texts)))

    Of a list, the first column `index` is the place of the result in the list; of a list of lists, such as
    several translations of several texts, `rank` is the place in the inner list. A prediction of a tagger
    gives its entities if its labels mark entities, or else its words; that of a classifier gives its label
    and the probabilities `P(label)`. `of` chooses other rows: "labels", "words", "entities" or "n_best".

    Raises: ArgumentTypeError for anything else than results; ConfigError for an `of` that they do not have.
    """
    return list(_rows(results, of, ("index", "rank")))


def _rows(results: Any, of: str | None, places: Sequence[str]) -> Iterator[dict[str, Any]]:
    if isinstance(results, Result):
        yield from results.to_rows(of)
    elif hasattr(results, "_asdict"):  # a named tuple
        yield flat(results._asdict())
    elif is_dataclass(results) and not isinstance(results, type):
        yield flat({field.name: getattr(results, field.name) for field in fields(results)})
    elif isinstance(results, Mapping):
        yield flat(results)
    elif is_many(results) and places:
        for place, one in enumerate(results):
            for row in _rows(one, of, places[1:]):
                yield {places[0]: place} | row
    else:
        raise ArgumentTypeError(f"rows: got {quoted(results, _LONGEST)}, expected results or a list of them.")


def flat(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return nested plain values as one level: mappings within become `outer.inner`, lists are left out."""
    found: dict[str, Any] = {}
    for name, value in values.items():
        if isinstance(value, Mapping):
            found |= {f"{name}.{inner}": each for inner, each in flat(value).items()}
        elif not isinstance(value, list | tuple):
            found[str(name)] = value
    return found


def shortened(text: object) -> str:
    """Return the repr of a text, shortened for the repr of a result."""
    return quoted(text, _LONGEST)


def html_table(table: Iterable[Mapping[str, Any]], caption: str = "") -> str:
    """Return rows as an HTML table, the first ones of many."""
    every = list(table)
    names = list(dict.fromkeys(name for row in every for name in row))
    head = "".join(f"<th>{escape(name)}</th>" for name in names)
    body = "".join(
        f"<tr>{''.join(f'<td>{escape(_shown(row.get(name)))}</td>' for name in names)}</tr>"
        for row in every[:_MOST_SHOWN]
    )
    more = f"<p>and {len(every) - _MOST_SHOWN:,} more rows</p>" if len(every) > _MOST_SHOWN else ""
    title = f"<caption>{escape(caption)}</caption>" if caption else ""
    return f"<table>{title}<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>{more}"


def _shown(value: Any) -> str:
    if value is None:
        return ""
    return f"{value:.4g}" if isinstance(value, float) else str(value)

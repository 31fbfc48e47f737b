"""Readers of source-target pairs: parallel files, tables, JSON lines, dialogues."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recurra.config import PairFilesPart
from recurra.config.conditions import refuse_given
from recurra.data.examples import BadRow, BadRows, checked_text, row_at
from recurra.data.readers import format_of_name
from recurra.data.readers.delimited import delimiter_of, table_lines
from recurra.data.readers.tables import json_objects
from recurra.errors import ConfigError, DataError
from recurra.plain import counted, listed, quoted
from recurra.text_files import read_lines

_DEFAULTS = {"source_column": "source", "target_column": "target"}
# The formats that an option of reading applies to, and how a message names them; the others apply to all.
_USES: dict[str, tuple[frozenset[str], str]] = {
    **dict.fromkeys(_DEFAULTS, (frozenset(("csv", "tsv", "jsonl")), "to tables (csv, tsv, jsonl)")),
    "delimiter": (frozenset(("csv",)), "to csv"),
}


@dataclass(frozen=True, slots=True)
class Pair:
    """A source and its reference targets.

    In a dialogue the source is the turns before an answer, and the target is the answer. An image has
    `vectors`, and its targets are its captions.

    Shapes: vectors (F,), (R, F) or (C, H, W).
    """

    source: tuple[str, ...] = ()
    targets: tuple[str, ...] = ()
    vectors: NDArray[np.generic] | None = None
    file: str = ""
    line: int = 0

    @property
    def place(self) -> str:
        """File and line, as shown in error messages."""
        return f"{self.file}:{self.line}" if self.line else self.file


def read_pairs(
    path: Path, target: Path | None, config: PairFilesPart, bad: BadRows, *, memory_turns: int = 0
) -> list[Pair]:
    """Read all pairs of a file or of two parallel files; rows that cannot be used go to `bad`.

    With `memory_turns` dialogues are also read: the source is at most that many turns before an answer.

    Raises: DataError for files that cannot be read, or are not in step; ConfigError for a column that is not
    there.
    """
    name = format_of(path, target, config, memory_turns=memory_turns)
    if (target is not None) != (name == "parallel"):
        if target is None:
            raise ConfigError.advising("target: is missing", "name the file of targets", "see --format")
        raise ConfigError.advising(f"target: does not apply to {name} files", "remove it", "see --format")
    match name:
        case "parallel":
            assert target is not None, "checked above"
            pairs = _parallel(path, target, bad, config.encoding)
        case "csv" | "tsv":
            pairs = _table(path, config, bad, tabs=name == "tsv")
        case "jsonl":
            pairs = _objects(path, config, bad, memory_turns)
        case "dialogues" if memory_turns:
            pairs = _dialogues(path, bad, memory_turns, config.encoding)
        case _:
            raise ConfigError(f"format: got {name}, which this task does not read; see --help.")
    found = list(pairs)
    if not found:
        raise DataError.advising(f"{path}: has no usable pairs ({len(bad)} left out)", "see --format")
    return found


def is_table(path: Path) -> bool:
    """Whether the name of a file says that it is a table or has JSON lines, and not one text per line."""
    return format_of_name(path) in ("csv", "tsv", "jsonl")


def read_sources(path: Path, config: PairFilesPart, bad: BadRows, *, memory_turns: int = 0) -> list[Pair]:
    """Read the sources of a table or of JSON lines, with or without targets, for prediction.

    Raises: DataError for a file that cannot be read; ConfigError for a column that is not there.
    """
    if format_of_name(path) == "jsonl":
        return list(_source_objects(path, config, bad, memory_turns))
    tabs = format_of_name(path) == "tsv"
    name = config.source_column or _DEFAULTS["source_column"]
    delimiter = "\t" if tabs else delimiter_of(path, config.delimiter, config.encoding, wanted=[name])
    rows = table_lines(path, bad, delimiter=delimiter, has_quotes=not tabs, encoding=config.encoding)
    begins, head = next(rows, (0, []))
    if name in head:
        place = head.index(name)
    elif config.source_column and not name.isdecimal():
        raise ConfigError(
            f"{path}: has no column {name!r}, the source column of the training data; its columns are "
            f"{listed(head)}. Rename one of them."
        )
    else:  # without a header, as in training
        place = int(name) - 1 if name.isdecimal() else 0
        if head and place >= len(head):
            raise ConfigError(f"{path}: has {counted(len(head), 'column')}; column {name} does not exist.")
        rows = chain([(begins, head)] if head else [], rows)
    return [
        Pair((fields[place].strip().replace("\r\n", "\n"),), file=str(path), line=number)
        for number, fields in rows
    ]


def _source_objects(path: Path, config: PairFilesPart, bad: BadRows, memory_turns: int) -> Iterator[Pair]:
    """Read the source texts of JSON lines; for a chat-bot, also the turns of conversations."""
    name = config.source_column or _DEFAULTS["source_column"]
    for number, row in json_objects(path, bad, config.encoding):
        with row_at(bad, path, number):
            key = "turns" if memory_turns and name not in row else name
            if key not in row:
                raise BadRow(f"has no {name!r}, only {listed(row)}")
            yield Pair(texts(row[key])[-memory_turns:], file=str(path), line=number)


def format_of(path: Path, target: Path | None, config: PairFilesPart, *, memory_turns: int = 0) -> str:
    """Return the format of a file, as given or else guessed. Raises: DataError where it cannot be told."""
    if config.format != "auto":
        return config.format
    return guess_format(path, target, memory_turns, config.encoding)


def refuse_without_use(formats: Iterable[str], config: PairFilesPart) -> None:
    """Refuse given options that do not apply to any of the formats of the files. Raises: ConfigError."""
    found = set(formats)
    refuse_given(config, {name: use for name, (applies_to, use) in _USES.items() if not found & applies_to})


def guess_format(path: Path, target: Path | None, memory_turns: int, encoding: str) -> str:
    """Guess the format of a file from its name and, for JSON lines, from the first object.

    Raises: DataError where they do not say.
    """
    if target is not None:
        return "parallel"
    named = format_of_name(path)
    if named in ("csv", "tsv"):
        return named
    if named == "jsonl":
        _, first = next(json_objects(path, BadRows(skip=True), encoding), (0, {}))
        return "dialogues" if memory_turns and "turns" in first else "jsonl"
    if memory_turns:
        return "dialogues"
    if any("\t" in line for line in islice(read_lines(path, errors="surrogateescape", encoding=encoding), 1)):
        return "tsv"
    raise DataError.advising(
        f"{path}: has no target side", "name its file with --target", "set the format with --format"
    )


def _parallel(source: Path, target: Path, bad: BadRows, encoding: str) -> Iterator[Pair]:
    """Read two parallel files line by line. Raises: DataError where one has more lines."""
    both = [list(read_lines(path, errors="surrogateescape", encoding=encoding)) for path in (source, target)]
    if len(both[0]) != len(both[1]):
        raise DataError(
            f"{source}: has {counted(len(both[0]), 'line')}, but {target} has {len(both[1]):,}; each line "
            "needs its target on the same line of the other file."
        )
    for number, (read, written) in enumerate(zip(*both, strict=True), start=1):
        with row_at(bad, source, number):
            for line, path in ((read, source), (written, target)):
                try:
                    checked_text(line)
                except BadRow as fault:
                    where = "" if path == source else f" in {path}"
                    raise BadRow(f"{fault}{where}", *fault.ways) from fault
            yield Pair((read.strip(),), (written.strip(),), file=str(source), line=number)


def _table(path: Path, config: PairFilesPart, bad: BadRows, *, tabs: bool) -> Iterator[Pair]:
    """Read a CSV or TSV file with a header, or with source and target in the first two columns.

    Columns may also be given by their numbers from 1; then the file has no header.
    """
    names = [getattr(config, option) or default for option, default in _DEFAULTS.items()]
    delimiter = "\t" if tabs else delimiter_of(path, config.delimiter, config.encoding, wanted=names)
    rows = table_lines(path, bad, delimiter=delimiter, has_quotes=not tabs, encoding=config.encoding)
    begins, head = next(rows, (0, []))
    numbered = [name.isdecimal() for name in names]
    if twice := [name for name in names if head.count(name) > 1]:
        raise ConfigError(f"{path}:1: has two columns {quoted(twice[0])}; rename one of them.")
    if all(name in head for name in names):
        places = [head.index(name) for name in names]
    else:
        given = [getattr(config, option) for option in _DEFAULTS]
        if any(given) and not all(numbered):
            missing = next(name for name in names if name not in head)
            raise ConfigError.advising(
                f"{path}: has no column {missing!r}; its columns are {listed(head)}",
                "name the right ones with --source-column and --target-column, or both by their numbers "
                "from 1",
            )
        if not all(numbered) and len(head) > 2:
            raise ConfigError.advising(
                f"{path}: has {len(head)} columns ({listed(head)})",
                "name the two sides with --source-column and --target-column, or give both by their numbers "
                "from 1 if there is no header",
            )
        places = [int(name) - 1 for name in names] if all(numbered) else [0, 1]
        if min(places) < 0:
            raise ConfigError(f"{path}: column 0 does not exist; columns are numbered from 1.")
        if head and max(places) >= len(head):
            raise ConfigError(
                f"{path}: has {counted(len(head), 'column')}; column {max(places) + 1} does not exist."
            )
        if head:
            rows = chain([(begins, head)], rows)
    for number, fields in rows:
        source, target = (fields[place].strip().replace("\r\n", "\n") for place in places)
        yield Pair((source,), (target,), file=str(path), line=number)


def _objects(path: Path, config: PairFilesPart, bad: BadRows, memory_turns: int) -> Iterator[Pair]:
    """Read JSON lines with a source and a target text.

    The target may be a list of references, the source a list of turns, of which the last ones are used.
    """
    source, target = (getattr(config, option) or default for option, default in _DEFAULTS.items())
    for number, row in json_objects(path, bad, config.encoding):
        with row_at(bad, path, number):
            for name in (source, target):
                if name not in row:
                    missing = f"neither 'turns' nor {name!r}" if memory_turns else f"no {name!r}"
                    raise BadRow(f"has {missing}, only {listed(row)}")
            turns = texts(row[source])[-memory_turns:]  # all of them if memory_turns is 0
            yield Pair(turns, texts(row[target]), file=str(path), line=number)


def texts(given: Any) -> tuple[str, ...]:
    """Return a text or a list of texts as a tuple. Raises: BadRow for anything else."""
    every = given if isinstance(given, list) else [given]
    if not every or not all(isinstance(text, str) for text in every):
        raise BadRow(f"has {quoted(given)}, expected a text or a list of texts")
    return tuple(text.strip() for text in every)


def _dialogues(path: Path, bad: BadRows, memory_turns: int, encoding: str) -> Iterator[Pair]:
    """Yield each turn after the first with the turns before it.

    The file has JSON lines {"turns": […]}, or one turn per line and a blank line between conversations.
    """
    for number, turns in _conversations(path, bad, encoding):
        for place in range(1, len(turns)):
            before = tuple(turns[max(0, place - memory_turns) : place])
            yield Pair(before, (turns[place],), file=str(path), line=number)


def _conversations(path: Path, bad: BadRows, encoding: str) -> Iterator[tuple[int, Sequence[str]]]:
    if format_of_name(path) == "jsonl":
        for number, row in json_objects(path, bad, encoding):
            with row_at(bad, path, number):
                if "turns" not in row:
                    raise BadRow(f"has no 'turns', only {listed(row)}")
                yield number, texts(row["turns"])
        return
    turns: list[str] = []
    begins = 1
    for number, line in enumerate(read_lines(path, errors="surrogateescape", encoding=encoding), start=1):
        turn = None
        if line.strip():
            with row_at(bad, path, number):
                turn = checked_text(line).strip()
        if turn is not None:
            if not turns:
                begins = number
            turns.append(turn)
        elif turns:  # at a blank line or a turn that is skipped, as no answer follows from the one before it
            yield begins, turns
            turns = []
    if turns:
        yield begins, turns

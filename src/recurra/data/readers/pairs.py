"""Pairs of what is read and what is to be written: parallel files, tables, JSON lines, dialogues."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recurra.config import PairFilesPart
from recurra.data.examples import BadRow, BadRows, row_at
from recurra.data.readers.tables import json_objects, table_lines
from recurra.errors import ConfigError, DataError
from recurra.files import is_text, read_lines

_DEFAULTS = {"source_column": "source", "target_column": "target"}


@dataclass(frozen=True, slots=True)
class Pair:
    """What is read, and what may be written: of dialogues the turns before an answer and the answer, of
    pictures their numbers and their captions.

    Shapes: vectors (F,), (R, F) or (C, H, W).
    """

    source: tuple[str, ...] = ()
    targets: tuple[str, ...] = ()
    vectors: NDArray[np.generic] | None = None
    file: str = ""
    line: int = 0

    @property
    def place(self) -> str:
        """File and line, as errors name them."""
        return f"{self.file}:{self.line}" if self.line else self.file


def read_pairs(
    path: Path, target: Path | None, config: PairFilesPart, bad: BadRows, *, memory_turns: int = 0
) -> list[Pair]:
    """All pairs of a file, or of two in step; rows that cannot be used go to `bad`.

    With `memory_turns` conversations are read, too: a pair is an answer and so many turns before it.

    Raises: DataError for files that cannot be read, or are not in step; ConfigError for a column that is not
    there.
    """
    name = config.format if config.format != "auto" else guess_format(path, target, memory_turns)
    if (target is not None) != (name == "parallel"):
        what = (
            "is missing; name the file with the other side" if target is None else f"is not of {name} files"
        )
        raise ConfigError(f"target: {what}, see --format.")
    match name:
        case "parallel":
            assert target is not None, "checked above"
            pairs = _parallel(path, target, bad)
        case "csv" | "tsv":
            pairs = _table(path, config, bad, tabs=name == "tsv")
        case "jsonl":
            pairs = _objects(path, config, bad, memory_turns)
        case "dialogues" if memory_turns:
            pairs = _dialogues(path, bad, memory_turns)
        case _:
            raise ConfigError(f"format: got {name}, which this task has no use for; see --help.")
    found = list(pairs)
    if not found:
        raise DataError(f"{path}: has no pairs that can be used ({len(bad)} left out); see --format.")
    return found


def guess_format(path: Path, target: Path | None, memory_turns: int) -> str:
    """What a file's name, and of JSON lines the first object, say that it is.

    Raises: DataError where they do not say.
    """
    if target is not None:
        return "parallel"
    suffixes = [suffix for suffix in path.suffixes if suffix != ".gz"]
    suffix = suffixes[-1] if suffixes else ""
    if suffix in (".csv", ".tsv"):
        return suffix[1:]
    if suffix in (".jsonl", ".ndjson"):
        _, first = next(json_objects(path, BadRows(skip=True)), (0, {}))
        return "dialogues" if memory_turns and "turns" in first else "jsonl"
    if memory_turns:
        return "dialogues"
    if any("\t" in line for line in islice(read_lines(path, errors="surrogateescape"), 1)):
        return "tsv"
    raise DataError(
        f"{path}: has no other side; name it with --target, or tell with --format what the file is."
    )


def _parallel(source: Path, target: Path, bad: BadRows) -> Iterator[Pair]:
    """Two files in step, line by line. Raises: DataError where one has more lines."""
    both = [list(read_lines(path, errors="surrogateescape")) for path in (source, target)]
    if len(both[0]) != len(both[1]):
        raise DataError(
            f"{source}: has {len(both[0]):,} lines, and {target} {len(both[1]):,}; line by line they must be "
            "each other's translation."
        )
    for number, (read, written) in enumerate(zip(*both, strict=True), start=1):
        with row_at(bad, source, number):
            for line, path in ((read, source), (written, target)):
                if not is_text(line):
                    raise BadRow("is not UTF-8" + ("" if path == source else f" in {path}"))
            yield Pair((read.strip(),), (written.strip(),), file=str(source), line=number)


def _table(path: Path, config: PairFilesPart, bad: BadRows, *, tabs: bool) -> Iterator[Pair]:
    """A CSV or TSV file. Its first line names columns, or else the first two columns are the sides.

    Columns may be named by their numbers from 1; then there is no head.
    """
    rows = table_lines(path, bad, tabs=tabs, quoted=not tabs)
    begins, head = next(rows, (0, []))
    names = [getattr(config, option) or default for option, default in _DEFAULTS.items()]
    numbered = [name.isdecimal() for name in names]
    if all(name in head for name in names):
        places = [head.index(name) for name in names]
    else:
        given = [getattr(config, option) for option in _DEFAULTS]
        if any(given) and not all(numbered):
            missing = next(name for name in names if name not in head)
            raise ConfigError(
                f"{path}: has no column {missing!r}; its columns are {', '.join(head)}. Name the right ones "
                "with --source-column and --target-column, or both by their numbers from 1."
            )
        places = [int(name) - 1 for name in names] if all(numbered) else [0, 1]
        if min(places) < 0:
            raise ConfigError(f"{path}: columns are numbered from 1, and column 0 is asked for.")
        if head and max(places) >= len(head):
            raise ConfigError(f"{path}: has {len(head)} columns, and column {max(places) + 1} is asked for.")
        if head:
            yield Pair((head[places[0]].strip(),), (head[places[1]].strip(),), file=str(path), line=begins)
    for number, fields in rows:
        source, target = (fields[place].strip() for place in places)
        yield Pair((source,), (target,), file=str(path), line=number)


def _objects(path: Path, config: PairFilesPart, bad: BadRows, memory_turns: int) -> Iterator[Pair]:
    """JSON lines with a text for each side; the target may be a list of texts, of which any is right, the
    source one of turns, the last of which are remembered."""
    source, target = (getattr(config, option) or default for option, default in _DEFAULTS.items())
    for number, row in json_objects(path, bad):
        with row_at(bad, path, number):
            for name in (source, target):
                if name not in row:
                    missing = f"neither 'turns' nor {name!r}" if memory_turns else f"no {name!r}"
                    raise BadRow(f"has {missing}, only {', '.join(row) or 'nothing'}")
            turns = texts(row[source])[-memory_turns:]  # all, where nothing is said of turns
            yield Pair(turns, texts(row[target]), file=str(path), line=number)


def texts(given: Any) -> tuple[str, ...]:
    """A text or a list of texts. Raises: BadRow for anything else."""
    every = given if isinstance(given, list) else [given]
    if not every or not all(isinstance(text, str) for text in every):
        raise BadRow(f"has {given!r} where a text is expected, or a list of texts")
    return tuple(text.strip() for text in every)


def _dialogues(path: Path, bad: BadRows, memory_turns: int) -> Iterator[Pair]:
    """Each turn after the first, and those before it: JSON lines {"turns": […]}, or text with a turn a line
    and a blank line between conversations."""
    for number, turns in _conversations(path, bad):
        for place in range(1, len(turns)):
            before = tuple(turns[max(0, place - memory_turns) : place])
            yield Pair(before, (turns[place],), file=str(path), line=number)


def _conversations(path: Path, bad: BadRows) -> Iterator[tuple[int, Sequence[str]]]:
    suffixes = [suffix for suffix in path.suffixes if suffix != ".gz"]
    if suffixes and suffixes[-1] in (".jsonl", ".ndjson"):
        for number, row in json_objects(path, bad):
            with row_at(bad, path, number):
                if "turns" not in row:
                    raise BadRow(f"has no 'turns', only {', '.join(row) or 'nothing'}")
                yield number, texts(row["turns"])
        return
    turns: list[str] = []
    begins = 1
    for number, line in enumerate(read_lines(path, errors="surrogateescape"), start=1):
        if line.strip():
            with row_at(bad, path, number):
                if not is_text(line):
                    raise BadRow("is not UTF-8")
                if not turns:
                    begins = number
                turns.append(line.strip())
        elif turns:
            yield begins, turns
            turns = []
    if turns:
        yield begins, turns

"""Tasks whose data are rows: files read, parts held out and found again by index and fingerprint."""

import hashlib
from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

from recurra.data.examples import BadRows
from recurra.data.splits import stratified_folds, stratified_split
from recurra.errors import ConfigError, DataError
from recurra.files import is_of_hub
from recurra.tasks.task import Known, Task

RowT = TypeVar("RowT")
Split = Mapping[str, Sequence[int]]
PARTS = ("train", "valid", "test")


@dataclass(frozen=True)
class Parts(Generic[RowT]):
    """Rows by the part that they belong to, and the indices of those that were cut from --data."""

    train: list[RowT]
    valid: list[RowT]
    test: list[RowT] | None
    indices: Split
    files: Mapping[str, str]

    def each(self) -> list[tuple[str, list[RowT]]]:
        """The parts that are there, by name."""
        every = zip(PARTS, (self.train, self.valid, self.test), strict=True)
        return [(part, rows) for part, rows in every if rows is not None]


@dataclass
class RowCorpus(Generic[RowT]):
    """Rows to train on, to validate on and to test on, and what was left out of their files."""

    symbols: Any
    parts: Parts[RowT]
    fingerprint: Callable[[Sequence[RowT]], str]
    skipped: Sequence[str] = ()

    @property
    def train(self) -> list[RowT]:
        """The rows to train on."""
        return self.parts.train

    @property
    def valid(self) -> list[RowT]:
        """The held-out rows."""
        return self.parts.valid

    @property
    def test(self) -> list[RowT] | None:
        """The rows that are only measured at the end."""
        return self.parts.test

    def facts(self) -> dict[str, Any]:
        """What run.toml says of the data."""
        return {"skipped": len(self.skipped)} | {
            part: {
                "path": self.parts.files[part],
                "rows": len(rows),
                "fingerprint": self.fingerprint(rows),
            }
            for part, rows in self.parts.each()
        }

    def split(self) -> Split:
        """The rows of --data that are held out, by index."""
        return self.parts.indices


class RowTask(Task):
    """A task whose data are rows of files; a subclass says how a file is read and what the symbols are."""

    options = ("validation_fraction", "split_seed")

    @abstractmethod
    def read_rows(self, config: Any, part: str, bad: BadRows) -> list[Any] | None:
        """The rows of --data ("data"), --valid or --test; None where the configuration names no such file.

        Rows that cannot be used go to `bad`.

        Raises: DataError.
        """

    @abstractmethod
    def learn_symbols(self, config: Any, train: Sequence[Any]) -> Any:
        """The symbols of the rows to train on."""

    def groups(self, config: Any, rows: Sequence[Any]) -> list[list[int]]:
        """Rows that go together into one part, by index; each alone."""
        return [[i] for i in range(len(rows))]

    def stratum(self, row: Any) -> object:
        """Of which kind a row is: each part has as large a share of each."""
        return 0

    def fingerprint(self, rows: Sequence[Any]) -> str:
        """A digest that changes with anything that is read of any row."""
        digest = hashlib.sha256()
        for row in rows:
            told = repr(row)
            assert " object at 0x" not in told, "a row tells its content, or the task has its own fingerprint"
            digest.update(told.encode("utf-8", "surrogatepass"))
        return digest.hexdigest()

    def corpus(self, config: Any, parts: Parts[Any], symbols: Any, bad: BadRows) -> RowCorpus[Any]:
        """Rows and symbols together; a subclass may check that they fit."""
        return RowCorpus(symbols, parts, self.fingerprint, bad.sentences)

    def read(self, config: Any) -> RowCorpus[Any]:
        """Read and split the rows, and learn the symbols of those to train on."""
        bad = bad_rows(config)
        parts = self.parts(config, bad)
        return self.corpus(config, parts, self.learn_symbols(config, parts.train), bad)

    def read_again(self, config: Any, symbols: Any, known: Known) -> RowCorpus[Any]:
        """The rows of an earlier run, with its symbols and its split."""
        bad = bad_rows(config)
        corpus = self.corpus(config, self.parts(config, bad, known.split), symbols, bad)
        for part, rows in corpus.parts.each():
            self._check_unchanged(rows, known, part, "train again with --overwrite")
        return corpus

    def read_part(self, config: Any, symbols: Any, known: Known, part: str) -> list[Any]:
        """One held-out part alone. Runs of format 1, which kept no split, cut it anew."""
        bad = bad_rows(config)
        if known.split is not None and part in known.split:
            every = self.read_rows(config, "data", bad)
            assert every is not None, "the run was trained on it"
            rows = _rows_at(every, known.split[part], config.data)
        else:
            own = self.read_rows(config, part, bad)
            rows = dict(self.parts(config, bad, known.split).each())[part] if own is None else own
        self._check_unchanged(rows, known, part, "name another with --data")
        return rows

    def parts(self, config: Any, bad: BadRows, known: Split | None = None) -> Parts[Any]:
        """All parts: from files of their own, or cut from --data as `known` says, else by the configuration.

        Raises: DataError where there are too few rows, or fewer than `known` says.
        """
        rows, valid, test = (self.read_rows(config, part, bad) for part in ("data", "valid", "test"))
        if rows is None:
            raise ConfigError("data: is missing; name a file with --data.")
        groups = self.groups(config, rows)
        if known is None:
            known = _cut(config, groups, [self.stratum(rows[each[0]]) for each in groups], len(bad))
        cut = {part: _rows_at(rows, indices, config.data) for part, indices in known.items()}
        held = {index for indices in known.values() for index in indices}
        train = [rows[i] for each in groups for i in each if i not in held] if held else rows
        files = {
            part: _absolute(config.data if part in cut or part == "train" else getattr(config, part))
            for part in PARTS
            if part != "test" or test is not None or part in cut
        }
        return Parts(train, cut.get("valid", valid) or [], cut.get("test", test), known, files)

    def _check_unchanged(self, rows: Sequence[Any], known: Known, part: str, remedy: str) -> None:
        facts = known.facts[part]
        if self.fingerprint(rows) != facts["fingerprint"]:
            raise DataError(
                f"{facts['path']}: has changed since the run began ({part} rows differ); put the old file "
                f"back, or {remedy}."
            )


def bad_rows(config: Any) -> BadRows:
    """What is done about rows that cannot be used, as a configuration says."""
    return BadRows(getattr(config, "skip_bad", False), can_skip="skip_bad" in type(config).model_fields)


def _rows_at(rows: Sequence[RowT], indices: Sequence[int], path: str) -> list[RowT]:
    """The rows at some places. Raises: DataError where there are fewer."""
    if indices and max(indices) >= len(rows):
        raise DataError(
            f"{path}: has {len(rows):,} rows, fewer than when the run began; put the old file back, or name "
            "another with --data."
        )
    return [rows[i] for i in indices]


def _cut(
    config: Any, groups: Sequence[Sequence[int]], strata: Sequence[object], left_out: int
) -> dict[str, list[int]]:
    """Which rows are tested on (a fold) and which are held out."""
    found: dict[str, list[int]] = {}
    left = list(range(len(groups)))
    folds = getattr(config, "folds", None)
    if folds is not None:
        if config.fold is None:
            raise ConfigError("fold: is missing; several folds are trained by train_repeatedly.")
        if len(groups) < folds:
            raise DataError(f"{config.data}: has {len(groups)} rows, fewer than {folds} folds.")
        fold = set(stratified_folds(strata, folds, config.split_seed)[config.fold - 1])
        found["test"] = [i for g in sorted(fold) for i in groups[g]]
        left = [g for g in left if g not in fold]
    if config.valid is None:
        if len(left) < 2:
            raise DataError(
                f"{config.data}: has one row{f' ({left_out} left out)' if left_out else ''} or one group of "
                "rows, so none can be held out; name others with --valid."
            )
        _, held = stratified_split([strata[g] for g in left], config.validation_fraction, config.split_seed)
        found["valid"] = [i for g in held for i in groups[left[g]]]
    return found


def _absolute(path: str) -> str:
    return path if is_of_hub(path) else str(Path(path).absolute())

"""Tasks with row data: read files, hold out rows, and find them again by index and fingerprint."""

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
from recurra.plain import counted
from recurra.tasks.task import Join, Known, Task, unchanged

RowT = TypeVar("RowT")
Split = Mapping[str, Sequence[int]]
PARTS = ("train", "valid", "test")
RESERVED = "reserved"
"""The rows of --data that no fold contains, in the split of a run."""


@dataclass(frozen=True)
class Parts(Generic[RowT]):
    """The rows of each part, the indices of the rows that were held out from --data, the files, and the
    configuration with the options of reading that the rows of --data settled."""

    train: list[RowT]
    valid: list[RowT]
    test: list[RowT] | None
    indices: Split
    files: Mapping[str, str]
    config: Any = None

    def each(self) -> list[tuple[str, list[RowT]]]:
        """Return the existing parts, with their names."""
        every = zip(PARTS, (self.train, self.valid, self.test), strict=True)
        return [(part, rows) for part, rows in every if rows is not None]


@dataclass
class RowCorpus(Generic[RowT]):
    """Training, validation and test rows, and one sentence for each skipped row."""

    symbols: Any
    parts: Parts[RowT]
    fingerprint: Callable[[Sequence[RowT]], str]
    skipped: Sequence[str] = ()

    @property
    def train(self) -> list[RowT]:
        """The training rows."""
        return self.parts.train

    @property
    def valid(self) -> list[RowT]:
        """The validation rows."""
        return self.parts.valid

    @property
    def test(self) -> list[RowT] | None:
        """The test rows, which are evaluated after training."""
        return self.parts.test

    @property
    def kept(self) -> int:
        """The number of rows of all parts."""
        return len(self.train) + len(self.valid) + len(self.test or ())

    def facts(self) -> dict[str, Any]:
        """Return the facts about the data that run.toml stores."""
        return {"skipped": len(self.skipped)} | {
            part: {
                "path": self.parts.files[part],
                "rows": len(rows),
                "fingerprint": self.fingerprint(rows),
            }
            for part, rows in self.parts.each()
        }

    def split(self) -> Split:
        """Return the indices of the rows held out from --data, by part."""
        return self.parts.indices


class RowTask(Task):
    """A task with row data; a subclass defines how a file is read and what the symbols are."""

    options = ("validation_fraction", "split_seed")

    @abstractmethod
    def read_rows(self, config: Any, part: str, bad: BadRows) -> list[Any] | None:
        """Read the rows of --data ("data"), --valid or --test; None if the configuration names no such file.

        Rows that cannot be used go to `bad`.

        Raises: DataError.
        """

    def check_reading(self, config: Any) -> None:
        """Refuse given options of reading that do not apply to any of the files, which were read before.

        Raises: ConfigError.
        """
        return

    @abstractmethod
    def learn_symbols(self, config: Any, train: Sequence[Any]) -> Any:
        """Learn the symbols from the training rows."""

    def settle_reading(self, config: Any, rows: Sequence[Any]) -> Any:
        """Return the configuration to read other files with, once the rows of --data are known."""
        return config

    def groups(self, config: Any, rows: Sequence[Any]) -> list[list[int]]:
        """Group the indices of rows that must go into the same part; by default each row is alone."""
        return [[i] for i in range(len(rows))]

    def stratum(self, row: Any) -> object:
        """Return the stratum of a row; each part has the same share of every stratum."""
        return 0

    def fingerprint(self, rows: Sequence[Any]) -> str:
        """Return a digest that changes with the content of any row."""
        digest = hashlib.sha256()
        for row in rows:
            told = repr(row)
            assert " object at 0x" not in told, (
                "repr of a row must show its content, or the task must define fingerprint"
            )
            digest.update(told.encode("utf-8", "surrogatepass"))
        return digest.hexdigest()

    def corpus(self, config: Any, parts: Parts[Any], symbols: Any, bad: BadRows) -> RowCorpus[Any]:
        """Combine rows and symbols; a subclass may check that they fit."""
        return RowCorpus(symbols, parts, self.fingerprint, bad.sentences)

    def read(self, config: Any, join: Join = unchanged) -> RowCorpus[Any]:
        """Read and split the rows, and learn the symbols from the training rows."""
        bad = bad_rows(config)
        parts = self.parts(config, bad)
        return self.corpus(config, parts, join(self.learn_symbols(parts.config, parts.train)), bad)

    def read_again(self, config: Any, symbols: Any, known: Known) -> RowCorpus[Any]:
        """Read the rows of an earlier run, with its symbols and its split."""
        bad = bad_rows(config)
        corpus = self.corpus(config, self.parts(config, bad, known.split), symbols, bad)
        for part, rows in corpus.parts.each():
            self._check_unchanged(rows, known, part, "train again with --overwrite")
        return corpus

    def read_part(self, config: Any, symbols: Any, known: Known, part: str) -> list[Any]:
        """Read one held-out part only. Runs of format 1 stored no split, so it is computed again."""
        bad = bad_rows(config)
        if known.split is not None and part in known.split:
            every = self.read_rows(config, "data", bad)
            assert every is not None, "the run was trained on it"
            rows = _rows_at(every, known.split[part], config.data)
        else:
            own = self.read_rows(config, part, bad)
            rows = dict(self.parts(config, bad, known.split).each())[part] if own is None else own
        self._check_unchanged(rows, known, part, "name another file with --data")
        return rows

    def parts(self, config: Any, bad: BadRows, known: Split | None = None) -> Parts[Any]:
        """Return all parts: each from its own file, or held out from --data as `known` or the options say.

        Raises: DataError if there are too few rows, or fewer than `known` needs.
        """
        rows = self.read_rows(config, "data", bad)
        if rows is None:
            raise ConfigError("data: is missing; name a file with --data.")
        config = self.settle_reading(config, rows)
        valid, test = (self.read_rows(config, part, bad) for part in ("valid", "test"))
        self.check_reading(config)
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
        return Parts(train, cut.get("valid", valid) or [], cut.get("test", test), known, files, config)

    def _check_unchanged(self, rows: Sequence[Any], known: Known, part: str, remedy: str) -> None:
        facts = known.facts[part]
        if self.fingerprint(rows) != facts["fingerprint"]:
            raise DataError.advising(
                f"{facts['path']}: has changed since the run began ({part} rows differ)",
                "restore the old file",
                remedy,
            )


def bad_rows(config: Any) -> BadRows:
    """Return how rows that cannot be read are handled, from the configuration."""
    return BadRows(getattr(config, "skip_bad", False), can_skip="skip_bad" in type(config).model_fields)


def _rows_at(rows: Sequence[RowT], indices: Sequence[int], path: str) -> list[RowT]:
    """Return the rows at the given indices. Raises: DataError if there are fewer rows."""
    if indices and max(indices) >= len(rows):
        raise DataError.advising(
            f"{path}: has {counted(len(rows), 'row')}, fewer than when the run began",
            "restore the old file",
            "name another file with --data",
        )
    return [rows[i] for i in indices]


def _cut(
    config: Any, groups: Sequence[Sequence[int]], strata: Sequence[object], left_out: int
) -> dict[str, list[int]]:
    """Return the indices of the test rows (a fraction, or one fold) and of the validation rows.

    With folds, the fraction is reserved: no fold contains its rows.
    """
    found: dict[str, list[int]] = {}
    left = list(range(len(groups)))
    folds, share = getattr(config, "folds", None), getattr(config, "test_fraction", None)

    def hold_out(part: str, places: Sequence[int]) -> None:
        """Hold out the groups at some places in `left`."""
        chosen = [left[place] for place in sorted(places)]
        found[part] = [i for g in chosen for i in groups[g]]
        left[:] = sorted(set(left) - set(chosen))

    if share is not None:
        if len(left) < 3:
            raise DataError(
                f"{config.data}: has {counted(len(left), 'row')}, too few to hold out some for testing; name "
                "a test file with --test."
            )
        part = "test" if folds is None else RESERVED
        hold_out(part, stratified_split([strata[g] for g in left], share, config.split_seed)[1])
        if len(left) < 2:
            raise ConfigError(
                f"test_fraction: got {share:g}, which leaves {counted(len(left), 'row')} of {config.data} to "
                "train and validate on; lower it."
            )
    if folds is not None:
        if config.fold is None:
            raise ConfigError("fold: is missing; use train_repeatedly to train several folds.")
        if len(left) < folds:
            raise DataError(f"{config.data}: has {counted(len(left), 'row')}, fewer than {folds} folds.")
        every = stratified_folds([strata[g] for g in left], folds, config.split_seed)
        hold_out("test", every[config.fold - 1])
    if config.valid is None:
        if len(left) < 2:
            raise DataError(
                f"{config.data}: has one row{f' ({left_out} skipped)' if left_out else ''} or one group of "
                "rows, so none can be held out; name a validation file with --valid."
            )
        fraction = config.validation_fraction
        hold_out("valid", stratified_split([strata[g] for g in left], fraction, config.split_seed)[1])
    return found


def _absolute(path: str) -> str:
    return path if is_of_hub(path) else str(Path(path).absolute())

"""Readers of examples from files and folders in several formats."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice, pairwise
from pathlib import Path

from recurra.config import ReaderPart
from recurra.config.conditions import can_apply, refuse_given
from recurra.config.part import choices
from recurra.data.examples import BadRows, Example, split_at_blanks
from recurra.data.readers.arrays import read_arrays
from recurra.data.readers.columns import read_columns
from recurra.data.readers.folders import (
    is_class_folder,
    is_without_classes,
    read_folder,
    read_without_classes,
)
from recurra.data.readers.hub import read_hub
from recurra.data.readers.lines import read_atis, read_label_text, read_parallel
from recurra.data.readers.tables import read_json_lines, read_table
from recurra.data.readers.trees import read_trees
from recurra.errors import DataError
from recurra.files import is_of_hub
from recurra.text_files import UTF_8, exists, is_folder, read_lines

Reader = Callable[[Path, ReaderPart, BadRows], Iterator[Example]]

READERS: dict[str, Reader] = {
    "conll": read_columns,
    "atis": read_atis,
    "parallel": read_parallel,
    "label-text": read_label_text,
    "trees": read_trees,
    "csv": read_table,
    "tsv": read_table,
    "jsonl": read_json_lines,
    "folder": read_folder,
    "arrays": read_arrays,
}
_BY_SUFFIX = {
    ".csv": "csv",
    ".tsv": "tsv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "jsonl",
    ".conll": "conll",
    ".conllu": "conll",
    ".bio": "conll",
    ".npz": "arrays",
    ".npy": "arrays",
}
_OF_WHOLES = ("label-text", "trees")  # formats without word labels
_HUB = "hub"
TABLES = frozenset(("csv", "tsv", "jsonl", _HUB))
_PLAIN_TEXTS = TABLES | {"label-text", "folder"}
# The formats that an option of reading applies to, and how a message names them; the others apply to all.
_USES: dict[str, tuple[frozenset[str], str]] = {
    "format": (frozenset(READERS), "to files and folders"),
    "text_column": (TABLES | {"conll"}, "to tables (csv, tsv, jsonl) and conll"),
    "tags_column": (TABLES | {"conll"}, "to tables (csv, tsv, jsonl) and conll"),
    **dict.fromkeys(
        ("second_column", "label_column", "score_column", "vectors_column", "conversation_column"),
        (TABLES, "to tables (csv, tsv, jsonl)"),
    ),
    "entities_column": (frozenset(("jsonl", _HUB)), "to jsonl"),
    "quoted": (frozenset(("csv", "tsv")), "to csv and tsv"),
    "delimiter": (frozenset(("csv",)), "to csv"),
    "encoding": (frozenset(READERS) - {"arrays"}, "to files of text"),
    "split": (_PLAIN_TEXTS, "to texts that are not split into words (csv, tsv, jsonl, label-text, folder)"),
    "tree_labels": (frozenset(("trees",)), "to sentiment trees (trees)"),
    "phrases": (frozenset(("trees",)), "to sentiment trees (trees)"),
}
_LOOKED_AT = 400  # lines
_NEARLY_ALL = 0.8


def read_examples(
    path: str | Path, config: ReaderPart, bad: BadRows, *, of_words: bool = False
) -> list[Example]:
    """Read all examples of a file or folder; rows that cannot be used go to `bad`.

    With `of_words` word labels are needed, so a guessed format that has none is refused.

    Raises: DataError for a file that cannot be read, has no examples, or whose format cannot be told.
    """
    name = format_of(path, config)
    if name == _HUB:
        return _some(read_hub(str(path), config, bad), str(path), bad)
    path = Path(path)
    if of_words and config.format == "auto" and name in _OF_WHOLES:
        raise _untold(path, formats_read(config))
    return _some(READERS[name](path, config.model_copy(update={"format": name}), bad), str(path), bad)


def read_unlabelled(path: Path, config: ReaderPart, bad: BadRows) -> list[Example]:
    """Read rows that need no labels, from anything that `read_examples` reads or from a path without classes.

    Without classes, a `.npy` file or a folder of frame images is one row, and a folder of these, or of text
    files, has one row for each.

    Raises: as `read_examples`.
    """
    if not is_of_hub(str(path)) and not exists(path):
        raise DataError(f"{path}: there is no such file; check the path.")
    in_step = exists(path / "seq.in")
    if config.format in ("auto", "folder") and not in_step and is_without_classes(path):
        refuse_without_use(["folder"], config)
        return _some(read_without_classes(path, config, bad), str(path), bad)
    name = format_of(path, config)
    refuse_without_use([name], config)
    gold = ("label_column", "score_column", "tags_column", "entities_column")
    without = dict.fromkeys(gold, "") if name in TABLES | {"conll", "arrays"} else {}
    return read_examples(path, config.model_copy(update=without), bad)


def format_of(path: str | Path, config: ReaderPart) -> str:
    """Return the format of a file or folder, as given or else guessed; "hub" for a public data set.

    Raises: DataError where it cannot be told.
    """
    if is_of_hub(str(path)):
        return _HUB
    if config.format != "auto":
        return config.format
    has_word_labels = can_apply(type(config), "tags_column")
    return guess_format(Path(path), config.encoding, formats_read(config), has_word_labels=has_word_labels)


def formats_read(config: ReaderPart) -> list[str]:
    """Return the formats that the option `format` can name."""
    return [name for name in choices(type(config).model_fields["format"].annotation) if name != "auto"]


def refuse_without_use(formats: Iterable[str], config: ReaderPart, *, to_train: bool = False) -> None:
    """Refuse given options that do not apply to any of the formats of the files.

    Files `to_train` on may have words already; `split` then applies to the texts of predictions.

    Raises: ConfigError.
    """
    found = set(formats)
    uses = {name: use for name, (applies_to, use) in _USES.items() if not found & applies_to}
    if to_train:
        uses.pop("split", None)
    refuse_given(config, uses)


def format_of_name(path: Path) -> str | None:
    """Return the format that a file's suffix stands for, or None."""
    suffixes = [suffix for suffix in map(str.lower, path.suffixes) if suffix != ".gz"]
    return _BY_SUFFIX.get(suffixes[-1]) if suffixes else None


def _some(examples: Iterable[Example], source: str, bad: BadRows) -> list[Example]:
    found = list(examples)
    if not found:
        raise DataError.advising(f"{source}: has no usable rows ({len(bad)} left out)", "see --format")
    return found


def _most(answers: Iterable[bool]) -> bool:
    """Whether nearly all answers are true, so that one bad line does not change the guessed format."""
    given = list(answers)
    return sum(given) > _NEARLY_ALL * len(given)


def guess_format(
    path: Path, encoding: str = UTF_8, expected: Iterable[str] = READERS, *, has_word_labels: bool = True
) -> str:
    """Guess the format of a file from its name and first lines.

    One or two lines of several words may be columns, unless the task has no word labels.

    Raises: DataError naming the `expected` formats where they do not say.
    """
    if is_folder(path):
        if exists(path / "seq.in"):
            return "parallel"
        if is_class_folder(path):
            return "folder"
        raise DataError(f"{path}: is a folder with neither seq.in nor folders of text files; name a file.")
    if (named := format_of_name(path)) is not None:
        return named
    lines = list(islice(read_lines(path, errors="surrogateescape", encoding=encoding), _LOOKED_AT))
    filled = [line for line in lines if line.strip()]
    if _most(line.startswith('{"') and line.rstrip().endswith("}") for line in filled):
        return "jsonl"
    if _most(line.startswith("BOS ") and "\t" in line for line in filled):
        return "atis"
    if _most(line.startswith("(") and line.rstrip().endswith(")") for line in filled):
        return "trees"
    rows = [line for line in filled if not line.startswith("#")] or filled  # without comments
    counts = Counter(len(line.split("\t") if "\t" in line else split_at_blanks(line)) for line in rows)
    width, lines_alike = counts.most_common(1)[0] if counts else (0, 0)
    blank_between = any(not line.strip() for line in lines[:-1])
    blank_between = blank_between or (has_word_labels and len(lines) < 3)
    if len(lines) >= 3 and _stand_alone(lines):  # rows of one line each with blank lines between
        blank_between = False
    if width >= 2 and lines_alike > _NEARLY_ALL * len(rows) and blank_between:
        return "conll"
    if filled and all(len(line.split(maxsplit=1)) == 2 for line in filled[:5]):
        return "label-text"
    raise _untold(path, expected)


def _stand_alone(lines: Sequence[str]) -> bool:
    """Whether every line with text has a blank line before and after it."""
    filled = [bool(line.strip()) for line in lines]
    return not any(here and after for here, after in pairwise(filled))


def _untold(path: Path, expected: Iterable[str]) -> DataError:
    return DataError.advising(
        f"{path}: the format cannot be guessed", f"set it with --format, one of {', '.join(expected)}"
    )

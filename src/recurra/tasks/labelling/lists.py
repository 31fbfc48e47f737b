"""Word lists of labelling tasks: read from files, and how many words of the data they match."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from recurra.config.part import file_by_name
from recurra.data.examples import BadRows, Example
from recurra.data.phrase_files import read_phrase_list
from recurra.errors import DataError
from recurra.plain import counted
from recurra.tasks.labelling.config import LabellingConfig
from recurra.tasks.labelling.corpus import texts_of
from recurra.tasks.rows import Parts
from recurra.text.gazetteer import Gazetteer

_NAMES = {"train": "training", "valid": "validation", "test": "test"}


def read_gazetteer(config: LabellingConfig, train: Sequence[Example], bad: BadRows) -> Gazetteer | None:
    """Read the word lists of a configuration; None if it names none.

    Raises: DataError for a list that cannot be used, or that matches no training row.
    """
    files = file_by_name(config.gazetteer)
    if not files or train[0].vectors is not None:  # refused later: numbers have no words
        return None
    gazetteer = Gazetteer(
        {kind: read_phrase_list(Path(file), bad) for kind, file in files.items()},
        ignore_case=config.gazetteer_ignore_case,
        characters=config.split == "characters",
    )
    matched = _matched(gazetteer, train)
    for number, (kind, file) in enumerate(files.items()):
        if not matched[number]:
            own = len(gazetteer.lists[kind])
            raise DataError.advising(
                f"{file}: has {counted(own, 'phrase')}, none of which occurs in the training data",
                "check the language and the type of the list",
                *([] if config.gazetteer_ignore_case else ["ignore case with --gazetteer-ignore-case"]),
                "remove the list",
            )
    return gazetteer


def _matched(gazetteer: Gazetteer, rows: Sequence[Example]) -> NDArray[np.int64]:
    """Return the number of words in the matches of each list. Shapes: result (types,)."""
    total = np.zeros(len(gazetteer.lists), dtype=np.int64)
    for words in texts_of(rows):
        total += np.count_nonzero(gazetteer.codes(words), axis=0)
    return total


def matches_told(gazetteer: Gazetteer | None, parts: Parts[Example]) -> Iterator[str]:
    """Yield one sentence per list: its number of phrases, and the number of words that they match."""
    if gazetteer is None:
        return
    parts_matched = [(part, rows, _matched(gazetteer, rows)) for part, rows in parts.each()]
    for number, (kind, phrases) in enumerate(gazetteer.lists.items()):
        told = [counted(len(phrases), "phrase")]
        for part, rows, matched in parts_matched:
            words, share = sum(map(len, texts_of(rows))), int(matched[number])
            told.append(f"{share:,} of {words:,} {_NAMES[part]} words match ({share / max(1, words):.2%})")
        yield f"gazetteer {kind}: {', '.join(told)}"

"""Word lists of labelling tasks: read from files, how many words of the data they match, and made of the
entities of labelled files."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recurra.config import build_config
from recurra.config.part import file_by_name
from recurra.data.examples import BadRows, Example
from recurra.data.phrase_files import read_phrase_list
from recurra.data.readers import format_of, refuse_without_use
from recurra.errors import DataError
from recurra.plain import counted, quoted
from recurra.tasks.labelling.config import EntityReadingPart, LabellingConfig, TagConfig
from recurra.tasks.labelling.corpus import read_rows, texts_of
from recurra.tasks.opening import PART_NAMES
from recurra.tasks.rows import Parts
from recurra.text import mark_spans, spans_of
from recurra.text.gazetteer import Gazetteer
from recurra.text.spans import OUTSIDE


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
            told.append(
                f"{share:,} of {words:,} {PART_NAMES[part]} words match ({share / max(1, words):.2%})"
            )
        yield f"gazetteer {kind}: {', '.join(told)}"


def entity_phrases(
    files: Sequence[Path],
    types: Sequence[str],
    *,
    min_count: int = 1,
    reading: Mapping[str, Any] | None = None,
    bad: BadRows | None = None,
) -> list[str]:
    """Return the distinct entities of some types in labelled files, the most frequent first.

    `reading` has the options for reading the files; rows that cannot be read go to `bad`.

    Raises: DataError if a file cannot be used or marks no entities, or if no entity has one of the types;
    ConfigError for options of reading that are invalid or do not apply to the files.
    """
    bad = BadRows() if bad is None else bad
    options = build_config(EntityReadingPart, overrides=reading).given()
    configs = [build_config(TagConfig, overrides={"data": file} | options) for file in files]
    refuse_without_use([format_of(str(one.data), one) for one in configs], configs[0])
    counts: dict[str, Counter[str]] = {}
    for file, config in zip(files, configs, strict=True):
        rows = read_rows("tag", config, str(file), bad)
        if not mark_spans([*{tag for row in rows for tag in row.labels or ()} - {OUTSIDE}]):
            raise DataError(f"{file}: its word labels do not mark entities; name a file of entities.")
        for row in rows:
            placed = row.placed_words
            for kind, first, last in spans_of(row.labels or ()):
                phrase = row.whole_text[placed[first].begin : placed[last - 1].end]
                counts.setdefault(kind, Counter())[" ".join(phrase.split())] += 1
    for kind in types:
        if kind not in counts:
            raise DataError(
                f"{', '.join(map(str, files))}: no entity is of type {quoted(kind)}; name one of "
                f"{', '.join(sorted(counts))}."
            )
    total = sum((counts[kind] for kind in dict.fromkeys(types)), Counter[str]())
    kept = [phrase for phrase, count in total.items() if count >= min_count]
    if not kept:
        raise DataError(
            f"{', '.join(map(str, files))}: no entity of these types occurs at least {min_count:,} times; "
            "lower --min-count."
        )
    return sorted(kept, key=lambda phrase: (-total[phrase], phrase))

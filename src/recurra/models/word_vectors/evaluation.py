"""Tests of word vectors: analogies, and correlation with people's judgements of similarity."""

import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from recurra.data.examples import CORRECT_IT, SKIP_IT, BadRows
from recurra.errors import DataError
from recurra.models.word_vectors.lookup import TINY
from recurra.plain import counted
from recurra.text_files import read_lines

if TYPE_CHECKING:
    from recurra.models.word_vectors.keyed import KeyedVectors

Question = tuple[str, str, str, str]
_AT_ONCE = 1 << 25  # scores held at once


@dataclass
class AnalogySection:
    """The questions of one group: answered rightly, wrongly, and not asked as a word is unknown."""

    name: str
    correct: list[Question] = field(default_factory=list)
    incorrect: list[Question] = field(default_factory=list)
    unknown: int = 0

    @property
    def asked(self) -> int:
        """Number of questions with known words only."""
        return len(self.correct) + len(self.incorrect)

    @property
    def accuracy(self) -> float:
        """Share of correct answers among the questions asked; 0 if none was."""
        return len(self.correct) / self.asked if self.asked else 0.0

    def to_dict(self) -> dict[str, object]:
        """Return the section as gensim returns it."""
        return {"section": self.name, "correct": self.correct, "incorrect": self.incorrect}


def read_analogies(path: Path, *, skip_bad: bool = False) -> list[tuple[str, list[Question]]]:
    """Return the groups of a file with `: name` lines and four words per line.

    Or the file is a table of five columns separated by tabs, the first of which names the group, with or
    without a header that begins with "type". Raises: DataError for a line with another number of words, or
    before the first group.
    """
    bad = BadRows(skip_bad)
    groups: list[tuple[str, list[Question]]] = []
    by_name: dict[str, list[Question]] = {}  # of a table, in which groups may be mixed
    for number, line in enumerate(read_lines(path), start=1):
        if line.startswith(":") and not by_name:
            groups.append((line[1:].strip(), []))
            continue
        words, fields = line.split(), [field.strip() for field in line.split("\t")]
        if not words:
            continue
        if not groups and len(fields) == 5 and all(fields):
            if number > 1 or fields[0] != "type":
                by_name.setdefault(fields[0], []).append((fields[1], fields[2], fields[3], fields[4]))
        elif not groups and not by_name:
            raise DataError(
                f"{path}:{number}: comes before the first group; begin a group with `: name`, or give a "
                "table with five columns."
            )
        elif by_name:
            bad.refuse(f"{path}:{number}", f"has {counted(len(fields), 'field')}, expected five")
        elif len(words) != 4:
            bad.refuse(f"{path}:{number}", f"has {counted(len(words), 'word')}, expected four")
        else:
            groups[-1][1].append((words[0], words[1], words[2], words[3]))
    if not groups and not by_name:
        raise DataError(f"{path}: has no questions; give a file with `: name` lines and four words per line.")
    return groups or list(by_name.items())


class Forms:
    """The words to look up, in upper case if case does not count; the first of equals stands for all.

    `ids` has the row of each form, `stands` the row that stands for each row.
    """

    def __init__(self, words: Sequence[str], restrict_vocab: int | None, case_insensitive: bool) -> None:
        kept = words[:restrict_vocab]
        forms = [word.upper() for word in kept] if case_insensitive else kept
        self.ids = {form: at for at, form in reversed(list(enumerate(forms)))}
        self.stands = np.array([self.ids[form] for form in forms], np.int64)
        self.others: dict[int, list[int]] = {}
        for at in np.flatnonzero(self.stands != np.arange(len(forms))).tolist():
            self.others.setdefault(int(self.stands[at]), []).append(at)


def answer_analogies(
    vectors: "KeyedVectors",
    path: Path,
    *,
    restrict_vocab: int | None,
    case_insensitive: bool,
    dummy4unknown: bool = False,
    cosmul: bool = False,
    skip_bad: bool = False,
) -> list[AnalogySection]:
    """Answer "a is to b as c is to ?" by the word with the largest cos(b - a + c), not a, b or c.

    With `cosmul`, by the largest cos(b) cos(c) / (cos(a) + 10⁻⁶), with cosines shifted to 0 … 1. Words are
    looked up among the first `restrict_vocab`. Without regard to case, the first of several forms stands for
    all. Questions with an unknown word count as wrong with `dummy4unknown`.

    Raises: DataError if the file cannot be read.
    """
    forms = Forms(vectors.index_to_key, restrict_vocab, case_insensitive)
    ids, found, asked = forms.ids, list[AnalogySection](), list[tuple[AnalogySection, Question]]()
    for name, questions in read_analogies(path, skip_bad=skip_bad):
        found.append(AnalogySection(name))
        asked += [(found[-1], _upper(each) if case_insensitive else each) for each in questions]
    known = [all(word in ids for word in question) for _, question in asked]
    rows = np.array(
        [[ids[word] for word in question] for (_, question), one in zip(asked, known, strict=True) if one],
        np.int64,
    ).reshape(-1, 4)
    answers = iter(_answers(vectors, rows, forms, cosmul=cosmul))
    for (section, question), one in zip(asked, known, strict=True):
        section.unknown += not one
        if one and next(answers) == ids[question[3]]:
            section.correct.append(question)
        elif one or dummy4unknown:
            section.incorrect.append(question)
    return found


def _upper(question: Question) -> Question:
    a, b, c, d = (word.upper() for word in question)
    return a, b, c, d


def _answers(vectors: "KeyedVectors", rows: NDArray[np.int64], forms: Forms, *, cosmul: bool) -> list[int]:
    """Return the row that stands for the answer of each question, -1 for none. Shapes: rows (n, 4)."""
    best, answers = np.full(len(rows), -np.inf), np.full(len(rows), -1)
    given = vectors.vectors[rows[:, :3]] / np.maximum(vectors.norms[rows[:, :3]], TINY)[:, :, None]
    left_out = np.array(
        [
            (number, row)
            for number, three in enumerate(rows[:, :3].tolist())
            for word in three
            for row in (word, *forms.others.get(word, ()))
        ],
        np.int64,
    ).reshape(-1, 2)
    for low, block in vectors.blocks(0, len(forms.stands)):
        normed = block / np.maximum(vectors.norms[low : low + len(block)], TINY)[:, None]
        inside = left_out[(left_out[:, 1] >= low) & (left_out[:, 1] < low + len(block))]
        step = max(1, _AT_ONCE // max(1, len(block)))
        for begin in range(0, len(rows), step):
            scores = _scores(given[begin : begin + step], normed, cosmul=cosmul)
            first, last = np.searchsorted(inside[:, 0], [begin, begin + step])
            scores[inside[first:last, 0] - begin, inside[first:last, 1] - low] = -np.inf
            top = scores.argmax(1)
            values = scores[np.arange(len(top)), top]
            better = np.flatnonzero(values > best[begin : begin + step])
            best[begin + better], answers[begin + better] = values[better], forms.stands[low + top[better]]
    found: list[int] = answers.tolist()
    return found


def _scores(given: NDArray[Any], normed: NDArray[Any], *, cosmul: bool) -> NDArray[Any]:
    """Return the score of each word as an answer. Shapes: given (n, 3, D): a, b, c; normed (V, D); (n, V)."""
    a, b, c = given[:, 0], given[:, 1], given[:, 2]
    if not cosmul:
        return np.asarray((b - a + c) @ normed.T)
    each = [(1 + one @ normed.T) / 2 for one in (a, b, c)]
    return np.asarray(each[1] * each[2] / (each[0] + 1e-6))


class Correlation(NamedTuple):
    """A correlation and its two-sided p-value, by the names that scipy and gensim use."""

    statistic: float
    pvalue: float

    @property
    def correlation(self) -> float:
        """The same as `statistic`."""
        return self.statistic


class Judgements(NamedTuple):
    """Correlation of cosines with people's judgements, over the pairs of known words.

    `with_unknown` is the rank correlation when pairs with an unknown word get a cosine of 0.
    """

    pearson: Correlation
    spearman: Correlation
    pairs: int
    unknown: int
    with_unknown: float

    @property
    def unknown_share(self) -> float:
        """Share of the pairs with an unknown word."""
        return self.unknown / max(1, self.pairs + self.unknown)


def read_judgements(
    path: Path, delimiter: str | None = None, *, encoding: str = "utf-8", skip_bad: bool = False
) -> list[tuple[str, str, float]]:
    """Return the pairs of a file of `word word score` lines, separated by blanks or `delimiter`.

    Lines that begin with # are comments. Raises: DataError for another line.
    """
    bad, found = BadRows(skip_bad), []
    for number, line in enumerate(read_lines(path, encoding=encoding), start=1):
        if line.startswith("#") or not line.strip():
            continue
        fields = [part.strip() for part in line.split(delimiter)]
        try:
            first, second, score = fields[0], fields[1], float(fields[2])
            if not math.isfinite(score):
                raise ValueError
        except (IndexError, ValueError):
            what = "is not two words and a number"
            bad.refuse(f"{path}:{number}", what, CORRECT_IT, "name another delimiter", SKIP_IT)
            continue
        found.append((first, second, score))
    return found


def judge_pairs(
    vectors: "KeyedVectors",
    pairs: Sequence[tuple[str, str, float]],
    *,
    restrict_vocab: int | None,
    case_insensitive: bool,
    dummy4unknown: bool = False,
) -> Judgements:
    """Compare cosines with judgements; ties share their mean rank, and constant figures correlate with nan.

    With `dummy4unknown`, all correlations are over all pairs, those with an unknown word with a cosine of 0.
    Fewer than two pairs also correlate with nan.
    """
    forms = Forms(vectors.index_to_key, restrict_vocab, case_insensitive)
    ids = forms.ids
    each = [(a.upper(), b.upper(), score) if case_insensitive else (a, b, score) for a, b, score in pairs]
    cosines = [vectors.similarity(ids[a], ids[b]) if a in ids and b in ids else None for a, b, _ in each]
    known = [at for at, cosine in enumerate(cosines) if cosine is not None]
    theirs = np.array([score for _, _, score in each])
    ours = np.array([0.0 if cosine is None else cosine for cosine in cosines])
    used = list(range(len(each))) if dummy4unknown else known
    pearson, spearman = _correlations(theirs[used], ours[used])
    unknown = len(each) - len(known)
    return Judgements(pearson, spearman, len(known), unknown, _correlations(theirs, ours)[1].statistic)


def too_few_pairs(path: Path) -> DataError:
    """Return the error for a file of judgements with fewer than two pairs of known words."""
    return DataError(
        f"{path}: fewer than two pairs have two known words; give a file with words of the vocabulary."
    )


def _correlations(theirs: NDArray[np.float64], ours: NDArray[np.float64]) -> tuple[Correlation, Correlation]:
    """Return Pearson's and Spearman's correlation; nan if a column is constant. Shapes: (n,) each."""
    from scipy.stats import pearsonr, spearmanr

    if len(theirs) < 2 or np.ptp(theirs) == 0 or np.ptp(ours) == 0:
        return Correlation(math.nan, math.nan), Correlation(math.nan, math.nan)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # on columns that are constant but for rounding
        return Correlation(*map(float, pearsonr(theirs, ours))), Correlation(
            *map(float, spearmanr(theirs, ours))
        )

"""Tests of word vectors: analogies, and correlation with people's judgements of similarity."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from recurra.errors import DataError
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


def read_analogies(path: Path) -> Iterator[tuple[str, list[Question]]]:
    """Yield the groups of a file with `: name` lines and four words per line.

    Raises: DataError for a line with another number of words, or before the first group.
    """
    name, questions = None, list[Question]()
    for number, line in enumerate(read_lines(path), start=1):
        if line.startswith(":"):
            if name is not None:
                yield name, questions
            name, questions = line[1:].strip(), []
            continue
        words = line.split()
        if not words:
            continue
        if name is None:
            raise DataError(f"{path}:{number}: comes before the first group; begin a group with `: name`.")
        if len(words) != 4:
            raise DataError(f"{path}:{number}: has {len(words)} words, expected four; correct the line.")
        questions.append((words[0], words[1], words[2], words[3]))
    if name is None:
        raise DataError(f"{path}: has no questions; give a file with `: name` lines and four words per line.")
    yield name, questions


def answer_analogies(
    vectors: "KeyedVectors", path: Path, *, restrict_vocab: int | None, case_insensitive: bool
) -> list[AnalogySection]:
    """Answer "a is to b as c is to ?" by the word with the largest cos(b - a + c), not a, b or c.

    Words are looked up among the first `restrict_vocab`. Without regard to case, the first of several forms
    stands for all. Raises: DataError if the file cannot be read.
    """
    words = vectors.index_to_key[:restrict_vocab]
    normed = vectors.first(len(words)).get_normed_vectors()
    forms = [word.upper() for word in words] if case_insensitive else words
    ids = {form: at for at, form in reversed(list(enumerate(forms)))}
    # A form that stands for another one is never the answer.
    usable = np.array([ids[form] == at for at, form in enumerate(forms)])
    found = []
    for name, given in read_analogies(path):
        questions = [_upper(question) if case_insensitive else question for question in given]
        known = [question for question in questions if all(word in ids for word in question)]
        section = AnalogySection(name, unknown=len(questions) - len(known))
        rows = np.array([[ids[word] for word in question] for question in known]).reshape(-1, 4)
        for question, row, best in zip(known, rows, _answers(normed, rows, usable), strict=True):
            (section.correct if best == row[3] else section.incorrect).append(question)
        found.append(section)
    return found


def _upper(question: Question) -> Question:
    a, b, c, d = (word.upper() for word in question)
    return a, b, c, d


def _answers(
    normed: NDArray[np.float32], rows: NDArray[np.int64], usable: NDArray[np.bool_]
) -> Iterable[int]:
    """Yield the answer of each question. Shapes: normed (V, D); rows (n, 4); usable (V,)."""
    step = max(1, _AT_ONCE // max(1, len(normed)))
    for begin in range(0, len(rows), step):
        part = rows[begin : begin + step]
        queries = normed[part[:, 1]] - normed[part[:, 0]] + normed[part[:, 2]]
        scores = queries @ normed.T
        scores[:, ~usable] = -np.inf
        np.put_along_axis(scores, part[:, :3], -np.inf, 1)
        yield from scores.argmax(1).tolist()


class Correlation(NamedTuple):
    """A correlation and its two-sided p-value."""

    statistic: float
    pvalue: float


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
        return self.unknown / (self.pairs + self.unknown)


def read_judgements(path: Path, delimiter: str | None = None) -> list[tuple[str, str, float]]:
    """Return the pairs of a file of `word word score` lines, separated by blanks or `delimiter`.

    Lines that begin with # are comments. Raises: DataError for another line.
    """
    found = []
    for number, line in enumerate(read_lines(path), start=1):
        if line.startswith("#") or not line.strip():
            continue
        fields = [part.strip() for part in line.split(delimiter)]
        try:
            first, second, score = fields[0], fields[1], float(fields[2])
        except (IndexError, ValueError) as error:
            raise DataError(
                f"{path}:{number}: is not two words and a number; correct the line, or see the delimiter."
            ) from error
        found.append((first, second, score))
    return found


def judge_pairs(
    vectors: "KeyedVectors",
    pairs: Sequence[tuple[str, str, float]],
    *,
    restrict_vocab: int | None,
    case_insensitive: bool,
) -> Judgements:
    """Compare cosines with judgements; ties share their mean rank.

    Raises: DataError if fewer than two pairs are known.
    """
    from scipy.stats import pearsonr, spearmanr

    words = vectors.index_to_key[:restrict_vocab]
    forms = [word.upper() for word in words] if case_insensitive else words
    ids = {form: at for at, form in reversed(list(enumerate(forms)))}
    each = [(a.upper(), b.upper(), score) if case_insensitive else (a, b, score) for a, b, score in pairs]
    cosines = [vectors.similarity(ids[a], ids[b]) if a in ids and b in ids else None for a, b, _ in each]
    known = [
        (cosine, score) for cosine, (_, _, score) in zip(cosines, each, strict=True) if cosine is not None
    ]
    if len(known) < 2:
        raise DataError("pairs: fewer than two have known words only; check the case of the words.")
    ours, theirs = (list(column) for column in zip(*known, strict=True))
    every = [0.0 if cosine is None else cosine for cosine in cosines]
    return Judgements(
        Correlation(*map(float, pearsonr(theirs, ours))),
        Correlation(*map(float, spearmanr(theirs, ours))),
        len(known),
        len(each) - len(known),
        float(spearmanr([score for _, _, score in each], every)[0]),
    )

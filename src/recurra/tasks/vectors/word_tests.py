"""Tests of trained vectors by files of analogies and of similarity judgements, as lines and plain values."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from recurra.models.word_vectors.evaluation import (
    AnalogySection,
    Judgements,
    judge_pairs,
    read_judgements,
    too_few_pairs,
)
from recurra.models.word_vectors.keyed import KeyedVectors
from recurra.plain import counted

_SYNTACTIC = "gram"  # names of syntactic groups begin with it in questions-words.txt


@dataclass(frozen=True)
class AnalogyTest:
    """The answers to a file of analogies, by group."""

    path: Path
    groups: Sequence[AnalogySection]

    def totals(self) -> Sequence[AnalogySection]:
        """Return the sums over semantic groups, syntactic groups (if the file has both) and all groups."""
        kinds: dict[str, list[AnalogySection]] = {"semantic": [], "syntactic": []}
        for group in self.groups:
            kinds["syntactic" if group.name.startswith(_SYNTACTIC) else "semantic"].append(group)
        parts = [_sum_of(name, groups) for name, groups in kinds.items()] if all(kinds.values()) else []
        return [*parts, _sum_of("total", self.groups)]

    def lines(self) -> Iterable[str]:
        """Yield a line per group and per total."""
        yield f"{self.path.name}: analogies"
        each = [*self.groups, *self.totals()]
        width = max(len(group.name) for group in each)
        for group in each:
            seen = f"{group.asked:,} of {counted(group.asked + group.unknown, 'question')} asked"
            share = f"{group.accuracy:7.2%}" if group.asked else "      -"
            yield f"  {group.name:{width}}  {share}  {len(group.correct):,} right, {seen}"

    def to_dict(self) -> dict[str, Any]:
        """Return the figures of each group and the totals as plain values."""
        return {
            "file": str(self.path),
            "groups": [_values_of(group) for group in self.groups],
            "totals": [_values_of(group) for group in self.totals()],
        }


@dataclass(frozen=True)
class SimilarityTest:
    """The correlation of cosines with the judgements of a file."""

    path: Path
    found: Judgements

    def line(self) -> str:
        """Return the rank correlation, and the number of pairs that it is over."""
        found = self.found
        total = found.pairs + found.unknown
        return (
            f"{self.path.name}: Spearman {_shown(found.spearman.statistic)}, {found.pairs:,} of "
            f"{counted(total, 'pair')} ({found.unknown_share:.1%} unknown); "
            f"{_shown(found.with_unknown)} with unknown pairs as 0"
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the figures as plain values."""
        found = self.found
        return {
            "file": str(self.path),
            "spearman": found.spearman.statistic,
            "pearson": found.pearson.statistic,
            "spearman_with_unknown": found.with_unknown,
            "pairs": found.pairs,
            "pairs_in_file": found.pairs + found.unknown,
            "unknown_share": found.unknown_share,
        }


@dataclass(frozen=True)
class WordTests:
    """The results of tests by files of analogies and of similarity judgements."""

    analogies: Sequence[AnalogyTest]
    similarity: Sequence[SimilarityTest]

    @property
    def defined(self) -> Sequence[SimilarityTest]:
        """The similarity files with a rank correlation: with two known pairs or more, not all the same."""
        return [each for each in self.similarity if not math.isnan(each.found.spearman.statistic)]

    @property
    def mean_spearman(self) -> float:
        """Mean of the rank correlations over the similarity files with one; nan without such files."""
        return _mean([each.found.spearman.statistic for each in self.defined])

    @property
    def mean_with_unknown(self) -> float:
        """The same mean with a cosine of 0 for pairs with an unknown word."""
        return _mean([each.found.with_unknown for each in self.defined])

    def lines(self) -> Iterable[str]:
        """Yield all results as lines of text."""
        for test in self.analogies:
            yield from test.lines()
        for each in self.similarity:
            yield each.line()
        if len(self.similarity) > 1:
            part = f"{len(self.defined):,} of " if len(self.defined) < len(self.similarity) else ""
            yield (
                f"mean of {part}{counted(len(self.similarity), 'list')}: Spearman "
                f"{_shown(self.mean_spearman)}; {_shown(self.mean_with_unknown)} with unknown pairs as 0"
            )

    def to_dict(self) -> dict[str, Any]:
        """Return all results as plain values."""
        found: dict[str, Any] = {}
        if self.analogies:
            found["analogies"] = [test.to_dict() for test in self.analogies]
        if self.similarity:
            found["similarity"] = [test.to_dict() for test in self.similarity]
            found["mean_spearman"] = self.mean_spearman
            found["mean_spearman_with_unknown"] = self.mean_with_unknown
        return found


def word_tests(
    vectors: KeyedVectors, analogies: Iterable[Path], similarity: Iterable[Path], restrict_vocab: int
) -> WordTests:
    """Test vectors on files, among their first `restrict_vocab` words.

    Raises: DataError if a file cannot be read, or there is no result, as each similarity file has fewer than
    two known pairs.
    """
    answered = [AnalogyTest(path, vectors.analogies(path, restrict_vocab)) for path in analogies]
    judge = partial(judge_pairs, vectors, restrict_vocab=restrict_vocab, case_insensitive=True)
    judged = [SimilarityTest(path, judge(read_judgements(path))) for path in similarity]
    if judged and not answered and all(each.found.pairs < 2 for each in judged):
        raise too_few_pairs(judged[0].path)
    return WordTests(answered, judged)


def _sum_of(name: str, groups: Iterable[AnalogySection]) -> AnalogySection:
    found = AnalogySection(name)
    for group in groups:
        found.correct += group.correct
        found.incorrect += group.incorrect
        found.unknown += group.unknown
    return found


def _values_of(group: AnalogySection) -> dict[str, Any]:
    return {
        "name": group.name,
        "accuracy": group.accuracy if group.asked else None,
        "correct": len(group.correct),
        "asked": group.asked,
        "questions": group.asked + group.unknown,
    }


def _shown(correlation: float) -> str:
    return "not defined" if math.isnan(correlation) else f"{correlation:.4f}"


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else math.nan

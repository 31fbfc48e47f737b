"""Debiasing word vectors, with what it changes: bias, associations, analogies, and tests before and after."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from recurra.arguments import checks_arguments
from recurra.data.word_lists import read_lists
from recurra.errors import ConfigError
from recurra.models.word_vectors.bias import (
    Debiased,
    RemainingBias,
    along,
    debias,
    direct_bias,
    remaining_bias,
)
from recurra.models.word_vectors.directions import Direction, direction_of_pairs
from recurra.models.word_vectors.keyed import KeyedVectors
from recurra.models.word_vectors.spelling import check_words
from recurra.models.word_vectors.weat import CALISKAN, Association, AssociationTest, association
from recurra.plain import aligned, counted, quoted
from recurra.results import Result
from recurra.tasks.vectors.word_tests import WordTests, word_tests

Pairs = Sequence[tuple[str, str]]
_SHOWN = 12  # words of the table, half of them on each side
_ANSWERS = 3
_CANDIDATES = 50_000  # most frequent words, of which the most biased ones are clustered


@dataclass(frozen=True)
class Checks:
    """What is measured before and after debiasing.

    `words` are those whose bias is told, such as names of professions; `analogies` are triples "a is to b as
    c is to ?"; `lists` and `associations` are for WEAT, and `most_lost` is the share of a list that may be
    unknown; `analogy_files` and `similarity_files` are for `word_tests`.
    """

    words: Sequence[str] = ()
    analogies: Sequence[tuple[str, str, str]] = ()
    lists: Mapping[str, Sequence[str]] = field(default_factory=dict)
    associations: Sequence[AssociationTest] = ()
    most_lost: float = 0.2
    analogy_files: Sequence[Path] = ()
    similarity_files: Sequence[Path] = ()


@dataclass(frozen=True)
class Answers:
    """The answers to an analogy before and after debiasing."""

    asked: tuple[str, str, str]
    before: tuple[str, ...]
    after: tuple[str, ...]

    def line(self) -> str:
        """Return the answers as one line."""
        a, b, c = self.asked
        return f"{a} : {b} = {c} : {', '.join(self.before)}  ->  {', '.join(self.after)}"


@dataclass(frozen=True, repr=False)
class DebiasReport(Result):
    """Debiased vectors, and what debiasing changed; pairs of figures are (before, after).

    `bias` is the direct bias, the mean over `measured` words: those that are checked and not definitional, or
    the 50,000 most frequent neutral ones if there are none. `cosines` maps words to their cosine with the
    direction.
    """

    vectors: KeyedVectors
    direction: Direction
    neutralised: int
    equalised: tuple[tuple[str, str], ...]
    bias: tuple[float, float]
    measured: int
    cosines: Mapping[str, tuple[float, float]]
    answers: Sequence[Answers]
    associations: Sequence[tuple[Association, Association]]
    tests: tuple[WordTests, WordTests] | None
    remaining: RemainingBias

    def told(self) -> str:
        """Return the direct bias before and after."""
        return f"direct bias {self.bias[0]:.4f} -> {self.bias[1]:.4f}"

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        found: dict[str, Any] = {
            "pairs": [list(pair) for pair in self.direction.pairs],
            "explained_variance": self.direction.explained,
            "component_variances": list(self.direction.variance),
            "neutralised": self.neutralised,
            "equalised": [list(pair) for pair in self.equalised],
            "direct_bias": {"before": self.bias[0], "after": self.bias[1], "words": self.measured},
            "cosines": {word: {"before": a, "after": b} for word, (a, b) in self.cosines.items()},
            "analogies": [
                {"asked": list(one.asked), "before": list(one.before), "after": list(one.after)}
                for one in self.answers
            ],
            "associations": [{"before": a.to_dict(), "after": b.to_dict()} for a, b in self.associations],
            "remaining": self.remaining._asdict(),
        }
        if self.tests is not None:
            found["tests"] = dict(zip(("before", "after"), (t.to_dict() for t in self.tests), strict=True))
        return found

    def lines(self) -> Iterable[str]:
        """Yield the report as lines of text."""
        shares = ", ".join(f"{share:.1%}" for share in self.direction.variance[:4])
        pairs = counted(len(self.direction.pairs), "pair")
        yield (
            f"direction from {pairs} of words: {self.direction.explained:.1%} of their variance; principal "
            f"components: {shares}"
        )
        yield f"{self.neutralised:,} words neutralised, {counted(len(self.equalised), 'pair')} equalised"
        over = counted(self.measured, "neutral word")
        yield f"direct bias, mean |cosine| of {over}: {self.bias[0]:.4f} before, {self.bias[1]:.4f} after"
        if self.cosines:
            yield ""
            yield from self._table()
        if self.answers:
            yield from ("", "analogies before -> after:", *(f"  {one.line()}" for one in self.answers))
        for before, after in self.associations:
            yield from ("", f"before: {before.line()}", f"after:  {after.line()}")
        if self.tests is not None:
            for name, tests in zip(("before", "after"), self.tests, strict=True):
                yield from ("", f"{name}:", *(f"  {line}" for line in tests.lines()))
        left = self.remaining
        yield from (
            "",
            f"remaining bias: two clusters of the {2 * left.words:,} words that were most biased agree with "
            f"their side for {left.accuracy:.1%}, and a classifier that learns from half of them tells the "
            f"side of the others for {left.classified:.1%} ({left.of_random:.1%} and "
            f"{left.classified_random:.1%} on average if one of five random directions is removed)",
            "debiasing hides the direction: words that were biased alike stay near each other",
        )

    def _table(self) -> Iterable[str]:
        """Yield the words that were most biased to either side, with their cosines."""
        order = sorted(self.cosines, key=lambda word: -self.cosines[word][0])
        half = _SHOWN // 2
        shown = order if len(order) <= _SHOWN else [*order[:half], *order[-half:]]
        cells = [
            ["before", "after"],
            *([f"{round(one, 3) + 0.0:+.3f}" for one in self.cosines[word]] for word in shown),
        ]
        yield from aligned(["cosine", *shown], cells)


@checks_arguments
def debias_vectors(
    vectors: KeyedVectors,
    pairs: Sequence[tuple[str, str]],
    *,
    how: Literal["mean", "pca"] = "mean",
    definitional: Sequence[str] = (),
    equalise: Sequence[tuple[str, str]] | None = None,
    checks: Checks | None = None,
    seed: int = 1,
) -> DebiasReport:
    """Remove the direction of pairs of words from all words but the definitional ones; see `bias.debias`.

        report = debias_vectors(vectors, [("he", "she"), ("man", "woman")], definitional=["king", "queen"])
        report.vectors.save_vectors("debiased.npz")

    The words of the pairs, and those of the pairs to equalise (by default the same), are definitional too.
    `how` computes the direction: see `direction_of_pairs`. `checks` says what is measured before and after.

    Raises: ConfigError for pairs without a direction, if none of the words of `checks` is known, and as the
    measures do; MissingWord for an unknown word of an analogy, with near spellings.
    """
    wanted = checks or Checks()
    check_words(vectors, (word for asked in wanted.analogies for word in asked))
    direction = direction_of_pairs(vectors, pairs, how)
    equalise = pairs if equalise is None else equalise
    kept = {*definitional, *(word for pair in (*pairs, *equalise) for word in pair)}
    done: Debiased = debias(vectors, direction.vector, kept, equalise)
    both = (vectors, done.vectors)
    neutral = [word for word in vectors.index_to_key[:_CANDIDATES] if word not in kept]
    words = [word for word in dict.fromkeys(wanted.words) if vectors.has_index_for(word)]
    if wanted.words and not words:
        raise ConfigError("words: none is known to the vectors; give others.")
    measured = [word for word in words if word not in kept] or neutral
    cosines: dict[str, tuple[float, float]] = {}
    if words:
        sides = (along(one, words, direction.vector).tolist() for one in both)
        cosines = {word: (a, b) for word, a, b in zip(words, *sides, strict=True)}
    first, second = (direct_bias(one, measured, direction.vector) for one in both)
    files = wanted.analogy_files, wanted.similarity_files
    tests = None
    if any(files):
        before, after = (word_tests(one, *files, restrict_vocab=300_000) for one in both)
        tests = before, after
    return DebiasReport(
        done.vectors,
        direction,
        done.neutralised,
        done.equalised,
        (first, second),
        len(measured),
        cosines,
        [_answers(asked, vectors, done.vectors) for asked in wanted.analogies],
        [_associations(test, wanted, vectors, done.vectors, seed) for test in wanted.associations],
        tests,
        remaining_bias(*both, direction.vector, neutral=neutral, seed=seed),
    )


def _answers(asked: tuple[str, str, str], before: KeyedVectors, after: KeyedVectors) -> Answers:
    a, b, c = asked
    first, second = (
        tuple(word for word, _ in one.most_similar([b, c], [a], topn=_ANSWERS)) for one in (before, after)
    )
    return Answers(asked, first, second)


def _associations(
    test: AssociationTest, checks: Checks, before: KeyedVectors, after: KeyedVectors, seed: int
) -> tuple[Association, Association]:
    first, second = (
        association(one, checks.lists, test, most_lost=checks.most_lost, seed=seed) for one in (before, after)
    )
    return first, second


def parsed_triples(given: Iterable[str]) -> list[tuple[str, str, str]]:
    """Return analogies from texts such as father:doctor:mother. Raises: ConfigError for another form."""
    found = []
    for one in given:
        parts = [part.strip() for part in one.split(":")]
        if len(parts) != 3 or not all(parts):
            raise ConfigError(
                f"analogy: got {quoted(one)}, expected three words such as father:doctor:mother."
            )
        found.append((parts[0], parts[1], parts[2]))
    return found


def parsed_tests(
    lists: Path | None, given: Sequence[str]
) -> tuple[Mapping[str, Sequence[str]], list[AssociationTest]]:
    """Return lists of words, and the tests X,Y,A,B by their names, or else the ten of WEAT that they allow.

    Raises: ConfigError for tests without lists, of another form, or if the lists allow none; DataError.
    """
    if lists is None:
        if given:
            raise ConfigError("weat_test: applies only with weat; name a file of lists, or remove weat_test.")
        return {}, []
    known = read_lists(lists)
    if not given:
        found = [test for test in CALISKAN if all(name in known for name in test)]
        if not found:
            raise ConfigError(
                f"weat: {lists} has not the lists of any test of WEAT; name own ones with weat_test."
            )
        return known, found
    found = []
    for one in given:
        names = [name.strip() for name in one.split(",")]
        if len(names) != 4:
            raise ConfigError(f"weat_test: got {quoted(one)}, expected the names of four lists: X,Y,A,B.")
        found.append(AssociationTest(*names))
    return known, found

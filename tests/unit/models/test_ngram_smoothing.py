"""Smoothing methods against slow implementations, worked examples, sums of probabilities, and merged runs."""

import math
from collections import Counter, defaultdict

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recurra.errors import ConfigError
from recurra.models.ngram import NGramModel
from recurra.models.ngram.counting import count_ngrams

START = 0  # ends each line and precedes each line
USUAL = (0.5, 1.0, 1.5)


def grams_of(lines, length):
    """Every n-gram that ends at a predicted token of lines that each begin with the start symbol."""
    for line in lines:
        padded = (START, *line, START)
        for end in range(1, len(padded)):
            if end + 1 >= length:
                yield padded[end + 1 - length : end + 1]


class DictionaryKneserNey:
    """Interpolated modified Kneser-Ney over tuples, after Chen & Goodman (1998)."""

    def __init__(self, lines, vocabulary_size, order):
        self.vocabulary_size, self.order = vocabulary_size, order
        raw = {n: Counter(grams_of(lines, n)) for n in range(1, order + 1)}
        self.counts = {order: raw[order]}
        for n in range(order - 1, 0, -1):
            left = defaultdict(set)
            for gram in raw[n + 1]:
                left[gram[1:]].add(gram[0])
            self.counts[n] = {
                gram: count if n > 1 and gram[0] == START else len(left[gram])
                for gram, count in raw[n].items()
            }
        self.discounts = {n: self._discounts(counts) for n, counts in self.counts.items()}

    @staticmethod
    def _discounts(counts):
        n1, n2, n3, n4 = (sum(count == j for count in counts.values()) for j in (1, 2, 3, 4))
        if not (n1 and n2 and n3 and n4):
            return USUAL
        y = n1 / (n1 + 2 * n2)
        found = (1 - 2 * y * n2 / n1, 2 - 3 * y * n3 / n2, 3 - 4 * y * n4 / n3)
        return found if min(found) > 0 else USUAL

    def prob(self, gram):
        n = len(gram)
        lower = self.prob(gram[1:]) if n > 1 else 1 / self.vocabulary_size
        followers = {w[-1]: c for w, c in self.counts[n].items() if w[:-1] == gram[:-1]}
        if not followers:
            return lower
        total = sum(followers.values())
        taken = {w: self.discounts[n][min(c, 3) - 1] for w, c in followers.items()}
        own = followers.get(gram[-1], 0) - taken.get(gram[-1], 0)
        return own / total + sum(taken.values()) / total * lower


lines_of = st.integers(2, 5).flatmap(
    lambda size: st.tuples(
        st.just(size),
        st.lists(st.lists(st.integers(1, size - 1), max_size=8), min_size=1, max_size=12),
        st.lists(st.lists(st.integers(1, size - 1), max_size=5), min_size=1, max_size=3),
    )
)


def as_stream(lines):
    """Ids of consecutive lines, each with its end, and the start of each line."""
    ids = np.array([token for line in lines for token in (*line, START)], dtype=np.int64)
    lengths = [len(line) + 1 for line in lines]
    return ids, np.cumsum([0, *lengths[:-1]])


@given(lines_of, st.integers(1, 4))
@settings(deadline=None)
def test_kneser_ney_agrees_with_dictionaries(text, order):
    size, training, held_out = text
    ids, starts = as_stream(training)
    model = NGramModel.fit(ids, size, order, "kneser-ney", starts=starts, start_id=START)
    slow = DictionaryKneserNey(training, size, model.order)
    wanted = []
    for line in held_out:
        padded = (START, *line, START)
        grams = [padded[max(0, end + 1 - model.order) : end + 1] for end in range(1, len(padded))]
        wanted += [math.log(slow.prob(gram)) for gram in grams]
    ids, starts = as_stream(held_out)
    np.testing.assert_allclose(model.log_probs(ids, starts), wanted, rtol=1e-9, atol=1e-12)


@given(
    lines_of, st.integers(1, 4), st.sampled_from(["kneser-ney", "witten-bell", "add-k"]), st.integers(0, 2)
)
@settings(deadline=None)
def test_probabilities_sum_to_one(text, order, smoothing, cutoff):
    size, training, (context, *_) = text
    ids, starts = as_stream(training)
    cutoffs = [] if smoothing == "add-k" else [0, cutoff]
    model = NGramModel.fit(ids, size, order, smoothing, starts=starts, start_id=START, cutoffs=cutoffs)
    for begin in ([], [START], [START, *context], context):
        probs = model.next_probs(begin)
        assert probs.min() > 0
        assert probs.sum() == pytest.approx(1, abs=1e-9)
    # The same, one token at a time: log_probs for each token after the beginning of the line.
    padded = np.array([*context, START])
    alone = [model.next_probs([START, *context[:at]])[token] for at, token in enumerate(padded)]
    np.testing.assert_allclose(np.exp(model.log_probs(padded)), alone, rtol=1e-9)


def test_cutoffs_leave_out_what_is_rare():
    ids = np.random.default_rng(0).integers(0, 20, 3000)
    whole, cut = (NGramModel.fit(ids, 20, 3, "kneser-ney", cutoffs=cutoffs) for cutoffs in ([], [0, 1]))
    assert len(cut.tables[1]) == len(whole.tables[1])
    assert len(cut.tables[2]) < len(whole.tables[2])
    counts = Counter(zip(ids[:-2], ids[1:-1], ids[2:], strict=True))
    assert len(cut.tables[2]) == sum(count > 1 for count in counts.values())


def test_maximum_likelihood_worked_example():
    # Lines "1 2", "1 2", "1 3": P(1|start) = 1, P(2|1) = 2/3, P(3|1) = 1/3, nothing else.
    ids, starts = as_stream([[1, 2], [1, 2], [1, 3]])
    model = NGramModel.fit(ids, 4, 2, "maximum-likelihood", starts=starts, start_id=START)
    np.testing.assert_allclose(model.next_probs([START]), [0, 1, 0, 0])
    np.testing.assert_allclose(model.next_probs([1]), [0, 0, 2 / 3, 1 / 3])
    assert model.log_probs([3])[0] == -np.inf  # never first in a line
    assert model.next_probs([]).sum() == pytest.approx(1)


def test_add_k_worked_example():
    ids, starts = as_stream([[1, 2], [1, 2], [1, 3]])
    model = NGramModel.fit(ids, 4, 2, "add-k", k=0.5, starts=starts, start_id=START)
    np.testing.assert_allclose(model.next_probs([1]), np.array([0.5, 0.5, 2.5, 1.5]) / 5)
    np.testing.assert_allclose(np.exp(model.log_probs([1, 3, START])), [3.5 / 5, 1.5 / 5, 1.5 / 3])
    trigram = NGramModel.fit(ids, 4, 3, "add-k", k=0.5, starts=starts, start_id=START)
    np.testing.assert_allclose(trigram.next_probs([2, 2]), np.full(4, 1 / 4))  # never seen: uniform
    np.testing.assert_allclose(np.exp(trigram.log_probs([2, 2, 2]))[1:], 1 / 4)


@given(lines_of, st.integers(1, 4), st.integers(1, 7))
@settings(deadline=None)
def test_runs_merge_to_the_same_counts(text, order, chunk):
    size, training, _ = text
    ids, starts = as_stream(training)
    at_once, in_runs = (
        count_ngrams(ids, size, order, starts=starts, start_id=START, chunk=some) for some in (1 << 20, chunk)
    )
    assert len(at_once) == len(in_runs)
    for a, b in zip(at_once, in_runs, strict=True):
        for field in ("keys", "counts", "suffixes", "begins"):
            np.testing.assert_array_equal(getattr(a, field), getattr(b, field), err_msg=field)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"smoothing": "add-k", "k": 0.0}, "k: got 0.0, expected > 0"),
        ({"smoothing": "add-k", "cutoffs": [1]}, "cutoffs: need smoothing kneser-ney or witten-bell"),
        ({"smoothing": "kneser-ney", "cutoffs": [2, 1]}, "numbers >= 0 in non-decreasing order"),
    ],
)
def test_options_that_cannot_be(options, sentence):
    with pytest.raises(ConfigError, match=sentence):
        NGramModel.fit([0, 1, 0], 2, 2, **options)

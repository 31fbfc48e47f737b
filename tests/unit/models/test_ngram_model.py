"""The n-gram model against a slow implementation, worked examples, and sums of probabilities."""

import math
import time
from collections import Counter, defaultdict

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recurra.errors import ConfigError, DataError, ShapeError, VocabularyError
from recurra.models.ngram import NGramModel

A, B, C = 0, 1, 2


class DictionaryModel:
    """Witten-Bell smoothing by recursion over tuples."""

    def __init__(self, ids, vocabulary_size, order):
        self.vocabulary_size = vocabulary_size
        self.followers = defaultdict(Counter)
        for end, token in enumerate(ids):
            for length in range(min(order - 1, end) + 1):
                self.followers[tuple(ids[end - length : end])][token] += 1
        self.order = order

    def prob(self, token, context):
        context = tuple(context[max(0, len(context) - self.order + 1) :])
        lower = self.prob(token, context[1:]) if context else 1 / self.vocabulary_size
        seen = self.followers.get(context)
        if not seen:
            return lower
        return (seen[token] + len(seen) * lower) / (seen.total() + len(seen))


texts = st.integers(1, 6).flatmap(
    lambda size: st.tuples(
        st.just(size),
        st.lists(st.integers(0, size - 1), min_size=1, max_size=60),
        st.lists(st.integers(0, size - 1), max_size=30),
    )
)


@given(texts, st.integers(1, 6))
def test_agrees_with_dictionaries(text, order):
    size, training, held_out = text
    model, slow = NGramModel.fit(training, size, order), DictionaryModel(training, size, order)
    expected = [math.log(slow.prob(token, held_out[:place])) for place, token in enumerate(held_out)]
    np.testing.assert_allclose(model.log_probs(held_out), expected, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(
        model.next_probs(held_out), [slow.prob(token, held_out) for token in range(size)], rtol=1e-12
    )


@given(texts, st.integers(1, 6))
def test_probabilities_sum_to_one(text, order):
    size, training, context = text
    probs = NGramModel.fit(training, size, order).next_probs(context)
    assert probs.shape == (size,)
    assert probs.min() > 0
    assert probs.sum() == pytest.approx(1, abs=1e-12)


def test_worked_example():
    # "a b a c a b": after nothing, c = 6 and T = 3; after a: b twice, c once, so c = 3 and T = 2.
    model = NGramModel.fit([A, B, A, C, A, B], vocabulary_size=4, order=2)
    alone = np.array([3 + 3 / 4, 2 + 3 / 4, 1 + 3 / 4, 0 + 3 / 4]) / 9
    np.testing.assert_allclose(model.next_probs(), alone)
    after_a = (np.array([0, 2, 1, 0]) + 2 * alone) / 5
    np.testing.assert_allclose(model.next_probs([C, A]), after_a)
    np.testing.assert_allclose(np.exp(model.log_probs([A, B])), [alone[A], after_a[B]])
    assert model.cross_entropy([A, B]) == pytest.approx(-math.log(alone[A] * after_a[B]) / 2)
    assert model.parameters == 4 + 4  # a, b, c, d; ab, ba, ac, ca


def test_order_1_looks_at_no_context():
    model = NGramModel.fit([0, 0, 1], vocabulary_size=2, order=1)
    expected = [(2 + 2 / 2) / 5, (1 + 2 / 2) / 5]
    for context in ([], [0], [1, 1, 0]):
        np.testing.assert_allclose(model.next_probs(context), expected)
    np.testing.assert_allclose(np.exp(model.log_probs([0, 1, 1])), [expected[0], expected[1], expected[1]])


def test_unseen_context_backs_off():
    model = NGramModel.fit([0, 1, 2, 0, 1], vocabulary_size=4, order=3)
    # 3 and (3, 0) were never seen: after (3, 0) the context 0 is used, after 3 the unigrams.
    np.testing.assert_array_equal(model.next_probs([3, 0]), model.next_probs([0]))
    np.testing.assert_array_equal(model.next_probs([3]), model.next_probs([]))
    # (2, 0, 1) ends the text: seen as a 3-gram, never as a context.
    ending = NGramModel.fit([0, 1], vocabulary_size=2, order=2)
    np.testing.assert_array_equal(ending.next_probs([1]), ending.next_probs([]))


def test_longer_context_predicts_a_cycle_better():
    cycle = np.tile([0, 0, 1, 0, 1, 1], 400)
    entropies = [NGramModel.fit(cycle, 2, order).cross_entropy(cycle) for order in (1, 2, 3, 4)]
    assert entropies == sorted(entropies, reverse=True)
    assert entropies[0] == pytest.approx(math.log(2), abs=1e-3)
    assert entropies[-1] < 0.01


def test_order_beyond_the_text():
    model = NGramModel.fit([1, 0], vocabulary_size=2, order=5)
    assert model.order == 2
    assert model.next_probs([1, 1, 1, 1]).sum() == pytest.approx(1)


def test_high_order_of_a_large_vocabulary_does_not_overflow():
    ids = np.random.default_rng(0).integers(0, 100_000, 500)
    model, slow = NGramModel.fit(ids, 100_000, order=12), DictionaryModel(ids.tolist(), 100_000, 12)
    expected = [math.log(slow.prob(token, ids.tolist()[:place])) for place, token in enumerate(ids.tolist())]
    np.testing.assert_allclose(model.log_probs(ids), expected, rtol=1e-12)


def test_small_integer_types_do_not_overflow():
    ids = np.random.default_rng(1).integers(0, 250, 3000)
    model = NGramModel.fit(ids.astype(np.uint8), 256, 3)
    np.testing.assert_array_equal(model.log_probs(ids.astype(np.uint16)), model.log_probs(ids))


def test_sample_follows_the_distribution_and_the_seed():
    model = NGramModel.fit(np.tile([0, 1, 2], 60), 3, order=2)
    drawn = model.sample(300, prime=[1], seed=7)
    assert drawn.shape == (300,)
    np.testing.assert_array_equal(drawn, model.sample(300, prime=[1], seed=7))
    assert not np.array_equal(drawn, model.sample(300, prime=[1], seed=8))
    follows = np.mean((drawn[1:] - drawn[:-1]) % 3 == 1)
    assert 0.9 < follows < 1
    assert len(model.sample(0)) == 0


def test_sample_frequencies():
    model = NGramModel.fit([0, 0, 0, 1, 2, 2], 4, order=1)
    drawn = model.sample(8000, seed=3)
    np.testing.assert_allclose(np.bincount(drawn, minlength=4) / 8000, model.next_probs(), atol=0.02)


@settings(max_examples=20)
@given(st.lists(st.integers(0, 3), min_size=1, max_size=40))
def test_sample_draws_only_what_is_in_the_vocabulary(training):
    assert set(NGramModel.fit(training, 4, 3).sample(20).tolist()) <= {0, 1, 2, 3}


def test_a_million_tokens():
    ids = (np.random.default_rng(0).random(1_000_000) ** 3 * 60).astype(np.int64)
    start = time.perf_counter()
    model = NGramModel.fit(ids[:900_000], 60, 5)
    entropy = model.cross_entropy(ids[900_000:])
    assert time.perf_counter() - start < 20
    assert 0 < entropy < math.log(60)


@pytest.mark.parametrize(
    ("ids", "size", "order", "error", "message"),
    [
        ([0], 2, 0, ConfigError, "got order 0"),
        ([0], 0, 2, ConfigError, "vocabulary_size 0"),
        ([], 2, 2, DataError, "no tokens"),
        ([[0, 1]], 2, 2, ShapeError, r"\(1, 2\)"),
        ([0.5], 2, 2, ShapeError, "float64"),
        ([0, 2], 2, 2, VocabularyError, "got id 2, expected 0 to 1"),
        ([0, -1], 2, 2, VocabularyError, "got id -1"),
    ],
)
def test_faults_of_fit(ids, size, order, error, message):
    with pytest.raises(error, match=message):
        NGramModel.fit(ids, size, order)


def test_faults_of_use():
    model = NGramModel.fit([0, 1], 2, 2)
    with pytest.raises(DataError, match="evaluate"):
        model.cross_entropy([])
    with pytest.raises(VocabularyError):
        model.next_probs([5])
    with pytest.raises(ConfigError, match="got -1"):
        model.sample(-1)

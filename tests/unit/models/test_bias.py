"""Debiasing against the published formulas in float64, WEAT by enumeration, and what remains."""

import warnings
from itertools import combinations

import numpy as np
import pytest

from recurra import KeyedVectors
from recurra.errors import ConfigError
from recurra.models.word_vectors.bias import debias, direct_bias, remaining_bias
from recurra.models.word_vectors.directions import direction_of_pairs
from recurra.models.word_vectors.weat import CALISKAN, AssociationTest, association

PAIRS = [("he", "she"), ("man", "woman"), ("father", "mother")]
WORDS = [word for pair in PAIRS for word in pair] + [
    "He",
    "She",
    "HE",
    "doctor",
    "nurse",
    "king",
    "babysitter",
]
EQUALISED = [("he", "she"), ("man", "woman"), ("father", "mother"), ("grandfather", "grandmother")]


@pytest.fixture(scope="module")
def vectors():
    draw = np.random.default_rng(5)
    found = KeyedVectors(WORDS, (3 * draw.normal(size=(len(WORDS), 8))).astype(np.float32))
    found.expandos["count"] = np.arange(len(WORDS))
    return found


def by_the_formulas(vectors, direction, kept, pairs):
    """Hard debiasing of Bolukbasi et al. (2016), word by word in float64."""
    table = {}
    for word in vectors.index_to_key:
        v = vectors[word].astype(np.float64)
        v /= np.sqrt(v @ v)
        if word not in kept:
            v = v - direction * (v @ direction) / (direction @ direction)
            v /= np.sqrt(v @ v)
        table[word] = v
    every = {(f(a), f(b)) for a, b in pairs for f in (str, str.lower, str.title, str.upper)}
    for a, b in sorted(every):
        if a in table and b in table:
            middle = (table[a] + table[b]) / 2
            y = middle - direction * (middle @ direction) / (direction @ direction)
            z = np.sqrt(1 - np.linalg.norm(y) ** 2)
            if (table[a] - table[b]) @ direction < 0:
                z = -z
            table[a], table[b] = z * direction + y, -z * direction + y
    return np.stack([table[word] for word in vectors.index_to_key])


@pytest.mark.parametrize("how", ["mean", "pca"])
def test_hard_debiasing_is_that_of_the_published_formulas(vectors, how):
    direction = direction_of_pairs(vectors, PAIRS, how).vector
    kept = {"king", "He", "She", *(word for pair in EQUALISED for word in pair)}
    found = debias(vectors, direction, kept, EQUALISED)
    expected = by_the_formulas(vectors, direction, kept, EQUALISED)
    np.testing.assert_allclose(found.vectors.vectors, expected, atol=1e-6)
    assert found.neutralised == len(set(WORDS) - kept)
    assert ("He", "She") in found.equalised
    assert ("grandfather", "grandmother") not in found.equalised
    np.testing.assert_array_equal(found.vectors.expandos["count"], vectors.expandos["count"])
    assert np.abs(vectors.vectors).max() > 1  # unchanged


def test_a_neutral_word_is_as_far_from_both_words_of_a_pair(vectors):
    direction = direction_of_pairs(vectors, PAIRS).vector
    kept = {word for pair in PAIRS for word in pair}
    found = debias(vectors, direction, kept, PAIRS).vectors
    for a, b in PAIRS:
        for word in ("babysitter", "doctor", "king"):
            assert found.similarity(word, a) == pytest.approx(found.similarity(word, b), abs=1e-6)
    assert direct_bias(found, ["doctor", "nurse", "unknown"], direction) < 1e-6
    before = [abs(vectors[word] @ direction) / np.linalg.norm(vectors[word]) for word in ("doctor", "nurse")]
    assert direct_bias(vectors, ["doctor", "nurse"], direction) == pytest.approx(np.mean(before))
    assert direct_bias(vectors, ["doctor", "nurse"], direction, 2.0) == pytest.approx(
        np.mean(np.square(before))
    )
    with pytest.raises(ConfigError, match="words: none is known"):
        direct_bias(vectors, ["unknown"], direction)


def test_of_two_pairs_with_a_common_word_the_last_one_is_equalised(vectors):
    direction = direction_of_pairs(vectors, PAIRS).vector
    found = debias(vectors, direction, ("he", "she", "woman"), [("he", "she"), ("he", "woman")]).vectors
    to = {word: found.similarity("doctor", word) for word in ("he", "she", "woman")}
    assert to["he"] == pytest.approx(to["woman"], abs=1e-6)
    assert abs(to["he"] - to["she"]) > 0.01


def test_the_words_of_a_pair_keep_their_sides_if_they_were_neutralised(vectors):
    direction = direction_of_pairs(vectors, PAIRS).vector
    found = debias(vectors, direction, (), PAIRS).vectors
    for a, b in PAIRS:
        sides = [
            np.sign((one[a] / np.linalg.norm(one[a]) - one[b] / np.linalg.norm(one[b])) @ direction)
            for one in (vectors, found)
        ]
        assert sides[0] == sides[1]


def test_any_direction_can_be_removed():
    """Number instead of gender: plurals differ from singulars in one direction, and no longer do."""
    draw = np.random.default_rng(1)
    base, plural = draw.normal(size=(6, 8)), draw.normal(size=8)
    words = [f"{noun}{end}" for noun in "abcdef" for end in ("", "s")]
    table = np.repeat(base, 2, axis=0) + np.tile([[0.0], [2.0]], (6, 1)) * plural
    vectors = KeyedVectors(words, table.astype(np.float32))
    direction = direction_of_pairs(vectors, [("as", "a"), ("bs", "b"), ("cs", "c")])
    found = debias(vectors, direction.vector, ["a", "as"], [("as", "a")]).vectors
    assert found.similarity("f", "fs") > vectors.similarity("f", "fs")


LISTS = {
    "x": ["w0", "w1", "w2", "W3"],
    "y": ["w4", "w5", "w6", "gone"],
    "a": ["w7", "w8"],
    "b": ["w9", "w10"],
}
TEST = AssociationTest("x", "y", "a", "b")


@pytest.fixture(scope="module")
def associated():
    draw = np.random.default_rng(8)
    return KeyedVectors([f"w{n}" for n in range(60)], draw.normal(size=(60, 5)).astype(np.float32))


def test_effect_size_and_p_by_enumeration(associated):
    def cosine(p, q):
        u, v = (associated[word].astype(np.float64) for word in (p, q))
        return u @ v / np.sqrt((u @ u) * (v @ v))

    x, y = [f"w{n}" for n in range(4)], ["w4", "w5", "w6"]
    s = {
        word: np.mean([cosine(word, a) for a in LISTS["a"]]) - np.mean([cosine(word, b) for b in LISTS["b"]])
        for word in (*x, *y)
    }
    effect = (np.mean([s[w] for w in x]) - np.mean([s[w] for w in y])) / np.std(list(s.values()))
    statistic = sum(s[w] for w in x) - sum(s[w] for w in y)
    each = [
        sum(s[w] for w in chosen) - sum(s[w] for w in s if w not in chosen) for chosen in combinations(s, 4)
    ]
    found = association(associated, LISTS, TEST, most_lost=0.25)
    assert found.effect_size == pytest.approx(effect, abs=1e-6)
    assert found.p == pytest.approx(np.mean([one >= statistic - 1e-12 for one in each]))
    assert found.p_error == 0
    assert found.known == (4, 3, 2, 2)
    assert "4 of 4, 3 of 4" in found.line()


def test_sampled_permutations_agree_with_the_normal_limit(associated):
    """With 25 words each, the sum over a random half is nearly normal."""
    from statistics import NormalDist

    lists = LISTS | {"x": [f"w{n}" for n in range(10, 35)], "y": [f"w{n}" for n in range(35, 60)]}
    found = association(associated, lists, TEST, seed=3)
    assert found.p_error > 0
    # The difference of means has the variance 4 std² / (N - 1).
    expected = 1 - NormalDist().cdf(found.effect_size * np.sqrt(49) / 2)
    assert abs(found.p - expected) < 4 * found.p_error + 0.005
    assert association(associated, lists, TEST, seed=3) == found


def test_lost_words_and_missing_lists(associated):
    found = association(associated, LISTS, TEST)
    assert np.isnan(found.effect_size)
    assert found.to_dict()["p"] is None
    assert "not computed, too few words are known (4 of 4, 3 of 4, 2 of 2, 2 of 2)" in found.line()
    with pytest.raises(ConfigError, match="weat: has no list 'flowers'; its lists are a, b, x, y"):
        association(associated, LISTS, CALISKAN[0])


@pytest.mark.parametrize(("known", "lost", "share"), [(3, 7, 0.7), (21, 29, 0.58)])
def test_a_list_may_lose_exactly_its_share(associated, known, lost, share):
    """7 > 0.7 * 10 and 29 > 0.58 * 50 must not come from rounding."""
    words = [*(f"w{n}" for n in range(10, 10 + known)), *(f"gone{n}" for n in range(lost))]
    lists = LISTS | {"x": words, "y": ["w4", "w5", "w6"]}
    assert association(associated, lists, TEST, most_lost=share).p > 0
    assert np.isnan(association(associated, lists, TEST, most_lost=share - 0.01).p)


def test_clusters_find_the_bias_that_remains():
    """Words of either side share a topic beside the direction, which is not removed."""
    draw = np.random.default_rng(4)
    direction, topic = np.eye(10)[0], np.eye(10)[1]
    side = np.repeat([1.0, -1.0], 40)
    rows = side[:, None] * (direction + 3 * topic) + 0.2 * draw.normal(size=(80, 10))
    words = [f"w{n}" for n in range(80)]
    vectors = KeyedVectors(words, rows.astype(np.float32))
    after = debias(vectors, direction, (), ()).vectors
    found = remaining_bias(vectors, after, direction, neutral=words, count=500)
    assert found[:2] == (1.0, 20)
    assert found.classified == 1.0
    rows = side[:, None] * direction + draw.normal(size=(80, 10))
    vectors = KeyedVectors(words, rows.astype(np.float32))
    after = debias(vectors, direction, (), ()).vectors
    nothing = remaining_bias(vectors, after, direction, neutral=words)
    assert nothing.accuracy < 0.75
    assert nothing.classified < 0.75
    alike = KeyedVectors(words[:4], np.tile([0.0, 0.0, 1.0], (4, 1)).astype(np.float32))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert remaining_bias(alike, alike, np.eye(3)[0], neutral=words[:4]).words == 1
    with pytest.raises(ConfigError, match="got 3 neutral words, expected >= 4"):
        remaining_bias(vectors, after, direction, neutral=words[:3])


def test_random_directions_are_told_beside_what_remains():
    """Half of the words have one topic, half another: words at the ends of most directions differ in it."""
    draw = np.random.default_rng(4)
    direction, words = np.eye(12)[0], [f"w{n}" for n in range(400)]

    def remains(topic):
        rows = draw.normal(size=(400, 12))
        rows[:, 1:] += np.repeat([topic, -topic], 200)[:, None]
        vectors = KeyedVectors(words, rows.astype(np.float32))
        after = debias(vectors, direction, (), ()).vectors
        return remaining_bias(vectors, after, direction, neutral=words, seed=2)

    alike, divided = remains(0.0), remains(2.0)
    assert divided.of_random > 0.75 > 0.6 > divided.accuracy  # the direction has no part in the topic
    assert alike.of_random < 0.7


@pytest.mark.slow
def test_effect_sizes_and_p_are_those_of_wefe(associated):
    pytest.importorskip("wefe", reason="WEFE pins other versions; install wefe==1.0.1 where it fits")
    from gensim.models import KeyedVectors as Theirs
    from wefe.metrics import WEAT
    from wefe.query import Query
    from wefe.word_embedding_model import WordEmbeddingModel

    theirs = Theirs(5)
    theirs.add_vectors(associated.index_to_key, associated.vectors)
    lists = LISTS | {"y": ["w4", "w5", "w6", "w11"], "x": ["w0", "w1", "w2", "w3"]}
    found = association(associated, lists, TEST)
    query = Query([lists["x"], lists["y"]], [lists["a"], lists["b"]])
    expected = WEAT().run_query(
        query,
        WordEmbeddingModel(theirs),
        return_effect_size=True,
        calculate_p_value=True,
        p_value_method="approximate",
        p_value_iterations=2000,
    )
    assert found.effect_size == pytest.approx(expected["effect_size"], abs=1e-6)
    error = 3 * np.sqrt(found.p * (1 - found.p) / 2000) + 1 / 2000
    # The exact p counts the pair of lists itself, one of 70 partitions.
    assert abs(found.p - expected["p_value"]) < error + 1 / 70


def test_a_word_along_the_direction_is_not_replaced_by_rounding():
    draw = np.random.default_rng(3)
    rows = draw.normal(size=(8, 50)).astype(np.float32)
    rows[2] = 4 * (rows[0] / np.linalg.norm(rows[0]) - rows[1] / np.linalg.norm(rows[1]))
    vectors = KeyedVectors(["he", "she", "masculine", *(f"w{n}" for n in range(5))], rows)
    direction = direction_of_pairs(vectors, [("he", "she")]).vector
    after = debias(vectors, direction, {"he", "she"}, []).vectors
    assert not after["masculine"].any()
    assert direct_bias(after, ["masculine", "w0", "w1"], direction) < 1e-6


def test_the_same_vector_but_for_length_and_rounding_has_no_direction():
    row = np.random.default_rng(4).normal(size=300).astype(np.float32)
    vectors = KeyedVectors(["a", "b"], np.stack([row, np.float32(3.1) * row]))
    with pytest.raises(ConfigError, match="the two words of each pair have the same vector"):
        direction_of_pairs(vectors, [("a", "b")])


@pytest.mark.parametrize(("lost", "most"), [(7, 0.7), (3, 0.3), (1, 0.1), (9, 0.9)])
def test_exactly_the_largest_share_of_a_list_may_be_unknown(associated, lost, most):
    lists = LISTS | {"x": [*(f"w{n}" for n in range(10 - lost)), *(f"unknown{n}" for n in range(lost))]}
    lists["y"] = [f"w{n}" for n in range(10, 20)]
    assert association(associated, lists, TEST, most_lost=most).effect_size
    assert np.isfinite(association(associated, lists, TEST, most_lost=most).effect_size)
    assert np.isnan(association(associated, lists, TEST, most_lost=most - 0.01).effect_size)


def test_targets_of_one_association_have_no_effect_size(associated):
    lists = LISTS | {"x": ["w0"], "y": ["w0"]}
    found = association(associated, lists, TEST)
    assert "not computed, the targets do not differ (1 of 1, 1 of 1, 2 of 2, 2 of 2)" in found.line()

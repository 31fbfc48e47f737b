"""Directions of word vectors, by pairs and by lists, and words scored along them."""

import numpy as np
import pytest

from recurra import KeyedVectors
from recurra.errors import ConfigError
from recurra.models.word_vectors.directions import (
    Axis,
    axes_of,
    axis_of,
    direction_of,
    direction_of_pairs,
    mean_unit,
)

WORDS = ["he", "she", "man", "woman", "king", "queen", "apple", "zero"]


@pytest.fixture(scope="module")
def vectors():
    draw = np.random.default_rng(3)
    table = draw.normal(size=(8, 6)).astype(np.float32)
    table[7] = 0
    return KeyedVectors(WORDS, table)


def unit(vectors, word):
    row = vectors[word].astype(np.float64)
    return row / np.linalg.norm(row)


def test_the_mean_of_differences(vectors):
    found = direction_of_pairs(vectors, [("he", "she"), ("man", "woman"), ("gone", "she")])
    sum_ = unit(vectors, "he") - unit(vectors, "she") + unit(vectors, "man") - unit(vectors, "woman")
    np.testing.assert_allclose(found.vector, sum_ / np.linalg.norm(sum_))
    assert found.pairs == (("he", "she"), ("man", "woman"))
    assert sum(found.variance) == pytest.approx(1)
    assert 0 < found.explained <= found.variance[0] + 1e-12


def test_the_first_component_is_that_of_scikit_learn(vectors):
    decomposition = pytest.importorskip("sklearn.decomposition")
    pairs = [("he", "she"), ("man", "woman"), ("king", "queen")]
    rows = []
    for a, b in pairs:
        centre = (unit(vectors, a) + unit(vectors, b)) / 2
        rows += [unit(vectors, a) - centre, unit(vectors, b) - centre]
    pca = decomposition.PCA(n_components=3).fit(rows)
    found = direction_of_pairs(vectors, pairs, "pca")
    assert abs(found.vector @ pca.components_[0]) == pytest.approx(1)
    assert (unit(vectors, "he") - unit(vectors, "she")) @ found.vector > 0
    np.testing.assert_allclose(found.variance, pca.explained_variance_ratio_, atol=1e-12)
    assert found.explained == pytest.approx(found.variance[0])


def test_axes_of_pairs_and_of_lists(vectors):
    axes = {
        "gender": Axis(pairs=(("he", "she"),)),
        "royal": Axis(words=("king", "queen")),
        "ends": Axis(words=("king", "queen"), others=("apple", "gone")),
    }
    table = axes_of(vectors, ["man", "apple"], axes)
    rows = np.stack([unit(vectors, word) for word in WORDS[:7]] + [np.zeros(6)])
    np.testing.assert_allclose(mean_unit(vectors), rows.mean(0))
    royal = (rows[4] + rows[5]) / 2 - rows.mean(0)
    ends = (rows[4] + rows[5]) / 2 - rows[6]
    for column, direction in enumerate((rows[0] - rows[1], royal, ends)):
        expected = [rows[at] @ direction / np.linalg.norm(direction) for at in (2, 6)]
        np.testing.assert_allclose(table.values[:, column], expected)
    assert table.lines()[0].split() == ["man", "apple"]
    assert table.to_rows()[0]["word"] == "man"


@pytest.mark.parametrize(
    ("given", "axis"),
    [
        ("gender=he:she, man:woman", Axis(pairs=(("he", "she"), ("man", "woman")))),
        ("royal=king,queen", Axis(words=("king", "queen"))),
        ("age=old/young,child", Axis(words=("old",), others=("young", "child"))),
    ],
)
def test_axes_are_written_as_pairs_or_lists(given, axis):
    assert axis_of(given, "axis") == (given.partition("=")[0], axis)


@pytest.mark.parametrize(
    "given", ["", "gender", "=a:b", "x=", "x=a:b,c", "x=a:b:c", "x=a,,b", "x=a/b/c", "x=a:"]
)
def test_other_forms_are_refused(given):
    with pytest.raises(ConfigError, match=r"^axis: got .*, expected NAME=he:she"):
        axis_of(given, "axis")


def test_directions_that_do_not_exist(vectors):
    for pairs, fault in (
        ([("gone", "she")], "no pair has two known words, got gone:she"),
        ([], "no pair has two known words, got none"),
        ([("he", "he")], "have the same vector"),
        ([("he", "she"), ("she", "he")], "cancel each other"),
    ):
        with pytest.raises(ConfigError, match=fault):
            direction_of_pairs(vectors, pairs)
    found = direction_of_pairs(vectors, [("he", "she"), ("she", "he")], "pca")
    assert found.explained == pytest.approx(1)
    with pytest.raises(ConfigError, match="royal: none of the words gone is known"):
        direction_of(vectors, "royal", Axis(words=("gone",)))
    with pytest.raises(ConfigError, match="both ends have the same mean"):
        direction_of(vectors, "x", Axis(words=("he",), others=("he",)))
    with pytest.raises(ConfigError, match="words: got none"):
        axes_of(vectors, [], {"x": Axis(words=("he",))})

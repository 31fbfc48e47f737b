"""Directions of word vectors, by pairs and by lists, and words scored along them."""

import numpy as np
import pytest

from recurra import KeyedVectors
from recurra.errors import ConfigError, DataError
from recurra.models.word_vectors.directions import (
    Axis,
    axes_given,
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
        ("gender=he : she, man:woman", Axis(pairs=(("he", "she"), ("man", "woman")))),
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


@pytest.mark.parametrize(
    ("name", "content"),
    [
        (
            "axes.toml",
            'gender = ["he:she", "man: woman"]\nroyal = ["king", "and/or", "1:1"]\n'
            'sides = [["he", "she"], ["a:b", "c"]]',
        ),
        (
            "axes.json",
            '{"gender": "he:she,man:woman", "royal": ["king", "and/or", "1:1"], '
            '"sides": [["he", "she"], ["a:b", "c"]]}',
        ),
    ],
)
def test_axes_of_a_file(tmp_path, name, content):
    (tmp_path / name).write_text(content, encoding="utf-8")
    found = axes_given([str(tmp_path / name), "age=old/young"], "axis")
    assert found == {
        "gender": Axis(pairs=(("he", "she"), ("man", "woman"))),
        "royal": Axis(words=("king", "and/or", "1:1")),
        "sides": Axis(pairs=(("he", "she"), ("a:b", "c"))),
        "age": Axis(words=("old",), others=("young",)),
    }
    with pytest.raises(ConfigError, match=r"^axis: 'royal' is given twice"):
        axes_given(["royal=king", str(tmp_path / name)], "axis")


@pytest.mark.parametrize(
    ("name", "content", "fault"),
    [
        ("a.toml", "x = 3", "x: has 3, expected words, or pairs"),
        ("a.json", '{"x": ["a", ["b", "c"]]}', "x: has .*, expected words, or pairs"),
        ("a.json", '{"x": []}', "x: has .*, expected words, or pairs"),
        ("a.json", '{"x=y": "a:b,c"}', "got 'x y=a:b,c', expected NAME=he:she"),
        ("a.json", "[]", "is not a table of axes by name"),
        ("a.json", "{", "cannot be read as axes"),
        ("a.toml", "x = ", "cannot be read as axes"),
        ("a.toml", None, "there is no such file"),
    ],
)
def test_broken_files_of_axes_are_named(tmp_path, name, content, fault):
    if content is not None:
        (tmp_path / name).write_text(content, encoding="utf-8")
    with pytest.raises(DataError, match=rf"/{name}: .*{fault}|/{name}: {fault}"):
        axes_given([str(tmp_path / name)], "axis")


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


def test_an_axis_cannot_have_the_name_of_the_column_of_words():
    vectors = KeyedVectors(["a", "b"], np.eye(2, dtype=np.float32))
    with pytest.raises(ConfigError, match="axes: 'word' names the column of the words"):
        axes_of(vectors, ["a"], {"word": Axis(pairs=(("a", "b"),))})

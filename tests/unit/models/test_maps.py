"""Maps of words: t-SNE with a seed, the plane of pairs, and the files of the Embedding Projector."""

import sys

import numpy as np
import pytest

from recurra import KeyedVectors
from recurra.errors import ConfigError, MissingExtra
from recurra.models.word_vectors.maps import map_words, nearest_of, plane_of_pairs, write_projector


def clusters(count: int = 30) -> KeyedVectors:
    """Two groups of words that point in opposite directions."""
    draw = np.random.default_rng(1)
    side = np.repeat([1.0, -1.0], count)
    rows = side[:, None] * np.eye(6)[0] * 3 + draw.normal(size=(2 * count, 6))
    return KeyedVectors([f"w{n}" for n in range(2 * count)], rows.astype(np.float32))


def test_a_map_has_the_groups_apart_and_comes_again_from_its_seed():
    pytest.importorskip("openTSNE")
    vectors = clusters()
    found = map_words(vectors, vectors.index_to_key, perplexity=10, seed=3)
    again = map_words(vectors, vectors.index_to_key, perplexity=10, seed=3)
    np.testing.assert_array_equal(found.points, again.points)
    assert found.points.shape == (60, 2)
    assert found.perplexity == 10
    centres = found.points[:30].mean(0), found.points[30:].mean(0)
    near = [np.argmin([np.linalg.norm(point - centre) for centre in centres]) for point in found.points]
    assert np.mean(np.array(near) == np.repeat([0, 1], 30)) > 0.95


def test_a_small_map_has_a_smaller_perplexity():
    pytest.importorskip("openTSNE")
    vectors = clusters(4)
    found = map_words(vectors, ["w0", "w1", "w5", "w6", "w0"])
    assert found.perplexity == 1
    assert found.words == ("w0", "w1", "w5", "w6")
    assert found.counts is None
    with pytest.raises(ConfigError, match="got 3, expected >= 4 different words"):
        map_words(vectors, ["w0", "w1", "w2", "w2"])


def test_without_the_package_a_sentence_says_how_to_install_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "openTSNE", None)
    with pytest.raises(MissingExtra, match=r"pip install 'recurra\[maps\]'"):
        map_words(clusters(), ["w0", "w1", "w2", "w3"])


def test_nearest_words_are_those_of_most_similar():
    vectors = clusters()
    for word, found in zip(["w3", "w40"], nearest_of(vectors, ["w3", "w40"]), strict=True):
        expected = vectors.most_similar(word, topn=10)
        assert [one for one, _ in found] == [one for one, _ in expected]
        assert [cosine for _, cosine in found] == pytest.approx([c for _, c in expected], abs=1e-3)


def test_pairs_that_differ_alike_give_a_parallelogram():
    draw = np.random.default_rng(2)
    base, apart = draw.normal(size=(3, 20)), 0.05 * draw.normal(size=20)
    rows = np.repeat(base, 2, axis=0) + np.tile([[0.0], [1.0]], (3, 1)) * apart
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    vectors = KeyedVectors(["a", "A", "b", "B", "c", "C"], rows.astype(np.float32))
    found = plane_of_pairs(vectors, [("a", "A"), ("b", "B"), ("c", "C"), ("d", "D")])
    assert found.pairs == (("a", "A"), ("b", "B"), ("c", "C"))
    centred = rows - rows.mean(0)
    _, singular, components = np.linalg.svd(centred)
    expected = centred @ components[:2].T
    np.testing.assert_allclose(np.abs(found.points.reshape(6, 2)), np.abs(expected), atol=1e-6)
    assert found.explained == pytest.approx(tuple(singular[:2] ** 2 / (singular**2).sum()))
    assert (found.points[0, 0] <= 0).all()
    with pytest.raises(ConfigError, match="two pairs of known words are needed, got a:A"):
        plane_of_pairs(vectors, [("a", "A")])


def test_the_files_of_the_projector_to_the_letter(tmp_path):
    vectors = KeyedVectors(["a b", "c"], np.array([[1, 2.5], [0, -1e-3]], np.float32))
    write_projector(vectors, ["a b", "c"], tmp_path)
    assert (tmp_path / "vectors.tsv").read_text() == "1\t2.5\n0\t-0.001\n"
    assert (tmp_path / "metadata.tsv").read_text() == "a b\nc\n"  # one column has no header
    vectors.expandos["count"] = np.array([7, 3])
    write_projector(vectors, ["c"], tmp_path)
    assert (tmp_path / "metadata.tsv").read_text() == "word\tcount\nc\t3\n"


@pytest.mark.parametrize("seed", [1 << 32, (1 << 63) - 1])
def test_a_map_has_any_seed_words_of_one_number_and_no_zero_vectors(seed):
    pytest.importorskip("openTSNE")
    rows = np.random.default_rng(1).normal(size=(9, 1)).astype(np.float32)
    rows[4] = 0
    found = map_words(KeyedVectors([f"w{n}" for n in range(9)], rows), [f"w{n}" for n in range(9)], seed=seed)
    assert "w4" not in found.words
    assert found.points.shape == (8, 2)
    assert np.isfinite(found.points).all()


def test_words_of_one_direction_have_no_map():
    same = KeyedVectors([f"w{n}" for n in range(5)], np.ones((5, 3), np.float32))
    with pytest.raises(ConfigError, match="words: all have the same vector"):
        map_words(same, same.index_to_key)


def test_the_plane_of_vectors_of_one_number():
    vectors = KeyedVectors(["a", "b", "c", "d"], np.array([[1], [-2], [3], [-1]], np.float32))
    found = plane_of_pairs(vectors, [("a", "b"), ("c", "d")])
    np.testing.assert_allclose(found.points, [[[-1, 0], [1, 0]], [[-1, 0], [1, 0]]], atol=1e-7)
    assert found.explained == pytest.approx((1, 0))

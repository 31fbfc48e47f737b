"""KeyedVectors beyond gensim: exact neighbours, messages, copies, tests with counts of unknown words."""

import copy
import logging
import math
import pickle
import warnings

import numpy as np
import pytest
from scipy.optimize import linear_sum_assignment
from scipy.spatial.distance import cdist
from scipy.stats import spearmanr

import recurra as rc
from recurra.errors import ConfigError, DataError, RecurraError, ShapeError, VocabularyError
from recurra.models.word_vectors import lookup
from recurra.models.word_vectors.changes import MissingAttribute
from recurra.models.word_vectors.lookup import MissingWord

RNG = np.random.default_rng(5)
WORDS = [f"w{i}" for i in range(50)]
NUMBERS = RNG.normal(size=(50, 6)).astype(np.float32)


@pytest.fixture
def vectors():
    return rc.KeyedVectors(WORDS, NUMBERS.copy())


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("trained")
    (folder / "text.txt").write_text("the cat sat on the mat\nthe dog sat on the log\n" * 40)
    small = {"min_count": 1, "embedding_size": 8, "chunk_size": 100, "threads": 1, "epochs": 1}
    kinds: dict[bool, dict] = {False: {}, True: {"subwords": True, "buckets": 50}}
    return {
        subwords: rc.WordVectors.train(folder / "text.txt", out=folder / str(subwords), **small, **own)
        for subwords, own in kinds.items()
    }


# Neighbours


def test_ties_are_in_the_order_of_the_vocabulary_and_topn_words_are_returned():
    same = rc.KeyedVectors(WORDS, np.ones((50, 6)))
    assert [word for word, _ in same.most_similar(["w0", "w3", "w4"], topn=5)] == [
        "w1",
        "w2",
        "w5",
        "w6",
        "w7",
    ]
    assert len(same.most_similar("w0", topn=49)) == len(same.most_similar("w0", topn=10**9)) == 49
    assert [word for word, _ in same.most_similar(["w0", ("w1", 2.0)], topn=48)][-1] == "w49"
    assert same.most_similar(np.ones(6), topn=1) == [("w0", pytest.approx(1))]


def test_neighbours_are_those_of_a_full_sort_whatever_the_blocks(vectors, monkeypatch):
    cosines = NUMBERS @ NUMBERS[7] / np.linalg.norm(NUMBERS, axis=1) / np.linalg.norm(NUMBERS[7])
    order = [f"w{i}" for i in np.argsort(-cosines) if i != 7]
    monkeypatch.setattr(lookup, "_BLOCK", 6 * 7)
    assert [word for word, _ in vectors.most_similar("w7", topn=49)] == order
    assert vectors.closer_than("w7", order[4]) == sorted(order[:4], key=WORDS.index)
    assert vectors.rank("w7", order[4]) == 5


def test_cosmul_restricts_the_vocabulary_and_takes_rows(vectors):
    found = vectors.most_similar_cosmul(["w1", 2], ["w3"], topn=50, restrict_vocab=9)
    assert {word for word, _ in found} == {"w0", *WORDS[4:9]}
    assert vectors.most_similar_cosmul([1, 2], [3]) == vectors.most_similar_cosmul(["w1", "w2"], ["w3"])
    short = vectors.most_similar_cosmul([NUMBERS[4] * 1e-3], topn=None)
    np.testing.assert_allclose(short, (1 + vectors.most_similar("w4", topn=None)) / 2, atol=1e-6)


def test_an_indexer_is_asked_with_the_unit_vector_of_the_query(vectors):
    class Indexer:
        def most_similar(self, vector, topn):
            return np.linalg.norm(vector), topn

    assert vectors.most_similar("w1", topn=3, indexer=Indexer()) == (pytest.approx(1), 3)
    with pytest.raises(ConfigError, match="indexer: got 3, expected an object with a method most_similar"):
        vectors.most_similar("w1", indexer=3)


@pytest.mark.parametrize(
    ("call", "told"),
    [
        (lambda v: v["none"], r"^'none' is not in the vocabulary; check its spelling and its case\.$"),
        (lambda v: v[50], "^50 is not in the vocabulary"),
        (lambda v: v[-1], "^-1 is not in the vocabulary"),
        (lambda v: v[None], "keys: got None, expected a list of words, rows or vectors"),
        (lambda v: v.most_similar(3.5), "positive: got 3.5, expected a word, a row, a vector, or a list"),
        (lambda v: v.most_similar(["w1", None]), "positive: got None, expected a word, a row or a vector"),
        (lambda v: v.most_similar(("w1", 2.0)), "positive: got 2.0, expected a word, a row or a vector"),
        (lambda v: v.most_similar([("w1", "x")]), r"positive: got \('w1', 'x'\), expected a key with its w"),
        (lambda v: v.most_similar(np.ones(5)), r"vector: got shape \(5,\), expected 6 numbers"),
        (lambda v: v.most_similar(np.full(6, np.nan)), "vector: has a number that is not finite"),
        (lambda v: v.most_similar("w1", topn=2.5), "topn: got 2.5, expected a whole number, a bool or None"),
        (lambda v: v.most_similar("w1", restrict_vocab=-1), "restrict_vocab: got -1, expected >= 0"),
        (lambda v: v.most_similar_cosmul([("w1", 2.0)]), "positive: got .* expected a word, a row or"),
        (lambda v: v.similar_by_vector("w1"), "vector: is not an array of numbers"),
        (lambda v: v.similarity("w1", np.ones(6)), "similarity: w2: got .*, expected a .*text"),
        (lambda v: v.n_similarity("w1", ["w2"]), "ws1: got 'w1', expected a list of words, rows or vectors"),
        (lambda v: v.n_similarity(["w1"], []), "ws2: has no words; give at least one"),
        (lambda v: v.doesnt_match("w1 w2"), "words: got 'w1 w2', expected a list"),
        (lambda v: v.doesnt_match([]), "words: got nothing to compare; give at least one word"),
        (lambda v: v.get_mean_vector(["w1"], ["x"]), "weights: is not an array of numbers"),
        (lambda v: v.get_mean_vector([NUMBERS]), r"vector: got shape \(50, 6\), expected 6 numbers"),
        (lambda v: v.distances("w1", "w2"), "other_words: got 'w2', expected a list"),
        (lambda v: v.wmdistance("w1 w2", ["w1"]), "document1: got 'w1 w2', expected a list"),
        (lambda v: v.cosine_similarities(np.ones(6), np.ones((2, 5))), r"vectors_all: got shape \(2, 5\)"),
        (lambda v: v.add_vectors(["a", "b"], np.ones((2, 5))), r"weights: got shape \(2, 5\), expected 2 x"),
        (lambda v: v.add_vectors(["a", "a"], np.ones((2, 6))), "keys: 'a' occurs twice; remove one of them"),
        (lambda v: v.add_vectors([3], np.ones((1, 6))), r"keys\[0\]: got 3, expected a text"),
        (lambda v: v.add_vectors(["a"], np.ones((1, 6)), {"n": [1, 2]}), r"extras: n has shape \(2,\)"),
        (lambda v: v.__setitem__(99, np.ones(6)), "99 is not in the vocabulary"),
        (lambda v: v.get_vecattr("w1", "count"), "count: .* no such attribute; files of vectors have none"),
        (lambda v: v.sort_by_descending_frequency(), "count: the words have no such attribute"),
        (lambda v: setattr(v, "vectors", [[1], [2, 3]]), "vectors: is not an array of numbers"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused_with_one_sentence(vectors, call, told):
    with pytest.raises(RecurraError, match=told) as refused:
        call(vectors)
    assert str(refused.value).endswith(".")
    assert "\n" not in str(refused.value)
    assert not isinstance(refused.value.__cause__, (AttributeError, IndexError))


def test_iteration_is_over_words(vectors):
    assert list(vectors) == WORDS
    assert all(word in vectors for word in vectors)


def test_errors_are_those_that_code_on_gensim_catches(vectors):
    for error, call in ((KeyError, "none"), (VocabularyError, "none"), (TypeError, None)):
        with pytest.raises(error):
            vectors[call]
    with pytest.raises(KeyError):
        vectors.get_vecattr("w1", "count")
    with pytest.raises(ValueError, match="got nothing to compare with"):
        vectors.most_similar()
    for error in (MissingWord("none"), MissingAttribute("count: none.")):
        again = pickle.loads(pickle.dumps(error))
        assert (type(again), str(again)) == (type(error), str(error))


# Construction and changes


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ((["a", "a"], np.ones((2, 2))), "words: 'a' occurs twice; remove one of them"),
        ((["a"], np.ones((2, 2))), r"vectors: got shape \(2, 2\), expected \(1, 2\), one row per word"),
        ((["a"],), r"vectors: got shape \(0, 0\), expected \(1, 0\)"),
        (([3], [[1]]), r"words\[0\]: got 3, expected a text"),
        (("ab", [[1]]), "words: got 'ab', expected a list"),
        ((["a"], [["x"]]), "vectors: is not an array of numbers"),
        ((["a"], [[math.inf]]), "vectors: has a number that is not finite"),
        ((100, -1), "count: got -1, expected a number of words"),
        ((-1,), "vector_size: got -1, expected >= 0"),
        ((100, 2**60), "count: .* rows of 100 numbers do not fit into memory"),
    ],
)
def test_construction_is_checked(given, told):
    with pytest.raises(RecurraError, match=told):
        rc.KeyedVectors(*given)
    with pytest.raises(ShapeError, match="expected"):
        rc.KeyedVectors(["a"], [[1, 2]], vector_size=3)


def test_changes_reach_neither_the_callers_array_nor_a_copy(vectors):
    given = NUMBERS.copy()
    mine = rc.KeyedVectors(WORDS, given)
    assert mine.vectors is given  # not copied until it is changed
    others = [copy.copy(mine), copy.deepcopy(mine), pickle.loads(pickle.dumps(mine))]
    mine["w1"] = np.zeros(6)
    mine[2] = np.zeros(6)
    mine.add_vector("new", np.ones(6))
    mine.unit_normalize_all()
    mine.set_vecattr("w1", "count", 3)
    np.testing.assert_array_equal(given, NUMBERS)
    for other in others:
        assert other.index_to_key == WORDS
        np.testing.assert_allclose(
            *(each.most_similar("w1", topn=None) for each in (other, vectors)), atol=1e-6
        )
        assert not other.expandos
    assert not mine["w1"].any()
    assert not mine["w2"].any()
    assert mine.similarity("new", "w3") == pytest.approx(
        float(NUMBERS[3].sum() / np.linalg.norm(NUMBERS[3]) / 6**0.5)
    )


def test_vectors_are_read_only_and_norms_follow_changes(vectors):
    with pytest.raises(ValueError, match="read-only"):
        vectors["w1"][0] = 3
    before = vectors.norms[1]
    vectors["w1"] = NUMBERS[1] * 2
    assert vectors.norms[1] == pytest.approx(2 * before)
    vectors.vectors[1] /= 2
    vectors.fill_norms()
    assert vectors.norms[1] == pytest.approx(2 * before)
    vectors.fill_norms(force=True)
    assert vectors.norms[1] == pytest.approx(before)
    vectors.vectors = NUMBERS * 3
    assert vectors.norms[1] == pytest.approx(3 * before)


def test_many_words_are_added_one_by_one():
    made = rc.KeyedVectors(vector_size=3)
    for i in range(300):
        assert made.add_vector(f"w{i}", [i, 1, 2]) == i
    assert made.vectors[:, 0].tolist() == list(range(300))
    assert made.add_vector("w7", [0, 0, 1]) == 7  # replaces it, where gensim keeps the old vector
    assert made["w7"].tolist() == [0, 0, 1]


def test_attributes_keep_their_types(vectors):
    vectors.set_vecattr("w1", "count", 5)
    vectors.set_vecattr("w2", "share", 0.5)
    vectors.set_vecattr("w3", "note", "seen")
    vectors.set_vecattr("w3", "seen", True)
    vectors.add_vectors(["new"], np.ones((1, 6)), {"count": [9]})
    assert [vectors.get_vecattr(key, "count") for key in ("w1", "w2", "new")] == [5, 0, 9]
    assert vectors.get_vecattr(2, "share") == 0.5
    assert vectors.get_vecattr("w3", "note") == "seen"
    with pytest.raises(ConfigError, match=r"count: got 0\.5, but other words have values of type int64"):
        vectors.set_vecattr("w1", "count", 0.5)
    with pytest.raises(ConfigError, match="seen: got 'x', but other words have values of type bool"):
        vectors.set_vecattr("w1", "seen", "x")


# Distances of texts


def test_word_movers_distance_is_the_best_assignment(vectors):
    for norm in (True, False):
        for n in (1, 4, 9):
            a, b = RNG.permutation(50)[: 2 * n].reshape(2, n)
            scaled = vectors.get_normed_vectors() if norm else NUMBERS
            costs = cdist(scaled[a], scaled[b])
            expected = costs[linear_sum_assignment(costs)].mean()
            words = [[WORDS[i] for i in each] for each in (a, b)]
            assert vectors.wmdistance(*words, norm=norm) == pytest.approx(expected, abs=1e-6)
            assert vectors.wmdistance(words[0] * 2, [*words[1], "none"], norm=norm) == pytest.approx(
                expected, abs=1e-6
            )
    assert vectors.wmdistance(["w1", "w1", "w2"], ["w1", "w2", "w2"]) == pytest.approx(
        np.linalg.norm(vectors.get_vector("w1", norm=True) - vectors.get_vector("w2", norm=True)) / 3,
        abs=1e-6,
    )
    assert vectors.wmdistance(["w1"], ["w1"]) == 0
    assert vectors.wmdistance(["none"], ["w1"]) == vectors.wmdistance([], ["w1"]) == math.inf


# Tests of vectors


@pytest.mark.parametrize("block", [1 << 24, 13])
def test_analogies_with_several_forms_of_a_word(tmp_path, monkeypatch, block):
    monkeypatch.setattr(lookup, "_BLOCK", block)
    words = ["a", "b", "B", "c", "d", "D", "x"]
    numbers = np.array([[1, 0, 0], [1, 1, 0], [1, 1.1, 0], [1, 0, 1], [1, 1, 1], [1, 2, 2], [0, -1, 0]])
    vectors = rc.KeyedVectors(words, numbers)
    (tmp_path / "q").write_text(": one\na b c d\na b c D\nA B C x\nno b c d\na b c\n")
    with pytest.raises(DataError, match=r"q:6: has 3 words, expected four; correct it, or skip"):
        vectors.analogies(tmp_path / "q")
    [found] = vectors.analogies(tmp_path / "q", skip_bad=True)
    # The nearest is D, which is a form of d; B, a form of b, is not an answer.
    assert (len(found.correct), len(found.incorrect), found.unknown, found.accuracy) == (2, 1, 1, 2 / 3)
    [found] = vectors.analogies(tmp_path / "q", case_insensitive=False, skip_bad=True)
    assert found.correct == [("a", "b", "c", "D")]
    [found] = vectors.analogies(tmp_path / "q", similarity_function="most_similar_cosmul", skip_bad=True)
    assert found.correct[0] == ("A", "B", "C", "D")
    [found] = vectors.analogies(tmp_path / "q", dummy4unknown=True, skip_bad=True)
    assert found.incorrect[-1] == ("NO", "B", "C", "D")
    assert vectors.evaluate_word_analogies(tmp_path / "q", 2, skip_bad=True)[0] == 0
    for content, told in (("a b c d\n", "q:1: comes before the first group"), ("\n", "q: has no questions")):
        (tmp_path / "q").write_text(content)
        with pytest.raises(DataError, match=told):
            vectors.analogies(tmp_path / "q")


def test_analogies_may_be_a_table_of_mixed_groups(tmp_path, vectors):
    rows = ["one\tw1\tw2\tw3\tw4", "two\tw5\tw6\tw7\tw8", "one\tw1\tw3\tw2\tnone"]
    for head in ([], ["type\tword1\tword2\tword3\ttarget"]):
        (tmp_path / "q").write_text("\n".join(head + rows))
        found = vectors.analogies(tmp_path / "q")
        assert [(each.name, each.asked, each.unknown) for each in found] == [("one", 1, 1), ("two", 1, 0)]
    (tmp_path / "q").write_text("\n".join([*rows, "one\tw1\tw2\tw3"]))
    with pytest.raises(DataError, match="q:4: has 4 fields, expected five"):
        vectors.analogies(tmp_path / "q")
    (tmp_path / "q").write_text("\n".join([*rows, ": three"]))
    with pytest.raises(DataError, match="q:4: has 1 field, expected five"):
        vectors.analogies(tmp_path / "q")


def test_cosmul_answers_are_those_of_most_similar_cosmul(tmp_path, vectors):
    questions = [RNG.choice(50, 3, replace=False) for _ in range(30)]
    lines = []
    for a, b, c in questions:
        best = vectors.most_similar_cosmul([WORDS[b], WORDS[c]], [WORDS[a]], topn=1)[0][0]
        lines.append(f"w{a} w{b} w{c} {best}\n")
    (tmp_path / "q").write_text(": all\n" + "".join(lines))
    score, _ = vectors.evaluate_word_analogies(tmp_path / "q", similarity_function="most_similar_cosmul")
    assert score == 1


def test_judgements_count_unknown_words(tmp_path, vectors):
    rows = [(f"w{i}", f"w{i + 1}", i % 3) for i in range(12)] + [("none", "w1", 2), ("w2", "no", 0)]
    (tmp_path / "p").write_text("# words\n" + "".join(f"{a}\t{b}\t{score}\r\n" for a, b, score in rows))
    found = vectors.judgements(tmp_path / "p")
    assert (found.pairs, found.unknown, found.unknown_share) == (12, 2, 1 / 7)
    ours = [vectors.similarity(a, b) for a, b, _ in rows[:12]]
    assert found.spearman.statistic == pytest.approx(spearmanr([row[2] for row in rows[:12]], ours)[0])
    every = spearmanr([row[2] for row in rows], [*ours, 0, 0])[0]
    assert found.with_unknown == pytest.approx(every)
    assert vectors.judgements(tmp_path / "p", dummy4unknown=True).spearman.statistic == pytest.approx(every)


def test_judgements_that_are_constant_have_no_correlation_and_no_warning(tmp_path, vectors):
    (tmp_path / "p").write_text("w1 w2 3\nw3 w4 3\nw5 w6 3\n")
    found = vectors.judgements(tmp_path / "p")
    assert all(math.isnan(each) for each in (*found.pearson, *found.spearman, found.with_unknown))
    (tmp_path / "p").write_text("w1 w1 1\nw3 w3 2\nw5 w5 3\n")  # cosines of 1, but for rounding
    vectors.judgements(tmp_path / "p")


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (
            "w1 w2 3\nw1 w2\nw3 w4 1\n",
            "p:2: is not two words and a number; correct it, or name another delim",
        ),
        ("w1 w2 3\nw1 w2 nan\nw3 w4 1\n", "p:2: is not two words and a number"),
        (
            "w1 w2 3\nno w2 1\n",
            r"p: fewer than two pairs have two known words; give a file with words of the v",
        ),
    ],
)
def test_faults_in_judgements_are_named(tmp_path, vectors, content, told):
    (tmp_path / "p").write_text(content)
    with pytest.raises(DataError, match=told):
        vectors.judgements(tmp_path / "p")
    if "p:2" in told:
        assert vectors.judgements(tmp_path / "p", skip_bad=True).pairs == 2


def test_results_are_logged(tmp_path, vectors, caplog):
    (tmp_path / "q").write_text(": group\nw1 w2 w3 w4\n")
    (tmp_path / "p").write_text("w1\tw2\t3\nw3\tw4\t1\nw3\tw5\t2\n")
    with caplog.at_level(logging.INFO, "recurra"):
        vectors.evaluate_word_analogies(tmp_path / "q")
        vectors.evaluate_word_pairs(tmp_path / "p")
    assert "group: 0.0% (0/1)" in caplog.messages
    assert "pairs with unknown words: 0.0%" in caplog.messages


# Trained vectors


def test_trained_vectors_have_counts_and_all_methods(trained, tmp_path):
    model = trained[False]
    assert model.get_vecattr("the", "count") == model.counts["the"]
    assert model.index_to_key[0] == "the"
    model.save_word2vec_format(tmp_path / "v", tmp_path / "counts")
    read = rc.KeyedVectors.load_word2vec_format(tmp_path / "v", tmp_path / "counts")
    np.testing.assert_array_equal(read.vectors, model.vectors)
    assert {word: read.get_vecattr(word, "count") for word in read.index_to_key} == model.counts
    model.save_vectors(tmp_path / "folder")
    again = rc.KeyedVectors.load_vectors(tmp_path / "folder", mmap=True)
    (mine, own), (theirs, other) = (zip(*each.most_similar("cat"), strict=True) for each in (again, model))
    assert mine == theirs
    assert own == pytest.approx(other)  # products depend on where vectors begin in memory
    with pytest.raises(
        AttributeError, match=r"wv: WordVectors has no such attribute .* on the object itself"
    ):
        _ = model.wv
    copied = pickle.loads(pickle.dumps(model))
    weights = model.network.input.clone()
    copied.unit_normalize_all()
    copied["cat"] = np.zeros(8)
    copied.add_vector("new", np.ones(8))
    assert "new" not in model
    assert model["cat"].any()
    model.unit_normalize_all()
    assert model.network.input.equal(weights)
    (tmp_path / "q").write_text(": all\nthe cat sat on\n")
    assert model.analogies(tmp_path / "q")[0].asked == 1


def test_words_of_known_ngrams_have_neighbours(trained):
    model = trained[True]
    assert "catty" in model
    assert not model.has_index_for("catty")
    np.testing.assert_allclose(np.linalg.norm(model.get_vector("catty", norm=True)), 1, rtol=1e-6)
    found = model.most_similar("catty", topn=3)
    assert [word for word, _ in found] == [
        word for word, _ in model.similar_by_vector(model["catty"], topn=3)
    ]
    assert model.doesnt_match(["catty", "cat"]) in ("catty", "cat")
    every = model.vectors_for_all(["catty", "cat", "catty"])
    assert every.index_to_key == ["catty", "cat"]
    np.testing.assert_array_equal(every["catty"], model["catty"])
    assert model.vectors_for_all(["catty", "cat"], allow_inference=False).index_to_key == ["cat"]
    assert "catty" not in trained[False]
    with pytest.raises(MissingWord):
        trained[False].most_similar("catty")
    model.add_vector("catty", np.ones(8))
    assert model["catty"].tolist() == [1] * 8


@pytest.mark.parametrize("size", [1e-36, 1e-30, 1e-20, 1e18, 1e20, 1e30, 1e36])
def test_cosines_do_not_depend_on_the_size_of_vectors(size):
    rows = np.random.default_rng(2).normal(size=(6, 4)).astype(np.float32)
    plain = rc.KeyedVectors([f"w{n}" for n in range(6)], rows)
    sized = rc.KeyedVectors([f"w{n}" for n in range(6)], rows * np.float32(size))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for method in ("most_similar", "most_similar_cosmul"):
            expected, found = (getattr(one, method)(["w0", "w1"], ["w2"]) for one in (plain, sized))
            assert [word for word, _ in found] == [word for word, _ in expected]
            assert [c for _, c in found] == pytest.approx([c for _, c in expected], abs=1e-5)
        assert sized.similarity("w0", "w1") == pytest.approx(plain.similarity("w0", "w1"), abs=1e-6)
        np.testing.assert_allclose(
            sized.cosine_similarities(sized["w0"], sized.vectors), 1 - plain.distances("w0"), atol=1e-5
        )

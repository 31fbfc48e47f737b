"""KeyedVectors answer as gensim's do, write the same bytes, and read each other's files."""

import itertools
import warnings
from typing import Any

import numpy as np
import pytest

import recurra as rc
from recurra.errors import RecurraError

gensim = pytest.importorskip("gensim.models", reason="gensim is not installed")

RNG = np.random.default_rng(3)
WORDS = [*(f"w{i}" for i in range(36)), "Word", "word", "WORD", "é"]
NUMBERS = RNG.normal(size=(len(WORDS), 7)).astype(np.float32)
COUNTS = RNG.integers(1, 20, len(WORDS))
VECTOR = RNG.normal(size=7).astype(np.float32)


def both(words=WORDS, vectors=NUMBERS, counts=None):
    ours, theirs = rc.KeyedVectors(words, vectors.copy()), gensim.KeyedVectors(vectors.shape[1])
    theirs.add_vectors(words, vectors.copy())
    for at, word in enumerate(words if counts is not None else ()):
        ours.set_vecattr(word, "count", int(counts[at]))
        theirs.set_vecattr(word, "count", int(counts[at]))
    return ours, theirs


@pytest.fixture(scope="module")
def pair():
    return both()


def agree(ours: Any, theirs: Any) -> None:
    """Compare results: words exactly, numbers to rounding."""
    if isinstance(theirs, (list, tuple)):
        assert len(ours) == len(theirs)
        for one, other in zip(ours, theirs, strict=True):
            agree(one, other)
    elif isinstance(theirs, str):
        assert ours == theirs
    else:
        np.testing.assert_allclose(ours, theirs, rtol=2e-5, atol=2e-6)


CALLS: list[tuple[str, tuple[Any, ...], dict[str, Any]]] = [
    ("__getitem__", ("w3",), {}),
    ("__getitem__", (["w3", 5],), {}),
    ("__getitem__", (np.int64(7),), {}),
    ("__contains__", ("w3",), {}),
    ("__contains__", ("none",), {}),
    ("__contains__", (39,), {}),
    ("__contains__", (40,), {}),
    ("__contains__", (-1,), {}),
    ("__len__", (), {}),
    ("get_vector", ("w1",), {}),
    ("get_vector", ("w1",), {"norm": True}),
    ("word_vec", ("w1",), {}),
    ("get_index", ("w9",), {}),
    ("get_index", ("none", -1), {}),
    ("get_index", ("none", 0), {}),
    ("has_index_for", ("w9",), {}),
    ("has_index_for", ("none",), {}),
    ("get_normed_vectors", (), {}),
    ("get_mean_vector", (["w1", "w2"],), {}),
    ("get_mean_vector", (["w1", "none", 4, VECTOR],), {}),
    ("get_mean_vector", (["w1", "w2"], [0.5, -2]), {"pre_normalize": False}),
    ("get_mean_vector", (["w1", "w2"], np.array([1.0, 3.0])), {"post_normalize": True}),
    ("get_mean_vector", (["none"],), {}),
    ("get_mean_vector", (NUMBERS[:3],), {}),
    ("most_similar", ("w1",), {}),
    ("most_similar", (["w1", "w2"], ["w3"]), {"topn": 7}),
    ("most_similar", ([("w1", 0.3), ("w2", 2), "w5"], [("w3", -0.7)]), {}),
    ("most_similar", (4,), {}),
    ("most_similar", ([4, "w5"],), {}),
    ("most_similar", (VECTOR,), {}),
    ("most_similar", ([VECTOR, "w1"], [VECTOR * 2]), {}),
    ("most_similar", ([(VECTOR, 0.2), "w1"],), {}),
    ("most_similar", (NUMBERS[:2],), {}),
    ("most_similar", (), {"negative": "w4"}),
    ("most_similar", ("w1",), {"topn": None}),
    ("most_similar", ("w1",), {"topn": False}),
    ("most_similar", ("w1",), {"topn": 0}),
    ("most_similar", ("w1",), {"topn": -2}),
    ("most_similar", ("w1",), {"topn": 1000}),
    ("most_similar", ("w1",), {"restrict_vocab": 9}),
    ("most_similar", ("w20",), {"restrict_vocab": 9, "topn": 9}),
    ("most_similar", ("w20",), {"restrict_vocab": 5, "clip_start": 7}),
    ("most_similar", ("w20",), {"restrict_vocab": 0}),
    ("most_similar", ("w20",), {"clip_start": 5, "clip_end": 25}),
    ("most_similar", ("w20",), {"clip_start": 5, "clip_end": 25, "topn": None}),
    ("most_similar", ("w20",), {"clip_start": 30, "topn": 100}),
    ("most_similar_cosmul", (["w1", "w2"], ["w3"]), {}),
    ("most_similar_cosmul", ("w1",), {"topn": 3}),
    ("most_similar_cosmul", ("w1", "w2"), {}),
    ("most_similar_cosmul", ("w1",), {"topn": None}),
    ("most_similar_cosmul", ("w1",), {"topn": 0}),
    ("most_similar_cosmul", ([VECTOR / np.linalg.norm(VECTOR)],), {}),
    ("similar_by_word", ("w7",), {"topn": 4}),
    ("similar_by_key", ("w7", 4, 20), {}),
    ("similar_by_vector", (VECTOR, 4), {}),
    ("similarity", ("w1", "w2"), {}),
    ("similarity", (1, "w1"), {}),
    ("distance", ("w1", "w2"), {}),
    ("distances", ("w1",), {}),
    ("distances", (VECTOR, ["w1", 3]), {}),
    ("distances", ("w1", ["w2", "w1"]), {}),
    ("n_similarity", (["w1", "w2"], ["w3"]), {}),
    ("n_similarity", (["w1", "none"], ["none"]), {}),
    ("doesnt_match", (["w1", "w2", "w3", "w4"],), {}),
    ("doesnt_match", (["w1"],), {}),
    ("rank_by_centrality", (["w1", "w2", "w3", "w4"],), {}),
    ("rank_by_centrality", (["w1", "w2", "w3", "w4"],), {"use_norm": False}),
    ("closer_than", ("w1", "w2"), {}),
    ("words_closer_than", ("w1", "w2"), {}),
    ("rank", ("w1", "w2"), {}),
    ("rank", ("w1", "w1"), {}),
    ("most_similar_to_given", ("w1", ["w2", "w3", "w4"]), {}),
    ("cosine_similarities", (VECTOR, NUMBERS), {}),
    ("relative_cosine_similarity", ("w1", "w2"), {}),
    ("relative_cosine_similarity", ("w1", "w2", 3), {}),
]


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize(("method", "given", "options"), CALLS)
def test_a_method_answers_as_that_of_gensim(pair, method, given, options):
    ours, theirs = (getattr(each, method)(*given, **options) for each in pair)
    agree(ours, theirs)
    assert np.shape(ours) == np.shape(theirs)


ERRORS: list[tuple[str, tuple[Any, ...]]] = [
    ("__getitem__", ("none",)),
    ("get_vector", ("none",)),
    ("get_index", ("none",)),
    ("get_index", (40,)),
    ("get_vecattr", ("w1", "count")),
    ("get_mean_vector", ([],)),
    ("get_mean_vector", (["w1"], [1, 2])),
    ("most_similar", ("none",)),
    ("most_similar", ([],)),
    ("most_similar", (None,)),
    ("most_similar", (["w1", "none"],)),
    ("most_similar_cosmul", (None, "w1")),
    ("most_similar_cosmul", ("none",)),
    ("similarity", ("w1", "none")),
    ("distances", ("none",)),
    ("distances", ("w1", ["none"])),
    ("doesnt_match", ([],)),
    ("doesnt_match", (["none"],)),
    ("rank", ("w1", "none")),
    ("relative_cosine_similarity", ("w1", "w2", 0)),
    ("most_similar_to_given", ("w1", [])),
]


@pytest.mark.parametrize(("method", "given"), ERRORS)
def test_what_gensim_refuses_is_refused_with_one_sentence(pair, method, given):
    with pytest.raises((KeyError, ValueError, TypeError)):
        getattr(pair[1], method)(*given)
    with pytest.raises(RecurraError) as refused:
        getattr(pair[0], method)(*given)
    assert str(refused.value).endswith(".")
    assert "\n" not in str(refused.value)


def test_keys_that_are_missing_are_a_key_error(pair):
    for call in (lambda: pair[0]["none"], lambda: pair[0].get_vecattr("w1", "count")):
        with pytest.raises(KeyError):
            call()


def test_every_name_of_gensim_is_there_or_named_with_its_successor(pair):
    ours, theirs = pair
    of_instances = [*dir(theirs), "wv", "docvecs", "syn0", "syn0norm", "accuracy", "get_keras_embedding"]
    for name in (each for each in of_instances if not each.startswith("_")):
        if not hasattr(ours, name):
            with pytest.raises(AttributeError, match=f"^{name}: KeyedVectors has no such .* vectors; .*[.]$"):
                getattr(ours, name)
    with pytest.raises(AttributeError, match=r"index2word: .*; use index_to_key\.$"):
        _ = ours.index2word
    with pytest.raises(AttributeError, match=r"init_sims: .*unit_normalize_all\(\)"):
        ours.init_sims(replace=True)
    assert not hasattr(ours, "wv")


def test_words_are_added_replaced_and_counted_alike():
    ours, theirs = both(counts=COUNTS)
    new = RNG.normal(size=(3, 7)).astype(np.float32)
    for each in (ours, theirs):
        each.add_vectors(["a", "w2", "b"], new)
        each.add_vectors(["w1", "c"], new[:2], replace=True)
        each.add_vectors("d", new[0])
        each["e"] = new[1]
        each[["w4", "f"]] = new[1:]
        each.fill_norms(force=True)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            assert each.add_vector("g", new[2]) == len(WORDS) + 6
    assert ours.index_to_key == theirs.index_to_key
    assert ours.key_to_index == theirs.key_to_index
    np.testing.assert_array_equal(ours.vectors, theirs.vectors)
    theirs.fill_norms(force=True)
    np.testing.assert_allclose(ours.norms, theirs.norms, rtol=1e-6)
    assert ours.get_vecattr("w5", "count") == theirs.get_vecattr("w5", "count") == COUNTS[5]
    for each in (ours, theirs):
        each.set_vecattr("g", "count", 7)
        each.set_vecattr("g", "note", "seen")
        each.sort_by_descending_frequency()
    assert ours.index_to_key == theirs.index_to_key
    assert ours["w5"].tolist() == theirs["w5"].tolist() == NUMBERS[5].tolist()
    assert ours.get_vecattr("g", "note") == theirs.get_vecattr("g", "note")
    theirs.fill_norms(force=True)  # gensim keeps the norms of the old order
    for each in (ours, theirs):
        each.unit_normalize_all()
    np.testing.assert_allclose(ours.vectors, theirs.vectors, rtol=1e-6)
    agree(ours.most_similar("w3"), theirs.most_similar("w3"))


def test_vectors_for_all_keeps_known_words_once():
    ours, theirs = both(counts=COUNTS)
    given = ["w9", "none", "w1", "w9"]
    mine, other = (each.vectors_for_all(given, copy_vecattrs=True) for each in (ours, theirs))
    assert mine.index_to_key == other.index_to_key == ["w9", "w1"]
    np.testing.assert_array_equal(mine.vectors, other.vectors)
    assert mine.get_vecattr("w9", "count") == other.get_vecattr("w9", "count")
    assert len(ours.vectors_for_all([])) == len(theirs.vectors_for_all([])) == 0


def test_empty_vectors_are_filled_as_in_gensim():
    for kind in (rc.KeyedVectors, gensim.KeyedVectors):
        made = kind(vector_size=3, count=0)
        assert (len(made), made.vector_size, made.vectors.shape) == (0, 3, (0, 3))
        made.add_vectors(["a", "b"], [np.ones(3), np.zeros(3)])
        assert made.index_to_key == ["a", "b"]
    assert rc.KeyedVectors(3, 5).add_vector("a", [1, 2, 3]) == 0


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_equal_vectors_and_zero_vectors(tmp_path):
    vectors = np.repeat(np.eye(3, 7, dtype=np.float32), 4, axis=0)
    vectors[11] = 0
    ours, theirs = both([f"w{i}" for i in range(12)], vectors)
    # Among equals the first words are returned; gensim returns any of them.
    assert [word for word, _ in ours.most_similar("w5", topn=4)] == ["w4", "w6", "w7", "w0"]
    assert {word for word, _ in theirs.most_similar("w5", topn=3)} == {"w4", "w6", "w7"}
    assert [word for word, _ in ours.most_similar(["w4", "w5"], topn=12)] == [
        *("w6", "w7", "w0", "w1", "w2", "w3", "w8", "w9", "w10", "w11")
    ]
    assert ours.similarity("w11", "w0") == theirs.similarity("w11", "w0") == 0
    assert ours.most_similar("w11", topn=None).tolist() == [0] * 12
    assert ours.distances("w11").tolist() == [1] * 12
    assert np.isnan(theirs.most_similar("w0", topn=None)[11])
    assert ours.get_vector("w11", norm=True).tolist() == [0] * 7
    assert ours.closer_than("w0", "w11") == theirs.closer_than("w0", "w4") == ["w1", "w2", "w3"]
    assert ours.doesnt_match(["w0", "w4", "w1"]) == theirs.doesnt_match(["w0", "w4", "w1"]) == "w4"


@pytest.mark.parametrize("counted", [False, True])
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"binary": True},
        {"write_header": False},
        {"binary": True, "write_header": False},
        {"prefix": "*", "total_vec": 99},
    ],
)
def test_the_same_bytes_are_written(tmp_path, options, counted):
    odd = NUMBERS.copy()
    odd[0] = [1e-5, 1e16, -0.0, 3e-45, 3.4e38, 1e-4, 123456789]
    ours, theirs = both(vectors=odd, counts=COUNTS if counted else None)
    files = []
    for name, each in (("ours", ours), ("theirs", theirs)):
        own = options | ({"fvocab": str(tmp_path / f"{name}.counts")} if counted else {})
        each.save_word2vec_format(str(tmp_path / name), **own)
        each.save_word2vec_format(str(tmp_path / name), **own | {"append": True})
        counts = (tmp_path / f"{name}.counts").read_bytes() if counted else b""
        files.append((tmp_path / name).read_bytes() + counts)
    assert files[0] == files[1]


@pytest.mark.parametrize("name", ["v.txt", "v.bin", "v.txt.gz", "v.bin.gz"])
def test_each_reads_the_files_of_the_other(tmp_path, name):
    ours, theirs = both()
    binary = name.startswith("v.bin")
    ours.save_word2vec_format(tmp_path / name, binary=binary)
    read = gensim.KeyedVectors.load_word2vec_format(str(tmp_path / name), binary=binary)
    assert read.index_to_key == WORDS
    np.testing.assert_array_equal(read.vectors, NUMBERS)
    theirs.save_word2vec_format(str(tmp_path / f"g{name}"), binary=binary)
    again = rc.KeyedVectors.load_word2vec_format(tmp_path / f"g{name}", binary=binary)
    assert again.index_to_key == WORDS
    np.testing.assert_array_equal(again.vectors, NUMBERS)
    few = rc.KeyedVectors.load_word2vec_format(tmp_path / name, limit=5)
    assert few.index_to_key == WORDS[:5]


def test_counts_of_a_file_and_other_encodings_are_read_alike(tmp_path):
    (tmp_path / "v").write_bytes("2 2\ncaf\xe9 1 2\nthe 3 4\n".encode("latin-1"))
    (tmp_path / "counts").write_text("the 9\ncafé 4\n")
    for kind in (rc.KeyedVectors, gensim.KeyedVectors):
        read = kind.load_word2vec_format(str(tmp_path / "v"), str(tmp_path / "counts"), encoding="latin-1")
        assert read.index_to_key == ["café", "the"]
        assert [read.get_vecattr(word, "count") for word in read.index_to_key] == [4, 9]
        read = kind.load_word2vec_format(str(tmp_path / "v"), unicode_errors="ignore")
        assert read.index_to_key == ["caf", "the"]
        read = kind.load_word2vec_format(str(tmp_path / "v"), unicode_errors="replace")
        assert read.index_to_key == ["caf\ufffd", "the"]


QUESTIONS = """: first group
w1 w2 w3 w4
w1 w2 w3 none
W5 w6 w7 w8
word w1 w2 Word
: gram2
w9 w10 w11 w12
"""


def questions() -> str:
    """Questions, of which the second half are answered by the word that is right."""
    theirs, lines = both()[1], QUESTIONS.splitlines()
    for i in range(0, 30, 3):
        a, b, c = WORDS[i : i + 3]
        answer = theirs.most_similar([b, c], [a], topn=1)[0][0]
        lines.append(f"{a} {b} {c} {answer}")
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize("options", [{}, {"case_insensitive": False}, {"restrict_vocab": 12}])
@pytest.mark.parametrize("dummy", [False, True])
def test_analogies_are_answered_as_gensim_answers_them(tmp_path, pair, options, dummy):
    (tmp_path / "questions").write_text(questions())
    ours, theirs = (
        each.evaluate_word_analogies(str(tmp_path / "questions"), dummy4unknown=dummy, **options)
        for each in pair
    )
    assert ours == theirs
    assert ours[0] > (0.05 if dummy else 0.2)


def test_pairs_are_judged_as_gensim_judges_them(tmp_path, pair):
    rows = [f"w{i}\tw{i + 1}\t{i % 4}\n" for i in range(20)]
    (tmp_path / "pairs").write_text("# comment\n" + "".join(rows) + "none\tw1\t3\nWord\tWORD\t2.5\n")
    for options in ({}, {"case_insensitive": False}, {"dummy4unknown": True}, {"restrict_vocab": 15}):
        ours, theirs = (each.evaluate_word_pairs(str(tmp_path / "pairs"), **options) for each in pair)
        agree([list(ours[0]), list(ours[1])], [list(theirs[0]), list(theirs[1])])
        for name, at in itertools.product(("statistic", "correlation", "pvalue"), (0, 1)):
            assert getattr(ours[at], name) == pytest.approx(getattr(theirs[at], name), rel=1e-5)
        share = ours[2] if options != {"dummy4unknown": True} else 100 / 22  # gensim divides by all pairs
        assert share == pytest.approx(theirs[2])


def test_vectors_of_a_file_replace_those_of_known_words(tmp_path):
    ours, theirs = both()
    other = gensim.KeyedVectors(7)
    other.add_vectors(["w3", "new"], np.ones((2, 7), np.float32))
    other.save_word2vec_format(str(tmp_path / "v"))
    theirs.vectors_lockf = np.ones(len(WORDS))
    for each in (ours, theirs):
        each.intersect_word2vec_format(str(tmp_path / "v"))
    np.testing.assert_array_equal(ours.vectors, theirs.vectors)
    assert ours["w3"].tolist() == [1] * 7

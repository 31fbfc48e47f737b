"""Files of word vectors: text and binary of others, .npz, and folders that are memory-mapped."""

import gzip
import json
import pickle

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors import safe_open

import recurra as rc
from recurra.data import vector_blocks
from recurra.data.examples import BadRows
from recurra.data.vector_files import read_vectors
from recurra.errors import ConfigError, DataError, RecurraError, ShapeError
from recurra.files import SUMS

WORDS = ["the", "café", "New_York", "3.5", "."]
NUMBERS = np.random.default_rng(0).normal(size=(5, 3)).astype(np.float32)
BINARY = [word.encode() + b" " + row.tobytes() for word, row in zip(WORDS, NUMBERS, strict=True)]
TEXT = [f"{word} {' '.join(map(str, row))}" for word, row in zip(WORDS, NUMBERS, strict=True)]
FILES = {
    "gensim's text": "5 3\n" + "\n".join(TEXT) + "\n",
    "C text, with a blank at the end of each line": "5 3\n" + " \n".join(TEXT) + " \n",
    "GloVe": "\n".join(TEXT),
    "Windows": "\ufeff5 3\r\n" + "\r\n".join(TEXT) + "\r\n",
    "tabs": "5 3\n" + "\n".join(TEXT).replace(" ", "\t"),
    "gensim's binary": b"5 3\n" + b"".join(BINARY),
    "C binary": b"5 3\n" + b"\n".join(BINARY) + b"\n",
    "compressed": gzip.compress(b"5 3\n" + b"\n".join(BINARY) + b"\n"),
}


def made():
    vectors = rc.KeyedVectors(WORDS, NUMBERS)
    for at, word in enumerate(WORDS):
        vectors.set_vecattr(word, "count", 10 - at)
    return vectors


def same(read, words=WORDS, numbers=NUMBERS):
    assert read.index_to_key == words
    np.testing.assert_array_equal(read.vectors, numbers)


@pytest.mark.parametrize("at_once", [1 << 22, 7, 40, 64])
@pytest.mark.parametrize("name", FILES)
def test_files_of_others_are_read_in_blocks_of_any_size(tmp_path, monkeypatch, name, at_once):
    monkeypatch.setattr(vector_blocks, "_AT_ONCE", at_once)
    content = FILES[name]
    (tmp_path / "v").write_bytes(content.encode() if isinstance(content, str) else content)
    same(rc.KeyedVectors.load_word2vec_format(tmp_path / "v"))
    few = rc.KeyedVectors.load_word2vec_format(tmp_path / "v", limit=2)
    same(few, WORDS[:2], NUMBERS[:2])
    same(rc.KeyedVectors.load(tmp_path / "v"))


@pytest.mark.parametrize("at_once", [1 << 22, 9])
@pytest.mark.parametrize(
    ("content", "kept", "told"),
    [
        ("a 1 2\nb 3\nc 5 6\n", "ac", "v:2: has 1 number, expected 2"),
        ("a 1 2\nb 3 x\nc 5 6\n", "ac", "v:2: has a value that is not a number"),
        ("a 1 2\nb 3 1e99\nc 5 6\n", "ac", "v:2: has a number that is not finite"),
        ("a 1 2\nb 3 nan\nc 5 6\n", "ac", "v:2: has a number that is not finite"),
        ("a 1 2\nb 3 4.5.6\nc 5 6\n", "ac", "v:2: has a value that is not a number"),
        ("a 1 2\nb 3 0x4\nc 5 6\n", "ac", "v:2: has a value that is not a number"),
        ("a 1 2\nb 3 4 5\nc 5 6\n", "ac", "v:2: has 3 numbers, expected 2"),
        ("a 1 2\n\nb 3\nc 5 6\n", "ac", "v:3: has 1 number, expected 2"),
        ("9 2\na 1 2\nc 5 6\n", "ac", "v:1: says that the file has 9 words, but it has 2"),
        ("1 2\na 1 2\nc 5 6\n", "ac", "v:1: says that the file has 1 word, but it has 2"),
        (b"a 1 2\n\xff 3 4\nc 5 6\n", "ac", "v:2: is not UTF-8 (byte 0xff)"),
        (b"2 1\na \x00\x00\x80?\xff \x00\x00\x80?", "a", "v: word 2: is not UTF-8 (byte 0xff)"),
        (b"2 1\na \x00\x00\x80?\x1b \x00\x00\x80?", "a", "v: word 2: is empty or has control characters"),
        (b"2 1\na \x00\x00\x80?b \x00\x00\xc0\x7f", "a", "v: word 2: has numbers that are not finite"),
        (b"2 1\na \x00\x00\x80?b \x00\x00", "a", "v: is truncated at word 2 of 2"),
        (b"3 1\na \x00\x00\x80?b \x00\x00\x80?", "ab", "v: is truncated at word 3 of 3"),
        (b"1 1\na \x00\x00\x80?b \x00\x00\x80?", "a", "v:1: says that the file has 1 word, but it has more"),
    ],
)
def test_a_fault_is_named_and_left_out(tmp_path, monkeypatch, content, kept, told, at_once):
    monkeypatch.setattr(vector_blocks, "_AT_ONCE", at_once)
    path = tmp_path / "v"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    with pytest.raises(DataError) as refused:
        rc.KeyedVectors.load_word2vec_format(path)
    assert told in str(refused.value)
    assert "skip such rows with --skip-bad" in str(refused.value)
    with pytest.warns(UserWarning, match=r"^1 row left out; the first: "):
        read = rc.KeyedVectors.load_word2vec_format(path, skip_bad=True)
    assert read.index_to_key == list(kept)


def test_several_faults_are_left_out_in_order(tmp_path):
    rows = [f"w{i} {i} 1" if i % 7 else f"w{i} {i}" for i in range(1, 100)]
    (tmp_path / "v").write_text("\n".join(rows))
    bad = BadRows(skip=True)
    assert len(read_vectors(tmp_path / "v", bad).words) == 85
    assert [sentence.split(":")[-2] for sentence in bad.sentences] == [str(n) for n in range(7, 100, 7)]


def test_words_with_blanks_and_in_other_forms_are_kept_as_they_are(tmp_path):
    (tmp_path / "v").write_text("New York 1 2\n. . . 3 4\ne\u0301 5 6\né 7 8\na\u00a0b 9 1\n")
    read = rc.KeyedVectors.load_word2vec_format(tmp_path / "v")
    assert read.index_to_key == ["New York", ". . .", "e\u0301", "é", "a\u00a0b"]
    read.save_word2vec_format(tmp_path / "again", write_header=False)
    same(rc.KeyedVectors.load_word2vec_format(tmp_path / "again"), read.index_to_key, read.vectors)


def test_the_first_of_equal_words_is_kept(tmp_path):
    (tmp_path / "v").write_text("a 1 2\nb 3 4\na 5 6\nc 7 8\n")
    same(rc.KeyedVectors.load_word2vec_format(tmp_path / "v"), ["a", "b", "c"], [[1, 2], [3, 4], [7, 8]])


def test_a_format_that_is_given_must_be_that_of_the_file(tmp_path):
    (tmp_path / "text").write_text("1 1\na 2\n")
    (tmp_path / "binary").write_bytes(b"1 1\na \x00\x00\x80?")
    load = rc.KeyedVectors.load_word2vec_format
    with pytest.raises(ConfigError, match=r"binary: got True, but .*text is a text file; remove the arg"):
        load(tmp_path / "text", binary=True)
    with pytest.raises(ConfigError, match=r"binary: got False, but .*binary is a binary file"):
        load(tmp_path / "binary", binary=False)
    (tmp_path / "numbers").write_text("3 2\n4 5\n")  # words that are numbers, or a header and a row too short
    assert load(tmp_path / "numbers", no_header=True).index_to_key == ["3", "4"]
    with pytest.raises(DataError, match="numbers:2: has 1 number, expected 2"):
        load(tmp_path / "numbers")
    (tmp_path / "glove").write_text("a 1 2\n")
    with pytest.raises(DataError, match="glove:1: is not the number of words and the vector size"):
        load(tmp_path / "glove", no_header=False)
    with pytest.raises(ConfigError, match=r"encoding: got 'none' with errors 'strict'"):
        load(tmp_path / "glove", encoding="none")
    with pytest.raises(ConfigError, match=r"encoding: got 'utf-16'"):
        load(tmp_path / "glove", encoding="utf-16")
    with pytest.raises(ConfigError, match=r"dtype: got 'float16', but vectors have single precision"):
        load(tmp_path / "glove", datatype="float16")


@pytest.mark.parametrize("attributes", [True, False])
@pytest.mark.parametrize("name", ["v.npz", "folder"])
def test_own_files_are_read_again(tmp_path, name, attributes):
    vectors = made() if attributes else rc.KeyedVectors(WORDS, NUMBERS)
    vectors.save(tmp_path / name)
    read = rc.KeyedVectors.load(tmp_path / name)
    same(read)
    if attributes:
        assert [read.get_vecattr(word, "count") for word in WORDS] == [10, 9, 8, 7, 6]
    vectors.save_vectors(tmp_path / name)  # replaces it
    same(rc.KeyedVectors.load_vectors(tmp_path / name))


def test_a_folder_is_mapped_and_changed_in_memory_only(tmp_path):
    made().save_vectors(tmp_path / "v")
    mapped = rc.KeyedVectors.load(str(tmp_path / "v"), mmap="r")
    assert isinstance(mapped.vectors, np.memmap)
    assert not mapped.vectors.flags.writeable
    same(mapped)
    np.testing.assert_allclose(*(v.most_similar("the", topn=None) for v in (mapped, made())), atol=1e-6)
    mapped.set_vecattr("the", "count", 99)
    mapped["the"] = [1, 2, 3]
    mapped.unit_normalize_all()
    same(rc.KeyedVectors.load_vectors(tmp_path / "v", mmap=True))
    mapped.save_vectors(tmp_path / "other")
    np.testing.assert_allclose(rc.KeyedVectors.load(tmp_path / "other").norms, 1, rtol=1e-6)
    with safe_open(tmp_path / "v" / "vectors.safetensors", "np") as file:  # as others read it
        np.testing.assert_array_equal(file.get_tensor("vectors"), NUMBERS)
        assert file.get_tensor("attribute.count").tolist() == [10, 9, 8, 7, 6]


def test_no_words_are_written_and_read(tmp_path):
    for name in ("v.npz", "folder"):
        rc.KeyedVectors(vector_size=4).save_vectors(tmp_path / name)
        assert rc.KeyedVectors.load_vectors(tmp_path / name).vectors.shape == (0, 4)
    assert rc.KeyedVectors.load_vectors(tmp_path / "folder", mmap=True).vectors.shape == (0, 4)


def test_arrays_of_others_are_read(tmp_path):
    np.savez(tmp_path / "v.npz", words=np.array(WORDS), vectors=NUMBERS.astype(np.float64))
    same(rc.KeyedVectors.load_vectors(tmp_path / "v.npz"))
    np.savez(tmp_path / "v.npz", words=np.array(WORDS), vectors=NUMBERS[:3])
    with pytest.raises(DataError, match="has 5 words, but 3 vectors"):
        rc.KeyedVectors.load_vectors(tmp_path / "v.npz")
    for value in (np.nan, -np.inf, 1e39):
        wrong = NUMBERS.astype(np.float64)
        wrong[2, 1] = value
        np.savez(tmp_path / "v.npz", words=np.array(WORDS), vectors=wrong)
        told = r"v\.npz: the vector of 'New_York' has a number that is not finite in single precision"
        with pytest.raises(DataError, match=told):
            rc.KeyedVectors.load_vectors(tmp_path / "v.npz")
    np.savez(tmp_path / "v.npz", keys=np.array(WORDS), vectors=NUMBERS)
    with pytest.raises(DataError, match="has no arrays words and vectors, but keys, vectors"):
        rc.KeyedVectors.load_vectors(tmp_path / "v.npz")
    np.savez(tmp_path / "v.npz", words=np.array([{}]), vectors=NUMBERS)
    with pytest.raises(DataError, match="not a complete array of plain numbers or text"):
        rc.KeyedVectors.load_vectors(tmp_path / "v.npz")


@pytest.mark.parametrize("mapped", [True, False])
@pytest.mark.parametrize("fault", ["words", "vectors", "no vectors", "sums", "truncated"])
def test_a_damaged_folder_is_named(tmp_path, fault, mapped):
    folder = tmp_path / "v"
    made().save_vectors(folder)
    content = (folder / "vectors.safetensors").read_bytes()
    match fault:
        case "words":
            (folder / "words.json").write_text(json.dumps(WORDS[:3]))
        case "vectors":
            (folder / "vectors.safetensors").write_bytes(content[:-1] + b"x")
        case "truncated":
            (folder / "vectors.safetensors").write_bytes(content[:-1])
        case "no vectors":
            (folder / "vectors.safetensors").unlink()
        case "sums":
            (folder / SUMS).unlink()
    if fault == "vectors" and mapped:  # what is not read is not checked
        rc.KeyedVectors.load_vectors(folder, mmap=True)
        return
    with pytest.raises(DataError, match=r"v: is not a folder of word vectors, or is damaged \(.*\); copy it"):
        rc.KeyedVectors.load_vectors(folder, mmap=mapped)


def test_pickles_runs_and_missing_files_are_refused(tmp_path):
    (tmp_path / "v.kv").write_bytes(pickle.dumps({"vectors": 1}, protocol=4))
    for load in (rc.KeyedVectors.load, rc.KeyedVectors.load_vectors, rc.KeyedVectors.load_word2vec_format):
        with pytest.raises(
            ConfigError, match=r"v\.kv: is a pickle.*in gensim and write it with save_word2vec"
        ):
            load(tmp_path / "v.kv")
    made().save(tmp_path / "v.npz")
    with pytest.raises(ConfigError, match=r"v\.npz: is an \.npz file; read it with load_vectors"):
        rc.KeyedVectors.load_word2vec_format(tmp_path / "v.npz")
    (tmp_path / "v.bin").write_bytes(bytes.fromhex("ba164f2f0c000000"))
    with pytest.raises(ConfigError, match=r"v\.bin: is a model of fastText .* give its \.vec file"):
        rc.KeyedVectors.load(tmp_path / "v.bin")
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "run.toml").touch()
    with pytest.raises(ConfigError, match=r"is the folder of a trained run; .*recurra\.WordVectors\.load"):
        rc.KeyedVectors.load(tmp_path / "run")
    with pytest.raises(DataError, match=r"none: there is no such file"):
        rc.KeyedVectors.load(tmp_path / "none")
    with pytest.raises(DataError, match=r"none: there is no such file"):
        rc.KeyedVectors.load_word2vec_format(tmp_path / "none")
    with pytest.raises(DataError, match=r"cannot be read \(Is a directory\); check"):
        rc.KeyedVectors.load_word2vec_format(tmp_path)
    with pytest.raises(
        ConfigError, match=r"mmap: .*v\.kv is not a folder of vectors; write one with save_vec"
    ):
        rc.KeyedVectors.load(tmp_path / "v.kv", mmap="r")
    with pytest.raises(ConfigError, match="mmap: got 'w', expected True, or 'r'"):
        rc.KeyedVectors.load(tmp_path / "v.kv", mmap="w")


@pytest.mark.parametrize("word", ["New York", "", "a\nb", "a\u00a0b", "\ud800"])
@pytest.mark.parametrize("options", [{}, {"binary": True}])
def test_a_word_that_a_format_cannot_hold_is_refused_and_nothing_is_written(tmp_path, word, options):
    vectors = rc.KeyedVectors(["a", word], np.ones((2, 2)))
    with pytest.raises(ConfigError, match=r"words: .* which word2vec files cannot hold; write \.npz\."):
        vectors.save_word2vec_format(tmp_path / "v", **options)
    assert not list(tmp_path.iterdir())
    for name in ("v.npz", "folder"):
        vectors.save_vectors(tmp_path / name)
        assert rc.KeyedVectors.load_vectors(tmp_path / name).index_to_key == ["a", word]


def test_what_cannot_be_written_is_refused(tmp_path):
    with pytest.raises(ConfigError, match=r"words: .* has a NUL character, which \.npz files cannot hold"):
        rc.KeyedVectors(["a\0b"], np.ones((1, 2))).save_vectors(tmp_path / "v.npz")
    assert not list(tmp_path.iterdir())
    vectors = made()
    with pytest.raises(ConfigError, match=r"fname: \.bz2 files are not written; write v\.txt or v\.txt\.gz"):
        vectors.save_word2vec_format(tmp_path / "v.txt.bz2")
    vectors.set_vecattr("the", "note", "x")
    with pytest.raises(ConfigError, match=r"note: its values are not all numbers"):
        vectors.save_vectors(tmp_path / "v")
    with pytest.raises(RecurraError, match="none: the words have no such attribute"):
        vectors.save_word2vec_format(tmp_path / "v", tmp_path / "counts", sort_attr="none")
    with pytest.raises(RecurraError, match="cannot be written"):
        vectors.save_word2vec_format(tmp_path / "none" / "v", append=True)
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "mine.txt").write_text("mine")
    del vectors.expandos["note"]
    for name in ("notes", "notes/mine.txt"):  # nothing of others is replaced
        with pytest.raises(ConfigError, match="which would be lost; name another folder"):
            vectors.save(tmp_path / name)
    assert (tmp_path / "notes" / "mine.txt").read_text() == "mine"
    (tmp_path / "counts").write_text("the\n")
    vectors.save_word2vec_format(tmp_path / "v")
    with pytest.raises(DataError, match="counts:1: is not a word and its count"):
        rc.KeyedVectors.load_word2vec_format(tmp_path / "v", tmp_path / "counts")
    with pytest.raises(ShapeError, match=r"has vectors of 3 numbers, expected 2"):
        rc.KeyedVectors(["the"], [[1, 2]]).intersect_word2vec_format(tmp_path / "v")
    with pytest.raises(ConfigError, match=r"lockf: got 1\.0"):
        vectors.intersect_word2vec_format(tmp_path / "v", lockf=1.0)


@pytest.mark.parametrize("name", ["v.txt", "v.bin"])
def test_a_large_file_is_read_at_once(tmp_path, monkeypatch, name):
    """Rows that are plain are parsed at once, as one by one they took many times as long."""
    numbers = np.random.default_rng(1).normal(size=(3000, 20)).astype(np.float32)
    vectors = rc.KeyedVectors([f"w{i}" for i in range(3000)], numbers)
    vectors.save_word2vec_format(tmp_path / name, binary=name == "v.bin")
    monkeypatch.setattr(vector_blocks, "_numbers", None)
    same(rc.KeyedVectors.load_word2vec_format(tmp_path / name), vectors.index_to_key, numbers)


TOKEN = st.sampled_from(
    ["a", "é", "1", "-2.5", "3e2", ".5", "1.", "1.2.3", "nan", "1_0", "--1", "\u0661", "", "\t", "\r"]
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(lines=st.lists(st.lists(TOKEN, min_size=1, max_size=4).map(" ".join), min_size=1, max_size=6))
def test_rows_read_at_once_are_those_read_one_by_one(tmp_path, lines):
    path, found = tmp_path / "v", []
    path.write_bytes(("a 1 2\n" * 9 + "\n".join(lines)).encode())
    for at_once in (vector_blocks._at_once, lambda rows, size: None):
        bad = BadRows(skip=True)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(vector_blocks, "_at_once", at_once)
            words, vectors = read_vectors(path, bad, composing=False)
        found.append((words, vectors.tolist(), bad.sentences))
    assert found[0] == found[1]

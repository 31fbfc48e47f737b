"""Files of word vectors, in the formats of others."""

import gzip
import unicodedata

import numpy as np
import pytest

from recurra.data.examples import BadRows
from recurra.data.vector_files import VectorTable, read_vectors, write_vectors
from recurra.errors import DataError

VECTORS = {"the": [1.0, 2.0, -3.5], "New York": [0.25, -1e-3, 4.0], "café": [0.0, 1.0, 2.0]}


def glove() -> str:
    return "".join(f"{word} {' '.join(map(str, numbers))}\n" for word, numbers in VECTORS.items())


def binary(newline: bytes = b"\n") -> bytes:
    parts = [
        word.encode() + b" " + np.array(numbers, dtype="<f4").tobytes() for word, numbers in VECTORS.items()
    ]
    return f"{len(VECTORS)} 3\n".encode() + newline.join(
        part.replace(b"New York", b"New_York") for part in parts
    )


@pytest.mark.parametrize("name", ["glove", "word2vec", "packed", "binary", "binary without line ends"])
def test_every_format(tmp_path, name):
    path = tmp_path / "vectors"
    content = {
        "glove": glove().encode(),
        "word2vec": b"3 3\n" + glove().encode(),
        "packed": gzip.compress(glove().encode(), mtime=0),
        "binary": binary(),
        "binary without line ends": binary(b""),
    }[name]
    path.write_bytes(content)
    found = read_vectors(path, BadRows())
    assert [word.replace("_", " ") for word in found.words] == list(VECTORS)
    np.testing.assert_allclose(found.vectors, list(VECTORS.values()), rtol=1e-6)
    assert found.size == 3


def test_blanks_and_tabs_separate_words_and_numbers(tmp_path):
    path = tmp_path / "vectors"
    path.write_text("the  1 2\t3 \nNew York\t4 5  6\n\u00a0 7 8 9\r\n")
    found = read_vectors(path, BadRows())
    assert found.words == ["the", "New York", "\u00a0"]
    assert found.vectors.tolist() == [[1, 2, 3], [4, 5, 6], [7, 8, 9]]
    path.write_text("2 3\nNew York 4 5 6\nthe 1 2 3\n")  # text, although a letter follows the first blank
    assert read_vectors(path, BadRows()).words == ["New York", "the"]


def test_words_of_a_binary_file_and_a_wrong_count_are_skipped_if_that_is_asked(tmp_path):
    path, bad = tmp_path / "vectors", BadRows(skip=True)
    path.write_bytes(binary().replace(b"New_York", b"New\xff"))
    assert read_vectors(path, bad).words == ["the", "café"]
    path.write_bytes(b"9 3\n" + glove().encode())
    assert read_vectors(path, bad, lambda word, place: place < 2).words == ["the", "New York"]
    assert [sentence.partition(": ")[2] for sentence in bad.sentences] == [
        "word 2: is not UTF-8 (byte 0xff).",
        "says that the file has 9 words, but it has 3.",
    ]


def test_words_are_read_composed_and_their_own_form_is_preferred(tmp_path):
    path = tmp_path / "vectors"
    apart = unicodedata.normalize("NFD", "é")
    exclusion = "\u095d"  # its composed form is two characters
    path.write_text(f"{apart} 1 2\nthe 3 4\né 5 6\né 7 8\n{apart} 0 0\n{exclusion} 9 1\n{apart}t 2 2\n")
    found = read_vectors(path, BadRows())
    assert dict(zip(found.words, found.vectors.tolist(), strict=True)) == {
        "the": [3.0, 4.0],
        "é": [5.0, 6.0],
        unicodedata.normalize("NFC", exclusion): [9.0, 1.0],
        "ét": [2.0, 2.0],
    }
    assert read_vectors(path, BadRows(), lambda word, place: word == "é" and place < 1).vectors.tolist() == [
        [1.0, 2.0]
    ]


def test_only_wanted_words_are_kept(tmp_path):
    path = tmp_path / "vectors"
    path.write_text(glove())
    assert read_vectors(path, BadRows(), lambda word, place: place == 0 or word == "café").words == [
        "the",
        "café",
    ]
    with pytest.raises(DataError, match="contains no vectors of the requested words"):
        read_vectors(path, BadRows(), lambda word, place: False)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"the 1 2 3\na 1 2\n", "vectors:2: has 2 numbers, expected 3"),
        (b"the 1 2\nof 1 2 3\na 1 2 3\n", "vectors:1: has 2 numbers, expected 3"),
        (b"2 3\nthe 1 2 3\na 1 2\n", "vectors:3: has 2 numbers, expected 3"),
        (b"the 1 2 3\na 1 x 3\n", "vectors:2: has a value that is not a number"),
        (b"the 1 2 3\na 1 nan 3\n", "vectors:2: has a number that is not finite"),
        (b"the 1 2 3\ncaf\xe9 1 2 3\n", "vectors:2: is not UTF-8"),
        (binary()[:-3], "is truncated at word 3 of 3"),
        (b"the 1 2 3\na 1_0 2 3\n", "vectors:2: has a value that is not a number"),
        ("the 1 2 3\na 1 ٢ 3\n".encode(), "vectors:2: has a value that is not a number"),
        (b"the 1 2 3\na 1 \f2 3\n", "vectors:2: has a value that is not a number"),
        (b"the 1 2 3\n 1 2 3\n", "vectors:2: has 2 numbers, expected 3"),
        (
            b"1000 2\nthe 1 2\na 3 4\n",
            "vectors:1: says that the file has 1,000 words, but it has 2; download",
        ),
        (b"1 2\nthe 1 2\na 3 4\n", "vectors:1: says that the file has 1 word, but it has 2; download"),
        (
            b"2" + binary()[1:],
            "vectors:1: says that the file has 2 words, but it has more; download it again, or correct it",
        ),
        (b"4" + binary(), "is truncated at word 4 of 43"),
        (
            binary().replace(b"New_York", b"New York"),
            "word 3 does not begin after a vector, or the word before",
        ),
        (binary(b"").replace(b"New_York", b"New York"), "word 3: is not UTF-8"),
        (
            binary().replace("café".encode(), b"caf\xe9"),
            "word 3: is not UTF-8 (byte 0xe9); correct it, or skip",
        ),
        (binary().replace(b"New_York", b""), "word 2: is empty or has control characters"),
        (binary().replace(b"New_York", b"New\nYork"), "word 2: is empty or has control characters"),
        (b"", "is empty"),
    ],
)
def test_what_is_wrong_is_named_by_its_line(tmp_path, content, told):
    path = tmp_path / "vectors"
    path.write_bytes(content)
    with pytest.raises(DataError) as refused:
        read_vectors(path, BadRows())
    assert told in str(refused.value)


def test_bad_lines_are_left_out_if_that_is_asked(tmp_path):
    path = tmp_path / "vectors"
    path.write_text("the 1 2 3\na 1 2\nof 4 5 6\n")
    bad = BadRows(skip=True)
    assert read_vectors(path, bad).words == ["the", "of"]
    assert len(bad) == 1


def test_what_is_written_is_read_again(tmp_path):
    vectors = np.random.default_rng(0).normal(size=(3, 4)).astype(np.float32)
    write_vectors(tmp_path / "v.txt", VectorTable(["the", "café", "2"], vectors))
    found = read_vectors(tmp_path / "v.txt", BadRows())
    assert found.words == ["the", "café", "2"]
    np.testing.assert_array_equal(found.vectors, vectors)

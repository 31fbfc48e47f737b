"""Texts for word vectors: the forms of files, long lines, and texts that nothing can be learnt from."""

import gzip

import numpy as np
import pytest
from vector_runs import SMALL, lines_of, same, write

import recurra as rc
from recurra.errors import DataError, VocabularyError


def counts_of(tmp_path, content: bytes, name="odd.txt", **options):
    (tmp_path / name).write_bytes(content)
    how = {"min_count": 1, "embedding_size": 4, "epochs": 1, "threads": 1, "max_steps": 1} | options
    model = rc.WordVectors.train(tmp_path / name, out=tmp_path / f"{name}-run", overwrite=True, **how)
    return model.counts


def test_a_text_is_read_in_the_forms_that_it_comes_in(tmp_path):
    plain = ("a b c\n\nd e a\n" * 40).encode()
    expected = counts_of(tmp_path, plain)
    assert expected["a"] in range(76, 81)
    assert counts_of(tmp_path, plain.replace(b"\n", b"\r\n")) == expected
    assert counts_of(tmp_path, b"\xef\xbb\xbf" + plain) == expected
    assert counts_of(tmp_path, gzip.compress(plain), "odd.txt.gz") == expected
    for content, fault in ((b"a b\n\xff\n" * 40, ":2: is not UTF-8"), (b"a b\0\n" * 40, "looks binary")):
        with pytest.raises(DataError, match=fault):
            counts_of(tmp_path, content)


def test_long_lines_are_cut_not_dropped(tmp_path):
    content = ("a b c d\n" * 50).encode()
    assert counts_of(tmp_path, content, max_sentence_length=2) == counts_of(tmp_path, content)
    model = rc.load(tmp_path / "odd.txt-run")
    cut = rc.WordVectors.train(
        tmp_path / "odd.txt", out=tmp_path / "cut", objective="glove", window=1, max_sentence_length=2,
        min_count=1, embedding_size=4, epochs=1, validation_fraction=0.1,
    )  # fmt: skip
    assert model.counts.keys() == cut.counts.keys()
    sentences = cut.held_out().words
    assert set(np.diff(sentences.starts).tolist()) == {2}
    pairs = {tuple(sentences.tokens[a : a + 2]) for a in sentences.starts[:-1]}
    b, c = cut.get_index("b"), cut.get_index("c")
    assert (b, c) not in pairs


@pytest.mark.parametrize(
    ("content", "options", "fault"),
    [
        (b"a a a a\n" * 40, {}, "one word only"),
        (b"a b c d\n" * 40, {"min_count": 100}, "no word that occurs 100 times; lower --min-count"),
        (b"one\ntwo\n" * 40, {}, "no line with enough known words for a prediction in its first part"),
        (
            b"a b\n" * 98 + b"a\nb\n" * 2,
            {},
            "no line with enough known words for a prediction in its last part",
        ),
        (
            b"a b c\n" * 40,
            {"objective": "softmax", "context": "previous-concatenated"},
            "no line with enough known words",
        ),
        (b"a b", {}, "cannot be split between lines or words"),
        (b"", {}, "is empty"),
    ],
)
def test_texts_that_nothing_can_be_learnt_from(tmp_path, content, options, fault):
    with pytest.raises((DataError, VocabularyError), match=fault):
        counts_of(tmp_path, content, **options)


def test_a_text_of_one_line(tmp_path):
    words = " ".join(lines_of(400)).split()
    counts = counts_of(tmp_path, " ".join(words).encode(), subsample=0)
    assert sum(counts.values()) in range(3100, 3150)  # 2 % of 3,200 words are held out, at a blank
    assert set(counts) == set(words)


def test_the_largest_vocabulary(tmp_path):
    counts = counts_of(tmp_path, ("a a a b b b b c d\n" * 40).encode(), max_vocabulary_size=2)
    assert list(counts) == ["b", "a"]


def test_lines_in_memory_and_data_moved_away(tmp_path):
    lines = lines_of(60)
    model = rc.WordVectors.train(lines, out=tmp_path / "run", epochs=1, **SMALL | {"valid": lines[:20]})
    write(tmp_path / "file.txt", lines)
    write(tmp_path / "valid.txt", lines[:20])
    options = SMALL | {"epochs": 1, "valid": tmp_path / "valid.txt"}
    rc.WordVectors.train(tmp_path / "file.txt", out=tmp_path / "other", **options)
    assert same(tmp_path / "run", tmp_path / "other")
    (tmp_path / "valid.txt").rename(tmp_path / "moved.txt")
    moved = rc.load(tmp_path / "other")
    assert moved.most_similar("bird0") == model.most_similar("bird0")
    with pytest.raises(DataError, match=r"valid\.txt"):
        moved.evaluate()
    assert moved.evaluate(tmp_path / "moved.txt").word_loss == model.evaluate().word_loss

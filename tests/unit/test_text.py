"""Vocabularies and tokenizers."""

import json
from unittest import mock

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import pre_tokenizers

from recurra.errors import VocabularyError
from recurra.text import (
    EOS,
    UNK,
    CharTokenizer,
    SubwordTokenizer,
    Vocabulary,
    WordTokenizer,
    build_tokenizer,
    load_tokenizer,
)
from recurra.text.byte_pieces import bytes_of, lines_to_learn_from

LINES = st.text(
    alphabet=st.characters(exclude_characters="\r\0\x85\u2028\u2029", exclude_categories=["Cs"]), min_size=1
)


def encode_all(tokenizer, chunks, documents="none"):
    ids, starts, total = [], [], 0
    for chunk in tokenizer.encode_chunks(chunks, documents):
        ids += chunk.ids.tolist()
        starts += (chunk.document_starts + total).tolist()
        total += len(chunk.ids)
    return ids, starts


def test_symbols_come_by_count_then_by_code_point():
    vocabulary = Vocabulary.from_counts({"b": 2, "a": 2, "c": 5, "d": 1}, min_count=2)
    assert vocabulary.symbols == ("c", "a", "b")


def test_special_symbols_are_kept_and_counted_once():
    vocabulary = Vocabulary.from_counts({UNK: 7, "a": 9, "b": 1}, min_count=2, special=(UNK, EOS))
    assert vocabulary.symbols == ("a", UNK, EOS)
    assert vocabulary.unk_id == 1


def test_a_vocabulary_of_nothing_but_special_symbols_is_refused():
    with pytest.raises(VocabularyError, match="no symbol of the text occurs that often"):
        Vocabulary.from_counts({"a": 3, "b": 2}, min_count=4, special=(UNK,))
    assert Vocabulary.from_counts({UNK: 3}, min_count=4, special=(UNK,)).symbols == (UNK,)


def test_max_size_keeps_the_most_frequent_and_the_special():
    counts = {"a": 9, "b": 8, "c": 7, EOS: 6}
    assert Vocabulary.from_counts(counts, max_size=3, special=(UNK, EOS)).symbols == ("a", EOS, UNK)
    with pytest.raises(VocabularyError, match="max_vocabulary_size: got 2"):
        Vocabulary.from_counts(counts, max_size=2, special=(UNK, EOS))


def test_a_symbol_twice_is_refused():
    with pytest.raises(VocabularyError, match="occurs twice"):
        Vocabulary(["a", "a"])


@pytest.mark.parametrize("content", ["", "{}", '{"kind": "x", "symbols": [], "unit": "char"}', '{"kind"'])
def test_a_damaged_vocabulary_is_refused(tmp_path, content):
    (tmp_path / "vocabulary.json").write_text(content)
    with pytest.raises(VocabularyError, match="not a vocabulary file"):
        load_tokenizer(tmp_path)


@pytest.mark.parametrize("unit", ["char", "word", "subword"])
def test_a_tokenizer_comes_back_from_its_folder(tmp_path, unit):
    text = "the cat sat\non the mät 😀\n"
    tokenizer = build_tokenizer(unit, [text])
    tokenizer.save(tmp_path)
    again = load_tokenizer(tmp_path)
    assert again.fingerprint == tokenizer.fingerprint
    assert encode_all(again, [text]) == encode_all(tokenizer, [text])
    assert all(p.suffix == ".json" and json.loads(p.read_text()) for p in tmp_path.iterdir())


@given(LINES, st.integers(1, 7))
@settings(max_examples=60, deadline=None)
def test_characters_come_back_however_the_text_is_cut(text, size):
    tokenizer = CharTokenizer.count([text])
    chunks = [text[at : at + size] for at in range(0, len(text), size)]
    ids, _ = encode_all(tokenizer, chunks)
    assert tokenizer.decode(ids) == text
    assert ids == [tokenizer.vocabulary.ids[c] for c in text]
    for documents in ("line", "blank"):
        assert encode_all(tokenizer, chunks, documents) == encode_all(tokenizer, [text], documents)


def test_a_line_end_is_a_symbol_however_rare_it_is():
    tokenizer = CharTokenizer.count(["abcabcab\n"], min_count=2, max_size=4)
    assert set(tokenizer.vocabulary.symbols) == {"<unk>", "a", "b", "\n"}
    assert tokenizer.end_id == tokenizer.vocabulary.ids["\n"]


def test_unknown_characters_are_unk_beyond_the_table_too():
    tokenizer = CharTokenizer.count(["abc\n"])
    unk = tokenizer.vocabulary.unk_id
    assert tokenizer.encode_line("a€😀\x00") == [tokenizer.vocabulary.ids["a"], unk, unk, unk]


@given(st.lists(st.text(alphabet="ab <>é", max_size=8), min_size=1, max_size=6))
@settings(max_examples=60, deadline=None)
def test_words_are_those_of_split_with_eos_after_each_line(lines):
    text = "\n".join(lines) + "\n"
    tokenizer = WordTokenizer.count([text])
    ids, starts = encode_all(tokenizer, [text], "line")
    want = [word for line in lines for word in [*line.split(), EOS]]
    assert [tokenizer.vocabulary.symbols[i] for i in ids] == want
    assert starts == [0, *np.cumsum([len(line.split()) + 1 for line in lines])[:-1].tolist()]


def test_a_literal_unk_is_unk_and_no_second_one_is_made():
    tokenizer = WordTokenizer.count(["a <unk> b\n"])
    assert tokenizer.vocabulary_size == 4
    assert tokenizer.encode_line("zebra") == tokenizer.encode_line("<unk>")


def test_a_literal_eos_at_the_end_of_a_line_is_its_end():
    text, plain = "a <unk> b <eos>\n<eos>\nb\n", "a <unk> b\n\nb\n"
    tokenizer = WordTokenizer.count([text])
    assert tokenizer.fingerprint == WordTokenizer.count([plain]).fingerprint
    for documents in ("none", "line", "blank"):
        assert encode_all(tokenizer, [text], documents) == encode_all(tokenizer, [plain], documents)
    assert tokenizer.encode_line("a b <eos>") == tokenizer.encode_line("a b")
    assert tokenizer.pieces("a b <eos>") == ["a", "b"]


def test_a_literal_eos_before_other_words_is_refused_in_texts_and_unknown_in_a_line():
    tokenizer = WordTokenizer.count(["a b\n"])
    for refuses in (WordTokenizer.count, lambda chunks: list(tokenizer.encode_chunks(chunks))):
        with pytest.raises(VocabularyError, match=r"a line has words after <eos>.*\('a <eos> b'\)"):
            refuses(["a b\na <eos> b\n"])
    assert tokenizer.encode_line("a <eos> b") == tokenizer.encode_line("a zebra b")
    assert tokenizer.pieces("a <eos> b") == ["a", "<eos>", "b"]
    assert tokenizer.encode_line("a<eos>b") == tokenizer.encode_line("zebra")


def test_documents_begin_after_blank_lines():
    text = "\n\na b\nc\n\n\nd\n"
    assert encode_all(CharTokenizer.count([text]), [text], "blank")[1] == [2, 10]
    word_ids, starts = encode_all(WordTokenizer.count([text]), [text], "blank")
    assert starts == [2, 9]
    assert len(word_ids) == 11


@given(st.text(alphabet=st.characters(exclude_characters="\r\0\n", exclude_categories=["Cs"])))
@settings(max_examples=60, deadline=None)
def test_subwords_write_any_text(line):
    tokenizer = SUBWORDS
    assert tokenizer.decode(tokenizer.encode_line(line)) == line


SUBWORDS = SubwordTokenizer.learn(["the cat sat on the mat\nthe cats sat on the mats\n"] * 5, max_size=300)


@given(st.text(alphabet="the cats 😀é\n", max_size=30))
@settings(max_examples=40, deadline=None)
def test_streaming_gives_the_same_text(text):
    for tokenizer in (SUBWORDS, CharTokenizer.count([text + "x"])):
        ids, _ = encode_all(tokenizer, [text]) if text else ([], [])
        assert "".join(tokenizer.stream(ids)) == tokenizer.decode(ids)


@given(st.lists(st.integers(0, 299), max_size=12))
@settings(max_examples=200, deadline=None)
def test_streamed_bytes_of_no_character_are_replaced(ids):
    """As `decode` replaces them, but an incomplete character at the end, which more ids may complete."""
    ids = [id_ % SUBWORDS.vocabulary_size for id_ in ids]
    whole, streamed = SUBWORDS.decode(ids), "".join(SUBWORDS.stream(ids))
    assert whole in (streamed, streamed + "\ufffd")
    assert SUBWORDS.decode([*ids, SUBWORDS.end_id]) == "".join(SUBWORDS.stream([*ids, SUBWORDS.end_id]))


def test_every_byte_has_its_symbol():
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    assert sorted(bytes_of(character) for character in alphabet) == [bytes([byte]) for byte in range(256)]
    assert bytes_of("Ġé☕") == "Ġé☕".encode()


def test_a_text_without_line_ends_is_streamed_in_linear_time():
    """The bytes of every id are decoded once."""
    ids = SUBWORDS.encode_line("the cats sat on mats " * 500)
    pieces = [SUBWORDS.decode([id_]) for id_ in ids]
    with mock.patch.object(SubwordTokenizer, "decode", side_effect=AssertionError):
        assert list(SUBWORDS.stream(ids)) == pieces


def test_subwords_are_learnt_from_pieces_of_long_words():
    lines = ["the cat " * 400, "x" * 2000, " " * 2000 + "y", "ab" * 2500, "", "é" * 4000]
    cut = list(lines_to_learn_from(lines))
    assert cut == [
        *lines[:3],
        "ab" * 1000, "ab" * 1000, "ab" * 500,
        "",
        "é" * 2000, "é" * 2000,
    ]  # fmt: skip
    learnt = [SubwordTokenizer.learn([text]).fingerprint for text in ("ab" * 2500, "\n".join(cut[3:6]))]
    assert learnt[0] == learnt[1]


def test_streamed_words_have_blanks_between():
    tokenizer = WordTokenizer.count(["a b\nc\n"])
    ids, _ = encode_all(tokenizer, ["a b\nc\n"])
    assert "".join(tokenizer.stream(ids)) == tokenizer.decode(ids).replace(" \n", "\n") == "a b\nc\n"

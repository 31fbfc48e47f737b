"""Sources, token files and streams."""

import os
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recurra.data import TextSource, TokenStreams, open_tokenizer, open_tokens, split_source
from recurra.data.cache import cache_folder
from recurra.errors import DataError
from recurra.text import CharTokenizer, WordTokenizer


@given(st.data())
@settings(max_examples=80, deadline=None)
def test_every_token_is_a_target_once_and_follows_its_input(data):
    n = data.draw(st.integers(1, 60))
    batch_size = data.draw(st.integers(1, 7))
    length = data.draw(st.integers(1, min(9, n)))
    starts = np.array(sorted(data.draw(st.sets(st.integers(0, n - 1)))), dtype=np.int64)
    at_document = data.draw(st.sampled_from(["carry", "cut", "reset"]))
    epoch = data.draw(st.integers(0, 3))
    ids = np.arange(1, n + 1, dtype=np.uint16)
    streams = TokenStreams(
        ids,
        start_id=0,
        batch_size=batch_size,
        segment_length=length,
        document_starts=starts,
        at_document=at_document,
        shift_seed=data.draw(st.sampled_from([None, 1, 2])),
    )
    seen = []
    for index in range(len(streams)):
        segment = streams.segment(index, epoch)
        lengths = (
            [segment.targets.shape[1]] * batch_size if segment.lengths is None else segment.lengths.tolist()
        )
        assert sum(lengths) == segment.count
        for row, real in enumerate(lengths):
            assert real <= length
            inputs, targets = segment.inputs[row, :real], segment.targets[row, :real]
            assert (inputs + 1 == targets).all()  # the token before, or the start symbol
            seen += targets.tolist()
            if at_document == "cut" and real:
                assert not set(targets[1:].tolist()) & set((starts + 1).tolist())
            if at_document == "reset":
                wanted = [t - 1 in starts for t in targets.tolist()]
                resets = [False] * real if segment.resets is None else segment.resets[row, :real].tolist()
                assert resets == wanted
    assert sorted(seen) == ids.tolist()
    assert streams.tokens == n


def test_a_shifted_pass_begins_with_a_segment_of_random_length():
    streams = TokenStreams(
        np.arange(200, dtype=np.uint16), start_id=0, batch_size=2, segment_length=10, shift_seed=3
    )
    firsts = [streams.segment(0, epoch).targets.shape[1] for epoch in range(30)]
    assert len(set(firsts)) > 5
    assert max(firsts) <= 10
    assert firsts == [streams.segment(0, epoch).targets.shape[1] for epoch in range(30)]


def test_streams_go_on_from_segment_to_segment():
    streams = TokenStreams(np.arange(1, 41, dtype=np.uint16), start_id=0, batch_size=2, segment_length=7)
    first = np.concatenate([streams.segment(i).targets[0].numpy() for i in range(len(streams))])
    assert first.tolist() == list(range(1, 21))


def test_rows_of_two_processes_are_those_of_one():
    ids = np.arange(101, dtype=np.uint16)
    options = {"start_id": 0, "batch_size": 4, "segment_length": 6}
    whole = TokenStreams(ids, **options)
    halves = [TokenStreams(ids, rows=slice(k, k + 2), **options) for k in (0, 2)]
    for index in range(len(whole)):
        parts = [half.segment(index) for half in halves]
        one = whole.segment(index)
        assert np.concatenate([p.targets for p in parts]).tolist() == one.targets.tolist()
        assert {p.count for p in parts} == {one.count}


def test_too_short_a_text_is_refused():
    with pytest.raises(DataError, match="fewer than one segment"):
        TokenStreams(np.arange(5, dtype=np.uint16), start_id=0, batch_size=2, segment_length=6)


def test_a_second_opening_finds_the_tokens_and_a_change_is_noticed(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("abc\nabd\n")
    tokenizer = CharTokenizer.count(TextSource(path).chunks())
    first = open_tokens(TextSource(path), tokenizer)
    again = open_tokens(TextSource(path), tokenizer)
    assert (first.from_cache, again.from_cache) == (False, True)
    assert again.ids.tolist() == first.ids.tolist()
    assert isinstance(again.ids, np.memmap)
    path.write_text("abc\nabX\n")  # as long as before, and at once
    changed = open_tokens(TextSource(path), tokenizer)
    assert not changed.from_cache
    assert changed.ids.tolist() != first.ids.tolist()


def test_a_damaged_token_file_is_made_again(tmp_path):
    path = tmp_path / "b.txt"
    path.write_text("some words here\n")
    tokenizer = WordTokenizer.count(TextSource(path).chunks())
    first = open_tokens(TextSource(path), tokenizer)
    want = first.ids.tolist()
    folder = cache_folder() / "tokens" / first.fingerprint
    (folder / "tokens.bin").write_bytes(b"\0")
    again = open_tokens(TextSource(path), tokenizer)
    assert not again.from_cache
    assert again.ids.tolist() == want


@pytest.mark.parametrize("unit", ["char", "word", "subword"])
def test_a_second_run_reads_nothing_again(tmp_path, monkeypatch, unit):
    path = tmp_path / "c.txt"
    path.write_text(f"some words of {unit}\n" * 30)
    os.utime(path, ns=(time.time_ns() - 10**10,) * 2)

    def prepare():
        train, valid = split_source(TextSource(path), 0.2, at_line_end=True)
        tokenizer = open_tokenizer(train, unit, min_count=1, max_size=300)
        return [open_tokens(part, tokenizer).ids.tolist() for part in (train, valid)]

    first = prepare()
    monkeypatch.setattr("recurra.data.sources.read_text_chunks", lambda _: pytest.fail("was read again"))
    assert prepare() == first


def test_an_old_file_is_not_read_again(tmp_path, monkeypatch):
    path = tmp_path / "old.txt"
    path.write_text("some text\n")
    os.utime(path, ns=(time.time_ns() - 10**10,) * 2)
    facts = TextSource(path).facts()
    monkeypatch.setattr("recurra.data.sources._read_facts", lambda _: pytest.fail("was read again"))
    assert TextSource(path).facts() == facts


@given(st.text(alphabet="ab\n", min_size=30, max_size=80), st.floats(0.05, 0.5))
@settings(max_examples=40, deadline=None)
def test_a_split_gives_every_character_to_one_part(tmp_path_factory, text, fraction):
    path = tmp_path_factory.mktemp("s") / "a.txt"
    path.write_text("x" + text)
    train, valid = split_source(TextSource(path), fraction, at_line_end=False)
    assert "".join(train.chunks()) + "".join(valid.chunks()) == "x" + text
    assert train.stop == int((len(text) + 1) * (1 - fraction))


def test_a_split_between_lines_cuts_none(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("one two\nthree four\nfive six\nseven\n")
    train, valid = split_source(TextSource(path), 0.4, at_line_end=True)
    assert "".join(train.chunks()) == "one two\nthree four\nfive six\n"
    assert "".join(valid.chunks()) == "seven\n"
    with pytest.raises(DataError, match="cannot be split between lines or words"):
        split_source(TextSource(path), 0.01, at_line_end=True)


def test_a_corpus_larger_than_a_chunk_is_encoded_whole(tmp_path, monkeypatch):
    monkeypatch.setattr("recurra.text_files._CHUNK_CHARACTERS", 1000)
    path = tmp_path / "long.txt"
    text = "".join(f"line {n} of many\n" for n in range(3000))
    path.write_text(text)
    tokenizer = CharTokenizer.count(TextSource(path).chunks())
    tokens = open_tokens(TextSource(path), tokenizer)
    assert tokenizer.decode(tokens.ids.tolist()) == text
    assert tokens.count(tokenizer.vocabulary.ids["\n"]) == 3000


@pytest.mark.parametrize(("lines", "tokens"), [(42068, 929589)])
def test_the_penn_treebank_has_its_known_size(data_folder, lines, tokens):
    source = TextSource(data_folder / "ptb" / "ptb.train.txt")
    tokenizer = WordTokenizer.count(source.chunks())
    assert tokenizer.vocabulary_size == 10_000
    encoded = open_tokens(source, tokenizer)
    assert len(encoded) == tokens
    assert encoded.count(tokenizer.end_id) == lines


def test_a_text_of_one_line_is_cut_between_words(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("word " * 50 + "\n")
    train, valid = split_source(TextSource(path), 0.1, at_line_end=True)
    assert "".join(train.chunks()).endswith(" ")
    assert "".join(valid.chunks()).startswith("word ")


def test_a_far_end_of_a_line_is_not_waited_for(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("a b c d " * 3000 + "\nx y")
    _, valid = split_source(TextSource(path), 0.1, at_line_end=True)
    assert 2300 < len("".join(valid.chunks())) < 2410


def test_a_text_without_a_place_to_cut_says_so(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("字" * 200, encoding="utf-8")
    with pytest.raises(DataError, match="cannot be split between lines or words to hold out the last 10%"):
        split_source(TextSource(path), 0.1, at_line_end=True)

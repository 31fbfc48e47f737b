"""The cache: damaged entries are never used, but made again."""

import json
import os
import time
from pathlib import Path

import pytest

from recurra.data import TextSource
from recurra.data.cache import cache_folder, digest, read_note, remembered, write_note
from recurra.data.token_files import TokenFile, open_tokenizer, open_tokens
from recurra.errors import StorageError
from recurra.text import WordTokenizer


@pytest.fixture(autouse=True)
def _cache_of_its_own(tmp_path, monkeypatch):
    monkeypatch.setenv("RECURRA_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(os, "fsync", lambda _: None)


@pytest.fixture
def text(tmp_path) -> TextSource:
    path = tmp_path / "a.txt"
    path.write_text("one two\n\none three\n")
    os.utime(path, ns=(time.time_ns() - 10**10,) * 2)
    return TextSource(path)


def damaged(content: bytes):
    """A file truncated at every position, and with every byte changed in two ways."""
    for place in range(len(content)):
        yield content[:place]
        for change in (0x01, 0x80):
            yield content[:place] + bytes([content[place] ^ change]) + content[place + 1 :]
    yield content + b"x"
    yield None


def put(path: Path, content: bytes | None) -> None:
    if content is None:
        path.unlink()
    else:
        path.write_bytes(content)


def facts_of(tokens: TokenFile):
    return tokens.ids.tolist(), tokens.document_starts.tolist()


def test_a_damaged_token_file_is_never_used(text):
    tokenizer = WordTokenizer.count(text.chunks())
    want = facts_of(open_tokens(text, tokenizer, "blank"))
    (folder,) = (cache_folder() / "tokens").iterdir()
    files = {file: file.read_bytes() for file in folder.iterdir()}
    assert {file.name for file in files} == {"SHA256SUMS", "about.json", "documents.bin", "tokens.bin"}
    for file, content in files.items():
        for number, changed in enumerate(damaged(content)):
            if len(content) > 100 and number % 7:
                continue
            put(file, changed)
            again = open_tokens(text, tokenizer, "blank")
            assert facts_of(again) == want
            assert not again.from_cache
            assert open_tokens(text, tokenizer, "blank").from_cache
            assert {file: file.read_bytes() for file in folder.iterdir()} == files


@pytest.mark.parametrize("unit", ["word", "subword"])
def test_a_damaged_tokenizer_is_never_used(text, unit, monkeypatch):
    want = open_tokenizer(text, unit, min_count=1, max_size=None).fingerprint
    (folder,) = (cache_folder() / "tokenizers").iterdir()
    (file,) = (file for file in folder.iterdir() if file.name != "SHA256SUMS")
    content = file.read_bytes()
    for number, changed in enumerate(damaged(content)):
        if number % (len(content) // 40 + 1):
            continue
        put(file, changed)
        assert open_tokenizer(text, unit, min_count=1, max_size=None).fingerprint == want
        assert file.read_bytes() == content
    monkeypatch.setattr("recurra.data.token_files.build_tokenizer", lambda *_, **__: pytest.fail("built"))
    assert open_tokenizer(text, unit, min_count=1, max_size=None).fingerprint == want


def test_a_damaged_note_is_never_used(text):
    want = text.facts()
    (note,) = (cache_folder() / "files").iterdir()
    content = note.read_bytes()
    for changed in damaged(content):
        put(note, changed)
        assert text.facts() == want
        assert note.read_bytes() == content


def test_notes_are_remembered_until_they_are_damaged():
    asked = []

    def compute() -> int:
        asked.append(1)
        return 1_000_000

    for _ in range(2):
        assert remembered("numbers", "a", compute=compute) == 1_000_000
    assert len(asked) == 1
    (note,) = (cache_folder() / "numbers").iterdir()
    content = note.read_bytes()
    for number, changed in enumerate(damaged(content)):
        put(note, changed)
        assert remembered("numbers", "a", compute=compute) == 1_000_000
        assert len(asked) == number + 2
    other = note.with_name(f"{digest('b')}.json")  # an entry with another key
    other.write_bytes(content)
    assert read_note(other) is None


def test_what_an_earlier_version_kept_is_not_looked_for(text):
    note = cache_folder() / "files" / f"{digest(text.path.resolve())}.json"
    status = text.path.stat()
    stamp = [status.st_size, status.st_mtime_ns]
    note.parent.mkdir()
    note.write_text(json.dumps({"stamp": stamp, "characters": 1, "digest": "0"}))
    assert text.facts().characters == len(text.path.read_text())


def test_what_was_left_half_written_a_day_ago_is_removed():
    folder = cache_folder() / "numbers"
    folder.mkdir()
    old, young = (folder / f".x.json.0123abc{i}.partial" for i in range(2))
    for path in (old, young):
        path.write_text("{")
    os.utime(old, (time.time() - 100_000,) * 2)
    write_note(folder / "y.json", 1)
    assert sorted(os.listdir(folder)) == [young.name, "y.json"]


def test_a_cache_that_cannot_be_written_to_is_named(text, monkeypatch):
    tokenizer = WordTokenizer.count(text.chunks())

    def refused(*_, **__):
        raise OSError(30, "Read-only file system")

    text.facts()
    monkeypatch.setattr(os, "mkdir", refused)
    with pytest.raises(StorageError, match="cannot be written"):
        open_tokens(text, tokenizer)

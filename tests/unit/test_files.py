"""Files are written whole or not at all; faults of texts are named with their place."""

import errno
import gzip
import os

import pytest

from recurra.errors import DataError, StorageError
from recurra.files import folder_written_whole, read_lines, read_text, write_text, written_whole


def test_text_is_read_without_mark_and_with_plain_line_ends(tmp_path):
    path = tmp_path / "a.txt"
    path.write_bytes(b"\xef\xbb\xbfone\r\ntwo\rthree\n\xc3\xa9")
    assert read_text(path) == "one\ntwo\nthree\né"
    assert list(read_lines(path)) == ["one", "two", "three", "é"]


def test_gzip_is_read_as_plain_text(tmp_path):
    path = tmp_path / "a.txt.gz"
    path.write_bytes(gzip.compress(b"one\r\ntwo"))
    assert read_text(path) == "one\ntwo"


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (None, "there is no such file"),
        (b"", "is empty"),
        (b"\xef\xbb\xbf", "is empty"),
        (b"ab\0cd", "looks binary"),
        (b"x" * 5000 + b"\0", "looks binary"),
        (b"good line\nbad \xe9 line\n", r"a\.txt:2: is not UTF-8 text \(byte 0xe9\)"),
        (gzip.compress(b"much text " * 1000, mtime=0)[:60], "is not a whole gzip file"),
    ],
)
def test_faults_of_texts_are_named(tmp_path, content, told):
    path = tmp_path / "a.txt"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(DataError, match=told):
        read_text(path)


def test_a_folder_is_no_text(tmp_path):
    with pytest.raises(DataError, match="is a folder"):
        read_text(tmp_path)


def test_a_failed_write_leaves_what_was_there(tmp_path, monkeypatch):
    path = tmp_path / "a.json"
    write_text(path, "old")

    def full(_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StorageError, match="no space left"):
        write_text(path, "new")
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["a.json"]


def test_an_error_of_the_writer_leaves_nothing(tmp_path):
    def write():
        with written_whole(tmp_path / "a") as file:
            file.write(b"half")
            raise ValueError("ours")

    with pytest.raises(ValueError, match="ours"):
        write()
    assert not os.listdir(tmp_path)


def test_a_folder_appears_whole_or_not(tmp_path):
    def write():
        with folder_written_whole(tmp_path / "f") as aside:
            (aside / "x").write_text("half")
            raise ValueError("ours")

    with pytest.raises(ValueError, match="ours"):
        write()
    assert not os.listdir(tmp_path)
    with folder_written_whole(tmp_path / "f") as aside:
        (aside / "x").write_text("whole")
    assert (tmp_path / "f" / "x").read_text() == "whole"
    assert os.listdir(tmp_path) == ["f"]


def test_permissions_follow_the_umask(tmp_path):
    before = os.umask(0o022)
    try:
        write_text(tmp_path / "a", "x")
    finally:
        os.umask(before)
    assert (tmp_path / "a").stat().st_mode & 0o777 == 0o644

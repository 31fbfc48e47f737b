"""Files are written completely or not at all; errors in texts are reported with their position."""

import errno
import gzip
import hashlib
import os
import subprocess
import time

import pytest

from recurra.errors import DataError, StorageError
from recurra.files import (
    fault_in,
    folder_written_whole,
    name_aside,
    remove_at_once,
    remove_strays,
    sha256_of,
    write_sums,
    write_text,
    written_whole,
)
from recurra.text_files import read_lines, read_text


def test_text_is_read_without_mark_and_with_plain_line_ends(tmp_path):
    path = tmp_path / "a.txt"
    path.write_bytes(b"\xef\xbb\xbfone\r\ntwo\rthree\n\xc3\xa9")
    assert read_text(path) == "one\ntwo\rthree\né"
    assert list(read_lines(path)) == ["one", "two\rthree", "é"]


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


def test_two_that_write_one_file_at_once_both_write_it_whole(tmp_path):
    with written_whole(tmp_path / "a") as one, written_whole(tmp_path / "a") as other:
        one.write(b"one")
        other.write(b"other")
    assert (tmp_path / "a").read_bytes() == b"one"  # which was ended last
    with folder_written_whole(tmp_path / "f") as one, folder_written_whole(tmp_path / "f") as other:
        (one / "x").write_text("one")
        (other / "x").write_text("other")
    assert (tmp_path / "f" / "x").read_text() == "one"
    assert sorted(os.listdir(tmp_path)) == ["a", "f"]


def test_folders_follow_the_umask_too(tmp_path):
    before = os.umask(0o027)
    try:
        with folder_written_whole(tmp_path / "f"):
            pass
    finally:
        os.umask(before)
    assert (tmp_path / "f").stat().st_mode & 0o777 == 0o750


def test_what_a_killed_process_left_is_removed_and_nothing_else(tmp_path):
    kept = [".a.txt.original", ".a.txt.0123ABCD.partial", "a.txt.0123abcd.partial", ".b.0123abcd.partial"]
    for name in kept:
        (tmp_path / name).write_text("keep")
    name_aside(tmp_path / "a.txt").write_text("half")
    name_aside(tmp_path / "a.txt").mkdir()
    next(tmp_path.glob(".a.txt.*.partial")).touch()
    remove_strays(tmp_path, lambda name: name == "a.txt", unused_s=60)
    assert len(os.listdir(tmp_path)) == 6  # written to a moment ago
    remove_strays(tmp_path, lambda name: name == "a.txt")
    assert sorted(os.listdir(tmp_path)) == sorted(kept)
    remove_strays(tmp_path / "none")


def test_a_folder_that_is_still_written_to_is_no_stray(tmp_path):
    aside = name_aside(tmp_path / "f")
    aside.mkdir()
    (aside / "x").write_text("half")
    long_ago = time.time() - 1000
    os.utime(aside, (long_ago, long_ago))
    remove_strays(tmp_path, unused_s=60)
    assert (aside / "x").exists()
    os.utime(aside / "x", (long_ago, long_ago))
    remove_strays(tmp_path, unused_s=60)
    assert not aside.exists()


def test_a_folder_is_removed_at_once(tmp_path, monkeypatch):
    (tmp_path / "f").mkdir()
    (tmp_path / "f" / "x").write_text("x")
    remove_at_once(tmp_path / "none")
    with monkeypatch.context() as patches:
        patches.setattr("shutil.rmtree", lambda _: None)  # as if the process was killed there
        remove_at_once(tmp_path / "f")
    assert not (tmp_path / "f").exists()
    remove_strays(tmp_path)
    assert not os.listdir(tmp_path)


def test_sums_are_those_of_sha256sum(tmp_path):
    (tmp_path / "a b").write_bytes(b"\0\1" * 1000)
    (tmp_path / "c").write_bytes(b"")
    assert sha256_of(tmp_path / "a b") == hashlib.sha256(b"\0\1" * 1000).hexdigest()
    write_sums(tmp_path)
    subprocess.run(
        ["sha256sum", "--check", "--strict", "--quiet", "SHA256SUMS"], cwd=tmp_path, check=True, timeout=60
    )
    assert fault_in(tmp_path) is None
    assert fault_in(tmp_path, ["c"]) is None


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("c", "x", "c: is damaged (its sha256 differs from the one in SHA256SUMS)"),
        ("c", None, "c: is missing"),
        ("SHA256SUMS", None, "SHA256SUMS: is missing"),
        ("SHA256SUMS", "", "SHA256SUMS: is damaged (line 1 is not a sum and a name)"),
        ("SHA256SUMS", "0" * 64 + "  c\n", "SHA256SUMS: is damaged (it does not list a)"),
        ("SHA256SUMS", "\udcff", "SHA256SUMS: is damaged"),
        ("d", "x", "SHA256SUMS: is damaged (it does not list d)"),
    ],
)
def test_faults_in_a_folder_are_named(tmp_path, name, content, told):
    for each in ("a", "c"):
        (tmp_path / each).write_text(each)
    write_sums(tmp_path)
    (tmp_path / name).unlink(missing_ok=True)
    if content is not None:
        (tmp_path / name).write_bytes(content.encode("utf-8", "surrogateescape"))
    assert fault_in(tmp_path).startswith(f"{tmp_path / told}")


@pytest.mark.parametrize("number", [errno.EROFS, errno.EACCES])
def test_a_place_that_cannot_be_written_to_is_named(tmp_path, monkeypatch, number):
    def refused(*_, **__):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr("io.open", refused)
    monkeypatch.setattr(os, "mkdir", refused)
    for path in (tmp_path / "a", tmp_path / "new" / "a"):
        with pytest.raises(StorageError, match=r"a: cannot be written \(.*\); check the disk"):
            write_text(path, "x")
        with pytest.raises(StorageError, match="a: cannot be written"), folder_written_whole(path):
            pass

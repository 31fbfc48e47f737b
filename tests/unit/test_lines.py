"""Lines end at LF and CRLF alone, in files and on standard input, and cost no more than their length."""

import io
import os
import sys
import time

import pytest

from recurra.config import PairFilesPart
from recurra.data.arriving import answered
from recurra.data.examples import BadRows
from recurra.data.inputs import Input
from recurra.data.readers.pairs import read_pairs
from recurra.errors import DataError
from recurra.text_files import lines_of, read_lines, read_text_chunks

TEXTS = {
    "a\nb\n": ["a", "b"],
    "a\r\nb\r\n": ["a", "b"],
    "a\rb\nc": ["a\rb", "c"],
    "a\r\r\nb\n": ["a\r", "b"],
    "a\n\nb": ["a", "", "b"],
    "a\x0bb\x0cc\x1cd\x85e\u2028f\u2029g\n": ["a\x0bb\x0cc\x1cd\x85e\u2028f\u2029g"],
    "\ufeffa\nb": ["a", "b"],
    "a\nb\r": ["a", "b\r"],
}


def from_stdin(monkeypatch, raw: bytes) -> list[str]:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(raw)))
    return list(Input("-").lines())


@pytest.mark.parametrize("text", TEXTS)
def test_a_file_and_a_pipe_have_the_same_lines(text, tmp_path, monkeypatch):
    raw = text.encode()
    file = tmp_path / "text.txt"
    file.write_bytes(raw)
    assert list(read_lines(file)) == TEXTS[text]
    assert list(Input(str(file)).lines()) == TEXTS[text]
    assert from_stdin(monkeypatch, raw) == TEXTS[text]


@pytest.mark.parametrize("size", range(1, 8))
def test_a_line_end_may_fall_between_chunks(size, tmp_path):
    file = tmp_path / "text.txt"
    file.write_bytes(b"ab\r\ncd\re\r\n\r\nf\r\n")
    assert "".join(read_text_chunks(file, size)) == "ab\ncd\re\n\nf\n"


@pytest.mark.parametrize("encoding", ["utf-8", "utf8", "utf-8-sig", "utf-16", "utf-16-le", "utf-32-be"])
def test_a_byte_order_mark_is_dropped_in_every_encoding(encoding, tmp_path):
    file = tmp_path / "text.txt"
    file.write_bytes("\ufeffa\ufeff\nb\n".encode(encoding))
    assert list(read_lines(file, encoding=encoding)) == ["a\ufeff", "b"]
    file.write_bytes("\ufeff".encode(encoding))
    with pytest.raises(DataError, match="is empty"):
        list(read_lines(file, encoding=encoding))


def test_carriage_returns_alone_are_named(tmp_path, monkeypatch):
    file = tmp_path / "mac.txt"
    file.write_bytes(b"a\rb\rc\r")
    with pytest.raises(DataError, match=r"mac\.txt: has carriage returns \(CR\) and no line feed"):
        list(read_lines(file))
    with pytest.raises(DataError, match=r"standard input: has carriage returns \(CR\)"):
        from_stdin(monkeypatch, b"a\rb\rc\r")


def test_a_lone_carriage_return_shifts_no_pair(tmp_path):
    """Of two files in step, one with a CR within a line: every pair stays a pair."""
    source, target = tmp_path / "a", tmp_path / "b"
    source.write_bytes(b"".join(b"word %d\n" % i if i != 7 else b"wo\rrd 7\n" for i in range(40)))
    target.write_bytes(b"".join(b"Wort %d\n" % i for i in range(40)))
    pairs = read_pairs(source, target, PairFilesPart(), BadRows())
    assert [(p.source[0].split()[-1], p.targets[0].split()[-1]) for p in pairs] == [
        (str(i), str(i)) for i in range(40)
    ]


def test_one_long_line_costs_its_length():
    """It takes about as long as `str.join`; copying it with every chunk would take 200 times as long."""
    chunks = ["x" * (1 << 16)] * 1024

    def seconds(put_together) -> float:
        begin = time.perf_counter()
        (line,) = put_together(chunks)
        assert len(line) == 1 << 26
        return time.perf_counter() - begin

    joined = min(seconds(lambda several: ["".join(several)]) for _ in range(3))
    assert min(seconds(lines_of) for _ in range(3)) < 40 * joined


@pytest.fixture
def pipe(monkeypatch):
    """The end to write to of a pipe that is standard input, as an unbuffered file."""
    reading, writing = os.pipe()
    with os.fdopen(writing, "wb", buffering=0) as pipe, os.fdopen(reading, encoding="utf-8") as stdin:
        monkeypatch.setattr(sys, "stdin", stdin)
        yield pipe


def test_lines_of_standard_input_are_told_to_have_arrived(pipe):
    lines = Input("-").lines()
    assert not lines.has_arrived()
    pipe.write(b"a\nb\r\nc")
    assert lines.has_arrived()
    assert (next(lines), next(lines)) == ("a", "b")
    assert not lines.has_arrived()  # the line has not ended
    pipe.write(b"d\n\n")
    assert (next(lines), next(lines)) == ("cd", "")
    assert not lines.has_arrived()
    pipe.write(b"e")
    assert not lines.has_arrived()
    pipe.close()
    assert lines.has_arrived()
    assert list(lines) == ["e"]
    assert lines.has_arrived()  # the end


def test_lines_that_are_waiting_in_a_pipe_are_one_batch(pipe):
    batches = []
    pipe.write(b"".join(b"%d\n" % i for i in range(300)))
    pipe.close()
    answers = answered(Input("-").lines(), lambda batch: batches.append(len(batch)) or batch, 64)
    assert list(answers) == [str(i) for i in range(300)]
    assert batches == [64, 64, 64, 64, 44]


def test_a_line_that_is_not_text_is_told_after_the_lines_before_it(pipe):
    got = []
    pipe.write(b"a\nb\n\xff\nd\n")
    pipe.close()
    with pytest.raises(DataError, match=r"standard input:3: is not UTF-8"):
        got.extend(answered(Input("-").lines(), lambda batch: batch, 64))
    assert got == ["a", "b"]


def test_closed_standard_input_is_told(monkeypatch):
    monkeypatch.setattr(sys, "stdin", None)
    with pytest.raises(DataError, match="standard input: is closed; name a file"):
        list(Input("-").lines())

"""Batches that adapt to how fast inputs arrive."""

import contextvars
import itertools
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Iterator

import pytest

from recurra.data.arriving import answered, arriving

MOST = 8


class Watched:
    """Answers batches after a while, and records the batches."""

    def __init__(self, seconds: float = 0.005) -> None:
        self.batches: list[list[int]] = []
        self.seconds = seconds

    def answers(self, batch: list[int]) -> list[int]:
        self.batches.append(batch)
        time.sleep(self.seconds)
        return [-item for item in batch]

    def of(self, items: Iterable[int], at_once: int | None = None) -> Iterator[int]:
        return answered(arriving(items, MOST, at_once), self.answers, at_once or MOST)

    @property
    def sizes(self) -> list[int]:
        return list(map(len, self.batches))


def readers() -> int:
    return sum("_read_ahead" in one.name for one in threading.enumerate())


def test_a_collection_is_answered_in_full_batches():
    watched = Watched(0.0)
    for items in (list(range(20)), tuple(range(20)), range(20)):
        assert list(watched.of(items)) == [-i for i in range(20)]
    assert watched.sizes == [8, 8, 4] * 3
    assert readers() == 0


def test_a_number_at_once_is_read_when_the_answers_before_have_been_used():
    watched, read = Watched(0.0), []
    answers = watched.of((read.append(i) or i for i in range(7)), at_once=3)
    assert [next(answers) for _ in range(3)] == [0, -1, -2]
    assert read == [0, 1, 2]
    assert list(answers) == [-3, -4, -5, -6]
    assert watched.sizes == [3, 3, 1]


def test_a_quick_iterator_is_answered_alone_at_first_and_then_in_batches():
    watched = Watched()
    assert list(watched.of(iter(range(200)))) == [-i for i in range(200)]
    assert watched.sizes[0] == 1
    assert max(watched.sizes) == MOST
    assert len(watched.sizes) < 60
    assert readers() == 0


def test_a_slow_iterator_is_never_read_ahead_of_its_answers():
    got: list[int] = []

    def person() -> Iterator[int]:
        for i in range(6):
            assert len(got) == i
            time.sleep(0.01)
            yield i

    watched = Watched()
    for one in watched.of(person()):
        got.append(one)
        assert readers() == 0
    assert watched.sizes == [1] * 6


def test_an_item_that_has_arrived_does_not_wait_for_the_next_one():
    answers_seen = threading.Event()

    def quick_then_slow() -> Iterator[int]:
        yield from range(50)
        assert answers_seen.wait(10)
        yield 50
        time.sleep(0.05)
        yield 51

    watched, got = Watched(0.002), []
    for one in watched.of(quick_then_slow()):
        got.append(-one)
        if one == -49:
            answers_seen.set()
    assert got == list(range(52))
    assert watched.sizes[-1] == 1  # the iterator was slow, so it is no longer read ahead


def test_an_exception_comes_after_the_answers_to_the_items_before_it():
    def broken() -> Iterator[int]:
        yield from range(30)
        raise ValueError("item 30")

    for items, at_once in ((broken(), None), (broken(), 7)):
        got = []
        with pytest.raises(ValueError, match="item 30"):
            got.extend(Watched(0.002).of(items, at_once))
        assert got == [-i for i in range(30)]


def test_an_exception_of_a_function_of_each_item_comes_in_order():
    items = arriving([1, 2, 0, 4], MOST).each(lambda item: 6 // item)
    got = []
    with pytest.raises(ZeroDivisionError):
        got.extend(answered(items, lambda batch: batch, MOST))
    assert got == [6, 3]


@pytest.mark.parametrize("after", [1, 30])
def test_an_abandoned_iteration_leaves_nothing_running(after):
    read = []
    answers = Watched(0.002).of(read.append(i) or i for i in itertools.count())
    for _ in range(after):
        next(answers)
    answers.close()
    assert readers() == 0
    count = len(read)
    assert count <= after + 2 * MOST + 1
    time.sleep(0.02)
    assert len(read) == count


def test_a_reader_that_waits_ends_with_its_item():
    arrive = threading.Event()

    def source() -> Iterator[int]:
        yield from range(30)
        arrive.wait(10)
        yield 30

    answers = Watched(0.002).of(source())
    list(itertools.islice(answers, 30))
    answers.close()
    arrive.set()
    deadline = time.monotonic() + 5
    while readers() and time.monotonic() < deadline:
        time.sleep(0.005)
    assert readers() == 0


def test_the_iterator_sees_the_context_of_the_caller():
    variable = contextvars.ContextVar("variable", default=0)

    def source() -> Iterator[int]:
        for _ in range(100):
            yield variable.get()

    token = variable.set(7)
    try:
        assert set(Watched(0.002).of(source())) == {-7}
    finally:
        variable.reset(token)


IN_PYTHON = """
import sys, time
from recurra.data.arriving import answered, arriving

def typed():
    while True:
        yield {read}

def answers(batch):
    time.sleep(0.01)
    return batch

for n, one in enumerate(answered(arriving(typed(), 8), answers, 8)):
    if n == 19:
        print("enough", flush=True)
        break
"""


@pytest.mark.skipif(os.name != "posix", reason="needs pipes that stay open")
@pytest.mark.parametrize("read", ["input()", "next(sys.stdin.buffer)", "sys.stdin.readline()"])
def test_python_ends_while_a_reader_waits_for_standard_input(read):
    """CPython aborts if it closes standard input while another thread waits for a line."""
    code = IN_PYTHON.replace("{read}", read)
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as python:
        assert python.stdin is not None
        python.stdin.write(b"a line\n" * 20)
        python.stdin.flush()  # and stays open
        assert python.stdout is not None
        assert python.stdout.readline() == b"enough\n"
        assert python.wait(20) == 0, python.stderr

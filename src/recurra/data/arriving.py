"""Inputs in batches that adapt to how fast they arrive."""

import sys
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sized
from contextvars import copy_context
from time import perf_counter
from typing import Any, Generic, TypeVar

T = TypeVar("T")
U = TypeVar("U")
# The share of the time of a prediction within which a source must give an item to be read ahead. An answer
# may take long because the caller does, so at most `_MOST_COST` seconds count.
_QUICK, _MOST_COST = 0.25, 0.02
# Seconds that the reader thread waits for an item before it stops reading ahead. It includes the time in
# which other threads hold Python's lock.
_SLOW = 0.02
_LAST_CALL = 0.2  # seconds that an abandoned iteration waits for its thread


class Arriving(Iterator[T]):
    """An iterator that can tell whether the next item, or the end, is available without waiting.

    Without a function that tells it, every item is.
    """

    def __init__(
        self,
        items: Iterable[T],
        has_arrived: Callable[[], bool] | None = None,
        close: Callable[[], None] | None = None,
    ) -> None:
        self._items = iter(items)
        self._has_arrived, self._close = has_arrived, close

    def __next__(self) -> T:
        return next(self._items)

    def has_arrived(self) -> bool:
        """Whether the next call of `next` returns, or raises, without waiting."""
        return self._has_arrived is None or self._has_arrived()

    def close(self) -> None:
        """Stop reading."""
        if self._close is not None:
            self._close()

    def each(self, function: Callable[[T], U]) -> "Arriving[U]":
        """Return the function of each item, computed when the item is asked for."""
        return Arriving(map(function, self), self.has_arrived, self.close)


def arriving(items: Iterable[T], most: int, at_once: int | None = None) -> Arriving[T]:
    """Return the items in the order and at the time in which they are to be read.

    A collection is there as a whole, and so are items that are to be read `at_once`. Any other iterator is
    read when an item is asked for and, while it is quick compared to the time between two items, ahead in a
    thread, at most `most` items.
    """
    if isinstance(items, Arriving):
        return items
    whole = at_once is not None or isinstance(items, Sized)
    return Arriving(items) if whole else _ReadAhead(items, most)


def answered(items: Arriving[T], answers: Callable[[list[T]], Iterable[U]], most: int) -> Iterator[U]:
    """Yield the answers to items in order; each batch has the items that have arrived, at most `most`.

    No item waits for another one. An exception that an item raises comes after the answers to the items
    before it.
    """
    try:
        while True:
            batch, fault = _taken(items, most)
            if batch:
                yield from answers(batch)
            if fault is not None:
                if isinstance(fault, StopIteration):
                    return
                raise fault
    finally:
        items.close()


def _taken(source: Arriving[T], most: int) -> tuple[list[T], Exception | None]:
    """Wait for an item, and take those that are there; return them and what ended the source, if it did."""
    batch: list[T] = []
    try:
        while not batch or (len(batch) < most and source.has_arrived()):
            batch.append(next(source))
    except Exception as fault:
        return batch, fault
    return batch, None


class _ReadAhead(Arriving[T], Generic[T]):
    """Reads an iterator when an item is asked for and, while it is quick, ahead in a thread.

    At most `most` items are waiting.
    """

    def __init__(self, items: Iterable[T], most: int) -> None:
        super().__init__(items)
        self._most = most
        self._waiting: deque[T] = deque()
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._is_read_ahead = self._is_closed = False
        self._fault: BaseException | None = None
        self._returned_at: float | None = None

    def has_arrived(self) -> bool:
        """Whether an item is waiting."""
        return bool(self._waiting)

    def __next__(self) -> T:
        with self._changed:
            while not self._waiting and self._is_read_ahead:
                self._changed.wait()
            if self._waiting:
                self._changed.notify_all()
                self._returned_at = perf_counter()
                return self._waiting.popleft()
        if self._fault is not None:
            fault, self._fault = self._fault, StopIteration()
            raise fault
        return self._read_now()

    def _read_now(self) -> T:
        """Read an item, and begin to read ahead if it took much less time than the last answer."""
        started = perf_counter()
        item = next(self._items)
        ended = perf_counter()
        if self._returned_at is not None:
            cost = min(started - self._returned_at, _MOST_COST)
            if ended - started < _QUICK * cost:
                self._begin()
        self._returned_at = perf_counter()
        return item

    def _begin(self) -> None:
        self._is_read_ahead = True
        run: Any = copy_context().run
        self._thread = threading.Thread(target=run, args=(self._read_ahead,), daemon=True)
        self._thread.start()

    def _read_ahead(self) -> None:
        """Read items until the iterator ends or is slow, or the iteration is abandoned."""
        # If Python exits while this thread waits for a line of standard input, it must not close that file,
        # which the thread holds locked. The frame of the thread is never cleared and keeps the file open.
        kept = sys.stdin, sys.__stdin__
        while self._has_room():
            started = perf_counter()
            try:
                item = next(self._items)
            except BaseException as fault:  # raised by `__next__`
                self._fault = fault
                break
            with self._changed:
                self._waiting.append(item)
                self._is_read_ahead = perf_counter() - started < _SLOW and not self._is_closed
                self._changed.notify_all()
                if not self._is_read_ahead:
                    return
        with self._changed:
            self._is_read_ahead = False
            self._changed.notify_all()
        del kept

    def _has_room(self) -> bool:
        """Wait until another item may be read; return False if the iteration is abandoned."""
        with self._changed:
            while len(self._waiting) >= self._most and not self._is_closed:
                self._changed.wait()
            return not self._is_closed

    def close(self) -> None:
        """Stop the thread; if it waits for an item, it ends when that arrives."""
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join(_LAST_CALL)

"""Handling of SIGINT and SIGTERM: the signal is recorded and obeyed between two steps."""

import signal
import threading
from types import FrameType
from typing import Any


class Interrupts:
    """Context manager in which the first SIGINT or SIGTERM is only recorded in `received`.

    A second signal has its usual effect, for users who do not want to wait.
    """

    SIGNALS = (signal.SIGINT, signal.SIGTERM)

    def __init__(self) -> None:
        self.received = 0
        self._before: dict[int, Any] = {}

    def __enter__(self) -> "Interrupts":
        if threading.current_thread() is threading.main_thread():
            for number in self.SIGNALS:
                self._before[number] = signal.signal(number, self._note)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._before = {}

    def _note(self, number: int, frame: FrameType | None) -> None:
        self.received = number
        signal.signal(number, self._before[number])

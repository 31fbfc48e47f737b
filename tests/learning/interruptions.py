"""Processes that are killed, or whose disk fails, at a given call that changes a folder."""

import ctypes
import errno
import os
import pickle
import resource
import select
import signal
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

# The audited calls (`sys.addaudithook`): positions of the path and of its folder's descriptor.
_EVENTS = {
    "open": (0, None),
    "os.mkdir": (0, 2),
    "os.rename": (1, 3),
    "os.remove": (0, 1),
    "os.rmdir": (0, 1),
    "os.truncate": (0, None),
}
# These need no disk space.
FREE = ("os.rename", "os.remove", "os.rmdir")
LONGEST_S = 120


class Ended(NamedTuple):
    """How a process ended: its exit code, or the negative signal number; and the result of its work."""

    code: int
    result: Any

    @property
    def was_killed(self) -> bool:
        return self.code in (-signal.SIGKILL, -signal.SIGXFSZ)


class Child:
    """Runs `work` in a forked child process."""

    def __init__(self, work: Callable[[], Any]) -> None:
        self._end, told = os.pipe()
        sys.stdout.flush()
        self._pid = os.fork()
        if self._pid == 0:
            os.close(self._end)
            signal.alarm(LONGEST_S)
            _tell(told, work)
        os.close(told)

    @property
    def has_ended(self) -> bool:
        """Whether it has ended or is about to."""
        return bool(select.select([self._end], [], [], 0)[0])

    def kill(self) -> None:
        os.kill(self._pid, signal.SIGKILL)

    def wait(self) -> Ended:
        """Wait for the result. An error in the child raises here."""
        with os.fdopen(self._end, "rb") as file:
            content = file.read()
        code = os.waitstatus_to_exitcode(os.waitpid(self._pid, 0)[1])
        ok, result = pickle.loads(content) if content else (True, None)
        assert ok, result
        return Ended(code, result)


def _tell(told: int, work: Callable[[], Any]) -> None:
    """Do the work, send its result, and exit."""
    try:
        answer = (True, work())
    except BaseException:
        answer = (False, traceback.format_exc())
    with os.fdopen(told, "wb") as file:
        pickle.dump(answer, file)
    os._exit(0)


def in_child(work: Callable[[], Any]) -> Any:
    """The result of `work`, done in a child process."""
    return Child(work).wait().result


class Calls:
    """Counts the calls that change something in a folder.

    Calls `strike` with the name of the call before call `number`, and, with `from_then_on`, before all later
    ones.
    """

    def __init__(
        self,
        folder: Path,
        strike: Callable[[str], None],
        number: int = -1,
        *,
        from_then_on: bool = False,
    ) -> None:
        self.count = 0
        self._folder, self._strike = str(folder), strike
        self._number, self._from_then_on = number, from_then_on

    def watch(self) -> "Calls":
        """Start counting for the rest of this process; fsync is skipped, because no machine crashes here."""
        sys.addaudithook(self._heard)
        os.fsync = lambda descriptor: self._call("os.fsync", descriptor, None)
        write = os.pwrite

        def pwrite(descriptor: int, content: Any, at: int) -> int:
            self._call("os.pwrite", descriptor, None)
            return write(descriptor, content, at)

        os.pwrite = pwrite
        return self

    def _heard(self, event: str, arguments: tuple[Any, ...]) -> None:
        if event not in _EVENTS:
            return
        if event == "open" and not (arguments[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)):
            return
        at, folder_at = _EVENTS[event]
        self._call(event, arguments[at], None if folder_at is None else arguments[folder_at])

    def _call(self, event: str, what: Any, folder: int | None) -> None:
        path = os.readlink(f"/proc/self/fd/{what}") if isinstance(what, int) else os.fsdecode(what)
        if folder not in (None, -1):
            path = os.path.join(os.readlink(f"/proc/self/fd/{folder}"), path)
        if path != self._folder and not path.startswith(self._folder + "/"):
            return
        self.count += 1
        if self.count == self._number or (self._from_then_on and self.count > self._number > 0):
            self._strike(event)


def calls_of(folder: Path, work: Callable[[], Any]) -> int:
    """Number of calls of `work` that change something in a folder."""

    def counted() -> int:
        calls = Calls(folder, lambda event: None).watch()
        work()
        return calls.count

    count = in_child(counted)
    assert count > 5, "the calls are heard"
    return count


def killed_at(number: int, folder: Path, work: Callable[[], Any]) -> Ended:
    """Run `work` in a process that is killed before its `number`-th call."""

    def strike(event: str) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    def killed() -> Any:
        Calls(folder, strike, number).watch()
        return work()

    return Child(killed).wait()


def failing_at(number: int, error: int, folder: Path, work: Callable[[], Any], *, once: bool) -> Any:
    """The result of `work` in a process whose `number`-th call fails, or all calls from there on.

    On a full disk, files can still be renamed and removed.
    """

    def strike(event: str) -> None:
        if once or error != errno.ENOSPC or event not in FREE:
            raise OSError(error, os.strerror(error))

    def failing() -> Any:
        Calls(folder, strike, number, from_then_on=not once).watch()
        return work()

    return in_child(failing)


def with_files_of(size: int, work: Callable[[], Any], *, killed: bool) -> Ended:
    """Run `work` in a process that cannot write files larger than `size` bytes.

    A larger file kills the process if `killed`; otherwise the write fails.
    """

    def limited() -> Any:
        os.fsync = lambda descriptor: None
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
        if killed:
            signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
        return work()

    return Child(limited).wait()


_NEW_MOUNTS, _PRIVATE, _BIND, _READ_ONLY, _AGAIN = 0x20000, 0x44000, 0x1000, 0x1, 0x20


def may_mount() -> bool:
    """Whether a process may create its own mounts here."""
    return bool(in_child(_has_own_mounts))


def _has_own_mounts() -> bool:
    libc = ctypes.CDLL(None, use_errno=True)
    return libc.unshare(_NEW_MOUNTS) == 0 and libc.mount(b"none", b"/", None, _PRIVATE, None) == 0


def _mount(source: str, target: Path, kind: str | None, options: int, data: str | None = None) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    encoded = [None if each is None else os.fsencode(each) for each in (source, target, kind, data)]
    if libc.mount(encoded[0], encoded[1], encoded[2], options, encoded[3]):
        raise OSError(ctypes.get_errno(), "mount")


def own_read_only(folder: Path) -> None:
    """Make a folder read-only for this process, which must be a child."""
    assert _has_own_mounts()
    _mount(str(folder), folder, None, _BIND)
    _mount(str(folder), folder, None, _BIND | _READ_ONLY | _AGAIN)


def own_small_disk(folder: Path, size: int) -> Callable[[int], None]:
    """Mount a new disk of a given size on a folder, for this process, which must be a child.

    Returns a function that changes the size.
    """
    assert _has_own_mounts()
    _mount("tmpfs", folder, "tmpfs", 0, f"size={size}")
    return lambda size: _mount("tmpfs", folder, "tmpfs", _AGAIN, f"size={size}")

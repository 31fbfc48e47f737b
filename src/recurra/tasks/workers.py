"""Predictions of a run by several processes: `recurra predict RUN FILE --workers N`.

This process reads the input and writes the output. It hands the inputs out in chunks to worker processes
(`worker.py`), each of which has loaded the run, and takes the lines of their answers back in order.
"""

import os
import pickle
import signal
import subprocess
import sys
import tempfile
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, suppress
from pathlib import Path
from queue import SimpleQueue
from typing import IO, Annotated, Any, NamedTuple, cast

import torch

from recurra.arguments import Range, checks_arguments
from recurra.config import Part, build_config
from recurra.data.inputs import Input, Share
from recurra.errors import ArgumentTypeError, ConfigError, WorkerError
from recurra.plain import json_line, quoted
from recurra.processors import THREAD_VARIABLES
from recurra.tasks import registry
from recurra.tasks.model import Model, load
from recurra.tasks.shown import CountedNote, ignored

WorkerCount = Annotated[int, Range(1, 1024)]
_CHUNK = 256  # inputs; a multiple of the batches of all tasks, so that these are those of a single process
_AHEAD = 3  # chunks per worker that have been read and not been written


class Chunk(NamedTuple):
    """Some inputs for a worker, and the number of inputs before them."""

    inputs: Sequence[Any]
    first: int


class Reply(NamedTuple):
    """The output lines for a chunk, the notes on it, and the error that ended it, if any."""

    lines: Sequence[str]
    notes: Sequence[str]
    error: Exception | None = None


class Order(NamedTuple):
    """What a worker needs before its first chunk; `task` is the location of a task that is not installed."""

    task: tuple[str, str] | None
    run: Path
    name: str
    options: dict[str, Any]
    as_json: bool
    threads: int


@checks_arguments
def predicted_lines(
    run: str | Path,
    source: str | Path | Input,
    options: Any = None,
    *,
    workers: WorkerCount = 1,
    as_json: bool = False,
    tell: Callable[[str], None] = ignored,
    progress: Callable[[int], None] | None = None,
) -> Iterator[str]:
    """Yield the lines that `recurra predict` prints for a file, computed by several processes.

        for line in recurra.predicted_lines("runs/atis", "sentences.txt", workers=4): ...

    `options` are those of `recurra predict` by name, such as {"reject_below": 0.5}, or have the type
    `config.prediction` of the run. `tell` is called with each note, and `progress`
    with the number of inputs that have been predicted. The order is that of the file, whatever the number
    of workers; labels and texts are the same, and scores agree to rounding, 1e-5. Sampled texts depend only
    on the seed and the index of the input. Each worker loads the run and has its share of torch's threads;
    the number of inputs in memory is bounded unless the format is read as a whole.

    Raises: as `Model.predictions`; ConfigError for unknown options, for several workers and standard input,
    or for a model that reads its input as a whole; WorkerError if a worker ends unexpectedly.
    """
    given = source if isinstance(source, Input) else Input(str(source))
    model = load(run)
    if options is None or isinstance(options, Mapping):
        options = build_config(type(model.config).prediction, overrides=options or {})
    if not isinstance(options, Part):
        raise ArgumentTypeError(f"options: got {quoted(options)}, expected options of `predict` by name.")
    return _lines(model, given, options, workers, as_json, tell, progress)


def _lines(
    model: Model,
    source: Input,
    options: Part,
    workers: int,
    as_json: bool,
    tell: Callable[[str], None],
    progress: Callable[[int], None] | None,
) -> Iterator[str]:
    if workers == 1:
        for answer in model.predictions(source, options, as_json=as_json, tell=tell):
            yield line_of(answer, as_json=as_json)
        return
    if source.is_stream:
        raise ConfigError("workers: needs a file to share, not standard input; name one, or remove workers.")
    # Options that do not fit are refused before the workers start.
    list(model.predictions(Share(source.name, [], 0), options, as_json=as_json))
    notes = _Notes(tell)
    chunks = _chunks(model.inputs(source, options, tell=notes.own.append))
    order = _order(model, source, options, workers, as_json)
    with _Pool(workers, order) as pool:
        for chunk, reply in pool.answered(chunks):
            yield from reply.lines
            for note in reply.notes:
                notes.add(note)
            if reply.error is not None:
                raise reply.error
            if progress is not None:
                progress(chunk.first + len(chunk.inputs))
    notes.end()


def line_of(answer: Any, *, as_json: bool) -> str:
    """Return an answer as `recurra predict` prints it."""
    return json_line(answer.to_dict()) if as_json else str(answer.line())


def _chunks(groups: Iterable[Sequence[Any]]) -> Iterator[Chunk]:
    """Join groups of inputs to chunks of about the same size."""
    inputs: list[Any] = []
    first = 0
    try:
        for group in groups:
            inputs += group
            if len(inputs) >= _CHUNK:
                yield Chunk(inputs, first)
                first, inputs = first + len(inputs), []
    except Exception:
        if inputs:
            yield Chunk(inputs, first)  # the answers to the inputs before an error come first
        raise
    if inputs:
        yield Chunk(inputs, first)


def _order(model: Model, source: Input, options: Part, workers: int, as_json: bool) -> Order:
    assert model.run is not None, "it was loaded"
    task = type(registry.get(model.task))
    place = (task.__module__, task.__qualname__) if registry.was_added(model.task) else None
    if place is not None and place[0] == "__main__":
        raise ConfigError(
            f"workers: the task {model.task!r} is defined in a script, which workers cannot import; move "
            "it to a module, or remove workers."
        )
    threads = max(1, torch.get_num_threads() // workers)
    return Order(place, model.run.path.absolute(), source.name, options.given(), as_json, threads)


class _Notes:
    """Notes that are told at the end; counts of the workers are added up, and a sentence is told once."""

    def __init__(self, tell: Callable[[str], None]) -> None:
        self._tell = tell
        self.own: list[str] = []
        self._counts: dict[tuple[str, str], int] = {}
        self._others: dict[str, None] = {}

    def add(self, note: str) -> None:
        """Add a note of a worker."""
        if isinstance(note, CountedNote):
            key = (note.noun, note.rest)
            self._counts[key] = self._counts.get(key, 0) + note.number
        else:
            self._others[note] = None

    def end(self) -> None:
        """Tell all notes."""
        counts = (CountedNote(number, noun, rest) for (noun, rest), number in self._counts.items())
        for sentence in (*self.own, *self._others, *counts):
            self._tell(sentence)


class _Pool:
    """Worker processes, and a thread per worker that waits for its replies."""

    def __init__(self, workers: int, order: Order) -> None:
        self._count, self._order = workers, order
        self._workers: list[_Worker] = []
        self._free: SimpleQueue[_Worker] = SimpleQueue()

    def __enter__(self) -> "_Pool":
        try:
            for number in range(1, self._count + 1):
                self._workers.append(_Worker(number, self._order))
                self._free.put(self._workers[-1])
            self._threads = ThreadPoolExecutor(self._count)
        except BaseException:
            self._end_workers()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._end_workers()  # which ends the threads' waiting
        self._threads.shutdown(cancel_futures=True)
        for worker in self._workers:
            worker.close()

    def _end_workers(self) -> None:
        for worker in self._workers:
            worker.end()

    def answered(self, chunks: Iterable[Chunk]) -> Iterator[tuple[Chunk, Reply]]:
        """Yield the replies to chunks in order, before the exception that `chunks` raises, if any."""
        waiting: deque[tuple[Chunk, Future[Reply]]] = deque()
        fault: Exception | None = None
        remaining = iter(chunks)
        while fault is None or waiting:
            while fault is None and len(waiting) < _AHEAD * self._count:
                try:
                    chunk = next(remaining)
                except Exception as error:  # also StopIteration, at the end
                    fault = error
                else:
                    waiting.append((chunk, self._threads.submit(self._answer, chunk)))
            if waiting:
                chunk, reply = waiting.popleft()
                yield chunk, reply.result()
        if not isinstance(fault, StopIteration):
            raise fault

    def _answer(self, chunk: Chunk) -> Reply:
        worker = self._free.get()
        try:
            return worker.answer(chunk)
        finally:
            self._free.put(worker)


class _Worker:
    """A worker process, which is asked over its standard input and answers over its standard output."""

    def __init__(self, number: int, order: Order) -> None:
        self._number = number
        self._files = ExitStack()
        folder = self._files.enter_context(tempfile.TemporaryDirectory())
        self._told = Path(folder) / "stderr"
        errors = self._files.enter_context(self._told.open("wb"))
        path = os.pathsep.join(one or os.getcwd() for one in sys.path)
        threads = dict.fromkeys(THREAD_VARIABLES, str(order.threads))
        self._process = self._files.enter_context(
            subprocess.Popen(
                [sys.executable, "-P", "-m", "recurra.tasks.worker"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                env=os.environ | {"PYTHONPATH": path} | threads,
                start_new_session=True,  # Ctrl-C reaches only this process, which ends the workers
            )
        )
        try:
            send(self._pipe(self._process.stdin), order)
        except OSError as error:
            raise self._death() from error

    def answer(self, chunk: Chunk) -> Reply:
        """Return the reply to a chunk. Raises: WorkerError if the process has ended."""
        try:
            send(self._pipe(self._process.stdin), chunk)
            return cast(Reply, receive(self._pipe(self._process.stdout)))
        except (OSError, EOFError, ValueError) as error:
            raise self._death() from error

    def end(self) -> None:
        """Kill the process."""
        self._process.kill()
        self._process.wait()

    def close(self) -> None:
        """Close the pipes of a process that has ended."""
        with suppress(OSError):
            self._files.close()

    def _pipe(self, pipe: IO[bytes] | None) -> IO[bytes]:
        assert pipe is not None, "both are pipes"
        return pipe

    def _death(self) -> WorkerError:
        code = self._process.wait()
        last = self._told.read_text(encoding="utf-8", errors="replace").strip().splitlines()[-1:]
        how = f"exit code {code}" if code >= 0 else f"killed by {signal.Signals(-code).name}"
        reason = ": ".join((how, *last))
        return WorkerError(
            f"worker {self._number}: ended unexpectedly ({reason}); use fewer workers, or a machine with "
            "more memory."
        )


def send(pipe: IO[bytes], message: object) -> None:
    """Write a message to another process of this program."""
    pickle.dump(message, pipe, pickle.HIGHEST_PROTOCOL)
    pipe.flush()


def receive(pipe: IO[bytes]) -> Any:
    """Read a message of another process of this program. Raises: EOFError if the pipe was closed."""
    try:
        return pickle.load(pipe)
    except pickle.UnpicklingError as error:  # the pipe was closed within a message
        raise EOFError from error

"""A worker process of `workers.py`: loads a run and predicts chunks of inputs until its input is closed."""

import os
import signal
import sys
import traceback
from importlib import import_module
from typing import IO, Any

from recurra.config import build_config
from recurra.data.inputs import Share
from recurra.tasks.workers import Chunk, Order, Reply, line_of, receive, send


def main() -> None:
    """Answer the chunks on standard input; all other output goes to standard error."""
    requests, replies = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    order: Order = receive(requests)
    try:
        model, options = _model_of(order)
    except Exception as error:
        _refuse(requests, replies, _portable(error))
        return
    while True:
        try:
            chunk: Chunk = receive(requests)
        except EOFError:
            return
        send(replies, _reply(model, options, order, chunk))


def _model_of(order: Order) -> tuple[Any, Any]:
    import torch

    from recurra.tasks import registry
    from recurra.tasks.model import load

    torch.set_num_threads(order.threads)
    if order.task is not None:
        module, name = order.task
        registry.add(getattr(import_module(module), name))
    model = load(order.run)
    return model, build_config(type(model.config).prediction, overrides=order.options)


def _reply(model: Any, options: Any, order: Order, chunk: Chunk) -> Reply:
    lines: list[str] = []
    notes: list[str] = []
    try:
        share = Share(order.name, chunk.inputs, chunk.first)
        answers = model.predictions(share, options, as_json=order.as_json, tell=notes.append)
        lines.extend(line_of(answer, as_json=order.as_json) for answer in answers)  # until an error
    except Exception as error:
        return Reply(lines, notes, _portable(error))
    return Reply(lines, notes)


def _refuse(requests: IO[bytes], replies: IO[bytes], error: Exception) -> None:
    """Answer the first chunk with an error."""
    receive(requests)
    send(replies, Reply((), (), error))


def _portable(error: Exception) -> Exception:
    """Return an error that can be sent, with the worker's traceback as a note."""
    import pickle

    error.add_note("".join(traceback.format_exception(error)).rstrip())
    try:
        return pickle.loads(pickle.dumps(error))  # type: ignore[no-any-return]
    except Exception:
        return RuntimeError("".join(traceback.format_exception(error)).rstrip())


if __name__ == "__main__":
    main()

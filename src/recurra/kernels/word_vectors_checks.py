"""Checks of the arrays that the kernels of word vectors and GloVe read.

A kernel gets only addresses, so every shape, dtype, layout and id is checked first: a misfit raises a
ShapeError and never crashes.
"""

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from recurra.cells import shape_error

if TYPE_CHECKING:
    from recurra.kernels.glove import GloveEntries, GloveState
    from recurra.kernels.word_vectors import WordContexts, WordOutputs, WordTrainer

LANES = 16  # floats: rows begin at multiples of 64 bytes
_BUILD = "build it by padded_rows"


def check_array(name: str, array: Any, dtype: type, shape: tuple[int | str, ...]) -> None:
    """Raise a ShapeError if an array has another dtype or shape; a text in `shape` stands for any size."""
    expected = f"{np.dtype(dtype)} {_shown(shape)}"
    if not isinstance(array, np.ndarray):
        raise shape_error(name, type(array).__name__, expected, "pass a numpy array")
    fits = array.ndim == len(shape) and all(
        isinstance(want, str) or got == want for got, want in zip(array.shape, shape, strict=True)
    )
    if array.dtype != dtype or not fits:
        raise shape_error(name, f"{array.dtype} {_shown(array.shape)}", expected, "convert it")
    if not array.flags.c_contiguous:
        raise shape_error(name, "an array with gaps", expected, "copy it with numpy.ascontiguousarray")


def check_rows(name: str, tensor: Tensor, rows: int | None, size: int | None) -> None:
    """Raise a ShapeError if a matrix does not fit, or if its rows are not padded as the kernels need."""
    if tensor.dtype != torch.float32 or tensor.device.type != "cpu" or tensor.dim() != 2:
        got = f"{tensor.dtype} with {tensor.dim()} axes on {tensor.device.type}"
        raise shape_error(name, got, "torch.float32 with 2 axes on cpu", _BUILD)
    expected = ("rows" if rows is None else rows, "D" if size is None else size)
    if any(
        not isinstance(want, str) and got != want for got, want in zip(tensor.shape, expected, strict=True)
    ):
        raise shape_error(name, _shown(tuple(tensor.shape)), _shown(expected), _BUILD)
    step, along = tensor.stride()
    if step % LANES or step < tensor.shape[1] or (along != 1 and tensor.shape[1] > 1):
        raise shape_error(name, f"strides {step}, {along}", f"a multiple of {LANES}, 1", _BUILD)


def check_ids(name: str, ids: NDArray[Any], count: int) -> None:
    """Raise a ShapeError if an id is outside 0 … count - 1."""
    if ids.size and not 0 <= int(ids.min()) <= int(ids.max()) < count:
        raise shape_error(
            name, f"{ids.min()} to {ids.max()}", f"0 to {count - 1}", "use ids of the vocabulary"
        )


def check_starts(name: str, starts: NDArray[Any], end: int, *, least: int = 0) -> None:
    """Raise a ShapeError if places do not begin at 0 or above, rise by `least` or more, and end by `end`."""
    if len(starts) < 1 or starts[0] < 0 or starts[-1] > end or (np.diff(starts) < least).any():
        expected = f"numbers from 0 to {end} that rise by at least {least}"
        raise shape_error(
            name, "other places", expected, "pass the begin of each part, and the end of the last"
        )


def check_number(name: str, number: int, least: int, most: int = 2**63 - 1) -> None:
    """Raise a ShapeError if a number is outside its range."""
    if not least <= number <= most:
        raise shape_error(name, number, f"{least} to {most}", "choose another number")


def check_contexts(contexts: "WordContexts") -> None:
    """Raise a ShapeError if the parts of a context contradict each other."""
    check_number("window", contexts.window, 1, 1_000_000)
    if contexts.hidden == "concatenated" and (contexts.reach != "previous" or contexts.shrink):
        got = f"{contexts.reach}, shrink {contexts.shrink}"
        raise shape_error(
            "contexts", got, "previous, shrink False", "concatenated vectors need a fixed number of words"
        )


def check_outputs(outputs: "WordOutputs", words: int, rows: int) -> None:
    """Raise a ShapeError if the tree or the table of drawn words does not fit the vocabulary."""
    if outputs.is_tree:
        assert outputs.path_starts is not None
        check_array("path_starts", outputs.path_starts, np.int32, (words + 1,))
        check_array("path_nodes", outputs.path_nodes, np.int32, ("nodes",))
        assert outputs.path_nodes is not None
        check_array("path_labels", outputs.path_labels, np.float32, outputs.path_nodes.shape)
        check_starts("path_starts", outputs.path_starts, len(outputs.path_nodes))
        check_ids("path_nodes", outputs.path_nodes, rows)
        return
    check_number("negatives", outputs.negatives, 0, 1_000_000)
    check_array("alias_share", outputs.alias_share, np.float32, (words,))
    check_array("alias", outputs.alias, np.int32, (words,))
    assert outputs.alias is not None
    check_ids("alias", outputs.alias, words)
    if rows < words:
        raise shape_error("output", f"{rows} rows", f"at least {words}", "give each word a row")


def check_trainer(trainer: "WordTrainer") -> None:
    """Raise a ShapeError if the tables of a trainer do not fit each other."""
    words = trainer.vocabulary_size
    check_number("vocabulary_size", words, 1, 2**31 - 1)
    check_number("seed", trainer.seed, 0, 2**64 - 1)
    check_number("threads", trainer.threads, 1, 4096)
    check_number("round_tokens", trainer.round_tokens, 1)
    check_contexts(trainer.contexts)
    check_outputs(trainer.outputs, words, len(trainer.output))
    if trainer.keep is not None:
        check_array("keep", trainer.keep, np.float32, (words,))
    if trainer.parts is None:
        if len(trainer.input) < words:
            raise shape_error(
                "input", f"{len(trainer.input)} rows", f"at least {words}", "give each word a row"
            )
        return
    starts, rows = trainer.parts
    check_array("part_starts", starts, np.int64, (words + 1,))
    check_array("parts", rows, np.int32, ("parts",))
    check_starts("part_starts", starts, len(rows), least=1)
    check_ids("parts", rows, len(trainer.input))


def check_sentences(
    tokens: NDArray[Any], starts: NDArray[Any], first: int, last: int, vocabulary_size: int
) -> None:
    """Raise a ShapeError if sentences `first` … `last` - 1 are missing or have ids outside the vocabulary."""
    check_array("tokens", tokens, np.int32, ("tokens",))
    check_array("starts", starts, np.int64, ("sentences + 1",))
    if not 0 <= first <= last < len(starts):
        expected = f"0 to {len(starts) - 1}"
        raise shape_error("sentences", f"{first} to {last}", expected, "choose sentences of the text")
    check_starts("starts", starts[first : last + 1], len(tokens))
    check_ids("tokens", tokens[starts[first] : starts[last]], vocabulary_size)


def check_glove(state: "GloveState", entries: "GloveEntries", stratum: int, threads: int) -> None:
    """Raise a ShapeError if vectors, biases and the entries of a stratum do not fit each other."""
    check_number("threads", threads, 1, 4096)
    words, size = state.input.shape if state.input.dim() == 2 else (None, None)
    for name, tensor in state._asdict().items():
        if name.endswith("bias"):
            fits = tensor.dtype == torch.float32 and tensor.shape == (2, words) and tensor.is_contiguous()
            if not fits or tensor.device.type != "cpu":
                got = f"{tensor.dtype} {_shown(tuple(tensor.shape))}"
                raise shape_error(name, got, f"torch.float32 (2, {words})", "pass biases and their squares")
            continue
        check_rows(name, tensor, words, size)
        if tensor.stride(0) != state.input.stride(0):
            expected = f"{state.input.stride(0)}, as input"
            raise shape_error(name, f"rows of {tensor.stride(0)} numbers", expected, _BUILD)
    check_array("words", entries.words, np.int32, ("entries",))
    count = len(entries.words)
    check_array("blocks", entries.blocks, np.int64, ("grid² + 1",))
    check_starts("blocks", entries.blocks, count)
    if entries.grid**2 + 1 != len(entries.blocks):
        raise shape_error("blocks", f"{len(entries.blocks)} places", "grid² + 1", "pass a square of blocks")
    check_number("stratum", stratum, 0, entries.grid - 1)
    check_array("contexts", entries.contexts, np.int32, (count,))
    check_array("logs", entries.logs, np.float32, (count,))
    check_array("weights", entries.weights, np.float32, (count,))
    for places in entries.of_stratum(stratum):
        check_ids("words", entries.words[places], len(state.input))
        check_ids("contexts", entries.contexts[places], len(state.input))


def _shown(shape: tuple[int | str, ...]) -> str:
    return f"({', '.join(map(str, shape))}{',' * (len(shape) == 1)})"

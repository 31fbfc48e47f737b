"""Training of word vectors on a stretch of sentences: natively, or by a readable Python loop."""

from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from recurra.cells import shape_error
from recurra.kernels.extension import extension, unavailable
from recurra.kernels.word_vectors_checks import (
    LANES,
    check_number,
    check_rows,
    check_sentences,
    check_trainer,
)
from recurra.kernels.word_vectors_reference import Position, look_around, update_sentence

Hidden = Literal["each", "mean", "concatenated"]
Reach = Literal["window", "previous", "nearby"]
_HIDDEN: tuple[Hidden, ...] = ("each", "mean", "concatenated")
_REACH: tuple[Reach, ...] = ("window", "previous", "nearby")


class WordLoss(NamedTuple):
    """The summed loss in nats, and the number of predictions."""

    total: float
    predictions: int


@dataclass(frozen=True)
class WordContexts:
    """What a word is predicted from.

    reach: up to `window` words on each side, the words before, or one word of the window, drawn uniformly.
    hidden: each context word alone, their mean, or all of them side by side (only for the words before, and
    all `window` of them must be there). With `shrink`, the window of each position is drawn uniformly from
    1 to `window`.
    """

    hidden: Hidden = "each"
    reach: Reach = "window"
    window: int = 5
    shrink: bool = True


@dataclass(frozen=True)
class WordOutputs:
    """What a prediction is compared with: drawn words, or the nodes on the path of a tree.

    Shapes: alias_share, alias (V,) for `negatives` drawn words; or path_starts (V + 1,), path_nodes,
    path_labels.
    """

    negatives: int = 0
    alias_share: NDArray[np.float32] | None = None
    alias: NDArray[np.int32] | None = None
    path_starts: NDArray[np.int32] | None = None
    path_nodes: NDArray[np.int32] | None = None
    path_labels: NDArray[np.float32] | None = None

    @property
    def is_tree(self) -> bool:
        """Whether the outputs are the nodes of a tree."""
        return self.path_starts is not None

    def path_of(self, word: int) -> tuple[Tensor, Tensor]:
        """Return the nodes on a word's path, and 1 or -1 for each. Shapes: both (length of the path,)."""
        assert self.path_starts is not None
        assert self.path_nodes is not None
        assert self.path_labels is not None
        place = slice(int(self.path_starts[word]), int(self.path_starts[word + 1]))
        nodes, labels = torch.from_numpy(self.path_nodes[place]), torch.from_numpy(self.path_labels[place])
        return nodes.long(), 2 * labels.double() - 1


def padded_rows(rows: int, size: int) -> Tensor:
    """Return zeros with rows that begin at multiples of 64 bytes. Shapes: result (rows, size), a view."""
    width = -(-size // LANES) * LANES
    if unavailable() is None:
        storage: Tensor = extension().borrow_matrix(rows, width).zero_()
    else:
        storage = torch.zeros(rows, width)
    return storage[:, :size]


class WordTrainer:
    """Trains the rows of `input` and `output` on sentences of a token file; see native/word_vectors.h.

    Shapes: input (rows, D); output (rows, D), or (rows, window · D) if the context is concatenated; both made
    by `padded_rows`. keep (V,); part_starts (V + 1,) and parts: the rows of `input` of which each word's
    vector is the mean; it is computed when an occurrence comes within `window` words of the position, and
    the errors are added to the rows when the occurrence leaves this reach.

    Raises: ShapeError if shapes, dtypes or ids do not fit.
    """

    def __init__(
        self,
        input: Tensor,
        output: Tensor,
        contexts: WordContexts,
        outputs: WordOutputs,
        *,
        vocabulary_size: int,
        keep: NDArray[np.float32] | None = None,
        parts: tuple[NDArray[np.int64], NDArray[np.int32]] | None = None,
        whole_error: bool = True,
        seed: int = 0,
        threads: int = 1,
        reproducible: bool = False,
        round_tokens: int = 256,
    ) -> None:
        self.input, self.output, self.contexts, self.outputs = input, output, contexts, outputs
        self.vocabulary_size, self.keep, self.parts = vocabulary_size, keep, parts
        self.whole_error, self.seed = whole_error, seed
        self.threads, self.reproducible, self.round_tokens = threads, reproducible, round_tokens
        check_trainer(self)
        self._copies: Tensor | None = None
        self._has_copies = False

    def run(
        self,
        tokens: NDArray[np.int32],
        starts: NDArray[np.int64],
        first: int,
        last: int,
        *,
        epoch: int = 0,
        rates: tuple[float, float] = (0.0, 0.0),
        update: bool = True,
    ) -> WordLoss:
        """Train on sentences `first` … `last` - 1; sentence s is tokens[starts[s]:starts[s + 1]].

        The learning rate goes from `rates[0]` to `rates[1]` in proportion to the tokens. Without `update`,
        only the loss is computed. Shapes: tokens (N,); starts (sentences + 1,).
        """
        check_sentences(tokens, starts, first, last, self.vocabulary_size)
        check_number("epoch", epoch, 0)
        self._check_rows()
        if unavailable() is not None:
            return self._run_reference(tokens, starts, first, last, epoch, rates, update)
        call = self._call(update=update)
        call.tokens, call.starts = tokens.ctypes.data, starts.ctypes.data
        call.first_sentence, call.last_sentence, call.epoch = first, last, epoch
        (call.first_rate, call.last_rate), call.update = rates, int(update)
        call.has_copies = int(self._has_copies)
        call.run()
        self._has_copies = bool(call.has_copies)
        return WordLoss(call.loss, call.predictions)

    def rows_have_changed(self) -> None:
        """Note that `input` or `output` was changed by other code since the last run."""
        self._has_copies = False

    def _check_rows(self) -> None:
        check_rows("input", self.input, None, None)
        size, row = self.input.shape[1], self.input.stride(0)
        if self.contexts.hidden != "concatenated":
            check_rows("output", self.output, None, size)
            if self.output.stride(0) != row:
                raise shape_error(
                    "output", f"rows of {self.output.stride(0)} numbers", f"{row}", "pad both alike"
                )
            return
        if size != row:
            raise shape_error(
                "input", f"rows of {size} numbers", f"a multiple of {LANES}", "concatenated contexts need it"
            )
        check_rows("output", self.output, None, size * self.contexts.window)

    def _call(self, *, update: bool) -> Any:
        call, contexts, outputs = extension().WordVectorsCall(), self.contexts, self.outputs
        call.threads, call.reproducible, call.round = self.threads, int(self.reproducible), self.round_tokens
        call.hidden, call.reach = _HIDDEN.index(contexts.hidden), _REACH.index(contexts.reach)
        call.window, call.shrink = contexts.window, int(contexts.shrink)
        call.objective, call.negatives = int(outputs.is_tree), outputs.negatives
        call.whole_error, call.seed, call.V = int(self.whole_error), self.seed, self.vocabulary_size
        call.row, call.input_rows = self.input.stride(0), len(self.input)
        call.output_row, call.output_rows = self.output.stride(0), len(self.output)
        call.input, call.output = self.input.data_ptr(), self.output.data_ptr()
        if self.keep is not None:
            call.keep = self.keep.ctypes.data
        if self.parts is not None:
            call.part_starts, call.parts = (array.ctypes.data for array in self.parts)
        for name in ("alias_share", "alias", "path_starts", "path_nodes", "path_labels"):
            array = getattr(outputs, name)
            if array is not None:
                setattr(call, name, array.ctypes.data)
        if update and self.reproducible and self.threads > 1:  # a loss alone needs no copies
            if self._copies is None:
                size = call.row * call.input_rows + call.output_row * call.output_rows
                self._copies = extension().borrow_matrix(self.threads, size)
            call.copies = self._copies.data_ptr()
        return call

    @torch.no_grad()
    def _run_reference(
        self,
        tokens: NDArray[np.int32],
        starts: NDArray[np.int64],
        first: int,
        last: int,
        epoch: int,
        rates: tuple[float, float],
        update: bool,
    ) -> WordLoss:
        """The same with one thread and without the native part, some hundred times slower."""
        total, predictions = 0.0, 0
        begin, count = int(starts[first]), max(1, int(starts[last] - starts[first]))
        rows = self.input.numpy(), self.output.numpy()
        for sentence in range(first, last):
            found = self.positions(tokens, starts, sentence, epoch)
            steps = [rates[0] + (rates[1] - rates[0]) * (each.token - begin) / count for each in found]
            total += update_sentence(
                *rows, found, self.contexts, self.parts, self.whole_error, steps if update else None
            )
            is_each = self.contexts.hidden == "each"
            predictions += sum(len(each.context) if is_each else 1 for each in found)
        return WordLoss(total, predictions)

    def position_at(
        self, tokens: NDArray[np.int32], starts: NDArray[np.int64], token: int
    ) -> Position | None:
        """Return what one token predicts from what, if no occurrence is dropped; None without a context."""
        sentence = int(np.searchsorted(starts, token, side="right")) - 1
        begin = max(int(starts[sentence]), token - self.contexts.window)
        end = min(int(starts[sentence + 1]), token + self.contexts.window + 1)
        found = look_around(tokens, begin, end, self.contexts, self.outputs, None, self.seed, 0)
        return next((position for position in found if position.token == token), None)

    def positions(
        self, tokens: NDArray[np.int32], starts: NDArray[np.int64], sentence: int, epoch: int = 0
    ) -> list[Position]:
        """Return what each position of a sentence predicts from what, as the kernels draw it."""
        check_sentences(tokens, starts, sentence, sentence + 1, self.vocabulary_size)
        return look_around(
            tokens, int(starts[sentence]), int(starts[sentence + 1]), self.contexts, self.outputs, self.keep,
            self.seed, epoch,
        )  # fmt: skip

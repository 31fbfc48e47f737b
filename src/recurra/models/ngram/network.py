"""An n-gram model with the interface of a network: batches of ids, states, logits and losses."""

from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from recurra.config import Smoothing
from recurra.errors import RunError
from recurra.layers import State
from recurra.layers.lengths import checked_lengths
from recurra.models.ngram.model import NGramModel
from recurra.models.ngram.smoothing import GramTable
from recurra.models.windows import NONE, last_windows, no_symbols, state_before, windows


class NGramNetwork(nn.Module):
    """P(next symbol | the n-1 before it), with the methods of LanguageModelNetwork.

    The state is the last n-1 symbols read, the newest last; missing ones are -1.

    Shapes: inputs (B, T) ids; logits (B, T, V); state (1, B, n-1) int64.
    """

    def __init__(self, model: NGramModel) -> None:
        super().__init__()
        self.model = model

    @classmethod
    def from_tensors(
        cls, tensors: Mapping[str, Tensor], smoothing: Smoothing, start_id: int | None, *, source: str
    ) -> "NGramNetwork":
        """Build the model from the tables that `tensors` returned.

        Raises: RunError if they are not the tables of an n-gram model.
        """
        tables: list[GramTable] = []
        while f"{len(tables) + 1}.keys" in tensors:
            names = [f"{len(tables) + 1}.{name}" for name in ("keys", "log_probs", "backoffs")]
            arrays = [tensors[name].numpy() for name in names if name in tensors]
            if len({len(array) for array in arrays}) != 1 or len(arrays) != len(names):
                break
            keys, log_probs, backoffs = arrays
            tables.append(GramTable(keys, log_probs.astype(np.float64), backoffs.astype(np.float64)))
        if not tables or 3 * len(tables) != len(tensors):
            raise RunError(
                f"{source}: does not contain the tables of an n-gram model; it belongs to another run."
            )
        return cls(NGramModel(len(tables[0]), tables, smoothing=smoothing, start_id=start_id))

    def tensors(self) -> dict[str, Tensor]:
        """Return the model's tables: keys in 64 bits, log-probabilities and back-offs in 32."""
        return {
            f"{length}.{name}": torch.from_numpy(array.astype(kind))
            for length, table in enumerate(self.model.tables, start=1)
            for name, array, kind in (
                ("keys", table.keys, np.int64),
                ("log_probs", table.log_probs, np.float32),
                ("backoffs", table.backoffs, np.float32),
            )
        }

    @property
    def vocabulary_size(self) -> int:
        """V."""
        return self.model.vocabulary_size

    @property
    def device(self) -> torch.device:
        """The device of inputs and outputs: always the CPU."""
        return torch.device("cpu")

    def initial_state(self, batch_size: int) -> Tensor:
        """Return the initial state: (1, batch_size, n-1)."""
        return no_symbols(batch_size, self.model.order - 1, self.device)

    def forward(
        self,
        inputs: Tensor,
        state: State | None = None,
        lengths: Tensor | None = None,
        resets: Tensor | None = None,
    ) -> tuple[Tensor, Tensor]:
        """Return logits (here log P) of each next symbol, and the final state.

        Shapes: inputs (B, T) ids; state (1, B, n-1); lengths (B,); resets (B, T) bool; logits (B, T, V).
        """
        contexts, real, after = self._contexts(inputs, state, lengths, resets)
        logits = torch.zeros((*inputs.shape, self.vocabulary_size))
        with np.errstate(divide="ignore"):
            for b, t in zip(*np.nonzero(real), strict=True):
                context = contexts[b, t]
                probs = self.model.next_probs(context[context != NONE])
                logits[b, t] = torch.from_numpy(np.log(probs))
        return logits, after

    def token_losses(
        self,
        inputs: Tensor,
        targets: Tensor,
        state: State | None = None,
        lengths: Tensor | None = None,
        resets: Tensor | None = None,
    ) -> tuple[Tensor, Tensor]:
        """Return -log P of each target, zero in padding, and the final state.

        Shapes: inputs, targets (B, T); losses (B, T), in nats, float64.
        """
        contexts, real, after = self._contexts(inputs, state, lengths, resets)
        losses = torch.zeros(inputs.shape, dtype=torch.float64)
        log_probs = self.model.log_probs_after(contexts[real], targets.numpy()[real])
        losses[torch.from_numpy(real)] = torch.from_numpy(-log_probs)
        return losses, after

    def _contexts(
        self, inputs: Tensor, state: State | None, lengths: Tensor | None, resets: Tensor | None
    ) -> tuple[NDArray[np.int64], NDArray[np.bool_], Tensor]:
        """Return the n-1 symbols before each target (-1 if missing), the mask of real steps, the final state.

        Shapes: contexts (B, T, n-1); real (B, T); state (1, B, n-1).
        """
        before = state_before(state, inputs, self.model.order - 1)
        lengths = checked_lengths(lengths, inputs.shape[1], len(inputs))
        contexts = windows(inputs, before, resets, self.model.start_id)
        steps = torch.arange(inputs.shape[1])
        real = torch.ones_like(inputs, dtype=torch.bool) if lengths is None else steps < lengths.unsqueeze(1)
        return contexts.numpy(), real.numpy(), last_windows(contexts, before, lengths)

"""An n-gram model in the place of a network: a state goes in and out, batches of ids, logits and losses."""

from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from recurra.config import Smoothing
from recurra.errors import RunError
from recurra.layers import State
from recurra.models.ngram.model import NGramModel
from recurra.models.ngram.smoothing import GramTable

_NONE = -1


class NGramNetwork(nn.Module):
    """P(next symbol | the n-1 before it), with the methods of LanguageModelNetwork.

    The state is the last n-1 symbols read, the newest last; -1 where fewer were.

    Shapes: inputs (B, T) ids; logits (B, T, V); state (1, B, n-1) int64.
    """

    def __init__(self, model: NGramModel) -> None:
        super().__init__()
        self.model = model

    @classmethod
    def from_tensors(
        cls, tensors: Mapping[str, Tensor], smoothing: Smoothing, start_id: int | None, *, source: str
    ) -> "NGramNetwork":
        """The model whose tables `tensors` took.

        Raises: RunError if they are no tables of an n-gram model.
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
            raise RunError(f"{source}: does not hold the tables of an n-gram model; it is of another run.")
        return cls(NGramModel(len(tables[0]), tables, smoothing=smoothing, start_id=start_id))

    def tensors(self) -> dict[str, Tensor]:
        """The model's tables: keys in 64 bits, log-probabilities and back-offs in 32."""
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
        """Where inputs belong: always the CPU."""
        return torch.device("cpu")

    def initial_state(self, batch_size: int) -> Tensor:
        """The state before anything is read: (1, batch_size, n-1)."""
        return torch.full((1, batch_size, self.model.order - 1), _NONE)

    def forward(
        self,
        inputs: Tensor,
        state: State | None = None,
        lengths: Tensor | None = None,
        resets: Tensor | None = None,
    ) -> tuple[Tensor, Tensor]:
        """Logits (here log P) of each next symbol, and the state after the last. Shapes as
        LanguageModelNetwork's."""
        contexts, real, after = self._contexts(inputs, state, lengths, resets)
        logits = torch.zeros((*inputs.shape, self.vocabulary_size))
        with np.errstate(divide="ignore"):
            for b, t in zip(*np.nonzero(real), strict=True):
                context = contexts[b, t]
                probs = self.model.next_probs(context[context != _NONE])
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
        """-log P of each target, zero in padding, and the state after the last.

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
        """The n-1 symbols before each target, -1 where there are none; which steps are real; the last state.

        No context reaches over a reset, or over the model's start symbol, which stands where a text begins.

        Shapes: contexts (B, T, n-1); real (B, T); state (1, B, n-1).
        """
        batch, steps = inputs.shape
        kept = self.model.order - 1
        before = self.initial_state(batch) if state is None else state
        assert isinstance(before, Tensor)
        symbols = np.concatenate([before[0].numpy(), inputs.numpy()], axis=1)  # input t is at kept + t
        begins = np.zeros(symbols.shape, dtype=bool)
        if self.model.start_id is not None:
            begins |= symbols == self.model.start_id
        if resets is not None:
            begins[:, kept:] |= resets.numpy()
        places = np.arange(symbols.shape[1])
        begun = np.maximum.accumulate(np.where(begins, places, 0), axis=1)  # where each one's text began
        contexts = np.full((batch, steps, kept), _NONE, dtype=np.int64)
        for back in range(kept):
            here = places[kept:] - back
            reaches = here >= begun[:, kept:]
            contexts[:, :, kept - 1 - back] = np.where(reaches, symbols[:, here], _NONE)
        ends = np.full(batch, steps) if lengths is None else lengths.numpy()
        after = before[0].numpy().copy()
        rows = np.flatnonzero(ends > 0)
        after[rows] = contexts[rows, ends[rows] - 1]
        return contexts, np.arange(steps) < ends[:, None], torch.from_numpy(after)[None]

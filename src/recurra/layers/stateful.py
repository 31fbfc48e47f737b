"""The stateful mode: a layer continues from the final state of its last call."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from recurra.cells import LSTMState, State, map_state, shape_error


class Stateful(nn.Module):
    """Stores the last state of a layer between calls, detached.

    The state is not a parameter and not in the state_dict. It is moved, converted, copied and pickled
    together with the module.
    Shapes: the kept state (L*D, B, H), a pair of them for the LSTM.
    """

    stateful: bool = False
    _kept: State | None = None
    _begins_anew: Tensor | None = None  # (B,) bool: rows that start from the initial state again

    def reset_state(self, rows: Tensor | Sequence[int] | Sequence[bool] | None = None) -> None:
        """Reset the kept state of all rows or of some rows to the initial state.

        Does nothing if no state is kept yet.
        Shapes: rows (B,) bool, or indices of rows.
        Raises: ShapeError for rows that the kept state does not have.
        """
        if rows is None:
            self._kept = self._begins_anew = None
        elif self._kept is not None:
            hidden = _hidden(self._kept)
            chosen = _as_mask(rows, hidden.shape[1]).to(hidden.device)
            before = self._begins_anew
            self._begins_anew = chosen if before is None else before | chosen

    def keep_state(self, state: State) -> None:
        """Store a detached state for the next call if this layer is stateful.

        Shapes: (L*D, B, H), a pair of them for the LSTM.
        """
        if self.stateful:
            # A copy, so that the caller may modify the state that a call returned.
            self._kept, self._begins_anew = map_state(lambda part: part.detach().clone(), state), None

    def _from_kept(self, initial: State, B: int) -> State:
        """Return the start of a call without hx: the kept state, or `initial` where none is kept."""
        if self._kept is None:
            return initial
        kept, anew = self._kept, self._begins_anew
        # Autograd cannot save a state kept under inference_mode, but it can save a copy of it.
        if not torch.compiler.is_compiling() and _hidden(kept).is_inference():
            kept = map_state(Tensor.clone, kept)
        rows = _hidden(kept).shape[1]
        if rows != B:
            remedy = "call reset_state() before a new batch"
            raise shape_error("input", f"{B} rows", f"{rows}, the batch size of the kept state", remedy)
        if anew is None:
            return map_state(lambda old, new: old.to(new.dtype), kept, initial)
        return map_state(
            lambda old, new: torch.where(anew.unsqueeze(-1), new, old.to(new.dtype)), kept, initial
        )

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Any:
        super()._apply(fn, recurse)
        if self._kept is not None:
            self._kept = map_state(fn, self._kept)
        if self._begins_anew is not None:
            self._begins_anew = self._begins_anew.to(fn(self._begins_anew).device)
        return self


def _hidden(state: State) -> Tensor:
    return state.hidden if isinstance(state, LSTMState) else state


def _as_mask(rows: Tensor | Sequence[int] | Sequence[bool], B: int) -> Tensor:
    given = torch.as_tensor(rows, device="cpu")
    wanted = f"a bool for each of {B} rows, or whole numbers in 0..{B - 1}"
    if given.dtype == torch.bool:
        if given.shape != (B,):
            raise shape_error("rows", f"shape {tuple(given.shape)}", wanted, "pass rows of the last batch")
        return given
    whole = given.numel() == 0 or not (given.is_floating_point() or given.is_complex())
    if not whole or given.dim() != 1 or (given.numel() and not 0 <= int(given.min()) <= int(given.max()) < B):
        raise shape_error("rows", rows, wanted, "pass rows of the last batch")
    return torch.zeros(B, dtype=torch.bool, device="cpu").index_fill(0, given.long(), True)

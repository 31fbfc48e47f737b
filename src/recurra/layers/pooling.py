"""One vector for a whole sequence: where each direction of a layer has read all of it.

Forwards that is a row's last real step, backwards its first: [→a<T>, ←a<1>].
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from recurra.cells import State, hidden_of
from recurra.layers.lengths import checked_lengths


def ends_of_output(
    output: Tensor,
    lengths: Tensor | Sequence[int] | None = None,
    *,
    bidirectional: bool,
    batch_first: bool = False,
) -> Tensor:
    """Join a layer's output at the two ends of each row; a row of no steps gives zeros.

    For layers whose output is the last layer's hidden state, both directions side by side: not with
    merge="sum" or "mean", skip="graves", or (as what is added belongs to the output alone) "residual". There
    take the final state and ends_of_state.
    Shapes: output (T, B, D*H), or (B, T, D*H) with batch_first; lengths (B,); result (B, D*H).
    Raises: ShapeError for lengths that do not fit the output.
    """
    steps_first = output.transpose(0, 1) if batch_first else output
    T, B, width = steps_first.shape
    steps = checked_lengths(lengths, T, B)
    if T == 0:
        return output.new_zeros(B, width)
    last = torch.full((B,), T - 1, device="cpu") if steps is None else (steps - 1).clamp(min=0)
    at_last = steps_first[last.to(output.device), torch.arange(B, device=output.device)]
    if not bidirectional:
        joined = at_last
    else:
        joined = torch.cat([at_last[:, : width // 2], steps_first[0, :, width // 2 :]], dim=-1)
    if steps is None:
        return joined
    return torch.where((steps > 0).to(output.device).unsqueeze(1), joined, 0.0)


def ends_of_state(state: State, *, bidirectional: bool) -> Tensor:
    """Join the last layer's final hidden state of each direction; where it applies, ends_of_output's result.

    But for a row of no steps: that gives its initial state.
    Shapes: state (L*D, B, H), a pair of them for the LSTM; result (B, D*H).
    """
    hidden = hidden_of(state)
    return torch.cat([hidden[-2], hidden[-1]], dim=-1) if bidirectional else hidden[-1]

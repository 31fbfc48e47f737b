"""Pooling: one vector for a whole sequence.

Either the output of each direction after it has read the whole sequence, [→a<T>, ←a<1>]: the last real step
forwards, the first step backwards. Or the mean of all steps, their maximum, the middle step, or a mean
weighted by attention.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from recurra.cells import State, hidden_of
from recurra.layers.lengths import checked_lengths


def ends_of_output(
    output: Tensor,
    lengths: Tensor | Sequence[int] | None = None,
    *,
    bidirectional: bool,
    batch_first: bool = False,
) -> Tensor:
    """Return a layer's output at the two ends of each row, concatenated; zeros for a row without steps.

    The output must be the last layer's hidden state with both directions side by side. With merge="sum" or
    "mean", or skip="graves" or "residual", use the final state and ends_of_state instead.
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
    """Return the last layer's final hidden states of all directions, concatenated.

    The result equals that of ends_of_output where the latter applies, except for a row without steps: its
    result is its initial state.
    Shapes: state (L*D, B, H), a pair of them for the LSTM; result (B, D*H).
    """
    hidden = hidden_of(state)
    return torch.cat([hidden[-2], hidden[-1]], dim=-1) if bidirectional else hidden[-1]


def pool_steps(output: Tensor, lengths: Tensor | Sequence[int] | None, how: str) -> Tensor:
    """Return the mean or maximum of a row's real steps, or its middle step; zeros for a row without steps.

    Shapes: output (B, T, F); lengths (B,); result (B, F).
    Raises: ValueError unless `how` is "mean", "max" or "centre".
    """
    B, T, _ = output.shape
    if how not in ("mean", "max", "centre"):
        raise ValueError(f"how: got {how!r}, expected mean, max or centre")
    if T == 0:
        return output.sum(1)
    real = real_steps(output, lengths)
    counts = real.sum(1, keepdim=True)
    if how == "mean":
        return output.masked_fill(~real.unsqueeze(2), 0.0).sum(1) / counts.clamp(min=1)
    if how == "max":
        largest = output.masked_fill(~real.unsqueeze(2), -torch.inf).amax(1)
        return torch.where(counts > 0, largest, 0.0)
    middle = output[torch.arange(B, device=output.device), counts.squeeze(1) // 2 % T]
    return torch.where(counts > 0, middle, 0.0)


def real_steps(output: Tensor, lengths: Tensor | Sequence[int] | None) -> Tensor:
    """Return which steps are not padding. Shapes: output (B, T, F); lengths (B,); result (B, T) bool."""
    B, T = output.shape[:2]
    steps = checked_lengths(lengths, T, B)
    if steps is None:
        return torch.ones(B, T, dtype=torch.bool, device=output.device)
    return torch.arange(T, device=output.device) < steps.to(output.device).unsqueeze(1)


class AttentionPooling(nn.Module):
    """A mean of all real steps, weighted by attention:

        u_t = v·tanh(W h_t + b);   a = softmax(u);   c = Σ_t a_t h_t

    The weights of the last call are in `weights`, (B, T). A row without steps gives zeros.

    Shapes: output (B, T, F); lengths (B,); result (B, F).
    Source: Z. Yang et al., Hierarchical attention networks for document classification (2016).
    """

    weights: Tensor

    def __init__(self, features: int, size: int | None = None) -> None:
        super().__init__()
        self.inner = nn.Linear(features, size or features)
        self.score = nn.Linear(size or features, 1, bias=False)

    def forward(self, output: Tensor, lengths: Tensor | Sequence[int] | None = None) -> Tensor:
        """Return the weighted mean. Shapes: output (B, T, F); lengths (B,); result (B, F)."""
        scores: Tensor = self.score(torch.tanh(self.inner(output))).squeeze(2)
        real = real_steps(output, lengths)
        # Minus infinity would give NaN in a row without steps.
        weights = scores.masked_fill(~real, torch.finfo(scores.dtype).min).softmax(1).masked_fill(~real, 0.0)
        if not torch.compiler.is_compiling():  # a compiled graph keeps no state between calls
            self.weights = weights.detach()
        return (weights.unsqueeze(2) * output.masked_fill(~real.unsqueeze(2), 0.0)).sum(1)

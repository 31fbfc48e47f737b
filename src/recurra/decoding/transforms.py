"""Composable transforms of the logits before a symbol is drawn."""

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from recurra.errors import ConfigError

LogitsTransform = Callable[[Tensor], Tensor]

_LOWEST = 1e-6  # temperature other than 0


def temperature(value: float) -> LogitsTransform:
    """Divide the logits by `value`: below 1 favours probable symbols, above 1 is more varied, 0 is greedy.

    Shapes: (B, V) -> (B, V). Raises: ConfigError if it is negative, or so low that logits overflow.
    """
    if not (value == 0 or _LOWEST <= value < math.inf):
        raise ConfigError(f"temperature: got {value}, expected 0 or a finite number >= {_LOWEST:g}.")
    if value == 0:
        return top_k(1)
    divisor = float(value)  # torch divides by whole numbers of 64 bits only
    return lambda logits: logits / divisor


def top_k(k: int) -> LogitsTransform:
    """Keep the k largest logits and set the others to -inf; ties with the k-th are kept.

    Shapes: (B, V) -> (B, V). Raises: ConfigError if k < 1.
    """
    if k < 1:
        raise ConfigError(f"top_k: got {k}, expected >= 1.")

    def transform(logits: Tensor) -> Tensor:
        least = logits.topk(min(k, logits.shape[-1]), dim=-1).values[..., -1:]
        return logits.masked_fill(logits < least, -torch.inf)

    return transform


def top_p(p: float) -> LogitsTransform:
    """Keep the fewest symbols whose probabilities sum to at least p (nucleus; Holtzman et al. 2020).

    Shapes: (B, V) -> (B, V). Raises: ConfigError if p is not in (0, 1].
    """
    if not 0 < p <= 1:
        raise ConfigError(f"top_p: got {p}, expected in (0, 1].")

    def transform(logits: Tensor) -> Tensor:
        ordered, order = logits.softmax(dim=-1).sort(dim=-1, descending=True, stable=True)
        # A symbol is removed if the symbols before it already sum to p; the first is never removed.
        gone = ordered.cumsum(dim=-1) - ordered >= p
        return logits.masked_fill(torch.zeros_like(gone).scatter(-1, order, gone), -torch.inf)

    return transform


def sampling(value: float = 1.0, k: int | None = None, p: float | None = None) -> LogitsTransform:
    """Apply a temperature, then keep the top k and the top p where given.

    Shapes: (B, V) -> (B, V). Raises: ConfigError as `temperature`, `top_k` and `top_p`.
    """
    steps = [temperature(value)]
    steps += [] if k is None else [top_k(k)]
    steps += [] if p is None else [top_p(p)]
    return chain(steps)


def forbid(ids: Sequence[int]) -> LogitsTransform:
    """Never draw the given symbols; the same as drawing again until another symbol comes.

    Shapes: (B, V) -> (B, V).
    """

    def transform(logits: Tensor) -> Tensor:
        chosen = torch.tensor(list(ids), dtype=torch.int64, device=logits.device)
        return logits.index_fill(-1, chosen, -torch.inf)

    return transform


def chain(transforms: Sequence[LogitsTransform]) -> LogitsTransform:
    """Apply transforms one after another. Shapes: (B, V) -> (B, V)."""

    def transform(logits: Tensor) -> Tensor:
        for one in transforms:
            logits = one(logits)
        return logits

    return transform

"""Sampling symbols one after another; each is fed back to the model."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from torch import Tensor

from recurra.decoding.transforms import LogitsTransform

# One step of a model: ids (B, T) and a state to the logits (B, T, V) and the next state.
Step = Callable[[Tensor, Any], tuple[Tensor, Any]]


def seeded(seed: int | None = None) -> torch.Generator:
    """Return a random generator on the CPU; without a seed, it gives other numbers each time."""
    generator = torch.Generator()
    if seed is None:
        generator.seed()
    else:
        generator.manual_seed(int(seed))
    return generator


def sample_ids(
    step: Step,
    prime: Sequence[int],
    *,
    length: int,
    transform: LogitsTransform,
    generator: torch.Generator,
    end_id: int | None = None,
    begins_anew: Callable[[Sequence[int]], bool] | None = None,
    device: torch.device | None = None,
) -> Iterator[int]:
    """Sample up to `length` symbols after `prime` (at least one symbol); yield each when it is drawn.

    Stops early after yielding `end_id`, or if no symbol is possible. If `begins_anew` is true for the last
    two symbols, the state is reset to the initial state before the next symbol, as for a new document.

    Shapes: `step` takes ids (1, T) and returns logits (1, T, V); `transform` takes (1, V).
    """
    ids = torch.tensor([list(prime)], device=device)
    seen = list(prime)
    state: Any = None
    for _ in range(length):
        with torch.no_grad():
            logits, state = step(ids, state)
        scores = transform(logits[:, -1].float())
        if bool((scores == -torch.inf).all()):
            return
        weights = scores.softmax(dim=-1)
        # Drawn on the CPU, so that a seed gives the same text on any device.
        drawn = int(torch.multinomial(weights[0].cpu(), 1, generator=generator))
        yield drawn
        if drawn == end_id:
            return
        seen = [*seen[-1:], drawn]
        if begins_anew is not None and begins_anew(seen):
            state = None
        ids = torch.tensor([[drawn]], device=device)

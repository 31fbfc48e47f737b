"""Drawing symbols one after the other, each fed back."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from torch import Tensor

from recurra.decoding.transforms import LogitsTransform

# One step of a model: ids (B, T) and a state to the logits (B, T, V) and the next state.
Step = Callable[[Tensor, Any], tuple[Tensor, Any]]


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
    """Draw up to `length` symbols after `prime` (at least one symbol), each as it is drawn.

    Ends early once `end_id` is drawn, which is given too, and where no symbol is possible. Where
    `begins_anew` holds for the last two symbols, the next one is drawn from the state before anything was
    read, as a new document's first.

    Shapes: `step` takes ids (1, T) and gives logits (1, T, V); `transform` takes (1, V).
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
        # Drawn on the CPU, so that one seed gives one text whatever computes the logits.
        drawn = int(torch.multinomial(weights[0].cpu(), 1, generator=generator))
        yield drawn
        if drawn == end_id:
            return
        seen = [*seen[-1:], drawn]
        if begins_anew is not None and begins_anew(seen):
            state = None
        ids = torch.tensor([[drawn]], device=device)

"""Gradient clipping, against exploding gradients."""

from collections.abc import Iterable

import torch
from torch import Tensor, nn


def _gradients(parameters: Iterable[nn.Parameter]) -> list[Tensor]:
    return [parameter.grad for parameter in parameters if parameter.grad is not None]


def clip_by_norm(parameters: Iterable[nn.Parameter], threshold: float | None) -> Tensor:
    """Scale all gradients g ← g·threshold/‖g‖ if ‖g‖ > threshold; ‖g‖ is the L2 norm of all together.

    Returns the norm before clipping. Nothing is scaled if the threshold is None, or if the norm is NaN or
    infinite: the caller must check it.

    Shapes: the result is a scalar. Source: Pascanu, Mikolov & Bengio 2013.
    """
    gradients = _gradients(parameters)
    if not gradients:
        return torch.zeros(())
    norm: Tensor = torch.linalg.vector_norm(torch.stack(torch._foreach_norm(gradients)))
    if threshold is not None and torch.isfinite(norm) and norm > threshold:
        torch._foreach_mul_(gradients, threshold / norm)
    return norm


def clip_by_value(parameters: Iterable[nn.Parameter], limit: float) -> None:
    """Clip every element of every gradient to [-limit, limit]."""
    gradients = _gradients(parameters)
    if gradients:
        torch._foreach_clamp_max_(gradients, limit)
        torch._foreach_clamp_min_(gradients, -limit)

"""A network as it is used: in evaluation mode and without gradients, for a while."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn


@contextmanager
def evaluating(network: nn.Module, *, gradients: bool = False) -> Iterator[None]:
    """All of a network in evaluation mode, and without gradients; with `gradients` they are as outside.

    Afterwards, also after an error, each of its modules is in the mode in which it was: one that was kept in
    evaluation within a network in training stays so.
    """
    in_training = [module for module in network.modules() if module.training]
    if in_training:
        network.eval()
    try:
        with torch.set_grad_enabled(torch.is_grad_enabled() and gradients):
            yield
    finally:
        for module in in_training:
            module.training = True

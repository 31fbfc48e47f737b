"""A context in which a network is in evaluation mode and without gradients."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn


@contextmanager
def evaluating(network: nn.Module, *, gradients: bool = False) -> Iterator[None]:
    """Put a network into evaluation mode and disable gradients; with `gradients` they stay as outside.

    Afterwards, also after an error, each module is in its previous mode: a module that was in evaluation mode
    within a network in training mode stays so.
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

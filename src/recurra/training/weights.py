"""The weights of a network by name, and other tensors by prefixes of theirs."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from recurra.errors import RunError


def weights_of(network: nn.Module) -> dict[str, Tensor]:
    """Weights and buffers by name, tied ones once."""
    return {**dict(network.named_parameters()), **dict(network.named_buffers())}


def restore_weights(network: nn.Module, tensors: Mapping[str, Tensor], *, source: str) -> None:
    """Copy tensors into a network's weights.

    Raises: RunError if names or shapes do not fit.
    """
    own = weights_of(network)
    if own.keys() != tensors.keys():
        wrong = sorted(own.keys() ^ tensors.keys())
        raise RunError(f"{source}: does not fit the model ({', '.join(wrong[:3])}); it is of another run.")
    with torch.no_grad():
        for name, tensor in own.items():
            if tensor.shape != tensors[name].shape:
                raise RunError(
                    f"{source}: {name} has shape {tuple(tensors[name].shape)}, the model expects "
                    f"{tuple(tensor.shape)}; it is of another run."
                )
            tensor.copy_(tensors[name])


def below(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """The tensors whose names begin with `prefix`, without it. Shapes: as they come."""
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}

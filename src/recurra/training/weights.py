"""The weights of a network by name, and selection of tensors by name prefix."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from recurra.errors import RunError


def weights_of(network: nn.Module) -> dict[str, Tensor]:
    """Return weights and buffers by name, tied ones once."""
    return {**dict(network.named_parameters()), **dict(network.named_buffers())}


def restore_weights(network: nn.Module, tensors: Mapping[str, Tensor], *, source: str) -> None:
    """Copy tensors into a network's weights.

    Raises: RunError if names or shapes do not match.
    """
    own = weights_of(network)
    if own.keys() != tensors.keys():
        wrong = sorted(own.keys() ^ tensors.keys())
        raise RunError(
            f"{source}: does not fit the model ({', '.join(wrong[:3])}); it belongs to another run."
        )
    with torch.no_grad():
        for name, tensor in own.items():
            if tensor.shape != tensors[name].shape:
                raise RunError(
                    f"{source}: {name} has shape {tuple(tensors[name].shape)}, the model expects "
                    f"{tuple(tensor.shape)}; it belongs to another run."
                )
            tensor.copy_(tensors[name])


def below(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """Return the tensors with names that begin with `prefix`, without the prefix. Shapes: unchanged."""
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}

"""Construction of optimisers by name, and their state as tensors."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from recurra.config import OptimizerPart


def build_optimizer(network: nn.Module, config: OptimizerPart) -> torch.optim.Optimizer:
    """Build the configured optimiser over all weights of the network."""
    parameters = list(network.parameters())
    rate, decay = config.learning_rate, config.weight_decay
    # One pass over each weight instead of one per operation: 30 instead of 200 ms for 13 million on a CPU.
    fused = all(weight.device.type in ("cpu", "cuda") for weight in parameters)
    match config.optimizer:
        case "adamw":
            return torch.optim.AdamW(parameters, rate, betas=(0.9, 0.99), weight_decay=decay, fused=fused)
        case "adam":
            return torch.optim.Adam(parameters, rate, weight_decay=decay, fused=fused)
        case "sgd":
            return torch.optim.SGD(parameters, rate, weight_decay=decay, fused=fused)
        case "momentum":
            return torch.optim.SGD(
                parameters, rate, momentum=config.momentum, weight_decay=decay, fused=fused
            )
        case "rmsprop":
            return torch.optim.RMSprop(parameters, rate, weight_decay=decay)
        case "adagrad":
            return torch.optim.Adagrad(parameters, rate, weight_decay=decay, fused=fused)


def set_learning_rate(optimizer: torch.optim.Optimizer, rate: float) -> None:
    """Use this learning rate in the next update."""
    for group in optimizer.param_groups:
        group["lr"] = rate


def optimizer_tensors(optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    """Return the optimiser's state: `0.exp_avg` is the moving average of the first weight, and so on.

    The state does not include the settings, such as the learning rate: they come from the configuration.
    """
    return {
        f"{index}.{name}": value if isinstance(value, Tensor) else torch.tensor(value, dtype=torch.float64)
        for index, values in optimizer.state_dict()["state"].items()
        for name, value in values.items()
        if value is not None
    }


def restore_optimizer(optimizer: torch.optim.Optimizer, tensors: Mapping[str, Tensor]) -> None:
    """Load the state that `optimizer_tensors` returned into an optimiser."""
    state: dict[int, dict[str, Any]] = {}
    for name, tensor in tensors.items():
        index, _, key = name.partition(".")
        state.setdefault(int(index), {})[key] = tensor
    groups = optimizer.state_dict()["param_groups"]
    optimizer.load_state_dict({"state": state, "param_groups": groups})

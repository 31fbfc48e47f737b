"""Builds the recurrent stack of a configuration."""

from typing import Any, TypeVar

from torch import nn

from recurra.config import RecurrentNetworkConfig
from recurra.errors import ConfigError
from recurra.layers import GRU, LSTM, RNN, JordanRNN, RecurrentLayer

NetworkT = TypeVar("NetworkT", bound=nn.Module)


def ready_for_use(network: NetworkT) -> NetworkT:
    """Put a network into evaluation mode and keep packed weights, as inference makes many short calls."""
    for module in network.eval().modules():
        if isinstance(module, RecurrentLayer):
            module.keep_packed = True
    return network


def check_backends(network: nn.Module) -> None:
    """Check that the backend of each recurrent layer can run it, where its weights are.

    Raises: BackendUnavailable.
    """
    for module in network.modules():
        if isinstance(module, RecurrentLayer):
            weight = next(module.parameters())
            module.backend_for(weight, weight)


def build_recurrent(
    config: RecurrentNetworkConfig,
    input_size: int,
    hidden_size: int,
    num_layers: int,
    *,
    bidirectional: bool = False,
) -> RecurrentLayer:
    """Build the recurrent stack of a configuration with these sizes, batch first.

    Raises: ConfigError for a bidirectional stack of a cell that runs in one direction only.
    """
    between = config.dropout if config.layer_dropout is None else config.layer_dropout
    once = config.dropout_mask == "segment"
    options: dict[str, Any] = {
        "batch_first": True,
        "backend": config.backend,
        "weight_drop": config.weight_drop,
        "zoneout": config.zoneout,
        "learn_initial_state": config.learn_initial_state,
    }
    if config.cell == "jordan":
        if bidirectional:
            raise ConfigError("bidirectional: the cell jordan runs in one direction; use --no-bidirectional.")
        return JordanRNN(input_size, hidden_size, hidden_size, config.nonlinearity, **options)
    options |= {"skip": config.skip, "bidirectional": bidirectional}
    if num_layers > 1:
        options |= {"variational_dropout": between} if once else {"dropout": between}
    sizes = (input_size, hidden_size, num_layers)
    match config.cell:
        case "lstm":
            return LSTM(
                *sizes,
                peepholes="previous" if config.peepholes == "previous" else config.peepholes == "current",
                relevance_gate=config.relevance_gate,
                coupled_gates=config.coupled_gates,
                output_activation=config.output_activation,
                forget_bias=config.forget_bias,
                layer_norm=config.layer_norm,
                **options,
            )
        case "gru":
            return GRU(*sizes, reset=config.reset_gate, layer_norm=config.layer_norm, **options)
        case "rnn":
            return RNN(*sizes, nonlinearity=config.nonlinearity, **options)

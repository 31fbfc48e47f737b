"""One-line description of a trained model, for `repr`."""

from typing import Any

from recurra.layers.recurrent import RecurrentLayer


def described(model: Any) -> str:
    """Return the class, run folder, network, recurrent layers and size of a model.

    Name('runs/atis': NameNetwork, LSTM 1 x 100, 172,309 parameters)
    """
    where = "no run" if model.run is None else repr(str(model.run.path))
    parts = [type(model.network).__name__]
    layers = (each for each in model.network.modules() if isinstance(each, RecurrentLayer))
    if layer := next(layers, None):
        both = ", bidirectional" if layer.bidirectional else ""
        parts.append(f"{type(layer).__name__} {layer.num_layers} x {layer.hidden_size}{both}")
    if weights := [weight.numel() for weight in model.network.parameters()]:
        parts.append(f"{sum(weights):,} parameters")
    return f"{type(model).__name__}({where}: {', '.join(parts)})"

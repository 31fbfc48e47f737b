"""Every recurrent layer by name, for the contracts that all layers must satisfy."""

import torch

from recurra.cells import NONLINEARITIES
from recurra.layers import GRU, LSTM, RNN, JordanRNN, map_state

INPUT, HIDDEN = 5, 7
BACKENDS_OF = {name: ["reference"] for name in NONLINEARITIES} | {
    "tanh": ["torch", "reference"],
    "relu": ["torch", "reference"],
}


SHAPES = {
    "": {},
    "_two_layers": {"num_layers": 2},
    "_both_ways": {"bidirectional": True},
    "_deep": {"num_layers": 2, "bidirectional": True, "batch_first": True, "bias": False},
}


# Equations that torch does not have.
VARIANTS = {
    "rnn_norm": (RNN, {"layer_norm": True}),
    "gru_before": (GRU, {"reset": "before"}),
    "gru_simple": (GRU, {"reset": "none", "num_layers": 2}),
    "gru_norm": (GRU, {"layer_norm": True, "bidirectional": True}),
    "lstm_peepholes": (LSTM, {"peepholes": True, "bidirectional": True}),
    "lstm_peepholes_previous": (LSTM, {"peepholes": "previous", "coupled_gates": True}),
    "lstm_relevance": (LSTM, {"relevance_gate": True, "num_layers": 2}),
    "lstm_identity": (LSTM, {"output_activation": "identity", "forget_bias": 1.0}),
    "lstm_norm": (LSTM, {"layer_norm": True}),
    "jordan": (JordanRNN, {"output_size": 4}),
    "jordan_softmax": (JordanRNN, {"output_size": 4, "output_activation": "softmax", "batch_first": True}),
}
# Options of a stack around its cells. Layers that draw masks are in evaluation mode.
DEEP = {"num_layers": 2, "bidirectional": True}
STACKS = {
    "residual": (GRU, {"num_layers": 3, "skip": "residual"}, ["torch", "reference"]),
    "residual_sum": (LSTM, {**DEEP, "skip": "residual", "merge": "sum"}, ["torch"]),
    "graves": (GRU, {"num_layers": 3, "skip": "graves"}, ["torch", "reference"]),
    "graves_mean": (LSTM, {**DEEP, "skip": "graves", "merge": "mean", "batch_first": True}, ["torch"]),
    "graves_both_ways": (RNN, {**DEEP, "skip": "graves"}, ["reference"]),
    "sum": (LSTM, {**DEEP, "merge": "sum", "proj_size": 3}, ["torch", "reference"]),
    "learnt": (LSTM, {"num_layers": 2, "learn_initial_state": True}, ["torch"]),
    "learnt_both_ways": (GRU, {**DEEP, "learn_initial_state": True}, ["reference"]),
    "learnt_jordan": (JordanRNN, {"output_size": 4, "learn_initial_state": True}, ["reference"]),
    "zoneout": (LSTM, {"num_layers": 2, "zoneout": (0.4, 0.1)}, ["reference"]),
    "zoneout_both_ways": (GRU, {**DEEP, "zoneout": 0.3}, ["reference"]),
    "zoneout_proj": (LSTM, {"zoneout": (0.0, 0.5), "proj_size": 3}, ["reference"]),
    "variational": (GRU, {"num_layers": 2, "variational_dropout": 0.5}, ["torch"]),
    "weight_drop": (LSTM, {"num_layers": 2, "weight_drop": 0.5}, ["torch"]),
    "everything": (
        LSTM,
        {
            **DEEP,
            "batch_first": True,
            "peepholes": True,
            "skip": "graves",
            "merge": "mean",
            "learn_initial_state": True,
            "zoneout": 0.2,
            "variational_dropout": 0.5,
            "weight_drop": 0.5,
            "layer_norm": True,
        },
        ["reference"],
    ),
}


def _layers():
    made = {}
    for name, (cell, options) in VARIANTS.items():
        made[f"{name}_reference"] = (cell, {"backend": "reference", **options})
    for name, (cell, options, backends) in STACKS.items():
        for backend in backends:
            made[f"{name}_{backend}"] = (cell, {"backend": backend, **options})
    for shape, options in SHAPES.items():
        for g, backends in BACKENDS_OF.items():
            for backend in backends:
                elman = {"nonlinearity": g, "backend": backend, **options}
                made[f"rnn_{g}{shape}_{backend}"] = (RNN, elman)
        for backend in ["torch", "reference"]:
            made[f"gru{shape}_{backend}"] = (GRU, {"backend": backend, **options})
            made[f"lstm{shape}_{backend}"] = (LSTM, {"backend": backend, **options})
            made[f"lstm_proj{shape}_{backend}"] = (LSTM, {"backend": backend, "proj_size": 3, **options})
    return made


LAYERS = _layers()
ONE_WAY = [name for name, (_, options) in LAYERS.items() if not options.get("bidirectional")]


def make(name, **changes):
    torch.manual_seed(11)
    cell, options = LAYERS[name]
    layer = cell(INPUT, HIDDEN, **({"dtype": torch.float64} | options | changes))
    for start in [p for n, p in layer.named_parameters() if n.startswith("initial")]:
        torch.nn.init.normal_(start)
    return layer.eval() if layer.draws_once_a_call or layer.zoneout else layer


def random_state(layer, rows):
    return map_state(torch.randn_like, layer.initial_state(rows))


def rows_of(state, row):
    return map_state(lambda part: part[:, row : row + 1], state)


def parts_of(state):
    return (state,) if isinstance(state, torch.Tensor) else tuple(state)


def in_order(layer, x):
    """Convert (T, B, ...) to the axis order of the layer, or its output to (T, B, ...)."""
    return x.transpose(0, 1) if layer.batch_first else x


def run(layer, x, state=None, lengths=None):
    """Run the layer on x (T, B, I): its output (T, B, D*H) and final state."""
    output, final = layer(in_order(layer, x), state, lengths)
    return in_order(layer, output), final

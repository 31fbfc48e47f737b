"""Time per streaming step: StreamingStep compared with torch's cells and layers, and ONNX Runtime.

    python benchmarks/streaming.py [--layers gru lstm rnn] [--hidden-sizes 64 128 256 512] [--json FILE]

One row, one step per call, on one thread. The state is carried from step to step, and the input size equals
the hidden size. torch runs in inference mode, with stacked cells and with its layer called on sequences of
length 1. ONNX Runtime runs one graph with one node per layer, with inputs and outputs bound once. recurra and
ONNX Runtime take and return numpy arrays; torch takes and returns tensors.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import onnxruntime
import torch
from onnx import TensorProto, helper, numpy_helper
from timing import Call, Row, Run, agree, parser
from torch import Tensor, nn

from recurra.cells import onnx_attributes, onnx_weights
from recurra.layers import GRU, LSTM, RNN, RecurrentLayer, StreamingStep

HIDDEN_SIZES = (64, 128, 256, 512)
NUM_LAYERS = (1, 2)
STEPS = 32  # per timed call
OPSET = 14

KINDS: dict[str, tuple[type[RecurrentLayer], type[nn.RNNBase], type[nn.RNNCellBase]]] = {
    "gru": (GRU, nn.GRU, nn.GRUCell),
    "lstm": (LSTM, nn.LSTM, nn.LSTMCell),
    "rnn": (RNN, nn.RNN, nn.RNNCell),
}

Stream = Callable[[], Tensor]  # runs all steps of the input and returns the last output


def ours(layer: RecurrentLayer, xs: Tensor) -> Stream:
    step = StreamingStep(layer)
    inputs = list(xs.numpy())

    def run() -> Tensor:
        step.reset()
        for x in inputs:
            y = step(x)
        return torch.from_numpy(y)

    return run


def torch_cells(layer: RecurrentLayer, xs: Tensor, kind: type[nn.RNNCellBase]) -> Stream:
    """Stacked torch cells, called on (1, I)."""
    cells = []
    for number in range(layer.num_layers):
        cell = kind(layer.input_size if number == 0 else layer.hidden_size, layer.hidden_size)
        for name in tuple(cell._parameters):
            setattr(cell, name, getattr(layer, f"{name}_l{number}"))
        cells.append(cell)
    inputs, pairs = list(xs.unsqueeze(1)), kind is nn.LSTMCell

    @torch.inference_mode()
    def run() -> Tensor:
        zeros = torch.zeros(1, layer.hidden_size)
        states: list[Any] = [(zeros, zeros) if pairs else zeros for _ in cells]
        for x in inputs:
            for number, cell in enumerate(cells):
                states[number] = cell(x, states[number])
                x = states[number][0] if pairs else states[number]
        return x[0]

    return run


def torch_layer(layer: RecurrentLayer, xs: Tensor, kind: type[nn.RNNBase]) -> Stream:
    """torch's layer, called on (1, 1, I)."""
    theirs = kind(layer.input_size, layer.hidden_size, layer.num_layers).eval()
    theirs.load_state_dict(layer.state_dict())
    inputs = list(xs.view(len(xs), 1, 1, -1))

    @torch.inference_mode()
    def run() -> Tensor:
        state = None
        for x in inputs:
            y, state = theirs(x, state)
        return y[0, 0]

    return run


def onnx_graph(layer: RecurrentLayer) -> bytes:
    """An ONNX model of one step: maps x and the states to y and the new states, (1, 1, H) each."""
    operator = type(layer).__name__
    parts = ("h", "c") if operator == "LSTM" else ("h",)
    attributes: dict[str, Any] = onnx_attributes(layer.equation) | {"hidden_size": layer.hidden_size}
    nodes, constants, into, out = [], [], ["x"], []
    below = "x"
    for number in range(layer.num_layers):
        weights = onnx_weights(layer.equation, layer.weights()[number][0])
        names = [f"{name}{number}" for name in "WRB"]
        for name, weight in zip(names, weights[:3], strict=True):
            constants.append(numpy_helper.from_array(weight.detach().contiguous().numpy(), name))
        states = [f"{part}{number}" for part in parts]
        after = [f"{state}_after" for state in states]
        nodes.append(
            helper.make_node(
                operator, [below, *names, "", *states], ["", *after], name=str(number), **attributes
            )
        )
        into += states
        out += after
        below = after[0]

    def infos(names: list[str]) -> list[Any]:
        widths = {"x": layer.input_size}
        return [
            helper.make_tensor_value_info(
                name, TensorProto.FLOAT, [1, 1, widths.get(name, layer.hidden_size)]
            )
            for name in names
        ]

    graph = helper.make_graph(nodes, "step", infos(into), infos(out), constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=8)
    encoded: bytes = model.SerializeToString()
    return encoded


def onnx_runtime(layer: RecurrentLayer, xs: Tensor) -> Stream:
    """ONNX Runtime with two alternating bindings: each reads the states that the other one wrote."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(onnx_graph(layer), options, providers=["CPUExecutionProvider"])
    names = [given.name for given in session.get_inputs()][1:]
    width = layer.hidden_size
    stores = [{name: np.zeros((1, 1, width), np.float32) for name in names} for _ in range(2)]
    x = np.zeros((1, 1, layer.input_size), np.float32)
    bindings = []
    for turn in range(2):
        binding = session.io_binding()
        binding.bind_cpu_input("x", x)
        for name in names:
            binding.bind_cpu_input(name, stores[turn][name])
            store = stores[1 - turn][name]
            address = store.ctypes.data
            binding.bind_output(f"{name}_after", "cpu", 0, np.float32, store.shape, address)
        bindings.append(binding)
    inputs, top = list(xs.numpy()), f"h{layer.num_layers - 1}"

    def run() -> Tensor:
        for store in stores[0].values():
            store[...] = 0.0
        for number, given in enumerate(inputs):
            x[0, 0] = given
            session.run_with_iobinding(bindings[number % 2])
        return torch.from_numpy(stores[len(inputs) % 2][top][0, 0].copy())

    return run


def measure(run: Run, kind: str, hidden_size: int, num_layers: int) -> None:
    """Add one row."""
    own, torch_kind, cell = KINDS[kind]
    layer = own(hidden_size, hidden_size, num_layers).eval()
    xs = torch.randn(STEPS, hidden_size)
    streams: dict[str, Call] = {
        "recurra": ours(layer, xs),
        "torch cells": torch_cells(layer, xs, cell),
        "torch layer": torch_layer(layer, xs, torch_kind),
        "ONNX Runtime": onnx_runtime(layer, xs),
    }
    with torch.no_grad():
        wanted = layer(xs)[0][-1]
    for name, stream in streams.items():
        agree(f"{kind}, {name}", [torch.as_tensor(stream())], [wanted])
    run.status(f"{kind}  hidden size {hidden_size}  layers {num_layers}          ")
    timings = run.interleaved(streams)
    base = timings["recurra"].median_ms
    run.rows.append(
        {"layer": kind, "hidden_size": hidden_size, "num_layers": num_layers}
        | {
            name: {
                "us": float(f"{timing.median_ms / STEPS * 1e3:.4g}"),
                "ratio": round(timing.median_ms / base, 2),
                "calls": timing.calls,
            }
            for name, timing in timings.items()
        }
    )


def main() -> None:
    arguments = parser(__doc__, seconds=1.0, threads=[1])
    arguments.add_argument("--layers", nargs="+", choices=KINDS, default=list(KINDS))
    arguments.add_argument("--hidden-sizes", nargs="+", type=int, default=HIDDEN_SIZES, metavar="H")
    arguments.add_argument("--num-layers", nargs="+", type=int, default=NUM_LAYERS, metavar="L")
    options = arguments.parse_args()
    torch.set_num_threads(1)
    run = Run("streaming", options)
    for kind in options.layers:
        for num_layers in options.num_layers:
            for hidden_size in options.hidden_sizes:
                measure(run, kind, hidden_size, num_layers)
    run.peak.measure(1)
    peers = ("torch cells", "torch layer", "ONNX Runtime")

    def cells(row: Row) -> list[str]:
        head = [row["layer"], str(row["hidden_size"]), str(row["num_layers"]), f"{row['recurra']['us']:.1f}"]
        return head + [f"{row[peer]['us']:.1f}  {row[peer]['ratio']:5.2f}x" for peer in peers]

    columns = ["layer|", "hidden size", "layers", "recurra µs", *(f"{peer} µs, ratio" for peer in peers)]
    run.finish("one streaming step, medians", columns, cells)


if __name__ == "__main__":
    main()

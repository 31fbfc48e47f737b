"""Speed of recurra's recurrent layers, compared with torch.nn, torchrecurrent and Python loops.

    python benchmarks/layers.py [--layers gru lstm …] [--shapes 32,64,256,256 …] [--json FILE]

"Forward" runs without gradients; "forward + backward" computes those of the input and of all weights. All
have the same weights, and the results of each peer are compared with recurra's before it is timed. Only the
operations of the matrix products are counted: 2 T B per entry of the weight matrices, and twice that for
backward. The peak is the largest rate of multiply-adds from registers, on as many cores, seen in the run. "At
best" is the percentage of it in the fastest tenth of the calls; on a shared machine it differs from that of
the median. The numbers of threads alternate, so that they can be compared as the peers can.
"""

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import loops
import torch
from timing import Call, Run, Timing, agree, parser
from torch import Tensor, nn

from recurra.layers import GRU, LSTM, RNN, JordanRNN, RecurrentLayer

SHAPES = (  # B, T, I, H
    (1, 100, 128, 128),
    (32, 64, 128, 128),
    (32, 64, 256, 256),
    (64, 100, 512, 512),
    (20, 35, 200, 200),
    (20, 35, 650, 650),
)
PEERS = ("torch.nn", "torchrecurrent", "loop", "reference")
PASSES = ("forward", "forward + backward")

Forward = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Layer:
    """A layer to measure: how to build it, and its peers. A projection has size H/2."""

    make: Callable[[int, int], RecurrentLayer]
    torch_nn: Callable[[int, int], nn.Module] | None = None
    torchrecurrent: str | None = None
    loop: loops.Loop | None = None
    kinked: bool = False  # rounding across a kink of the activation changes gradients at earlier steps


def _rnn(nonlinearity: str) -> Layer:
    make = partial(RNN, nonlinearity=nonlinearity)
    kinked = nonlinearity in ("relu", "leaky_relu", "hardtanh")
    if nonlinearity in ("tanh", "relu"):
        return Layer(make, partial(nn.RNN, nonlinearity=nonlinearity), kinked=kinked)
    return Layer(make, loop=loops.rnn(nonlinearity), kinked=kinked)


def _lstm(**options: Any) -> Layer:
    return Layer(partial(LSTM, **options), loop=loops.lstm(**options))


LAYERS: dict[str, Layer] = {
    "rnn tanh": _rnn("tanh"),
    "rnn relu": _rnn("relu"),
    "rnn leaky relu": _rnn("leaky_relu"),
    "rnn sigmoid": _rnn("sigmoid"),
    "rnn hardtanh": _rnn("hardtanh"),
    "jordan": Layer(lambda i, h: JordanRNN(i, h, h // 2), loop=loops.jordan),
    "gru": Layer(GRU, nn.GRU),
    "gru reset before": Layer(partial(GRU, reset="before"), loop=loops.gru_before),
    "gru no reset": Layer(partial(GRU, reset="none"), torchrecurrent="LiGRU", loop=loops.gru_none),
    "lstm": Layer(LSTM, nn.LSTM),
    "lstm projection": Layer(
        lambda i, h: LSTM(i, h, proj_size=h // 2),
        lambda i, h: nn.LSTM(i, h, proj_size=h // 2),
    ),
    "lstm identity": _lstm(output_activation="identity"),
    "lstm peepholes": Layer(
        partial(LSTM, peepholes=True),
        torchrecurrent="PeepholeLSTM",
        loop=loops.lstm(peepholes=True),
    ),
    "lstm peepholes previous": _lstm(peepholes="previous"),
    "lstm coupled": _lstm(coupled_gates=True),
    "lstm relevance": Layer(partial(LSTM, relevance_gate=True), loop=loops.lstm_relevance),
}


def peers_of(name: str, layer: RecurrentLayer, wanted: list[str]) -> dict[str, Forward]:
    """The peers that compute the same function, with the same weights."""
    kind, sizes = LAYERS[name], (layer.input_size, layer.hidden_size)
    found: dict[str, Forward] = {}
    if "torch.nn" in wanted and kind.torch_nn is not None:
        theirs = kind.torch_nn(*sizes)
        for parameter in layer._parameters:
            setattr(theirs, parameter, getattr(layer, parameter))
        found["torch.nn"] = lambda x: theirs(x)[0]
    if "torchrecurrent" in wanted and kind.torchrecurrent is not None:
        import torchrecurrent

        options = {"nonlinearity": "tanh"} if kind.torchrecurrent == "LiGRU" else {}
        stack = getattr(torchrecurrent, kind.torchrecurrent)(*sizes, **options)
        weights = layer.weights()[0][0]
        for parameter in stack.cells[0]._parameters:
            source = "weight_peephole" if parameter == "weight_ph" else parameter
            setattr(stack.cells[0], parameter, getattr(weights, source))
        found["torchrecurrent"] = lambda x: stack(x)[0]
    if "loop" in wanted and kind.loop is not None:
        loop, own = kind.loop, layer.weights()[0][0]
        found["loop"] = lambda x: loop(x, own)
    if "reference" in wanted:
        slow = kind.make(*sizes)
        slow.backend = "reference"
        for parameter in layer._parameters:
            setattr(slow, parameter, getattr(layer, parameter))
        found["reference"] = lambda x: slow(x)[0]
    return found


def calls_of(
    forwards: dict[str, Forward], x: Tensor, weights: list[Tensor], backward: bool
) -> dict[str, Call]:
    """One function without arguments per peer, which returns the output or all gradients."""
    if not backward:
        return {name: torch.no_grad()(lambda run=run: [run(x)]) for name, run in forwards.items()}
    x = x.clone().requires_grad_()
    with torch.no_grad():
        dy = torch.randn_like(forwards["recurra"](x))

    def both_ways(run: Forward) -> tuple[Tensor, ...]:
        return torch.autograd.grad(run(x), [x, *weights], dy)

    return {name: lambda run=run: both_ways(run) for name, run in forwards.items()}


def operations(layer: RecurrentLayer, T: int, B: int) -> float:
    """Floating-point operations of the products in one forward pass: 2 T B per matrix entry."""
    return 2.0 * T * B * sum(weight.numel() for weight in layer.parameters() if weight.dim() == 2)


def measure(run: Run, name: str, shape: tuple[int, ...]) -> None:
    """Add the rows of one layer and shape."""
    B, T, *sizes = shape
    layer = LAYERS[name].make(*sizes)
    x = torch.randn(T, B, sizes[0])
    forwards: dict[str, Forward] = {"recurra": lambda x: layer(x)[0]}
    forwards |= peers_of(name, layer, run.options.peers)
    weights = list(layer.parameters())
    for number, kind in enumerate(PASSES):
        calls = calls_of(forwards, x, weights, backward=number == 1)
        for threads in run.options.threads:
            torch.set_num_threads(threads)
            wanted = calls["recurra"]()
            for peer, call in calls.items():
                agree(f"{name} {kind}, {peer}", call(), wanted, 1e-2 if LAYERS[name].kinked else 1e-4)
        run.status(f"{name}  {','.join(map(str, shape))}  {kind}          ")
        flops = operations(layer, T, B) * (3 if number else 1)
        for threads, timings in run.by_threads(calls).items():
            run.rows.append(row_of(name, layer, shape, threads, kind, timings, flops))


def row_of(
    name: str,
    layer: RecurrentLayer,
    shape: tuple[int, ...],
    threads: int,
    kind: str,
    timings: dict[str, Timing],
    flops: float,
) -> dict[str, Any]:
    ours = timings["recurra"]
    return {
        "layer": name,
        "shape": list(shape),
        "threads": threads,
        "pass": kind,
        "backend": layer.backend_used,
        "gflop": round(flops / 1e9, 6),
        "recurra": ours.as_json(),
        "peers": {
            peer: timing.as_json() | {"ratio": round(timing.median_ms / ours.median_ms, 2)}
            for peer, timing in timings.items()
            if peer != "recurra"
        },
    }


def main() -> None:
    arguments = parser(__doc__, seconds=1.0)
    arguments.add_argument("--layers", nargs="+", choices=LAYERS, default=list(LAYERS), metavar="NAME")
    arguments.add_argument(
        "--shapes", nargs="+", metavar="B,T,I,H", help="(default: those in the documentation)"
    )
    arguments.add_argument("--peers", nargs="+", choices=PEERS, default=list(PEERS[:-1]), metavar="NAME")
    options = arguments.parse_args()
    shapes = [tuple(map(int, shape.split(","))) for shape in options.shapes or []] or SHAPES
    warnings.filterwarnings("ignore", "LSTM with projections is not supported with oneDNN")
    run = Run("layers", options)
    for name in options.layers:
        for shape in shapes:
            measure(run, name, shape)
    run.add_percents()

    def cells(row: dict[str, Any]) -> list[str]:
        peers = [row["peers"].get(peer) for peer in options.peers]
        percents = [row["percent_of_peak"], row["percent_at_best"]]
        return [
            row["layer"],
            ",".join(map(str, row["shape"])),
            str(row["threads"]),
            row["pass"],
            f"{row['recurra']['ms']:.3f}",
            *(f"{peer['ms']:.3f}  {peer['ratio']:5.2f}x" if peer else "" for peer in peers),
            f"{row['gflops']:.0f}",
            *("" if percent is None else f"{percent:.0f}" for percent in percents),
        ]

    columns = ["layer|", "B,T,I,H|", "threads", "pass|", "recurra ms"]
    columns += [f"{peer} ms, ratio" for peer in options.peers]
    run.finish("recurrent layers, medians", [*columns, "GF/s", "% of peak", "% at best"], cells)


if __name__ == "__main__":
    main()

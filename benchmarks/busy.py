"""Speed of recurrent layers on one and on several threads, on an idle and on a busy machine.

    python benchmarks/busy.py [--layers lstm gru …] [--recurra-first] [--json FILE]

Each row is a training step of one layer, forward + backward, on each number of threads. In the "busy" rows,
one process per core computes all the time. "Several / one" is the time on several threads divided by the time
on one; the target for recurra is at most 1.5 under any load. The times are means, not medians: a call either
loses time slices to the other processes or does not, and training time depends on the mean. recurra and
torch.nn alternate after a part of a second, not after each call: torch's threads spin for milliseconds after
a call, which would slow down the next one.

torch is imported before recurra, unless --recurra-first is given. With it, `import recurra` makes torch's
threads sleep during long waits.
"""

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from importlib import import_module
from typing import Any

if "--recurra-first" in sys.argv:
    import_module("recurra")

import os

import torch
from timing import TURNS, Interleaved, Run, Timing, agree, parser
from torch import Tensor, nn

from recurra.layers import GRU, LSTM, RNN, JordanRNN

SHAPES = ((50, 50, 64, 64), (8, 20, 64, 64), (20, 35, 200, 200))  # B, T, I, H
LAYERS: dict[str, tuple[Callable[..., Any], Callable[..., nn.Module] | None]] = {
    "rnn": (RNN, nn.RNN),
    "gru": (GRU, nn.GRU),
    "lstm": (LSTM, nn.LSTM),
    "lstm bidirectional": (partial(LSTM, bidirectional=True), partial(nn.LSTM, bidirectional=True)),
    "lstm 2 layers": (partial(LSTM, num_layers=2), partial(nn.LSTM, num_layers=2)),
    "lstm lengths": (LSTM, None),
    "lstm peepholes": (partial(LSTM, peepholes=True), None),
    "lstm layer_norm": (partial(LSTM, layer_norm=True), None),
    "jordan": (lambda inputs, units: JordanRNN(inputs, units, units), None),
}
SETTLE = 0.5  # seconds for the other processes to start or end


@contextmanager
def company(busy: bool) -> Iterator[None]:
    """Run one computing process per core if `busy`."""
    count = (os.cpu_count() or 1) if busy else 0
    others = [subprocess.Popen([sys.executable, "-S", "-c", "while True: pass"]) for _ in range(count)]
    try:
        time.sleep(SETTLE)
        yield
    finally:
        for other in others:
            other.kill()
            other.wait()


def training_steps(name: str, shape: tuple[int, ...]) -> dict[str, Callable[[], tuple[Tensor, ...]]]:
    """Training steps of recurra and, if it has the layer, of torch.nn with the same weights."""
    B, T, *sizes = shape
    make, theirs = LAYERS[name]
    layers = {"recurra": make(*sizes)}
    if theirs is not None:
        layers["torch.nn"] = theirs(*sizes)
        layers["torch.nn"].load_state_dict(layers["recurra"].state_dict())
    x = torch.randn(T, B, sizes[0])
    options = {"lengths": torch.randint(1, T + 1, (B,))} if name.endswith("lengths") else {}
    dy = torch.randn_like(layers["recurra"](x, **options)[0])

    def step(layer: nn.Module) -> tuple[Tensor, ...]:
        return torch.autograd.grad(layer(x, **options)[0], list(layer.parameters()), dy)

    return {who: partial(step, layer) for who, layer in layers.items()}


def measure(run: Run, name: str, shape: tuple[int, ...], busy: bool) -> dict[int, dict[str, Timing]]:
    """Time both on each number of threads, alternating."""
    calls = training_steps(name, shape)
    torch.set_num_threads(1)
    for who, call in calls.items():
        agree(f"{name}, {who}", call(), calls["recurra"]())
    found = {
        (threads, who): Interleaved({who: call}, run.options.fewest)
        for who, call in calls.items()
        for threads in run.options.threads
    }
    with company(busy):
        for turn in range(TURNS):
            for (threads, _), own in found.items():
                torch.set_num_threads(threads)
                own.go_on(run.options.seconds / TURNS, last=turn == TURNS - 1)
    timings: dict[int, dict[str, Timing]] = {threads: {} for threads in run.options.threads}
    for (threads, _), own in found.items():
        timings[threads] |= own.timings()
    return timings


def row_of(name: str, shape: tuple[int, ...], busy: bool, timings: dict[int, dict[str, Timing]]) -> Any:
    one, several = min(timings), max(timings)

    def figures(who: str) -> dict[str, Any]:
        means = {threads: timings[threads][who].mean_ms for threads in timings}
        return {
            "ms": {str(threads): round(mean, 3) for threads, mean in means.items()},
            "median_ms": {str(threads): round(timings[threads][who].median_ms, 3) for threads in timings},
            "calls": {str(threads): timings[threads][who].calls for threads in timings},
            "several_to_one": round(means[several] / means[one], 2),
        }

    return {
        "layer": name,
        "shape": list(shape),
        "company": "busy" if busy else "idle",
        **{who: figures(who) for who in timings[one]},
    }


def main() -> None:
    arguments = parser(__doc__, seconds=3.0)
    arguments.add_argument("--layers", nargs="+", choices=LAYERS, default=list(LAYERS), metavar="NAME")
    arguments.add_argument(
        "--shapes", nargs="+", metavar="B,T,I,H", help="(default: those in the documentation)"
    )
    arguments.add_argument("--recurra-first", action="store_true", help="import recurra before torch")
    arguments.set_defaults(fewest=2)
    options = arguments.parse_args()
    shapes = [tuple(map(int, shape.split(","))) for shape in options.shapes or []] or SHAPES
    run = Run("busy", options)
    run.facts = {"loaded_first": "recurra" if options.recurra_first else "torch"}
    for name in options.layers:
        for shape in shapes:
            for busy in (False, True):
                run.status(f"{name}  {','.join(map(str, shape))}  {'busy' if busy else 'idle'}          ")
                run.rows.append(row_of(name, shape, busy, measure(run, name, shape, busy)))

    def cells(row: dict[str, Any]) -> list[str]:
        line = [row["layer"], ",".join(map(str, row["shape"])), row["company"]]
        for who in ("recurra", "torch.nn"):
            own = row.get(who)
            if own is None:
                line += ["", ""]
                continue
            line += ["  ".join(f"{ms:.2f}" for ms in own["ms"].values()), f"{own['several_to_one']:.2f}"]
        return line

    threads = ", ".join(map(str, options.threads))
    columns = ["layer|", "B,T,I,H|", "machine|"]
    columns += [
        f"{who} {part}" for who in ("recurra", "torch.nn") for part in (f"ms on {threads}", "several / one")
    ]
    run.finish("training steps on an idle and a busy machine, means", columns, cells)


if __name__ == "__main__":
    main()

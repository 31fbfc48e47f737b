"""Speed of recurra's recurrent layers beside torch.nn's, interleaved in one process.

    python benchmarks/layers.py [--seconds 1.0] [--threads N] [--json FILE]

Each row alternates single calls of the two, so that whatever else the machine does falls on both; it shows
the medians and their ratio (above 1: recurra is faster).
"""

import argparse
import json
import os
import platform
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import torch
from rich.console import Console
from rich.table import Table
from torch import nn

from recurra.layers import GRU, LSTM, RNN

PAIRS = {"RNN": (RNN, nn.RNN), "GRU": (GRU, nn.GRU), "LSTM": (LSTM, nn.LSTM)}
SHAPES = [(1, 100, 128, 128), (32, 64, 256, 256), (20, 35, 200, 200)]  # B, T, I, H
FEWEST_CALLS = 5


def forward(layer: nn.Module, x: torch.Tensor) -> Callable[[], None]:
    def call() -> None:
        with torch.no_grad():
            layer(x)

    return call


def forward_and_backward(layer: nn.Module, x: torch.Tensor) -> Callable[[], None]:
    x = x.clone().requires_grad_()

    def call() -> None:
        output, _ = layer(x)
        output.sum().backward()
        layer.zero_grad()
        x.grad = None

    return call


def medians_ms(calls: list[Callable[[], None]], seconds: float) -> list[float]:
    """Call each in turn for `seconds` in all; return the median of each in milliseconds."""
    for call in calls:
        call()
    times: list[list[float]] = [[] for _ in calls]
    end = time.perf_counter() + seconds
    while time.perf_counter() < end or len(times[0]) < FEWEST_CALLS:
        for call, own_times in zip(calls, times, strict=True):
            start = time.perf_counter()
            call()
            own_times.append((time.perf_counter() - start) * 1e3)
    return [median(own_times) for own_times in times]


def measure(seconds: float) -> list[dict[str, object]]:
    rows: list[dict[str, object]] = []
    for name, (ours, theirs) in PAIRS.items():
        for B, T, input_size, hidden_size in SHAPES:
            layer, peer = ours(input_size, hidden_size), theirs(input_size, hidden_size)
            peer.load_state_dict(layer.state_dict())
            x = torch.randn(T, B, input_size)
            for mode_name, mode in (("forward", forward), ("with backward", forward_and_backward)):
                ours_ms, torch_ms = medians_ms([mode(layer, x), mode(peer, x)], seconds)
                rows.append(
                    {
                        "layer": name,
                        "backend": layer.backend_used,
                        "shape": [B, T, input_size, hidden_size],
                        "mode": mode_name,
                        "recurra_ms": ours_ms,
                        "torch_ms": torch_ms,
                        "ratio": torch_ms / ours_ms,
                    }
                )
    return rows


def print_table(rows: list[dict[str, object]], machine: dict[str, object], console: Console) -> None:
    table = Table("layer", "backend", "B,T,I,H", "mode", title="recurrent layers, medians in ms")
    for column in ("recurra", "torch.nn", "ratio"):
        table.add_column(column, justify="right")
    for row in rows:
        shape = ",".join(map(str, row["shape"]))  # type: ignore[call-overload]
        figures = f"{row['recurra_ms']:.3f}", f"{row['torch_ms']:.3f}", f"{row['ratio']:.2f}"
        table.add_row(str(row["layer"]), str(row["backend"]), shape, str(row["mode"]), *figures)
    console.print(table)
    console.print(", ".join(f"{name} {value}" for name, value in machine.items()))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--seconds", type=float, default=1.0, help="time for each row (default: %(default)s)")
    parser.add_argument("--threads", type=int, help="threads of torch (default: torch's choice)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the figures there")
    options = parser.parse_args()
    if options.threads:
        torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    load_before = os.getloadavg()[0]
    rows = measure(options.seconds)
    machine: dict[str, object] = {
        "processor": platform.processor() or platform.machine(),
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
        "load average before": round(load_before, 2),
        "after": round(os.getloadavg()[0], 2),
    }
    print_table(rows, machine, Console())
    if options.json:
        options.json.write_text(json.dumps({"machine": machine, "rows": rows}, indent=2) + "\n", "utf-8")


if __name__ == "__main__":
    main()

"""Shared code of the benchmarks: medians of interleaved calls, facts about the machine, tables, JSON."""

import argparse
import json
import os
import platform
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean, median, quantiles
from typing import Any

import torch
from rich.console import Console
from rich.table import Table

from recurra.kernels import native

Call = Callable[[], object]
Row = dict[str, Any]

FEWEST_CALLS = 5
BUSY = 0.5  # load average
MOST_TIME_OF_A_PEER = 3  # relative to the time of the first call
TURNS = 4  # for each number of threads


@dataclass(frozen=True)
class Timing:
    """Statistics of the time of one call."""

    median_ms: float
    percentile_10_ms: float
    percentile_95_ms: float
    calls: int
    mean_ms: float

    def as_json(self, per: int = 1) -> dict[str, float]:
        """The figures per unit of work, where a call does `per` equal units."""
        return {
            "ms": _rounded(self.median_ms / per),
            "p10_ms": _rounded(self.percentile_10_ms / per),
            "p95_ms": _rounded(self.percentile_95_ms / per),
            "calls": self.calls,
        }


class Interleaved:
    """Time several functions in turn, in rounds, so that other load on the machine affects all alike.

    The first function runs in every round. A slow peer is skipped while its total time exceeds three times
    that of the first, but each function is called at least `fewest` times.
    """

    def __init__(self, calls: Mapping[str, Call], fewest: int = FEWEST_CALLS) -> None:
        self._calls, self._fewest = calls, fewest
        self._times: dict[str, list[float]] = {name: [] for name in calls}
        self._spent = dict.fromkeys(calls, 0.0)
        self._first = next(iter(calls))

    def go_on(self, seconds: float, last: bool = True) -> None:
        """Continue for `seconds`; in the last turn, until each function has been called often enough.

        The first call of each function is a warm-up and is not counted.
        """
        if not any(self._times.values()):
            for call in self._calls.values():
                call()
        end = time.perf_counter() + seconds
        while time.perf_counter() < end or (last and min(map(len, self._times.values())) < self._fewest):
            for name, call in self._calls.items():
                if self._sits_out(name):
                    continue
                start = time.perf_counter()
                call()
                took = time.perf_counter() - start
                self._spent[name] += took
                self._times[name].append(took * 1e3)

    def _sits_out(self, name: str) -> bool:
        enough = len(self._times[name]) >= self._fewest
        return enough and self._spent[name] > MOST_TIME_OF_A_PEER * self._spent[self._first]

    def timings(self) -> dict[str, Timing]:
        """The statistics by name."""
        return {
            name: Timing(median(own), *_percentiles(own), len(own), fmean(own))
            for name, own in self._times.items()
        }


def interleaved(calls: Mapping[str, Call], seconds: float, fewest: int = FEWEST_CALLS) -> dict[str, Timing]:
    """Time the functions in a single turn."""
    turn = Interleaved(calls, fewest)
    turn.go_on(seconds)
    return turn.timings()


class Peak:
    """The highest rate of multiply-adds measured on the cores in use in this run, by number of threads."""

    def __init__(self) -> None:
        self.flops: dict[int, float] = {}

    def measure(self, threads: int, seconds: float = 0.04) -> None:
        """Run multiply-adds from registers on all threads at once; keep the total rate if it is the largest.

        The first and the last of the short measurements are dropped: a thread may have run alone then.
        """
        if not native.available():
            return
        rates = [0.0] * threads
        together = threading.Barrier(threads)

        def run(rank: int) -> None:
            together.wait()
            rates[rank] = max([native.extension().peak_flops(seconds / 8) for _ in range(8)][2:-2])

        workers = [threading.Thread(target=run, args=(rank,)) for rank in range(threads)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        self.flops[threads] = max(self.flops.get(threads, 0.0), sum(rates))

    def percent(self, flops: float, ms: float, threads: int) -> float | None:
        """The rate of `flops` operations in `ms` milliseconds, as a percentage of the peak."""
        if threads not in self.flops:
            return None
        return round(100 * flops / (ms * 1e-3) / self.flops[threads], 1)

    def as_json(self) -> dict[str, float]:
        """GF/s by number of threads."""
        return {str(threads): round(flops / 1e9, 1) for threads, flops in sorted(self.flops.items())}


def agree(
    name: str, got: Sequence[torch.Tensor], wanted: Sequence[torch.Tensor], allowed: float = 1e-4
) -> None:
    """Raise a ValueError unless a peer's results match: |a - b| <= allowed · |b| for each tensor."""
    for number, (a, b) in enumerate(zip(got, wanted, strict=True)):
        error = (a - b).norm() / b.norm().clamp_min(1e-12)
        if a.shape != b.shape or not error <= allowed:
            raise ValueError(f"{name}: tensor {number} differs from recurra's by {float(error):.2e}")


def parser(
    doc: str | None, seconds: float | None, threads: Sequence[int] = (1, 2)
) -> argparse.ArgumentParser:
    """A parser with the options that every benchmark has; no `seconds` if each call is made once per seed."""
    arguments = argparse.ArgumentParser(
        description=doc, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    if seconds is not None:
        arguments.add_argument(
            "--seconds", type=float, default=seconds, help="time per row (default: %(default)s)"
        )
    if len(threads) > 1:
        shown = " ".join(map(str, threads))
        arguments.add_argument(
            "--threads", type=int, nargs="+", default=threads, metavar="N", help=f"(default: {shown})"
        )
    if seconds is not None:
        arguments.add_argument(
            "--fewest",
            type=int,
            default=FEWEST_CALLS,
            metavar="N",
            help="minimum number of calls per function (default: %(default)s)",
        )
    arguments.add_argument("--json", type=Path, metavar="FILE", help="also write the figures to FILE")
    return arguments


class Run:
    """One run of a benchmark: its rows, table and file, and the load of the machine before and after."""

    def __init__(self, name: str, options: argparse.Namespace) -> None:
        self.name, self.options = name, options
        self.rows: list[Row] = []
        self.facts: dict[str, Any] = {}
        self.peak = Peak()
        self._started = time.perf_counter()
        self._load = os.getloadavg()[0]
        self._console = Console()
        torch.manual_seed(0)

    def interleaved(self, calls: Mapping[str, Call], part: float = 1.0) -> dict[str, Timing]:
        """Time the functions for the seconds of a row, or for a part of them."""
        return interleaved(calls, self.options.seconds * part, self.options.fewest)

    def by_threads(self, calls: Mapping[str, Call]) -> dict[int, dict[str, Timing]]:
        """Time the functions with each number of threads, alternating between these numbers."""
        found = {threads: Interleaved(calls, self.options.fewest) for threads in self.options.threads}
        for turn in range(TURNS):
            for threads, own in found.items():
                torch.set_num_threads(threads)
                self.peak.measure(threads)
                own.go_on(self.options.seconds / TURNS, last=turn == TURNS - 1)
        return {threads: own.timings() for threads, own in found.items()}

    def add_percents(self) -> None:
        """Add the percentages of the peak to each row and its peers; the rows need `gflop`."""
        for row in self.rows:
            ms, threads, flops = row["recurra"]["ms"], row["threads"], row["gflop"] * 1e9
            row["gflops"] = round(row["gflop"] / ms * 1e3, 1)
            row["percent_of_peak"] = self.peak.percent(flops, ms, threads)
            row["percent_at_best"] = self.peak.percent(flops, row["recurra"]["p10_ms"], threads)
            for peer in row.get("peers", {}).values():
                peer["percent_of_peak"] = self.peak.percent(flops, peer["ms"], threads)

    def status(self, text: str) -> None:
        """On a terminal, print what is being measured."""
        if self._console.is_terminal:
            self._console.print(text, style="dim", end="\r", overflow="crop")

    def finish(
        self, title: str, columns: Sequence[str], cells: Callable[[dict[str, Any]], list[str]]
    ) -> None:
        """Print all rows as one table, then the machine; write the JSON file if requested.

        Columns with names that end in `|` are text; the others are figures.
        """
        table = Table(title=title)
        for column in columns:
            table.add_column(
                column.removesuffix("|"), justify="left" if column.endswith("|") else "right", no_wrap=True
            )
        for row in self.rows:
            table.add_row(*cells(row))
        width = None if self._console.is_terminal else 200
        console = Console(width=width)
        console.print(table)
        machine = self.machine()
        console.print(", ".join(f"{name.replace('_', ' ')} {value}" for name, value in machine.items()))
        if self._load > BUSY:
            console.print(
                f"The machine was busy before the run began: load average {self._load:.2f}. Figures for"
            )
            console.print("several threads are then unreliable, because threads wait for each other.")
        if self.options.json:
            self.options.json.parent.mkdir(parents=True, exist_ok=True)
            found = {"benchmark": self.name, "machine": machine, "rows": self.rows}
            self.options.json.write_text(_text_of(found), encoding="utf-8")

    def machine(self) -> dict[str, Any]:
        """The machine that the figures were measured on, and its load."""
        return {
            "processor": processor(),
            "cores": os.cpu_count(),
            "instruction_set": native.instruction_set() or "none",
            "peak_gflops": self.peak.as_json(),
            "torch": torch.__version__,
            "python": platform.python_version(),
            "load_average_before": round(self._load, 2),
            "load_average_after": round(os.getloadavg()[0], 2),
            **({"seconds_per_row": self.options.seconds} if "seconds" in self.options else {}),
            "minutes": round((time.perf_counter() - self._started) / 60, 1),
            "date": time.strftime("%Y-%m-%d"),
            **self.facts,
        }


def processor() -> str:
    """The name of the processor."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def _percentiles(times: list[float]) -> tuple[float, float]:
    """The 10th and the 95th percentile."""
    parts = quantiles(times, n=20, method="inclusive") if len(times) > 1 else times
    return parts[min(1, len(parts) - 1)], parts[-1]


def _rounded(value: float) -> float:
    """Round to four significant digits."""
    return float(f"{value:.4g}")


def _text_of(found: dict[str, Any]) -> str:
    """JSON with one row per line, so that two runs can be compared with diff."""
    head = {name: value for name, value in found.items() if name != "rows"}
    rows = ",\n".join(f"    {json.dumps(row)}" for row in found["rows"])
    return json.dumps(head, indent=2)[:-2] + f',\n  "rows": [\n{rows}\n  ]\n}}\n'

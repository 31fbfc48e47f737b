"""How near to the processor's arithmetic limit the layers come, from benchmarks/results/layers.json."""

import json
from pathlib import Path
from typing import Any

from drawing import BLUE, INK, LINE, PALE, SOFT
from matplotlib.axes import Axes
from matplotlib.figure import Figure

RESULTS = Path(__file__).resolve().parents[2] / "benchmarks" / "results" / "layers.json"
PASS = "forward + backward"
GREY = "#9aa5b1"


def draw() -> Figure:
    """Draw a panel a shape, a line a layer: from a peer's percent of the peak to recurra's."""
    rows = [row for row in json.loads(RESULTS.read_text(encoding="utf-8"))["rows"] if row["pass"] == PASS]
    threads = max(row["threads"] for row in rows)
    rows = [row for row in rows if row["threads"] == threads]
    names = list(dict.fromkeys(row["layer"] for row in rows))
    shapes = list(dict.fromkeys(tuple(row["shape"]) for row in rows))
    figure = Figure(figsize=(10.4, 0.9 + 0.3 * len(names)), layout="constrained")
    panels = figure.subplots(1, len(shapes), sharey=True, squeeze=False)[0]
    for axes, shape in zip(panels, shapes, strict=True):
        own = {row["layer"]: row for row in rows if tuple(row["shape"]) == shape}
        _panel(axes, shape, names, own)
    panels[0].set_yticks(range(len(names)), names, fontsize=9.5, color=INK)
    panels[0].set_ylim(len(names) - 0.4, -0.6)
    cores = "one thread" if threads == 1 else f"{threads} threads"
    figure.supxlabel(f"percent of the multiply-adds that {cores} can do; {PASS}", fontsize=10, color=SOFT)
    return figure


def _panel(axes: Axes, shape: tuple[int, ...], names: list[str], rows: dict[str, dict[str, Any]]) -> None:
    B, T, I, H = shape
    width = f"H = {H}" if I == H else f"I = {I}, H = {H}"
    axes.set_title(f"B = {B}, T = {T}\n{width}", fontsize=9.5)
    for place, name in enumerate(names):
        if place % 2 == 0:
            axes.axhspan(place - 0.5, place + 0.5, color=PALE, linewidth=0, zorder=0)
        row = rows.get(name)
        if row is None:
            continue
        peer = row["peers"].get("torch.nn") or row["peers"].get("loop")
        percent = row["percent_of_peak"]
        if peer is not None:
            axes.plot([peer["percent_of_peak"], percent], [place, place], color=BLUE, linewidth=1.6, zorder=2)
            face = GREY if "torch.nn" in row["peers"] else "white"
            axes.plot(
                peer["percent_of_peak"],
                place,
                "o",
                color=GREY,
                markerfacecolor=face,
                markersize=4.5,
                zorder=3,
            )
            axes.text(131, place, f"{peer['ratio']:.1f}×", fontsize=8, color=SOFT, ha="right", va="center")
        axes.plot(percent, place, "o", color=BLUE, markersize=5.5, zorder=4)
    axes.set_xlim(0, 132)
    axes.set_xticks((0, 50, 100), ("0", "50", "100"), fontsize=8.5)
    axes.tick_params(length=0)
    axes.grid(axis="x", color=LINE, alpha=0.5, linewidth=0.7)
    axes.set_axisbelow(True)
    for side in axes.spines.values():
        side.set_visible(False)

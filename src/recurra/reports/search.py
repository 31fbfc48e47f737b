"""The picture of a search over options: the best trial so far, and the figure against each option."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_WIDE = 3  # panels per line
_LOG_FROM = 20.0  # ratio of the largest to the smallest number from which an axis is logarithmic
_FEW = 4  # numbers of which each has its own tick
_POINT, _BEST = "#2c6fbb", "#c0392b"


def draw_search(
    rows: Sequence[Mapping[str, Any]],
    options: Sequence[str],
    *,
    figure: str,
    label: str,
    higher: bool,
    best: int,
    importance: Mapping[str, float] | None = None,
) -> "Figure":
    """Plot the history of the best value, and one panel per option.

    `rows` are the trials that have the key `figure`; `label` names it on the axes, `higher` says whether
    higher is better; `best` is the number of the best trial. `importance` is shown in the titles.
    """
    from matplotlib.figure import Figure

    lines = 1 + -(-len(options) // _WIDE)
    drawn = Figure(figsize=(9, 2.5 * lines), layout="constrained")
    grid = drawn.add_gridspec(lines, _WIDE)
    shown = sorted(rows, key=lambda row: row["trial"])
    _draw_history(drawn.add_subplot(grid[0, :]), shown, figure, label, higher=higher)
    for place, name in enumerate(options):
        axes = drawn.add_subplot(grid[1 + place // _WIDE, place % _WIDE])
        _draw_option(axes, [row for row in shown if row.get(name) is not None], name, figure, best)
        share = (importance or {}).get(name)
        axes.set_title(name if share is None else f"{name} (importance {share:.0%})", fontsize=9)
        if place % _WIDE == 0:
            axes.set_ylabel(label)
    return drawn


def _draw_history(
    axes: "Axes", rows: Sequence[Mapping[str, Any]], figure: str, label: str, *, higher: bool
) -> None:
    from matplotlib.ticker import MaxNLocator

    best, so_far = [], None
    for row in rows:
        value = row[figure]
        so_far = value if so_far is None else max(so_far, value) if higher else min(so_far, value)
        best.append(so_far)
    numbers = [row["trial"] for row in rows]
    axes.plot(numbers, [row[figure] for row in rows], "o", ms=4, color=_POINT, label="trial")
    axes.step(numbers, best, where="post", lw=1.2, color=_BEST, label="best so far")
    axes.set_xlabel("trial")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_ylabel(label)
    axes.legend(frameon=False)
    axes.grid(alpha=0.25)


def _draw_option(axes: "Axes", rows: Sequence[Mapping[str, Any]], name: str, figure: str, best: int) -> None:
    values = [row[name] for row in rows]
    axes.grid(alpha=0.25)
    if not rows:
        return
    if all(isinstance(value, int | float) and not isinstance(value, bool) for value in values):
        places = values
        if min(values) > 0 and max(values) >= _LOG_FROM * min(values):
            axes.set_xscale("log")
        elif len(set(values)) <= _FEW:
            axes.set_xticks(sorted(set(values)))
        else:
            axes.locator_params(axis="x", nbins=4)  # long numbers would overlap
    else:
        names = sorted(map(str, dict.fromkeys(values)))
        places = [names.index(str(value)) for value in values]
        axes.set_xticks(range(len(names)), names)
        axes.set_xlim(-0.5, len(names) - 0.5)
    axes.plot(places, [row[figure] for row in rows], "o", ms=4, color=_POINT)
    for place, row in zip(places, rows, strict=True):
        if row["trial"] == best:
            axes.plot(place, row[figure], "o", ms=6, color=_BEST)

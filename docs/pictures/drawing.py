"""What the pictures share: colours, boxes, arrows, and how a picture is written.

python docs/pictures/draw.py            writes every picture anew, the same bytes each time
python docs/pictures/draw.py --png DIR  writes them as PNG, to look at
"""

import io
import re
from collections.abc import Sequence
from pathlib import Path

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Circle, FancyArrowPatch, FancyBboxPatch

INK = "#1d2733"
SOFT = "#5d6b7a"
LINE = "#aab4c0"
PALE = "#eef2f6"
BLUE = "#3d6ea5"
PALE_BLUE = "#dde8f4"
GREEN = "#2a8a57"
PALE_GREEN = "#dff1e7"
RED = "#c0392b"
PALE_RED = "#f8e0dc"
AMBER = "#b9770e"
PALE_AMBER = "#fbeccf"

STYLE = {
    "svg.hashsalt": "recurra",
    "svg.fonttype": "path",
    "font.family": "DejaVu Sans",
    "mathtext.fontset": "stix",
    "font.size": 11,
    "text.color": INK,
    "axes.edgecolor": LINE,
    "axes.labelcolor": INK,
    "xtick.color": SOFT,
    "ytick.color": SOFT,
}

Point = tuple[float, float]


def canvas(width: float, height: float, units: Point) -> tuple[Figure, Axes]:
    """Return an empty picture of width x height inches whose coordinates run to `units`."""
    figure = Figure(figsize=(width, height))
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_xlim(0, units[0])
    axes.set_ylim(0, units[1])
    axes.set_aspect("equal")
    axes.axis("off")
    return figure, axes


def box(
    axes: Axes,
    centre: Point,
    size: Point,
    text: str = "",
    *,
    face: str = PALE_BLUE,
    edge: str = BLUE,
    fontsize: float = 13,
    rounding: float = 0.12,
    zorder: float = 3,
    colour: str = INK,
) -> None:
    """Draw a rounded box with text in it."""
    x, y = centre[0] - size[0] / 2, centre[1] - size[1] / 2
    axes.add_patch(
        FancyBboxPatch(
            (x + rounding, y + rounding),
            size[0] - 2 * rounding,
            size[1] - 2 * rounding,
            boxstyle=f"round,pad={rounding}",
            facecolor=face,
            edgecolor=edge,
            linewidth=1.3,
            zorder=zorder,
        )
    )
    label(axes, centre, text, fontsize=fontsize, colour=colour)


def node(axes: Axes, centre: Point, text: str, radius: float = 0.22, face: str = "white") -> None:
    """Draw an element-wise operation as a small circle."""
    axes.add_patch(Circle(centre, radius, facecolor=face, edgecolor=INK, linewidth=1.2, zorder=4))
    label(axes, centre, text, fontsize=12)


def dot(axes: Axes, centre: Point, colour: str = INK) -> None:
    """Mark where a line branches."""
    axes.add_patch(Circle(centre, 0.05, facecolor=colour, edgecolor="none", zorder=4))


def label(
    axes: Axes,
    place: Point,
    text: str,
    *,
    fontsize: float = 11,
    colour: str = INK,
    align: str = "center",
    vertical: str = "center",
    weight: str = "normal",
) -> None:
    """Write text at a place."""
    axes.text(*place, text, fontsize=fontsize, color=colour, ha=align, va=vertical, weight=weight, zorder=6)


def arrow(
    axes: Axes,
    start: Point,
    end: Point,
    *,
    colour: str = INK,
    width: float = 1.4,
    bend: float = 0.0,
    dashed: bool = False,
    head: bool = True,
) -> None:
    """Draw an arrow, straight or bent."""
    axes.add_patch(
        FancyArrowPatch(
            start,
            end,
            arrowstyle="-|>,head_width=3,head_length=6" if head else "-",
            connectionstyle=f"arc3,rad={bend}",
            shrinkA=0,
            shrinkB=0,
            color=colour,
            linewidth=width,
            linestyle=(0, (4, 3)) if dashed else "-",
            joinstyle="miter",
            zorder=2.5,
        )
    )


def path(
    axes: Axes, points: Sequence[Point], *, colour: str = INK, width: float = 1.4, head: bool = True
) -> None:
    """Draw a line through points that ends in an arrow's head."""
    xs, ys = zip(*points[:-1], strict=True)
    if len(points) > 2:
        axes.plot(xs, ys, color=colour, linewidth=width, solid_joinstyle="round", zorder=2.5)
    arrow(axes, points[-2], points[-1], colour=colour, width=width, head=head)


def save(figure: Figure, target: Path) -> None:
    """Write a picture as SVG (or PNG), without a date."""
    with rc_context(STYLE):
        if target.suffix != ".svg":
            figure.savefig(target, format="png", dpi=110, facecolor="white")
            return
        buffer = io.StringIO()
        figure.savefig(buffer, format="svg", metadata={"Date": None}, facecolor="white")
    target.write_text(_small(buffer.getvalue()), encoding="utf-8")


def _small(svg: str) -> str:
    """The same picture in fewer bytes: coordinates to 1/100 point, no comments, no metadata, no clipping."""
    unneeded = r"<metadata>.*?</metadata>|<!--.*?-->|<clipPath.*?</clipPath>| clip-path=\"[^\"]*\""
    svg = re.sub(unneeded, "", svg, flags=re.DOTALL)
    svg = re.sub(r'<g id="[a-z0-9]+_[0-9]+">', "<g>", svg)
    svg = re.sub(r' d="([^"]*)"', lambda match: f' d="{_rounded(match[1])}"', svg)
    svg = re.sub(r"translate\(([^)]*)\)", lambda match: f"translate({_rounded(match[1])})", svg)
    svg = re.sub(r' (x|y|width|height)="(-?[\d.]+)"', lambda m: f' {m[1]}="{_rounded(m[2])}"', svg)
    return re.sub(r"\n\s*", "\n", svg[svg.index("<svg") :])


def _rounded(text: str) -> str:
    rounded = re.sub(r"-?\d+\.\d+", lambda match: f"{float(match[0]):.2f}".rstrip("0").rstrip("."), text)
    return " ".join(rounded.split())

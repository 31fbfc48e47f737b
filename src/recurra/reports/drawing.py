"""Figures as SVG or PNG, and plots that several pages and commands share."""

import logging
import re
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from io import BytesIO, StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from recurra.errors import ConfigError, StorageError
from recurra.files import written_whole

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# A fixed salt for the ids in a figure, so that the same numbers give the same bytes.
STYLE: Any = {"svg.hashsalt": "recurra", "svg.fonttype": "none", "font.size": 9}
_MOST = 60  # maximum number of names per axis; more would be illegible
_CELL = 0.3  # inches
_COLOURS = ("#2c6fbb", "#c0392b", "#2a9d5c", "#b9770e")


def heat_map(weights: Any, *, columns: Sequence[str], rows: Sequence[str]) -> "Figure":
    """Plot weights from 0 to 1, dark for large ones; at most the first 60 rows and columns.

    Shapes: weights (rows, columns).
    """
    from matplotlib.figure import Figure

    weights = weights[:_MOST, :_MOST]
    T, S = weights.shape
    down, across = ([shown_name(name) for name in side[:_MOST]] for side in (rows, columns))
    longest = [max(map(len, side), default=1) for side in (down, across)]
    size = (0.4 + S * _CELL + 0.085 * longest[0], 0.4 + T * _CELL + 0.085 * longest[1])
    figure = Figure(figsize=size, layout="constrained")
    axes = figure.add_subplot()
    axes.imshow(weights, cmap="Greys", vmin=0.0, vmax=1.0, aspect="auto")
    axes.xaxis.tick_top()
    axes.set_xticks(range(S), across, rotation=90)
    axes.set_yticks(range(T), down)
    axes.tick_params(length=0)
    for side in axes.spines.values():
        side.set_color("#9aa5b1")
    return figure


def score_by_length(
    series: Mapping[str, Sequence[tuple[str, float, int]]], *, score: str, length: str
) -> "Figure":
    """Plot a score over intervals of length, one line per name; a point is (interval, score, count).

    `score` and `length` are the labels of the axes.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.4, 3.8), layout="constrained")
    axes = figure.add_subplot()
    for colour, (name, points) in zip(_COLOURS * len(series), series.items(), strict=False):
        axes.plot(range(len(points)), [value for _, value, _ in points], marker="o", color=colour, label=name)
    points = next(iter(series.values()), ())
    axes.set_xticks(range(len(points)), [f"{lengths}\n({count})" for lengths, _, count in points])
    axes.set_xlabel(length)
    axes.set_ylabel(score)
    axes.set_ylim(bottom=0)
    axes.grid(alpha=0.25)
    axes.legend(frameon=False)
    return figure


def precision_recall(series: Mapping[str, tuple[Sequence[float], Sequence[float]]]) -> "Figure":
    """Plot precision over recall, one line per name; a line has (recall, precision) with rising recall.

    Between two points, precision is that of the point with the higher recall.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.4, 4.2), layout="constrained")
    axes = figure.add_subplot()
    for name, (recall, precision) in series.items():
        x, y = [0.0, *recall], [*precision[:1], *precision]
        axes.plot(x, y, drawstyle="steps-pre", lw=1.2, label=shown_name(name))
    axes.set_xlabel("recall")
    axes.set_ylabel("precision")
    axes.set_xlim(0, 1.02)
    axes.set_ylim(0, 1.02)
    axes.grid(alpha=0.25)
    if series:
        axes.legend(frameon=False, title="label (average precision)", loc="lower left")
    return figure


def as_svg(draw: Callable[..., "Figure"], *given: Any, **named: Any) -> str:
    """Return the figure of `draw` as an SVG element for a page."""
    with drawing_style():
        return svg_of(draw(*given, **named))


def svg_of(figure: "Figure") -> str:
    """Return a figure as an SVG element for a page; `STYLE` must be active."""
    buffer = StringIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None})
    text = buffer.getvalue()
    picture = text[text.index("<svg") :]
    return re.sub(r"<metadata>.*?</metadata>", "", picture, flags=re.DOTALL)


def check_picture(path: Path, what: str) -> None:
    """Check that a file name is that of a picture, and can be that of a file.

    Raises: ConfigError for another ending; StorageError if it is that of a folder, or in a file.
    """
    if path.suffix not in (".png", ".svg"):
        raise ConfigError(f"{what}: got {path.name!r}, expected a name that ends in .png or .svg.")
    if path.is_dir() or any(parent.is_file() for parent in path.parents):
        raise StorageError(f"{path}: is a folder, or in a file; name another file for the {what}.")


def write_png(path: Path, draw: Callable[..., "Figure"], *given: Any, **named: Any) -> None:
    """Write the figure of `draw` as PNG, or as SVG if the name of the file ends in .svg.

    Raises: ConfigError for another name; StorageError if it cannot be written.
    """
    check_picture(path, "picture")
    kind = "svg" if path.suffix == ".svg" else "png"
    with drawing_style():
        figure = draw(*given, **named)
        buffer = BytesIO()
        figure.savefig(buffer, format=kind, dpi=110, metadata={"Date": None} if kind == "svg" else None)
    with written_whole(path) as file:
        file.write(buffer.getvalue())


@contextmanager
def drawing_style() -> Iterator[None]:
    """Draw in `STYLE`, without messages on where matplotlib keeps its cache and which symbols no font has
    (they are drawn as boxes)."""
    log = logging.getLogger("matplotlib")
    before = log.level
    log.setLevel(logging.ERROR)
    try:
        import matplotlib

        with matplotlib.rc_context(STYLE), warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="Glyph .* missing")
            yield
    finally:
        log.setLevel(before)


def shown_name(name: str) -> str:
    """Return a visible form of a name, with $ escaped because it would begin a formula."""
    shown = {"": "(end)", "\n": "(line)"}.get(name, name.strip() or "(blank)")
    return shown.replace("$", r"\$")

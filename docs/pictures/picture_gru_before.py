"""One step of the GRU, with the reset gate before the product."""

from matplotlib.figure import Figure
from picture_gru import draw_step


def draw() -> Figure:
    """Draw the step with the reset before the product."""
    return draw_step(reset="before")

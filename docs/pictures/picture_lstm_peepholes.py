"""One step of the LSTM with peepholes."""

from matplotlib.figure import Figure
from picture_lstm import draw_step


def draw() -> Figure:
    """Draw the step with peepholes in red."""
    return draw_step(peepholes=True)

"""Where in a recording somebody speaks: the span of a word between silences."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

_FRAME_S, _HOP_S = 0.025, 0.005
_BELOW_PEAK_DB = 25.0  # quieter frames are not part of the word
_ABOVE_NOISE_DB = 10.0  # nor are frames that the background alone could be
_GAP_S = 0.2  # a longer pause is not within a word
_QUIETEST = 1e-10


class Span(NamedTuple):
    """The part of a recording that is a word, in seconds."""

    start_s: float
    end_s: float


def word_span(samples: NDArray[np.float32], rate: int, longest_s: float | None = None) -> Span:
    """Return where the word of a recording is: from its first to its last loud frame, around the loudest one.

    With the energy e_t in decibels of frames of 25 ms every 5 ms, a frame is loud if e_t is within 25 dB of
    the largest one and 10 dB above the background, the tenth percentile of all. A pause of more than 0.2 s
    ends the word. A recording without loud frames is a word from its beginning to its end. Of a span that is
    longer than `longest_s`, as noise after the word makes it, the part of this length with the most energy is
    returned.

    Shapes: samples (N,).
    """
    length, hop = round(_FRAME_S * rate), round(_HOP_S * rate)
    whole = Span(0.0, len(samples) / rate)
    if len(samples) < 2 * length:
        return whole
    squares = np.concatenate([[0.0], np.cumsum(samples.astype(np.float64) ** 2)])
    starts = np.arange(0, len(samples) - length + 1, hop)
    energy = 10 * np.log10(np.maximum((squares[starts + length] - squares[starts]) / length, _QUIETEST))
    peak, background = energy.max(), np.percentile(energy, 10)
    floor = max(peak - _BELOW_PEAK_DB, min(background + _ABOVE_NOISE_DB, peak - _ABOVE_NOISE_DB / 2))
    loud = np.flatnonzero(energy >= floor)
    if not len(loud) or peak <= 10 * np.log10(_QUIETEST):
        return whole
    pauses = np.flatnonzero(np.diff(loud) > round(_GAP_S / _HOP_S))
    edges = np.concatenate([[0], pauses + 1, [len(loud)]])
    top = int(np.searchsorted(loud, int(energy.argmax())))
    part = int(np.searchsorted(edges, top, side="right")) - 1
    first, last = loud[edges[part]], loud[edges[part + 1] - 1]
    middle = _FRAME_S / 2  # a frame's energy is that of its middle
    width = None if longest_s is None else round((longest_s - 2 * _HOP_S) / _HOP_S)
    if width is not None and last - first > width > 0:
        sums = np.concatenate([[0.0], np.cumsum(10 ** (energy[first : last + 1] / 10))])
        first += int((sums[width:] - sums[:-width]).argmax())
        last = first + width
    return Span(
        max(0.0, first * hop / rate + middle - _HOP_S), min(whole.end_s, last * hop / rate + middle + _HOP_S)
    )

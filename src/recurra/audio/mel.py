"""Mel scale, triangular filters and cosine transform of the features.

Sources: Stevens, Volkmann & Newman 1937 (the scale); the formula is that of HTK (Young et al., The HTK Book).
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from recurra.errors import ConfigError

Doubles = NDArray[np.float64]


def hz_to_mel(hz: Doubles | float) -> Doubles:
    """Return the pitch of frequencies in mel: mel(f) = 2595 log10(1 + f / 700), f in Hz."""
    return 2595.0 * np.log10(1.0 + np.asarray(hz, dtype=np.float64) / 700.0)


def mel_to_hz(mel: Doubles | float) -> Doubles:
    """Return the frequencies in Hz of pitches in mel; the inverse of `hz_to_mel`."""
    return 700.0 * (10.0 ** (np.asarray(mel, dtype=np.float64) / 2595.0) - 1.0)


def mel_filters(bands: int, *, fft_size: int, rate: int, lowest_hz: float, highest_hz: float) -> Doubles:
    """Return the weights of triangular filters whose corners are equally spaced in mel.

        mel(f_i) = mel(f_0) + i (mel(f_{M+1}) - mel(f_0)) / (M+1),   f_0 = lowest, f_{M+1} = highest
        H[m, k] = max(0, min((f - f_m) / (f_{m+1} - f_m), (f_{m+2} - f) / (f_{m+2} - f_{m+1})))

    where f = k rate / N is the frequency of bin k. Each filter has its peak, 1, at the edge of both
    neighbours, so its area grows with its width. The sides are straight in Hz. These are the filters of
    `librosa.filters.mel(htk=True, norm=None)`.

    Shapes: result (M, N/2 + 1), where M is `bands` and N is `fft_size`.
    Raises: ConfigError if a filter covers no frequency of the transform.
    """
    corners = mel_to_hz(np.linspace(hz_to_mel(lowest_hz), hz_to_mel(highest_hz), bands + 2))
    hz = np.arange(fft_size // 2 + 1) * (rate / fft_size)
    rising = (hz - corners[:-2, None]) / np.diff(corners)[:-1, None]
    falling = (corners[2:, None] - hz) / np.diff(corners)[1:, None]
    filters = np.maximum(0.0, np.minimum(rising, falling))
    empty = np.flatnonzero(filters.max(axis=1) == 0.0)
    if len(empty):
        band = int(empty[0])
        raise ConfigError(
            f"bands: {bands} bands are too narrow: band {band + 1} from {corners[band]:.0f} to "
            f"{corners[band + 2]:.0f} Hz lies between two frequencies of the transform, which are "
            f"{rate / fft_size:.1f} Hz apart; use fewer bands or a larger window_ms."
        )
    return filters


def cosine_transform(coefficients: int, bands: int) -> Doubles:
    """Return the first rows of the orthonormal discrete cosine transform (DCT-II).

        D[j, m] = s_j cos(π j (m + 1/2) / M),   s_0 = sqrt(1/M), s_j = sqrt(2/M) for j > 0

    Shapes: result (J, M), where J is `coefficients` and M is `bands`.
    """
    angles = np.pi / bands * np.outer(np.arange(coefficients), np.arange(bands) + 0.5)
    rows: Doubles = np.cos(angles) * np.sqrt(2.0 / bands)
    rows[0] = np.sqrt(1.0 / bands)
    return rows


class BandSums(NamedTuple):
    """Filters as runs of bins, for sums whose order does not depend on the number of frames.

    A matrix product may add in another order for one frame than for many, so its last bits would depend on
    how a recording is cut. These sums go over the bins of each filter only, which is also less work.
    """

    bins: NDArray[np.intp]
    weights: Doubles
    starts: NDArray[np.intp]

    @classmethod
    def of(cls, filters: Doubles) -> "BandSums":
        """Return the nonzero runs of `filters` (M, K)."""
        runs = [np.flatnonzero(row) for row in filters]
        lengths = [len(run) for run in runs]
        weights = [row[run] for row, run in zip(filters, runs, strict=True)]
        starts = np.concatenate([[0], np.cumsum(lengths)[:-1]]).astype(np.intp)
        return cls(np.concatenate(runs), np.concatenate(weights), starts)

    def energies(self, power: Doubles) -> Doubles:
        """Return the energy of each band. Shapes: power (T, K); result (T, M)."""
        weighted = np.ascontiguousarray(power[:, self.bins]) * self.weights
        energies: Doubles = np.add.reduceat(weighted, self.starts, axis=1)
        return energies

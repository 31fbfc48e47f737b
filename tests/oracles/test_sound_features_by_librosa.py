"""Features of sound against librosa, where it is installed.

It needs 220 MB with its compiler (numba, llvmlite), so it is no part of the development installation:
`pip install librosa` before this test.
"""

import numpy as np
import pytest

from recurra.audio.features import FLOOR, FeatureSettings, features_of
from recurra.audio.mel import hz_to_mel, mel_filters, mel_to_hz

librosa = pytest.importorskip("librosa", reason="librosa is not installed: pip install librosa")
SETTINGS = [
    FeatureSettings(),
    FeatureSettings(rate=8_000, window_ms=32, hop_ms=16, bands=20, lowest_hz=0, pre_emphasis=0),
    FeatureSettings(window_ms=100, hop_ms=50, bands=64, highest_hz=7_000, pre_emphasis=0.9),
]
SOUND = np.random.default_rng(0).normal(0, 0.1, 20_000) * np.sin(np.arange(20_000) / 900) ** 2


def log_mel_by_librosa(chosen):
    emphasised = librosa.effects.preemphasis(SOUND, coef=chosen.pre_emphasis, zi=[0.0])
    # librosa puts a window shorter than the transform into the middle of it, ours begins with it.
    left = (chosen.fft_size - chosen.window) // 2
    energies = librosa.feature.melspectrogram(
        y=np.concatenate([np.zeros(left), emphasised, np.zeros(chosen.fft_size)]),
        sr=chosen.rate,
        n_fft=chosen.fft_size,
        hop_length=chosen.hop,
        win_length=chosen.window,
        window="hann",
        center=False,
        n_mels=chosen.bands,
        fmin=chosen.lowest_hz,
        fmax=chosen.top_hz,
        htk=True,
        norm=None,
    )[:, : chosen.frames_in(len(SOUND))]
    window = librosa.filters.get_window("hann", chosen.window)
    return np.log(np.maximum(energies / np.sum(window**2), FLOOR))


@pytest.mark.parametrize("chosen", SETTINGS, ids=["16 kHz", "8 kHz", "long windows"])
def test_log_mel(chosen):
    want = log_mel_by_librosa(chosen).T
    np.testing.assert_allclose(features_of(SOUND, chosen), want, rtol=0, atol=5e-6)


@pytest.mark.parametrize("chosen", SETTINGS, ids=["16 kHz", "8 kHz", "long windows"])
def test_filters(chosen):
    places = {"rate": chosen.rate, "lowest_hz": chosen.lowest_hz, "highest_hz": chosen.top_hz}
    got = mel_filters(chosen.bands, fft_size=chosen.fft_size, **places)
    want = librosa.filters.mel(
        sr=chosen.rate,
        n_fft=chosen.fft_size,
        n_mels=chosen.bands,
        fmin=chosen.lowest_hz,
        fmax=chosen.top_hz,
        htk=True,
        norm=None,
        dtype=np.float64,
    )
    np.testing.assert_allclose(got, want, rtol=0, atol=1e-11)


def test_scale():
    hz = np.array([0.0, 60, 440, 1_000, 8_000])
    np.testing.assert_allclose(hz_to_mel(hz), librosa.hz_to_mel(hz, htk=True), rtol=1e-14)
    np.testing.assert_allclose(mel_to_hz(hz), librosa.mel_to_hz(hz, htk=True), rtol=1e-14)


@pytest.mark.parametrize("chosen", SETTINGS, ids=["16 kHz", "8 kHz", "long windows"])
def test_mfcc_and_slopes(chosen):
    values = chosen.to_dict() | {"kind": "mfcc", "deltas": 2}
    plain, slopes, bends = np.split(features_of(SOUND, FeatureSettings.from_dict(values)), 3, axis=1)
    want = librosa.feature.mfcc(S=log_mel_by_librosa(chosen), n_mfcc=13, dct_type=2, norm="ortho")
    np.testing.assert_allclose(plain, want.T, rtol=0, atol=2e-5)
    # librosa extrapolates at the edges, so only frames whose neighbours all exist are compared.
    first = librosa.feature.delta(want, width=5, order=1).T
    np.testing.assert_allclose(slopes[2:-2], first[2:-2], rtol=0, atol=1e-5)
    second = librosa.feature.delta(first.T, width=5, order=1).T
    np.testing.assert_allclose(bends[4:-4], second[4:-4], rtol=0, atol=1e-5)

"""Features of sound against scipy and the equations; any cutting of the samples gives the same bits."""

import json
import tracemalloc
from dataclasses import replace

import numpy as np
import pytest
import scipy.fft
import scipy.signal
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st

from recurra.audio.features import FLOOR, FeatureSettings, FeatureStream, features_of
from recurra.audio.mel import cosine_transform, hz_to_mel, mel_filters, mel_to_hz
from recurra.audio.normalisation import RunningNormalizer, Statistics, normalised, statistics_of
from recurra.errors import ConfigError, DataError, ShapeError

KINDS = {
    "log-mel": FeatureSettings(),
    "log-mel of 8 kHz": FeatureSettings(rate=8000, window_ms=32, bands=20, pre_emphasis=0.0),
    "MFCC": FeatureSettings(kind="mfcc"),
    "MFCC with slopes": FeatureSettings(kind="mfcc", deltas=1, delta_width=3),
    "MFCC with both": FeatureSettings(kind="mfcc", deltas=2),
    "long windows": FeatureSettings(kind="mfcc", window_ms=100, hop_ms=50, bands=20, deltas=2, delta_width=4),
    "gaps between frames": FeatureSettings(hop_ms=40, deltas=1),
}


def chirp(samples, rate=16_000, seed=0):
    """A rising tone in noise, whose loudness changes."""
    t = np.arange(samples) / rate
    noise = np.random.default_rng(seed).normal(size=samples)
    return (
        0.3 * np.sin(2 * np.pi * (200 + 1500 * t) * t) * np.sin(9 * t) ** 2
        + 0.01 * noise * (1 + np.sin(5 * t))
    ).astype(np.float32)


def in_pieces(samples, sizes, chosen):
    stream, start, got = FeatureStream(chosen), 0, []
    while start < len(samples):
        size = sizes[len(got) % len(sizes)]
        got.append(stream.push(samples[start : start + size]))
        start += size
    return np.concatenate([*got, stream.finish()])


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize("size", [1, 160, 1_280, 333, 401, 7_919])
def test_pieces_of_any_size_give_the_same_bits(name, size):
    samples = chirp(3_000 if size == 1 else 70_000)
    whole = features_of(samples, KINDS[name])
    assert whole.dtype == np.float32
    assert whole.shape == (KINDS[name].frames_in(len(samples)), KINDS[name].size)
    np.testing.assert_array_equal(in_pieces(samples, [size], KINDS[name]), whole)


@settings(max_examples=40, deadline=None)
@given(
    length=st.integers(0, 6_000),
    sizes=st.lists(st.integers(0, 2_000), min_size=1, max_size=9).filter(any),
    name=st.sampled_from(sorted(KINDS)),
)
def test_any_cutting_gives_the_same_bits(length, sizes, name):
    samples = chirp(length)
    np.testing.assert_array_equal(in_pieces(samples, sizes, KINDS[name]), features_of(samples, KINDS[name]))


@pytest.mark.parametrize("samples", [0, 1, 399, 400, 559, 560, 16_000])
def test_a_frame_is_counted_when_its_last_sample_is_there(samples):
    expected = sum(1 for start in range(0, samples, 160) if start + 400 <= samples)
    assert len(features_of(chirp(samples))) == expected == FeatureSettings().frames_in(samples)


def test_a_stream_gives_a_frame_as_soon_as_it_is_complete():
    samples, stream = chirp(2_000), FeatureStream()
    assert [len(stream.push(part)) for part in np.split(samples, [399, 400, 559, 560])] == [0, 1, 0, 1, 9]


def test_deltas_hold_frames_back_and_finish_gives_them():
    chosen = KINDS["MFCC with both"]
    stream, samples = FeatureStream(chosen), chirp(16_000)
    early = stream.push(samples)
    assert len(early) == chosen.frames_in(16_000) - chosen.delay
    assert len(stream.finish()) == chosen.delay == 4
    np.testing.assert_array_equal(stream.push(samples), early)  # finish began a new recording
    stream.reset()
    np.testing.assert_array_equal(stream.push(samples), early)


def test_a_frame_does_not_depend_on_later_samples():
    samples = chirp(8_000)
    changed = samples.copy()
    changed[4_000:] = 0.7
    complete = FeatureSettings().frames_in(4_000)
    np.testing.assert_array_equal(features_of(samples)[:complete], features_of(changed)[:complete])
    assert not np.array_equal(features_of(samples)[complete], features_of(changed)[complete])


@pytest.mark.parametrize("name", ["log-mel", "log-mel of 8 kHz"])
def test_log_mel_matches_the_spectrogram_of_scipy(name):
    chosen, samples = KINDS[name], chirp(9_000)
    signal = scipy.signal.lfilter([1, -chosen.pre_emphasis], [1], samples.astype(np.float64))
    _, _, density = scipy.signal.spectrogram(
        signal,
        chosen.rate,
        scipy.signal.get_window("hann", chosen.window),
        noverlap=chosen.window - chosen.hop,
        nfft=chosen.fft_size,
        detrend=False,
    )
    power = density * chosen.rate
    power[1:-1] /= 2  # scipy adds the negative frequencies
    hz = scipy.fft.rfftfreq(chosen.fft_size, 1 / chosen.rate)
    corners = mel_to_hz(np.linspace(hz_to_mel(60.0), hz_to_mel(chosen.rate / 2), chosen.bands + 2))
    filters = [np.interp(hz, corners[m : m + 3], [0, 1, 0]) for m in range(chosen.bands)]
    want = np.log(np.maximum(np.array(filters) @ power, FLOOR)).T
    np.testing.assert_allclose(features_of(samples, chosen), want, rtol=0, atol=3e-6)


def test_mfcc_is_the_orthonormal_cosine_transform_of_log_mel():
    samples = chirp(9_000)
    log_mel = features_of(samples, FeatureSettings(pre_emphasis=0.5))
    got = features_of(samples, FeatureSettings(kind="mfcc", pre_emphasis=0.5))
    want = scipy.fft.dct(log_mel.astype(np.float64), norm="ortho", axis=1)[:, :13]
    np.testing.assert_allclose(got, want, rtol=0, atol=2e-5)
    every = cosine_transform(17, 17)
    np.testing.assert_allclose(every @ every.T, np.eye(17), atol=1e-14)


@pytest.mark.parametrize("width", [1, 2, 5])
def test_slopes_match_the_filter_of_savitzky_and_golay_at_the_edges_too(width):
    samples, chosen = chirp(5_000), FeatureSettings(kind="mfcc", deltas=2, delta_width=width)
    plain, slopes, bends = np.split(features_of(samples, chosen), 3, axis=1)
    np.testing.assert_array_equal(plain, features_of(samples, replace(chosen, deltas=0)))
    for values, got in ((plain, slopes), (slopes, bends)):
        want = scipy.signal.savgol_filter(
            values.astype(np.float64), 2 * width + 1, 1, deriv=1, axis=0, mode="nearest"
        )
        np.testing.assert_allclose(got, want, rtol=0, atol=2e-6)


def test_slopes_of_one_frame_are_zero():
    frames = features_of(chirp(400), KINDS["MFCC with both"])
    assert frames.shape == (1, 39)
    assert not frames[:, 13:].any()
    assert features_of(chirp(399), KINDS["MFCC with both"]).shape == (0, 39)


def test_white_noise_of_variance_v_has_power_v():
    noise = np.random.default_rng(3).normal(0, 0.1, 160_000).astype(np.float32)
    chosen = FeatureSettings(pre_emphasis=0.0)
    weights = mel_filters(40, fft_size=512, rate=16_000, lowest_hz=60, highest_hz=8_000).sum(axis=1)
    energies = np.exp(features_of(noise, chosen).astype(np.float64)).mean(axis=0)
    np.testing.assert_allclose(energies / weights, 0.01, rtol=0.12)


def test_a_tone_is_loudest_in_the_band_of_its_pitch():
    corners = mel_to_hz(np.linspace(hz_to_mel(60.0), hz_to_mel(8_000.0), 42))
    for band in (3, 15, 38):
        tone = 0.5 * np.sin(2 * np.pi * corners[band + 1] * np.arange(4_000) / 16_000)
        assert (features_of(tone).argmax(axis=1) == band).all()


def test_the_mel_scale_maps_1000_hz_to_1000_and_back():
    assert hz_to_mel(1_000.0) == pytest.approx(1_000, abs=0.02)
    np.testing.assert_allclose(mel_to_hz(hz_to_mel(np.array([0.0, 60, 8_000]))), [0, 60, 8_000], atol=1e-9)


def test_digital_silence_gives_the_floor():
    silent = features_of(np.zeros(4_000, np.float32))
    np.testing.assert_array_equal(silent, np.float32(np.log(1e-10)))
    steady = features_of(np.zeros(4_000, np.float32), KINDS["MFCC with both"])
    assert np.isfinite(steady).all()
    assert not steady[:, 13:].any()


def test_a_long_push_needs_little_memory_beyond_its_result():
    samples = np.zeros(16_000 * 60, np.float32)
    stream = FeatureStream()
    tracemalloc.start()
    frames = stream.push(samples)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2 * frames.nbytes + samples.nbytes + 8e6


def test_settings_survive_json():
    for chosen in KINDS.values():
        assert FeatureSettings.from_dict(json.loads(json.dumps(chosen.to_dict()))) == chosen


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"kind": "plp"}, "kind: got 'plp', expected 'log-mel' or 'mfcc'"),
        ({"bands": 0}, "bands: got 0, expected >= 1"),
        ({"bands": True}, "bands: got True, expected a whole number"),
        ({"hop_ms": float("nan")}, "hop_ms: got nan, expected a finite number"),
        ({"hop_ms": 0.01}, "hop_ms: got 0.01, which is less than 1 sample"),
        ({"window_ms": -25}, "window_ms: got -25, which is less than 2 samples"),
        ({"kind": "mfcc", "coefficients": 41}, "coefficients: got 41, expected <= bands"),
        ({"deltas": 3}, "deltas: got 3, expected 0, 1 or 2"),
        ({"pre_emphasis": 1.5}, "pre_emphasis: got 1.5, expected 0 to 1"),
        ({"highest_hz": 9_000}, "half the rate"),
        ({"highest_hz": "high"}, "highest_hz: got 'high'"),
        ({"bands": 200}, "use fewer bands or a larger window_ms"),
        ({"window": 25}, "unknown setting of features 'window'"),
    ],
)
def test_wrong_settings_are_told(wrong, words):
    with pytest.raises(ConfigError, match=words.replace("(", r"\(")):
        FeatureSettings.from_dict(wrong)


def test_all_wrong_settings_are_told_at_once():
    with pytest.raises(ConfigError, match=r"bands: got 0.*\n.*deltas: got 9"):
        FeatureSettings(bands=0, deltas=9)


@pytest.mark.parametrize(
    ("samples", "error", "words"),
    [
        (np.zeros((2, 500)), ShapeError, "take the mean of the channels first"),
        (np.zeros(500, np.int16), ShapeError, "got int16.*divide 16-bit samples by 32,768"),
        (np.array([0.0, np.nan]), DataError, r"sample 1,601 \(at 0.100 s\) is nan"),
        (np.array([-np.inf]), DataError, "sample 1,600 .* is -inf"),
    ],
)
def test_wrong_samples_are_told(samples, error, words):
    stream = FeatureStream()
    stream.push(np.zeros(1_600, np.float32))
    with pytest.raises(error, match=words):
        stream.push(samples)


def frames_of(count, seed=0, size=3):
    draw = np.random.default_rng(seed)
    return (draw.normal(size=(count, size)) * [1, 5, 0.2] + [-12, 3, 1e4]).astype(np.float32)


def test_statistics_in_one_pass_are_those_of_all_frames():
    frames = frames_of(5_000)
    got = statistics_of(iter(np.split(frames, [0, 1, 2, 700, 701, 4_000])))
    np.testing.assert_allclose(got.mean, frames.mean(axis=0, dtype=np.float64), rtol=1e-13)
    np.testing.assert_allclose(got.deviation, frames.astype(np.float64).std(axis=0), rtol=1e-9)


def running_by_hand(frames, statistics, seconds, frames_per_s):
    keep = np.exp(-1 / (seconds * frames_per_s))
    mean, square = np.zeros(frames.shape[1]), np.ones(frames.shape[1])
    result = []
    for frame in (frames - statistics.mean) / statistics.deviation:
        mean = keep * mean + (1 - keep) * frame
        square = keep * square + (1 - keep) * frame**2
        result.append((frame - mean) / np.maximum(np.sqrt(square - mean**2), 0.1))
    return np.array(result)


def test_running_normalisation_matches_the_equations():
    statistics = statistics_of([frames_of(500, seed=1)])
    frames = frames_of(900) + np.float32(2)
    got = normalised(frames, statistics, "running", seconds=1.5, frames_per_s=50)
    np.testing.assert_allclose(got, running_by_hand(frames, statistics, 1.5, 50), rtol=0, atol=2e-6)


@pytest.mark.parametrize("size", [1, 8, 37, 900])
def test_running_normalisation_of_pieces_gives_the_same_bits(size):
    statistics, frames = statistics_of([frames_of(500, seed=1)]), frames_of(900)
    normalizer = RunningNormalizer(statistics, 2.0, 100)
    for _ in range(2):  # the second time after a reset
        got = [normalizer.push(frames[at : at + size]) for at in range(0, 900, size)]
        assert normalizer.push(frames[:0]).shape == (0, 3)
        normalizer.reset()
        np.testing.assert_array_equal(
            np.concatenate(got), normalised(frames, statistics, "running", seconds=2.0)
        )


def test_running_normalisation_starts_like_training_and_forgets_a_change_of_gain():
    statistics = Statistics(np.zeros(1), np.ones(1))
    louder = 3 + np.random.default_rng(0).normal(size=(40_000, 1))
    got = normalised(louder, statistics, "running", seconds=10)
    assert got[0, 0] == pytest.approx(louder[0, 0], rel=0.01)
    assert got[20_000:].mean() == pytest.approx(0, abs=0.05)
    assert got[20_000:].std() == pytest.approx(1, abs=0.05)


@pytest.mark.parametrize("how", ["global", "utterance", "running"])
def test_constant_frames_stay_finite_and_small(how):
    statistics = statistics_of([frames_of(500)])
    still = np.tile(statistics.mean.astype(np.float32), (30_000, 1))
    still[-1] += statistics.deviation.astype(np.float32)
    got = normalised(still, statistics, how)
    assert np.isfinite(got).all()
    assert np.abs(got[-1]).max() < 10.1


def test_global_and_utterance_normalisation():
    statistics, frames = statistics_of([frames_of(500, seed=1)]), frames_of(300) * 2
    wide = frames.astype(np.float64)
    np.testing.assert_allclose(
        normalised(frames, statistics, "global"),
        (wide - statistics.mean) / statistics.deviation,
        rtol=1e-6,
    )
    np.testing.assert_allclose(
        normalised(frames, statistics, "utterance"), scipy.stats.zscore(wide, axis=0), rtol=0, atol=1e-5
    )
    for how in ("global", "utterance", "running"):
        assert normalised(frames[:0], statistics, how).shape == (0, 3)


def test_wrong_normalisation_is_told():
    statistics = Statistics(np.zeros(3), np.ones(3))
    with pytest.raises(ConfigError, match="how: got 'mean'"):
        normalised(frames_of(2), statistics, "mean")
    with pytest.raises(ShapeError, match=r"got shape \(2, 3\), expected \(t, 1\)"):
        normalised(frames_of(2), Statistics(np.zeros(1), np.ones(1)), "global")
    with pytest.raises(ConfigError, match="seconds: got 0"):
        RunningNormalizer(statistics, 0, 100)
    with pytest.raises(DataError, match="no frames"):
        statistics_of([frames_of(0)])
    with pytest.raises(ShapeError, match=r"expected \(t, 3\)"):
        statistics_of([frames_of(2), np.zeros((2, 4))])
    with pytest.raises(ShapeError, match="got shapes"):
        Statistics(np.zeros(3), np.ones(2))
    with pytest.raises(DataError, match="NaN"):
        Statistics(np.array([np.nan]), np.ones(1))
    with pytest.raises(DataError, match="negative"):
        Statistics(np.zeros(1), -np.ones(1))

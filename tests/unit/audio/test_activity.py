"""Where in a recording the word is."""

import numpy as np
import pytest

from recurra.audio.activity import word_span

RATE = 16_000


def tone(seconds: float, level: float = 0.3) -> np.ndarray:
    return (level * np.sin(2 * np.pi * 440 * np.arange(round(seconds * RATE)) / RATE)).astype(np.float32)


def noise(seconds: float, level: float) -> np.ndarray:
    return np.random.default_rng(1).normal(0, level, round(seconds * RATE)).astype(np.float32)


@pytest.mark.parametrize("level", [0.0, 1e-4, 0.01])
def test_a_word_between_silences_or_noise(level):
    samples = np.concatenate([tone(0, 0), np.zeros(8000), tone(0.4), np.zeros(4800)]).astype(np.float32)
    found = word_span(samples + noise(len(samples) / RATE, level), RATE)
    assert found.start_s == pytest.approx(0.5, abs=0.02)
    assert found.end_s == pytest.approx(0.9, abs=0.02)


def test_a_click_apart_is_not_the_word_and_a_short_pause_is():
    gap, pause = np.zeros(round(0.35 * RATE)), np.zeros(round(0.1 * RATE))
    samples = np.concatenate([tone(0.03), gap, tone(0.3), pause, tone(0.2), gap]).astype(np.float32)
    found = word_span(samples, RATE)
    assert found.start_s == pytest.approx(0.38, abs=0.02)
    assert found.end_s == pytest.approx(0.98, abs=0.02)


def test_of_a_long_span_the_loudest_part_is_the_word():
    samples = np.concatenate([np.zeros(4800), tone(0.5), tone(0.6, 0.05), np.zeros(4800)]).astype(np.float32)
    assert word_span(samples, RATE).end_s == pytest.approx(1.4, abs=0.02)
    found = word_span(samples, RATE, longest_s=0.55)
    assert found.end_s - found.start_s == pytest.approx(0.55, abs=0.01)
    assert found.start_s == pytest.approx(0.27, abs=0.04)
    assert word_span(samples, RATE, longest_s=2.0) == word_span(samples, RATE)


@pytest.mark.parametrize("samples", [np.zeros(16_000), np.zeros(0), tone(0.02), tone(1.0)])
def test_without_silence_or_sound_it_is_the_whole(samples):
    found = word_span(samples.astype(np.float32), RATE)
    assert found.start_s == pytest.approx(0, abs=0.01)
    assert found.end_s == pytest.approx(len(samples) / RATE, abs=0.01)

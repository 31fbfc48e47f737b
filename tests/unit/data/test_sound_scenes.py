"""Scenes: what is placed where, from which generator, and at which level."""

import numpy as np
import pytest

from recurra.audio.activity import Span
from recurra.data.sound_scenes import SceneMaker, SceneSettings, Sound

RATE = 16_000
QUIET = {"level": (-20.0, -20.0), "snr": (60.0, 60.0), "speed": 0.0, "room": 0.0, "partial": 0.0}


def tone(hz, seconds=0.3, silence=0.3):
    rows = np.zeros(round((seconds + 2 * silence) * RATE))
    first = round(silence * RATE)
    rows[first : first + round(seconds * RATE)] = np.sin(
        2 * np.pi * hz * np.arange(round(seconds * RATE)) / RATE
    )
    return (rows * 20_000).astype(np.int16)


def word(hz=1000, number=0):
    return Sound(tone(hz), number, Span(0.3, 0.6))


def make(settings, words=None, others=None, backgrounds=()):
    others = [Sound(tone(300, 0.8, 0.0))] if others is None else others
    return SceneMaker(words or [word()], others, backgrounds, SceneSettings(seconds=4.0, **settings))


def energy(samples, hz):
    """The energy at one frequency in frames of 20 ms."""
    frames = samples[: len(samples) // 320 * 320].reshape(-1, 320)
    wave = np.exp(-2j * np.pi * hz * np.arange(320) / RATE)
    return np.abs(frames @ wave) / 160


def test_a_word_sounds_until_the_end_that_is_told():
    maker = make(QUIET)
    seen = 0
    for seed in range(12):
        scene = maker.make(np.random.default_rng(seed), 4 * RATE)
        loud = energy(scene.samples, 1000) > 0.05
        for number, end in scene.words:
            assert number == 0
            at = round(end * 50)
            assert loud[at - 13 : at - 1].all()
            assert not loud[at + 2 : at + 12].any()
            seen += 1
    assert seen > 6


def test_the_same_generator_gives_the_same_scene_and_plan():
    maker = make({"speed": 0.2}, backgrounds=(Sound(tone(90, 1.0, 0.0)),))
    first, second = (maker.make(np.random.default_rng(5), 2 * RATE) for _ in range(2))
    assert np.array_equal(first.samples, second.samples)
    assert first.words == second.words == maker.plan(np.random.default_rng(5), 2 * RATE)
    assert first.samples.dtype == np.float32
    assert len(first.samples) == 2 * RATE
    assert np.abs(first.samples).max() <= 1


def test_words_of_all_kinds_are_drawn_as_often():
    """One recording of the first word, nine of the second."""
    maker = make(QUIET, words=[word(1000, 0)] + [word(2000, 1)] * 9)
    counts = np.zeros(2)
    for seed in range(200):
        for number, _ in maker.plan(np.random.default_rng(seed), 4 * RATE):
            counts[number] += 1
    assert counts.min() > 0.35 * counts.sum()


@pytest.mark.parametrize("level", [-40.0, -15.0])
def test_levels(level):
    """The loud part of a word has the level of the scene, up to 4 dB, and the background is below it."""
    maker = make(QUIET | {"level": (level, level), "snr": (20.0, 20.0)}, others=())
    for seed in range(8):
        scene = maker.make(np.random.default_rng(seed), 4 * RATE)
        for _, end in scene.words[:1]:
            part = scene.samples[round((end - 0.25) * RATE) : round((end - 0.05) * RATE)]
            assert 20 * np.log10(np.sqrt(np.mean(part**2))) == pytest.approx(level, abs=4.5)


def test_parts_of_words_are_no_words():
    maker = make(QUIET | {"partial": 1.0, "most_words": 1})
    parts = 0
    for seed in range(30):
        scene = maker.make(np.random.default_rng(seed), 4 * RATE)
        starts = np.diff((energy(scene.samples, 1000) > 0.05).astype(int)) == 1
        parts += int(starts.sum()) - len(scene.words)
    assert parts > 10

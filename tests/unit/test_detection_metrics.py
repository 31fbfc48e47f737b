"""Events, misses, false alarms and their bound."""

import math

import numpy as np
import pytest
from scipy.stats import poisson

from recurra.metrics.detection import (
    Counts,
    Crossings,
    Matching,
    Scored,
    Spoken,
    best_threshold,
    count_events,
    detection_curve,
    events_of,
    rate_bound,
)


def brute_force(scores, threshold, refractory):
    found, last = [], None
    for step, score in enumerate(scores):
        before = scores[step - 1] if step else -1.0
        if score >= threshold and before < threshold and (last is None or step - last >= refractory):
            found.append(step)
            last = step
    return found


@pytest.mark.parametrize("seed", range(5))
def test_events_are_crossings_however_the_scores_are_cut(seed):
    draw = np.random.default_rng(seed)
    scores = np.round(np.convolve(draw.random(400), np.ones(3) / 3, "same"), 2).astype(np.float32)
    expected = brute_force(scores.tolist(), 0.6, 7)
    assert len(expected) > 5
    whole, pieces = Crossings(0.6, 7), Crossings(0.6, 7)
    assert whole.push(scores) == expected
    cuts = sorted(draw.integers(0, 400, 30).tolist())
    assert [step for part in np.split(scores, cuts) for step in pieces.push(part)] == expected


def test_a_score_that_stays_high_is_one_event():
    scores = np.zeros((100, 2), np.float32)
    scores[10:90, 0], scores[20, 1], scores[22, 1], scores[60, 1] = 0.9, 0.9, 0.9, 0.9
    assert events_of(scores, [0.5, 0.5], 5) == [(10, 0), (20, 1), (60, 1)]


def test_hits_misses_and_alarms():
    spoken = [Spoken(0, 1.0), Spoken(0, 5.0), Spoken(1, 5.0), Spoken(0, 9.0)]
    events = [(0.95, 0), (1.5, 0), (5.4, 1), (10.01, 0), (4.5, 0)]
    found = count_events(events, spoken, 0.5, Matching(early_s=0.1, late_s=1.0))
    # 0.95 is a hit of the word at 1.0, whose second event is an alarm; 4.5 is too early, 10.01 too late.
    assert (found.words, found.misses, found.alarms) == (4, 2, 3)
    assert found.latencies == pytest.approx((-0.05, 0.4))
    assert found.alarms_per_hour == 6.0
    late = count_events([(4.5, 0)], [Spoken(0, 5.0, early_s=0.5)], 0.5, Matching(0.1, 1.0))
    assert (late.misses, late.alarms) == (0, 0)
    both = found + Counts(1, 1, 0, 0.5)
    assert (both.words, both.misses, both.alarms, both.hours) == (5, 3, 3, 1.0)


@pytest.mark.parametrize(("count", "hours"), [(0, 1.0), (0, 0.32), (3, 2.0), (40, 10.0)])
def test_the_bound_is_that_of_the_poisson_distribution(count, hours):
    bound = rate_bound(count, hours)
    assert poisson.cdf(count, bound * hours) == pytest.approx(0.05, rel=1e-9)
    assert rate_bound(0, hours) == pytest.approx(-math.log(0.05) / hours)
    assert rate_bound(count, 0.0) == math.inf


def test_the_threshold_of_a_curve():
    """Words peak at 0.8 and 0.95, other sounds at 0.6 and 0.9."""
    scores = np.zeros((400, 1), np.float32)
    for step, peak in ((50, 0.8), (150, 0.95), (250, 0.6), (350, 0.9)):
        scores[step] = peak
    hours = 400 * 0.01 / 3600
    streams = [Scored(scores, [Spoken(0, 0.5), Spoken(0, 1.5), Spoken(1, 2.5)], hours)]
    curve = list(
        detection_curve(streams, word=0, step_s=0.01, first_s=0.0, refractory=10, matching=Matching(0.1, 0.3))
    )
    assert [point.threshold for point in curve] == sorted(point.threshold for point in curve)
    for point in curve:
        assert point.counts.misses == sum(peak < point.threshold for peak in (0.8, 0.95))
        assert point.counts.alarms == sum(peak >= point.threshold for peak in (0.6, 0.9))
    sure = best_threshold(curve)
    assert (sure.counts.alarms, sure.counts.misses) == (0, 1)
    assert 0.9 < sure.threshold < 0.95
    assert sure.counts.hours == hours
    loose = best_threshold(curve, 1.5 / hours)
    assert (loose.counts.alarms, loose.counts.misses) == (1, 0)
    assert 0.6 < loose.threshold < 0.8

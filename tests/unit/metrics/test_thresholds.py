"""Decisions chosen from a curve, by hand."""

import numpy as np
import pytest

from recurra.metrics import Hits, ThresholdCurve

# From high to low: right, wrong, right right, wrong, right (two of the same probability).
SAID = [0.9, 0.8, 0.6, 0.6, 0.4, 0.2]
RIGHT = [True, False, True, True, False, True]


def test_a_decision_lies_between_two_probabilities():
    curve = ThresholdCurve.count(SAID, RIGHT)
    assert len(curve) == 5
    found = curve.best(0.5)
    assert found is not None
    assert found.threshold == pytest.approx(0.5)
    assert found.hits == Hits(3, 4, 4)
    assert curve.hits_at(found.threshold) == found.hits
    assert curve.best().hits == curve.best(2.0).hits == Hits(4, 6, 4)
    assert curve.best(2.0).threshold == pytest.approx(0.1)  # between the lowest one and 0


def test_a_precision_or_recall_is_reached_at_the_least_cost_of_the_other():
    curve = ThresholdCurve.count(SAID, RIGHT)
    assert curve.with_precision(0.75).hits == Hits(3, 4, 4)
    assert curve.with_precision(1.0).threshold == pytest.approx(0.85)
    assert curve.with_recall(0.75).hits == Hits(3, 4, 4)
    assert curve.with_recall(0.25).hits == Hits(1, 1, 4)
    assert ThresholdCurve.count(SAID, RIGHT, 8).with_recall(0.6) is None
    assert ThresholdCurve.count(SAID, [False] * 6).with_precision(0.1) is None
    assert ThresholdCurve.count([0.5, 0.4], [False, True]).with_precision(0.9) is None


def test_counts_at_any_threshold_are_those_of_the_definition():
    rng = np.random.default_rng(2)
    said, right = rng.integers(0, 9, 60) / 8, rng.random(60) < 0.5
    curve = ThresholdCurve.count(said, right, 40)
    for threshold in (0.0, 0.3, 0.5, 0.51, 1.0, 1.1):
        reached = said >= threshold
        assert curve.hits_at(threshold) == Hits(int((right & reached).sum()), int(reached.sum()), 40)


def test_a_curve_without_points_or_with_fewer():
    empty = ThresholdCurve.count([], [], 3)
    assert (len(empty), empty.average_precision, empty.best(), empty.hits_at(0.5)) == (
        0,
        0,
        None,
        Hits(0, 0, 3),
    )
    curve = ThresholdCurve.count(np.linspace(0, 1, 50), np.arange(50) % 2)
    thin = curve.thinned(7)
    assert len(thin) == 7
    assert {(p, r) for p, r in zip(thin.precision, thin.recall, strict=True)} <= {
        (p, r) for p, r in zip(curve.precision, curve.recall, strict=True)
    }
    assert (thin.thresholds[0], thin.thresholds[-1]) == (1.0, 0.0)
    assert curve.thinned(50) is curve

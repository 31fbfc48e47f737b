"""Precision-recall curves against scikit-learn, and temperatures against torch's optimiser and a grid."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from recurra.metrics import ThresholdCurve
from recurra.metrics.temperature import LIMIT, SoftmaxScores, fit_temperature

metrics = pytest.importorskip("sklearn.metrics")


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 12), st.booleans()), min_size=1, max_size=40))
def test_a_curve_is_that_of_scikit_learn(pairs):
    """With many equal probabilities, which no threshold separates."""
    said, right = np.array([share / 12 for share, _ in pairs]), np.array([hit for _, hit in pairs])
    curve = ThresholdCurve.count(said, right)
    if not right.any():
        assert (curve.average_precision, curve.best()) == (0.0, None)
        return
    precision, recall, thresholds = metrics.precision_recall_curve(right, said)
    assert curve.thresholds[::-1] == pytest.approx(thresholds)
    assert curve.precision[::-1] == pytest.approx(precision[:-1])
    assert curve.recall[::-1] == pytest.approx(recall[:-1])
    assert curve.average_precision == pytest.approx(metrics.average_precision_score(right, said))
    for beta in (0.5, 1.0, 2.0):
        scores = [metrics.fbeta_score(right, said >= threshold, beta=beta) for threshold in curve.thresholds]
        assert curve.f_score(beta) == pytest.approx(scores)


def test_what_has_no_probability_lowers_the_recall():
    """As gold entities that a tagger does not predict: rows of probability 0 that no threshold reaches."""
    rng = np.random.default_rng(1)
    said, right = rng.random(300), rng.random(300) < 0.4
    curve = ThresholdCurve.count(said, right, int(right.sum()) + 70)
    whole = np.append(said, np.zeros(70)), np.append(right, np.ones(70, bool))
    precision, recall, _ = metrics.precision_recall_curve(whole[1], whole[0])
    assert curve.precision[::-1] == pytest.approx(precision[1:-1])
    assert curve.recall[::-1] == pytest.approx(recall[1:-1])
    missed = 70 / whole[1].sum() * whole[1].mean()  # the step of scikit-learn to recall 1
    assert curve.average_precision + missed == pytest.approx(metrics.average_precision_score(*whole[::-1]))


def a_problem(seed: int, scale: float) -> SoftmaxScores:
    rng = np.random.default_rng(seed)
    logits = rng.normal(size=(400, 4)) * 2
    shares = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    targets = np.array([rng.choice(4, p=row) for row in shares])
    targets[:9] = -1
    return SoftmaxScores(logits * scale, targets)


@pytest.mark.parametrize("scale", [0.3, 1.0, 4.0, 15.0])
def test_a_temperature_is_that_of_the_optimiser_of_torch(scale):
    scores = a_problem(3, scale)
    found = fit_temperature(scores.slope)
    assert found == pytest.approx(scale, rel=0.15)  # the labels were drawn from unscaled scores
    logits, targets = torch.from_numpy(scores.logits), torch.from_numpy(scores.targets)
    log_beta = torch.tensor(0.0, dtype=torch.float64, requires_grad=True)
    optimiser = torch.optim.LBFGS(
        [log_beta], max_iter=200, tolerance_grad=1e-12, tolerance_change=0, line_search_fn="strong_wolfe"
    )

    def loss():
        optimiser.zero_grad()
        total = torch.nn.functional.cross_entropy(logits * log_beta.exp(), targets, ignore_index=-1)
        total.backward()
        return total

    optimiser.step(loss)
    assert found == pytest.approx(math.exp(-float(log_beta.detach())), rel=1e-6)
    assert scores.losses(found).sum() / 391 == pytest.approx(float(loss().detach()), rel=1e-12)
    grid = [scores.losses(found * math.exp(step)).sum() for step in np.linspace(-0.01, 0.01, 401)]
    assert int(np.argmin(grid)) == 200


def test_a_temperature_has_limits():
    logits = np.array([[2.0, 0.0], [0.0, 1.0]])
    assert fit_temperature(SoftmaxScores(logits, np.array([0, 1])).slope) is None
    assert fit_temperature(SoftmaxScores(logits, np.array([1, 0])).slope) == LIMIT
    assert fit_temperature(SoftmaxScores(logits, np.array([-1, -1])).slope) is None

"""Temperatures from scores whose best temperature is known, or does not exist."""

import math

import numpy as np
import pytest

from recurra.metrics.temperature import LIMIT, SoftmaxScores, fit_temperature

GAPS = [1.0, 3.0, 6.0, 10.0, 50.0, 800.0]


def scores_of(gaps, *, mistakes: int = 0) -> SoftmaxScores:
    """Rows with three labels, of which the first one is ahead; the gold label of some is the second one."""
    logits = np.stack([[gap + 2.0, 2.0, -1.0] for gap in gaps])
    targets = np.zeros(len(logits), dtype=np.int64)
    targets[:mistakes] = 1
    return SoftmaxScores(logits, targets)


@pytest.mark.parametrize("gap", GAPS)
def test_correct_predictions_alone_determine_none(gap):
    assert fit_temperature(scores_of([gap] * 200).slope) is None


def test_correct_predictions_with_gaps_of_several_sizes_determine_none():
    assert fit_temperature(scores_of(GAPS * 30).slope) is None


@pytest.mark.parametrize("gap", GAPS)
def test_the_slope_of_a_correct_row_is_that_of_its_other_labels(gap):
    above = np.array([-gap, -gap - 3.0])
    wanted = (np.exp(above) * above).sum() / (1 + np.exp(above).sum())
    assert scores_of([gap]).slope(1.0) == pytest.approx(wanted, rel=1e-12, abs=0.0)


@pytest.mark.parametrize("gap", GAPS)
def test_a_share_of_mistakes_determines_the_temperature(gap):
    """Of two labels that differ by `gap`, a tenth of the rows has the other one: P = 0.9 fits best."""
    scores = SoftmaxScores(np.tile([gap, 0.0], (200, 1)), np.repeat([0, 1], [180, 20]))
    wanted = gap / math.log(9)
    assert fit_temperature(scores.slope) == pytest.approx(min(wanted, LIMIT), rel=1e-6)


def test_a_derivative_of_zero_is_a_minimum_if_a_positive_one_follows():
    assert fit_temperature(lambda beta: beta - 1.0) == 1.0
    assert fit_temperature(lambda beta: min(0.0, beta - 1.0)) is None
    assert fit_temperature(lambda beta: 0.0) is None
    assert fit_temperature(lambda beta: beta) == LIMIT

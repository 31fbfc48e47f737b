"""The likelihood of label sequences as a function of the temperature."""

from types import SimpleNamespace

import pytest
import torch

from recurra.layers.crf import ConditionalRandomField
from recurra.metrics.temperature import fit_temperature
from recurra.tasks.labelling.likelihoods import LabelSequences
from recurra.tasks.labelling.predicting import BatchScores

ROWS, STEPS, LABELS = 40, 12, 6


def sequences(gap: float, *, mistakes: int = 0) -> LabelSequences:
    """Rows with gold labels that are `gap` nats ahead at each step; some have another one at step 3."""
    torch.manual_seed(3)
    crf = ConditionalRandomField(LABELS)
    with torch.no_grad():
        for part in crf.parameters():
            part.uniform_(-1, 1).mul_(min(0.7, gap / 5))  # less than the gap
    labels = torch.randint(LABELS, (ROWS, STEPS))
    emissions = gap * torch.nn.functional.one_hot(labels, LABELS).float() + 5 * torch.randn(ROWS, STEPS, 1)
    labels[:mistakes, 2] = (labels[:mistakes, 2] + 1) % LABELS
    lengths = torch.tensor([STEPS, STEPS - 2] * (ROWS // 2))
    batch = SimpleNamespace(rows=list(range(ROWS)), labels=labels, lengths=lengths)
    network = SimpleNamespace(crf=crf)
    return LabelSequences(network, [BatchScores(batch, emissions, None)], ROWS)


@pytest.mark.parametrize("gap", [1.0, 3.0, 6.0, 10.0, 20.0, 50.0, 800.0])
def test_correct_sequences_alone_determine_none(gap):
    assert fit_temperature(sequences(gap).slope_on(range(ROWS))) is None


@pytest.mark.parametrize("gap", [1.0, 3.0, 6.0, 10.0, 50.0])
def test_mistakes_determine_the_temperature_of_sequences(gap):
    """The temperature found has the lowest loss."""
    every = sequences(gap, mistakes=12)
    found = fit_temperature(every.slope_on(range(ROWS)))
    assert found is not None
    loss, *others = (every.losses(found * factor).sum() for factor in (1.0, 0.97, 1.03))
    assert loss < min(others)

"""Transforms, sampling, completion: against known probabilities."""

import itertools
import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from recurra.decoding import Following, chain, complete, forbid, sample_ids, temperature, top_k, top_p
from recurra.errors import ConfigError

LOGITS = st.lists(st.floats(-5, 5, width=32), min_size=2, max_size=8).map(lambda row: torch.tensor([row]))


@given(LOGITS, st.integers(1, 9))
def test_top_k_keeps_the_k_largest_and_ties(logits, k):
    kept = top_k(k)(logits).isfinite()
    least = logits[0].sort(descending=True).values[min(k, logits.shape[1]) - 1]
    assert torch.equal(kept, logits >= least)


@given(LOGITS, st.floats(0.01, 1.0))
def test_top_p_keeps_the_fewest_that_hold_p(logits, p):
    probs = logits[0].softmax(0)
    kept = top_p(p)(logits)[0].isfinite()
    assert probs[kept].sum() >= p - 1e-5
    least = probs[kept].min()
    assert probs[kept].sum() - least < p + 1e-5
    assert (probs[~kept] <= least + 1e-7).all()


@given(LOGITS, st.floats(0.1, 5))
def test_temperature_divides(logits, value):
    torch.testing.assert_close(temperature(value)(logits), logits / value)
    assert temperature(0)(logits).isfinite().sum() == (logits == logits.max()).sum()


@pytest.mark.parametrize(
    "make", [lambda: top_k(0), lambda: top_p(0), lambda: top_p(1.1), lambda: temperature(-1)]
)
def test_values_that_cannot_be_are_refused(make):
    with pytest.raises(ConfigError, match="expected"):
        make()


TABLE = torch.tensor([[0.1, 0.6, 0.3], [0.5, 0.25, 0.25], [0.2, 0.2, 0.6]], dtype=torch.float64)


def bigram(ids, state):
    """A model that depends only on the previous symbol: P(next | last) = TABLE[last]."""
    return TABLE[ids].log(), ids[:, -1:].T.clone()


def test_samples_have_the_model_s_frequencies():
    counts = torch.zeros(3)
    generator = torch.Generator().manual_seed(3)
    drawn = list(sample_ids(bigram, [0], length=6000, transform=lambda logits: logits, generator=generator))
    after_one = [b for a, b in itertools.pairwise(drawn) if a == 1]
    counts = torch.bincount(torch.tensor(after_one), minlength=3) / len(after_one)
    torch.testing.assert_close(counts, TABLE[1].float(), atol=0.04, rtol=0)


def test_sampling_ends_at_the_end_and_never_draws_the_forbidden():
    def draw(**options):
        generator = torch.Generator().manual_seed(1)
        return list(sample_ids(bigram, [0], length=200, generator=generator, **options))

    ended = draw(transform=lambda logits: logits, end_id=2)
    assert ended[-1] == 2
    assert 2 not in ended[:-1]
    assert 1 not in draw(transform=chain([forbid([1]), temperature(2.0)]))
    assert draw(transform=temperature(0)) == [1, 0] * 100


def exhaustive(prime, max_length, ends):
    """Every ending with its probability, by full enumeration."""
    found = {}
    for length in range(1, max_length + 1):
        for ids in itertools.product(range(3), repeat=length):
            if any(ends[i] for i in ids):
                continue
            p = math.prod(float(TABLE[a][b]) for a, b in itertools.pairwise([prime, *ids]))
            close = 1.0 if length == max_length else float(TABLE[ids[-1]][ends].sum())
            if close:
                found[ids] = p * close
    return sorted(found.items(), key=lambda item: (-item[1], item[0]))


@pytest.mark.parametrize("ends", [[False, False, True], [False, True, True], [False, False, False]])
@pytest.mark.parametrize("max_length", [1, 2, 4])
def test_completions_are_those_of_an_exhaustive_search(ends, max_length):
    mask = torch.tensor(ends)
    got = complete(
        bigram, [0], n_best=4, max_length=max_length, ends=mask, select=lambda s, rows: s[:, rows], width=200
    )
    want = exhaustive(0, max_length, mask)[: len(got)]
    assert len(got) == min(4, len(exhaustive(0, max_length, mask)))
    assert [one.probability for one in got] == pytest.approx([p for _, p in want])
    assert {one.ids for one in got} <= {
        ids for ids, p in exhaustive(0, max_length, mask) if p >= want[-1][1] - 1e-12
    }


def test_the_first_symbol_can_be_confined():
    only = torch.tensor([False, False, True])
    got = complete(
        bigram,
        [0],
        n_best=1,
        max_length=1,
        ends=torch.zeros(3, dtype=torch.bool),
        select=lambda s, r: s,
        allowed=lambda ids: None if ids else only,
    )
    assert got[0].ids == (2,)
    assert got[0].probability == pytest.approx(1.0)


def test_what_follows_an_ending_can_depend_on_its_symbols():
    every, none, last = torch.tensor([[True] * 3, [False] * 3, [False, False, True]])

    def within(ids):
        return (
            Following(every, every)
            if ids == (1,)
            else Following(last, every & ~last)
            if ids == (0,)
            else None
        )

    got = complete(
        bigram,
        [0],
        n_best=9,
        max_length=9,
        ends=torch.tensor([False, True, False]),
        forbidden=none,
        select=lambda s, rows: s[:, rows],
        allowed=lambda ids: None if ids else every,
        within=within,
    )
    found = {one.ids: one.probability for one in got}
    assert found[(1,)] == pytest.approx(float(TABLE[0][1]))  # it ends whatever follows
    assert found[(0,)] == pytest.approx(float(TABLE[0][0] * TABLE[0][2]))
    assert not any(ids[:2] in ((0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2)) for ids in found)
    assert found[(2, 0)] == pytest.approx(float(TABLE[0][2] * TABLE[2][0] * TABLE[0][1]))


def test_endings_into_the_impossible_are_no_endings():
    """Symbol 1 is followed by 0, the end; symbol 2 by no symbol with a probability."""
    logits = torch.tensor([[-torch.inf, 0.0, 0.0], [0.0, -torch.inf, -torch.inf], [-torch.inf] * 3])

    def step(ids, state):
        return logits[ids], torch.zeros(1, len(ids), 1)

    ends = torch.tensor([True, False, False])
    found = complete(step, [0], n_best=3, max_length=4, ends=ends, select=lambda s, rows: s[:, rows])
    assert [(one.ids, one.probability) for one in found] == [((1,), pytest.approx(0.5))]
    drawn = list(sample_ids(step, [2], length=5, transform=chain([]), generator=torch.Generator()))
    assert drawn == []

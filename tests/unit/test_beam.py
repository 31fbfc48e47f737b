"""Beam search against exhaustive search, against greedy, and against itself in other batches."""

import itertools
import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from recurra.decoding.beam import BeamOptions, LengthPenalty, SearchedModel, beam_search
from recurra.errors import ConfigError

END, BEGIN = 0, 4
SYMBOLS = 4  # the end among them


def a_model(sentences: int, seed: int) -> tuple[SearchedModel, torch.Tensor, torch.Tensor]:
    """P(next | sentence, last two symbols) from a random table; the state is sentence and symbol before."""
    torch.manual_seed(seed)
    table = (torch.randn(sentences, 5, 5, SYMBOLS, dtype=torch.float64) * 1.5).log_softmax(-1)

    def step(symbols, state):
        sentence, before = state.unbind(1)
        return table[sentence, before, symbols], torch.stack([sentence, symbols], dim=1)

    start = torch.stack([torch.arange(sentences), torch.full((sentences,), BEGIN)], dim=1)
    return SearchedModel(step, lambda state, rows: state[rows.reshape(-1)], BEGIN, END), start, table


def log_prob(table, sentence: int, symbols) -> float:
    padded = [BEGIN, BEGIN, *symbols]
    return sum(
        float(table[sentence, a, b, c]) for a, b, c in zip(padded, padded[1:], padded[2:], strict=False)
    )


def exhaustive(table, sentence: int, options: BeamOptions) -> list[tuple[tuple[int, ...], float]]:
    """Every sequence with its score, best first."""
    found = []
    for length in range(options.max_length + 1):
        for symbols in itertools.product(range(1, SYMBOLS), repeat=length):
            ends = length < options.max_length
            if ends and length < options.min_length:
                continue
            whole = (*symbols, END) if ends else symbols
            score = log_prob(table, sentence, whole) / options.length_penalty.divisor(len(whole))
            found.append((symbols, score))
    return sorted(found, key=lambda one: -one[1])


def close(found, wanted) -> None:
    assert [one.symbols for one in found] == [symbols for symbols, _ in wanted]
    assert [one.score for one in found] == pytest.approx([score for _, score in wanted])


@settings(max_examples=30, deadline=None)
@given(
    alpha=st.sampled_from([-0.5, 0.0, 0.6, 1.0, 1.7]),
    form=st.sampled_from(["power", "google"]),
    min_length=st.integers(0, 2),
    n_best=st.integers(1, 6),
    seed=st.integers(0, 999),
)
def test_a_width_for_all_hypotheses_finds_what_exhaustive_search_finds(alpha, form, min_length, n_best, seed):
    model, start, table = a_model(3, seed)
    penalty = LengthPenalty(alpha, form)
    options = BeamOptions(
        width=SYMBOLS**4, n_best=n_best, max_length=4, min_length=min_length, length_penalty=penalty
    )
    found = beam_search(model, start, 3, options)
    for sentence in range(3):
        close(found[sentence], exhaustive(table, sentence, options)[:n_best])
        assert all(one.log_prob <= 0 for one in found[sentence])


def test_a_width_of_one_is_greedy():
    model, start, table = a_model(20, 1)
    for sentence, (one,) in enumerate(beam_search(model, start, 20, BeamOptions(width=1, max_length=9))):
        before, last, symbols = BEGIN, BEGIN, []
        while len(symbols) < 9:
            best = int(table[sentence, before, last].argmax())
            if best == END:
                break
            symbols.append(best)
            before, last = last, best
        assert one.symbols == tuple(symbols)
        assert one.ended == (len(symbols) < 9)


@pytest.mark.parametrize("alpha", [0.0, 0.8])
@pytest.mark.parametrize("width", [1, 2, 5])
def test_neither_the_batch_nor_what_is_asked_for_changes_the_best(alpha, width):
    model, start, _ = a_model(32, 2)
    found = {}
    for size, n_best in itertools.product((1, 7, 32), (1, 5)):
        options = BeamOptions(width, n_best, max_length=12, length_penalty=LengthPenalty(alpha))
        parts = [
            beam_search(model, start[i : i + size], len(start[i : i + size]), options)
            for i in range(0, 32, size)
        ]
        found[size, n_best] = [one for part in parts for one in part]
    for (_, n_best), others in found.items():
        assert others == found[1, n_best]
        assert [one[0] for one in others] == [one[0] for one in found[1, 1]]
        assert all(len({one.symbols for one in hypotheses}) == len(hypotheses) for hypotheses in others)


@pytest.mark.parametrize("alpha", [-0.5, 0.0, 0.7, 1.5])
def test_stopping_early_loses_nothing(monkeypatch, alpha):
    model, start, _ = a_model(40, 3)
    options = BeamOptions(width=3, n_best=2, max_length=10, length_penalty=LengthPenalty(alpha))
    early = beam_search(model, start, 40, options)
    monkeypatch.setattr(LengthPenalty, "best", lambda *given: math.inf)
    assert beam_search(model, start, 40, options) == early


def test_a_sentence_stops_as_soon_as_nothing_can_beat_it():
    """The end is all but certain from the first step on: no second step is taken."""
    steps = []

    def step(symbols, state):
        steps.append(len(symbols))
        return torch.tensor([[0.999, 0.001]]).log().expand(len(symbols), 2).double(), state

    model = SearchedModel(step, lambda state, rows: state[rows.reshape(-1)], 1, END)
    ((best,),) = beam_search(model, torch.zeros(1, 1), 1, BeamOptions(width=2, max_length=50))
    assert (best.symbols, best.ended, steps) == ((), True, [1])


def test_no_symbols_stand_twice_in_a_row_of_n():
    model, start, _ = a_model(10, 4)
    options = BeamOptions(width=6, n_best=3, max_length=14, min_length=6, block_ngrams=2)
    for hypotheses in beam_search(model, start, 10, options):
        for one in hypotheses:
            pairs = list(itertools.pairwise(one.symbols))
            assert len(set(pairs)) == len(pairs)
    free = beam_search(model, start, 10, BeamOptions(width=6, n_best=3, max_length=14, min_length=6))
    pairs = [list(itertools.pairwise(one.symbols)) for hypotheses in free for one in hypotheses]
    assert any(len(set(some)) < len(some) for some in pairs)


def test_prefixes_are_kept_and_paid_for():
    model, start, table = a_model(2, 5)
    options = BeamOptions(width=SYMBOLS**4, n_best=4, max_length=4)
    found = beam_search(model, start, 2, options, prefixes=[[2, 3], []])
    wanted = [one for one in exhaustive(table, 0, options) if one[0][:2] == (2, 3)][:4]
    close(found[0], wanted)
    close(found[1], exhaustive(table, 1, options)[:4])
    with pytest.raises(ConfigError, match="prefixes: got 1, expected one for each of 2 sentences"):
        beam_search(model, start, 2, options, prefixes=[[1]])


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"width": 0}, "width: got 0, expected >= 1"),
        ({"n_best": 0}, "n_best: got 0, expected >= 1"),
        ({"max_length": 3, "min_length": 4}, "min_length: got 4, more than max_length, 3"),
    ],
)
def test_options_that_cannot_be_are_named(options, told):
    with pytest.raises(ConfigError, match=told):
        BeamOptions(**options)

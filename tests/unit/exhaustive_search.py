"""A model with few symbols, and all its sequences with their scores: the reference for searches."""

import itertools

import pytest
import torch

from recurra.decoding.beam import BeamOptions, SearchedModel

END, BEGIN = 0, 4
SYMBOLS = 4  # including the end


def a_model(sentences: int, seed: int) -> tuple[SearchedModel, torch.Tensor, torch.Tensor]:
    """P(next | sentence, last two symbols) from a random table; the state is (sentence, previous symbol)."""
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


def divided(log_p: float, length: int, alpha: float, form: str) -> float:
    """log P / T^α, or Google's log P / ((5 + T) / 6)^α: equation 14 of Wu et al. (2016)."""
    return log_p / (length if form == "power" else (5 + length) / 6) ** alpha


def exhaustive(table, sentence: int, options: BeamOptions) -> list[tuple[tuple[int, ...], float]]:
    """Every sequence with its score, best first."""
    found = []
    for length in range(options.max_length + 1):
        for symbols in itertools.product(range(1, SYMBOLS), repeat=length):
            ends = length < options.max_length
            if ends and length < options.min_length:
                continue
            whole = (*symbols, END) if ends else symbols
            penalty = options.length_penalty
            score = divided(log_prob(table, sentence, whole), len(whole), penalty.alpha, penalty.form)
            found.append((symbols, score))
    return sorted(found, key=lambda one: -one[1])


def close(found, wanted) -> None:
    assert [one.symbols for one in found] == [symbols for symbols, _ in wanted]
    assert [one.score for one in found] == pytest.approx([score for _, score in wanted])

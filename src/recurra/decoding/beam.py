"""Beam search, batched over sentences, for any model that generates one symbol after another.

Each step keeps the `width` best continuations of a sentence's hypotheses. Those that end move to the finished
hypotheses and reduce the beam for that step. So a width of one is greedy search, and the result for a
sentence depends neither on the other sentences of the batch nor on the number of requested hypotheses.
"""

from collections.abc import Iterator, Sequence

import torch

from recurra.decoding.frontier import Frontier
from recurra.decoding.search_terms import (
    BeamOptions,
    Hypothesis,
    LengthPenalty,
    OutputConstraints,
    SearchedModel,
    StateT,
)
from recurra.errors import ConfigError

__all__ = [
    "BeamOptions",
    "Hypothesis",
    "LengthPenalty",
    "SearchedModel",
    "beam_search",
    "stream_search",
]


@torch.no_grad()
def beam_search(
    model: SearchedModel[StateT],
    state: StateT,
    sentences: int,
    options: BeamOptions | None = None,
    *,
    prefixes: Sequence[Sequence[int]] | None = None,
    phrases: Sequence[Sequence[Sequence[int]]] | None = None,
    max_lengths: Sequence[int] | None = None,
    device: torch.device | None = None,
) -> list[list[Hypothesis]]:
    """Return the best hypotheses of each sentence, best first; `state` has one row per sentence.

    A sentence is done when the requested number of hypotheses have ended, and no active one can still beat
    the last of them. With `prefixes` each hypothesis of a sentence starts with that sentence's prefix; with
    `phrases` it contains each of the sentence's phrases (see constraints.py); with `max_lengths` each
    sentence has its own maximum length.

    Raises: ConfigError where prefixes, phrases or lengths do not fit.
    """
    options = options or BeamOptions()
    every = (("prefixes", prefixes), ("phrases", phrases), ("max_lengths", max_lengths))
    for name, given in every:
        if given is not None and len(given) != sentences:
            raise ConfigError(f"{name}: got {len(given)}, expected one for each of {sentences} sentences.")
    if phrases is not None and options.groups > 1:
        raise ConfigError("phrases: cannot be combined with diverse beams; set groups=1.")
    longest = [options.max_length] * sentences if max_lengths is None else list(max_lengths)
    frontier = Frontier(model, options, OutputConstraints(longest, prefixes, phrases), device)
    while frontier.going_on:
        state = frontier.step(state)
    return [frontier.best(sentence) for sentence in range(sentences)]


@torch.no_grad()
def stream_search(
    model: SearchedModel[StateT],
    state: StateT,
    options: BeamOptions | None = None,
    *,
    max_length: int | None = None,
    device: torch.device | None = None,
) -> Iterator[int]:
    """Yield the symbols of one sentence's best hypothesis, each as soon as all possible winners share it.

    All symbols together are the result of `beam_search`.
    """
    options = options or BeamOptions()
    frontier = Frontier(model, options, OutputConstraints([max_length or options.max_length]), device)
    told = 0
    while frontier.going_on:
        state = frontier.step(state)
        settled = frontier.settled()
        yield from settled[told:]
        told = max(told, len(settled))
    yield from frontier.best(0)[0].symbols[told:]

"""Beam search, batched over sentences, for any model that generates one symbol after another.

Each step keeps the `width` best continuations of a sentence's hypotheses. Those that end move to the finished
ones and narrow that step; so a width of one is greedy, and the result for a sentence hangs neither on what is
searched beside it nor on how many hypotheses are asked for.
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
    """The best hypotheses of each sentence, best first; `state` has a row for each sentence.

    A sentence is done when as many hypotheses as are asked for have ended, and none that goes on could still
    beat the last of them. With `prefixes` each hypothesis of a sentence begins with its symbols; with
    `phrases` it has each of the sentence's phrases somewhere in it (constraints.py tells how); with
    `max_lengths` each sentence has its own.

    Raises: ConfigError where prefixes, phrases or lengths do not fit.
    """
    options = options or BeamOptions()
    every = (("prefixes", prefixes), ("phrases", phrases), ("max_lengths", max_lengths))
    for name, given in every:
        if given is not None and len(given) != sentences:
            raise ConfigError(f"{name}: got {len(given)}, expected one for each of {sentences} sentences.")
    if phrases is not None and options.groups > 1:
        raise ConfigError("phrases: do not go with diverse beams; set groups=1.")
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
    """The symbols of the best hypothesis of one sentence, each as soon as all that may still win have it.

    Together they are what `beam_search` finds.
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

"""From sources to answers: a search over a network, in batches, in the order that was asked."""

from collections.abc import Iterator
from dataclasses import dataclass

import torch

from recurra.config import SearchPart
from recurra.decoding import BeamOptions, Hypothesis, LengthPenalty, SearchedModel, beam_search
from recurra.models.seq2seq import DecoderState, Seq2SeqNetwork
from recurra.tasks.seq2seq.corpus import PairSymbols
from recurra.tasks.seq2seq.feeds import EncodedPairs

_AT_ONCE = 32  # sources that are searched together
_OF_PICTURES = 100  # symbols of a caption at most


@dataclass(frozen=True)
class Asked:
    """What is asked of a search beside its options."""

    n_best: int = 1
    at_once: int = _AT_ONCE


def beam_options(part: SearchPart, n_best: int = 1) -> BeamOptions:
    """A configuration's options, as a search takes them.

    Raises: ConfigError for numbers that cannot be.
    """
    return BeamOptions(
        width=max(part.beam_width, n_best),
        n_best=n_best,
        max_length=part.max_length or 100_000,
        min_length=part.min_length,
        length_penalty=LengthPenalty(part.length_penalty, part.length_form),
        block_ngrams=part.block_ngrams,
    )


def longest_answer(part: SearchPart, source: int | None) -> int:
    """Symbols of an answer at most, for a source of so many, or for a picture."""
    if part.max_length is not None:
        return part.max_length
    return _OF_PICTURES if source is None else 2 * source + 20


def search(
    network: Seq2SeqNetwork, pairs: EncodedPairs, part: SearchPart, asked: Asked | None = None
) -> list[list[Hypothesis]]:
    """The best answers to the source of each pair, in order."""
    asked = asked or Asked()
    found: dict[int, list[Hypothesis]] = {}
    for chosen, answers in searches(network, pairs, part, asked):
        found.update(zip(chosen, answers, strict=True))
    return [found[i] for i in range(len(pairs.pairs))]


def searches(
    network: Seq2SeqNetwork, pairs: EncodedPairs, part: SearchPart, asked: Asked
) -> Iterator[tuple[list[int], list[list[Hypothesis]]]]:
    """The same batch by batch, sources of like length together, long ones first."""
    options = beam_options(part, asked.n_best)
    model = searched(network, pairs.symbols)
    order = sorted(range(len(pairs.pairs)), key=lambda i: -len(pairs.sources[i]))
    for at in range(0, len(order), asked.at_once):
        chosen = order[at : at + asked.at_once]
        with torch.no_grad():
            _, state = network.read(pairs.sources_of(chosen).to(network.device))
        of_text = pairs.symbols.source is not None
        longest = [longest_answer(part, len(pairs.sources[i]) if of_text else None) for i in chosen]
        found = beam_search(model, state, len(chosen), options, max_lengths=longest, device=network.device)
        yield chosen, found


def searched(network: Seq2SeqNetwork, symbols: PairSymbols) -> SearchedModel[DecoderState]:
    """A network as a search takes it."""
    return SearchedModel(network.step, network.rows, symbols.end, symbols.end)

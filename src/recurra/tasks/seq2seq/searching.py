"""Searches for the outputs of a network, in batches; results keep the order of the sources."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from recurra.config import SearchPart
from recurra.decoding import (
    BeamOptions,
    Hypothesis,
    LengthPenalty,
    LogitsTransform,
    SearchedModel,
    beam_search,
    stream_search,
)
from recurra.decoding.frontier import repeating
from recurra.models.seq2seq import DecoderState, Seq2SeqNetwork
from recurra.tasks.seq2seq.feeds import EncodedPairs
from recurra.tasks.seq2seq.symbols import PairSymbols

# Sources that are decoded together, and their maximum number of steps with padding and of scores per step.
_AT_LEAST, _AT_MOST = 32, 128
_MOST_STEPS, _MOST_SCORES = 1 << 14, 1 << 23
_OF_PICTURES = 100  # maximum number of symbols of a caption
_OF_TEXTS = 1000  # of any other output; the time of a step grows with the source, so that of all stays linear


@dataclass(frozen=True)
class SearchRequest:
    """Arguments of a search besides its options; prefix and phrases, as ids, apply to all sources."""

    n_best: int = 1
    prefix: tuple[int, ...] = ()
    phrases: tuple[tuple[int, ...], ...] = ()

    def least(self, part: SearchPart) -> int:
        """Return a lower limit of the maximum length, so that prefix and phrases fit; 0 with max_length."""
        bound = bool(self.prefix or self.phrases) and part.max_length is None
        return len(self.prefix) + sum(map(len, self.phrases)) + 10 if bound else 0


def beam_options(part: SearchPart, n_best: int = 1, unknown: int | None = None) -> BeamOptions:
    """Return the search options of a configuration; `unknown` is the symbol for unknown ones.

    Raises: ConfigError for invalid values.
    """
    return BeamOptions(
        width=part.beam_width,
        n_best=n_best,
        max_length=part.max_length or 100_000,
        min_length=part.min_length,
        length_penalty=LengthPenalty(part.length_penalty, part.length_form),
        block_ngrams=part.block_ngrams,
        coverage_penalty=part.coverage_penalty,
        groups=part.beam_groups,
        diversity=part.diversity,
        banned=(unknown,) if part.unknown == "redraw" and unknown is not None else (),
    )


def longest_answer(part: SearchPart, source: int | None) -> int:
    """Return the maximum length of an output for a source of `source` symbols, or None for a picture.

    If max_length is not given, it is at least min_length + 1.
    """
    if part.max_length is not None:
        return part.max_length
    most = _OF_PICTURES if source is None else min(_OF_TEXTS, 3 * source // 2 + 10)
    return max(part.min_length + 1, most)


def searched(network: Seq2SeqNetwork, symbols: PairSymbols) -> SearchedModel[DecoderState]:
    """Return a network as the model of a search."""
    unattended = None if network.attentive is None else network.unattended
    return SearchedModel(network.step, network.rows, symbols.end, symbols.end, unattended)


def search(
    network: Seq2SeqNetwork, pairs: EncodedPairs, part: SearchPart, asked: SearchRequest | None = None
) -> list[list[Hypothesis]]:
    """Return the best outputs for each pair, in order; sources of similar length are decoded together."""
    asked = asked or SearchRequest()
    options = beam_options(part, asked.n_best, pairs.symbols.unknown)
    model = searched(network, pairs.symbols)
    found: dict[int, list[Hypothesis]] = {}
    for chosen, state in _read(network, pairs, part.beam_width):
        answers = beam_search(
            model,
            state,
            len(chosen),
            options,
            prefixes=[asked.prefix] * len(chosen) if asked.prefix else None,
            phrases=[asked.phrases] * len(chosen) if asked.phrases else None,
            max_lengths=[max(most, asked.least(part)) for most in _longest(pairs, part, chosen)],
            device=network.device,
        )
        found.update(zip(chosen, answers, strict=True))
    return [found[i] for i in range(len(pairs.pairs))]


def stream(network: Seq2SeqNetwork, pairs: EncodedPairs, part: SearchPart) -> Iterator[int]:
    """Stream the symbols of the best output for the only pair, as soon as they are final."""
    ((chosen, state),) = _read(network, pairs, part.beam_width)
    (longest,) = _longest(pairs, part, chosen)
    return stream_search(
        searched(network, pairs.symbols),
        state,
        beam_options(part, unknown=pairs.symbols.unknown),
        max_length=longest,
        device=network.device,
    )


@torch.no_grad()
def sample(
    network: Seq2SeqNetwork,
    pairs: EncodedPairs,
    part: SearchPart,
    transform: LogitsTransform,
    *,
    seed: int,
    count: int = 1,
    first: int = 0,
) -> list[list[Hypothesis]]:
    """Sample `count` outputs for each pair, symbol by symbol.

    The samples of a source depend on the seed and on its index, counted from `first`, but not on the other
    sources.
    """
    model = searched(network, pairs.symbols)
    options = beam_options(part, unknown=pairs.symbols.unknown)
    found: dict[int, list[Hypothesis]] = {}
    for chosen, state in _read(network, pairs, count):
        rows = torch.arange(len(chosen)).unsqueeze(1).expand(-1, count).to(network.device)
        drawers = [np.random.default_rng([seed, first + i, n]) for i in chosen for n in range(count)]
        drawn = _Drawn(drawers, np.repeat(_longest(pairs, part, chosen), count))
        _draw(drawn, model, model.rows(state, rows), options, transform)
        every = [drawn.hypothesis(row, options.length_penalty) for row in range(len(drawers))]
        found.update((i, every[place * count : (place + 1) * count]) for place, i in enumerate(chosen))
    return [found[i] for i in range(len(pairs.pairs))]


class _Drawn:
    """Texts that are being sampled, each with its own random generator, up to `longest` symbols."""

    def __init__(self, drawers: Sequence[np.random.Generator], longest: NDArray[np.int64]) -> None:
        self.drawers, self.longest = drawers, longest
        self.symbols: list[list[int]] = [[] for _ in drawers]
        self.totals, self.ended = np.zeros(len(drawers)), np.zeros(len(drawers), dtype=bool)
        self.lengths = np.zeros(len(drawers), dtype=np.int64)

    def add(self, symbols: Sequence[int], log_probs: Sequence[float], end: int) -> bool:
        """Add one symbol to each text; return whether any text continues."""
        t = len(self.symbols[0])
        for row, symbol in enumerate(symbols):
            self.symbols[row].append(symbol)
            if not self.ended[row] and t < self.longest[row]:
                self.totals[row] += log_probs[row]
                self.lengths[row] += symbol != end
                self.ended[row] = symbol == end
        return not all(self.ended | (self.longest <= t + 1))

    def hypothesis(self, row: int, penalty: LengthPenalty) -> Hypothesis:
        """Return one of the texts with its score."""
        length, total, ended = int(self.lengths[row]), float(self.totals[row]), bool(self.ended[row])
        return Hypothesis(
            tuple(self.symbols[row][:length]), total, total / penalty.divisor(length + ended), ended
        )


def _draw(
    drawn: _Drawn,
    model: SearchedModel[DecoderState],
    state: DecoderState,
    options: BeamOptions,
    transform: LogitsTransform,
) -> None:
    """Sample symbol by symbol until all texts have ended or reached their maximum length."""
    count = len(drawn.drawers)
    last = torch.full((count,), model.begin, device=state.memory.real.device)
    for t in range(int(drawn.longest.max(initial=0))):
        scores, state = model.step(last, state)
        log_probs = (scores if isinstance(scores, torch.Tensor) else scores.all()).log_softmax(1)
        if t < options.min_length:
            log_probs[:, model.end] = -torch.inf
        log_probs[:, list(options.banned)] = -torch.inf
        if options.block_ngrams:
            written = torch.tensor(drawn.symbols).view(count, 1, t).to(last.device)
            blocked = repeating(written, log_probs.shape[1], options.block_ngrams)[:, 0]
            log_probs = log_probs.masked_fill(blocked, -torch.inf)
        shares = transform(log_probs).double().softmax(1).cumsum(1).cpu()
        points = torch.tensor([[drawer.random()] for drawer in drawn.drawers], dtype=torch.float64)
        found = torch.searchsorted(shares, points * shares[:, -1:], right=True).squeeze(1)
        last = found.clamp(max=shares.shape[1] - 1).to(last.device)
        gained = log_probs.gather(1, last.unsqueeze(1)).squeeze(1)
        if not drawn.add(last.tolist(), gained.tolist(), model.end):
            break


def _read(
    network: Seq2SeqNetwork, pairs: EncodedPairs, rows: int
) -> Iterator[tuple[list[int], DecoderState]]:
    """Yield the pairs of each batch, of similar source length, and the decoder state after reading them.

    `rows` is the number of texts that are written per source at once.
    """
    order = sorted(range(len(pairs.pairs)), key=lambda i: -len(pairs.sources[i]))
    while order:
        together = _together(len(pairs.sources[order[0]]), rows * network.output.out_features)
        chosen, order = order[:together], order[together:]
        with torch.no_grad():
            _, state = network.read(*pairs.sources_of(chosen).to(network.device).inputs)
        yield chosen, state


def _together(longest: int, scores: int) -> int:
    """Return the batch size for sources of at most `longest` steps (0 for pictures).

    `scores` is the number of scores per source and step. Larger batches share the overhead of a step and the
    reading of the weights, but need more memory.
    """
    if not longest:
        return _AT_LEAST
    return max(_AT_LEAST, min(_AT_MOST, _MOST_STEPS // longest, _MOST_SCORES // max(1, scores)))


def _longest(pairs: EncodedPairs, part: SearchPart, chosen: Sequence[int]) -> list[int]:
    of_text = pairs.symbols.source is not None
    return [longest_answer(part, len(pairs.sources[i]) if of_text else None) for i in chosen]

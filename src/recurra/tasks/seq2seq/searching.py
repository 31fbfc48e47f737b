"""From sources to answers: a search over a network, in batches, in the order that was asked."""

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

# Sources that are searched together, the steps that they may have with padding, and the scores of a step.
_AT_LEAST, _AT_MOST = 32, 128
_MOST_STEPS, _MOST_SCORES = 1 << 14, 1 << 23
_OF_PICTURES = 100  # symbols of a caption at most


@dataclass(frozen=True)
class SearchRequest:
    """What is asked of a search beside its options; prefix and phrases, as ids, are those of all sources."""

    n_best: int = 1
    prefix: tuple[int, ...] = ()
    phrases: tuple[tuple[int, ...], ...] = ()

    def least(self, part: SearchPart) -> int:
        """How long an answer may be at least, unless that is said: what is asked for, and some more."""
        bound = bool(self.prefix or self.phrases) and part.max_length is None
        return len(self.prefix) + sum(map(len, self.phrases)) + 10 if bound else 0


def beam_options(part: SearchPart, n_best: int = 1) -> BeamOptions:
    """A configuration's options, as a search takes them.

    Raises: ConfigError for numbers that cannot be.
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
    )


def longest_answer(part: SearchPart, source: int | None) -> int:
    """Symbols of an answer at most, for a source of so many, or for a picture; one more than at least."""
    if part.max_length is not None:
        return part.max_length
    return max(part.min_length + 1, _OF_PICTURES if source is None else 3 * source // 2 + 10)


def searched(network: Seq2SeqNetwork, symbols: PairSymbols) -> SearchedModel[DecoderState]:
    """A network as a search takes it."""
    unattended = None if network.attentive is None else network.unattended
    return SearchedModel(network.step, network.rows, symbols.end, symbols.end, unattended)


def search(
    network: Seq2SeqNetwork, pairs: EncodedPairs, part: SearchPart, asked: SearchRequest | None = None
) -> list[list[Hypothesis]]:
    """The best answers to the source of each pair, in order; sources of like length go together."""
    asked = asked or SearchRequest()
    options = beam_options(part, asked.n_best)
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
    """The symbols of the best answer to the only pair's source, as soon as they are settled."""
    ((chosen, state),) = _read(network, pairs, part.beam_width)
    (longest,) = _longest(pairs, part, chosen)
    return stream_search(
        searched(network, pairs.symbols),
        state,
        beam_options(part),
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
    """Answers that are drawn, symbol by symbol, `count` for each pair's source.

    What is drawn for a source hangs on the seed and on its place, counted from `first`, not on what it is
    drawn beside.
    """
    model = searched(network, pairs.symbols)
    penalty = beam_options(part).length_penalty
    found: dict[int, list[Hypothesis]] = {}
    for chosen, state in _read(network, pairs, count):
        rows = torch.arange(len(chosen)).unsqueeze(1).expand(-1, count).to(network.device)
        drawers = [np.random.default_rng([seed, first + i, n]) for i in chosen for n in range(count)]
        drawn = _Drawn(drawers, np.repeat(_longest(pairs, part, chosen), count))
        _draw(drawn, model, model.rows(state, rows), part, transform)
        every = [drawn.hypothesis(row, penalty) for row in range(len(drawers))]
        found.update((i, every[place * count : (place + 1) * count]) for place, i in enumerate(chosen))
    return [found[i] for i in range(len(pairs.pairs))]


class _Drawn:
    """Texts that are being drawn, each by numbers of its own, up to `longest` symbols."""

    def __init__(self, drawers: Sequence[np.random.Generator], longest: NDArray[np.int64]) -> None:
        self.drawers, self.longest = drawers, longest
        self.symbols: list[list[int]] = [[] for _ in drawers]
        self.totals, self.ended = np.zeros(len(drawers)), np.zeros(len(drawers), dtype=bool)
        self.lengths = np.zeros(len(drawers), dtype=np.int64)

    def add(self, symbols: Sequence[int], log_probs: Sequence[float], end: int) -> bool:
        """A symbol more for each; whether any text goes on."""
        t = len(self.symbols[0])
        for row, symbol in enumerate(symbols):
            self.symbols[row].append(symbol)
            if not self.ended[row] and t < self.longest[row]:
                self.totals[row] += log_probs[row]
                self.lengths[row] += symbol != end
                self.ended[row] = symbol == end
        return not all(self.ended | (self.longest <= t + 1))

    def hypothesis(self, row: int, penalty: LengthPenalty) -> Hypothesis:
        """One of the texts, and what it is worth."""
        length, total, ended = int(self.lengths[row]), float(self.totals[row]), bool(self.ended[row])
        return Hypothesis(
            tuple(self.symbols[row][:length]), total, total / penalty.divisor(length + ended), ended
        )


def _draw(
    drawn: _Drawn,
    model: SearchedModel[DecoderState],
    state: DecoderState,
    part: SearchPart,
    transform: LogitsTransform,
) -> None:
    """Draw symbol after symbol, until all texts have ended or are as long as they may be."""
    count = len(drawn.drawers)
    last = torch.full((count,), model.begin, device=state.memory.real.device)
    for t in range(int(drawn.longest.max(initial=0))):
        scores, state = model.step(last, state)
        log_probs = (scores if isinstance(scores, torch.Tensor) else scores.all()).log_softmax(1)
        if t < part.min_length:
            log_probs[:, model.end] = -torch.inf
        if part.block_ngrams:
            written = torch.tensor(drawn.symbols).view(count, 1, t).to(last.device)
            blocked = repeating(written, log_probs.shape[1], part.block_ngrams)[:, 0]
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
    """The pairs of each batch, sources of like length together, and what the network has read of them.

    `rows` is how many texts are written for each at once.
    """
    order = sorted(range(len(pairs.pairs)), key=lambda i: -len(pairs.sources[i]))
    while order:
        together = _together(len(pairs.sources[order[0]]), rows * network.output.out_features)
        chosen, order = order[:together], order[together:]
        with torch.no_grad():
            _, state = network.read(*pairs.sources_of(chosen).to(network.device).inputs)
        yield chosen, state


def _together(longest: int, scores: int) -> int:
    """How many sources go together, of so many steps at most (0 for pictures), and of so many scores a step.

    More share the calls around a step, and the weights that it reads; what they hold is to stay small.
    """
    if not longest:
        return _AT_LEAST
    return max(_AT_LEAST, min(_AT_MOST, _MOST_STEPS // longest, _MOST_SCORES // max(1, scores)))


def _longest(pairs: EncodedPairs, part: SearchPart, chosen: Sequence[int]) -> list[int]:
    of_text = pairs.symbols.source is not None
    return [longest_answer(part, len(pairs.sources[i]) if of_text else None) for i in chosen]

"""Lexical constraints: phrases that a hypothesis must contain, and the allocation of the beam to them.

A beam that kept only the most probable hypotheses would postpone a phrase forever. So candidates are grouped
into banks by the number of phrase symbols that they contain, and the beam is divided among the banks:
dynamic beam allocation (M. Post & D. Vilar, Fast lexically constrained decoding, 2018), after C. Hokamp &
Q. Liu (2017).
"""

from collections.abc import Sequence
from typing import NamedTuple

from torch import Tensor

Phrases = Sequence[Sequence[int]]


class Candidate(NamedTuple):
    """An active hypothesis: its log-probability, the row of the beam it extends, and its symbols."""

    score: float
    row: int
    symbols: tuple[int, ...]


def has_phrases(symbols: Sequence[int], phrases: Phrases) -> bool:
    """Return whether the symbols contain each phrase."""
    return all(_stands_in(symbols, phrase) for phrase in phrases)


def _stands_in(symbols: Sequence[int], phrase: Sequence[int]) -> bool:
    wanted, n = tuple(phrase), len(phrase)
    return any(tuple(symbols[i : i + n]) == wanted for i in range(len(symbols) - n + 1))


def _begun(symbols: Sequence[int], phrase: Sequence[int]) -> int:
    """Return the number of symbols at the end that start the phrase."""
    most = min(len(symbols), len(phrase) - 1)
    return next(
        (n for n in range(most, 0, -1) if tuple(symbols[-n:]) == tuple(phrase[:n])),
        0,
    )


def met(symbols: Sequence[int], phrases: Phrases) -> int:
    """Return the number of phrase symbols present: all of complete phrases, plus the longest started one."""
    whole = [phrase for phrase in phrases if _stands_in(symbols, phrase)]
    begun = [_begun(symbols, phrase) for phrase in phrases if phrase not in whole]
    return sum(map(len, whole)) + max(begun, default=0)


def choose_with_phrases(
    log_probs: Tensor, before: Sequence[Candidate], phrases: Phrases, width: int, end: int
) -> list[Candidate]:
    """Return at most `width` continuations of a sentence's hypotheses, most probable first.

    Candidates are the most probable continuations of each hypothesis and those with the next symbol of a
    phrase; the end symbol is a candidate only if all phrases are present. The banks take turns, each giving
    its most probable candidate, starting with the bank with most phrase symbols.

    Shapes: log_probs (W, V).
    """
    banks: dict[int, list[Candidate]] = {}
    for one in before:
        missing = [phrase for phrase in phrases if not _stands_in(one.symbols, phrase)]
        following = {int(i) for i in log_probs[one.row].topk(min(width + 1, log_probs.shape[1])).indices}
        for phrase in missing:
            following |= {phrase[0], phrase[_begun(one.symbols, phrase)]}
        if missing:
            following.discard(end)
        for symbol in following:
            score = one.score + float(log_probs[one.row, symbol])
            if score > -float("inf"):
                found = Candidate(score, one.row, (*one.symbols, symbol))
                banks.setdefault(met(found.symbols, phrases), []).append(found)
    queues = [sorted(banks[count], key=lambda one: -one.score) for count in sorted(banks, reverse=True)]
    kept: list[Candidate] = []
    while len(kept) < width and any(queues):
        for queue in queues:
            if queue and len(kept) < width:
                kept.append(queue.pop(0))
    return sorted(kept, key=lambda one: -one.score)

"""The readable twin of the native training of word vectors: one position at a time, with the same draws."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from recurra.kernels.word_vectors import WordContexts, WordOutputs

Parts = tuple[NDArray[np.int64], NDArray[np.int32]]
Rows = NDArray[np.float32]
_STEP, _MASK = 0x9E3779B97F4A7C15, (1 << 64) - 1


class Position(NamedTuple):
    """A prediction: the word at `token`, its context words, and rows of the outputs with their labels."""

    token: int
    word: int
    context: list[int]
    outputs: list[int]
    labels: list[float]


def _mixed(z: int) -> int:
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & _MASK
    return z ^ (z >> 31)


def draws(seed: int, epoch: int, token: int) -> Iterator[int]:
    """Yield the 64-bit random numbers of one token. Source: SplitMix64, Steele, Lea and Flood 2014."""
    state = _mixed((_mixed((seed + _STEP * (epoch + 1)) & _MASK) + _STEP * (token + 1)) & _MASK)
    while True:
        state = (state + _STEP) & _MASK
        yield _mixed(state)


def _fraction(bits: int) -> np.float32:
    return np.float32(((bits & 0xFFFFFFFF) >> 8) * 2.0**-24)


def _below(bits: int, n: int) -> int:
    return ((bits >> 32) * n) >> 32


def look_around(
    tokens: NDArray[np.int32],
    begin: int,
    end: int,
    contexts: "WordContexts",
    outputs: "WordOutputs",
    keep: NDArray[np.float32] | None,
    seed: int,
    epoch: int,
) -> list[Position]:
    """Return the positions of one sentence that have a context. Shapes: tokens (N,); keep (V,)."""
    kept: list[tuple[int, int, Iterator[int]]] = []
    for token in range(begin, end):
        word, own = int(tokens[token]), draws(seed, epoch, token)
        is_kept = _fraction(next(own))
        if keep is None or is_kept < keep[word]:
            kept.append((token, word, own))
    found = []
    for place, (token, word, own) in enumerate(kept):
        window = 1 + _below(next(own), contexts.window) if contexts.shrink else contexts.window
        stop = place if contexts.reach == "previous" else place + window + 1
        around = [at for at in range(max(0, place - window), min(stop, len(kept))) if at != place]
        if contexts.reach == "nearby" and around:
            around = [around[_below(next(own), len(around))]]
        if not around or (contexts.hidden == "concatenated" and place < contexts.window):
            continue
        rows, labels = _outputs_of(word, outputs, own)
        found.append(Position(token, word, [kept[at][1] for at in around], rows, labels))
    return found


def _outputs_of(word: int, outputs: "WordOutputs", own: Iterator[int]) -> tuple[list[int], list[float]]:
    if outputs.path_starts is not None:
        assert outputs.path_nodes is not None
        assert outputs.path_labels is not None
        path = slice(outputs.path_starts[word], outputs.path_starts[word + 1])
        return outputs.path_nodes[path].tolist(), outputs.path_labels[path].tolist()
    assert outputs.alias is not None
    assert outputs.alias_share is not None
    drawn = []
    for _ in range(outputs.negatives):
        bits = next(own)
        cell = _below(bits, len(outputs.alias))
        drawn.append(cell if _fraction(bits) < outputs.alias_share[cell] else int(outputs.alias[cell]))
    drawn = [one for one in drawn if one != word]
    return [word, *drawn], [1.0] + [0.0] * len(drawn)


def update_position(
    input: Rows,
    output: Rows,
    position: Position,
    hidden: str,
    parts: Parts | None,
    whole_error: bool,
    rate: float | None,
) -> float:
    """Return the loss of one position; with a rate, take one step of gradient descent.

    Shapes: input (rows, D); output (rows, D or window · D).
    """
    rows = [
        [word] if parts is None else parts[1][parts[0][word] : parts[0][word + 1]]
        for word in position.context
    ]
    vectors = np.stack([input[own].mean(0) for own in rows])
    if hidden == "mean":
        made = vectors.mean(0, keepdims=True)
    else:
        made = vectors.reshape(1, -1) if hidden == "concatenated" else vectors
    signs = 2 * np.array(position.labels, np.float32) - 1
    scores = made @ output[position.outputs].T * signs
    loss = float(np.logaddexp(0.0, -scores.astype(np.float64)).sum())
    if rate is None:
        return loss
    slopes = np.float32(rate) * signs / (1 + np.exp(scores))
    errors = slopes @ output[position.outputs]
    np.add.at(output, position.outputs, slopes.T @ made)
    if hidden == "concatenated":
        errors = errors.reshape(len(rows), -1)
    elif hidden == "mean":
        errors = np.repeat(errors if whole_error else errors / len(rows), len(rows), 0)
    for own, error in zip(rows, errors, strict=True):
        np.add.at(input, own, error if parts is None or whole_error else error / len(own))
    return loss

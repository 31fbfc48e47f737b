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
    """A prediction: the word at `token`, its context words, and rows of the outputs with their labels.

    `place` and `places` are the places of the word and of its context among the kept words of the sentence.
    """

    token: int
    word: int
    context: list[int]
    outputs: list[int]
    labels: list[float]
    place: int
    places: list[int]


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
        found.append(Position(token, word, [kept[at][1] for at in around], rows, labels, place, around))
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


class _Reach:
    """The vectors of the words in reach of a position, made of parts, and the errors that they have gathered.

    A vector is computed when its word comes within `window` words of the position; its errors are added to
    its parts when the word leaves this reach.
    """

    def __init__(
        self,
        input: Rows,
        parts: Parts,
        positions: list[Position],
        window: int,
        whole_error: bool,
        *,
        moves: bool,
    ) -> None:
        self._input, self._parts, self._window = input, parts, window
        self._whole_error, self._moves = whole_error, moves
        self._words = {
            at: word for each in positions for at, word in zip(each.places, each.context, strict=True)
        }
        self._vectors: dict[int, Rows] = {}
        self._errors: dict[int, Rows] = {}
        self._place = -1

    def _rows(self, place: int) -> NDArray[np.int32]:
        starts, rows = self._parts
        word = self._words[place]
        return rows[starts[word] : starts[word + 1]]

    def vectors(self, position: Position) -> Rows:
        """Move to a position; return the vectors of its context. Shapes: result (C, D)."""
        while self._place < position.place:
            self._place += 1
            self._leave(self._place - self._window - 1)
            last = self._place + self._window
            for at in range(last if self._place else 0, last + 1):
                if at in self._words:
                    self._vectors[at] = self._input[self._rows(at)].mean(0)
                    self._errors[at] = np.zeros_like(self._vectors[at])
        return np.stack([self._vectors[at] for at in position.places])

    def add(self, position: Position, errors: Rows) -> None:
        """Gather the errors of a context. Shapes: errors (C, D)."""
        for at, error in zip(position.places, errors, strict=True):
            self._errors[at] += error

    def close(self) -> None:
        """Let all words leave, from left to right."""
        for at in sorted(self._errors):
            self._leave(at)

    def _leave(self, place: int) -> None:
        if place in self._errors and self._moves:
            rows, error = self._rows(place), self._errors.pop(place)
            np.add.at(self._input, rows, error if self._whole_error else error / len(rows))


def update_sentence(
    input: Rows,
    output: Rows,
    positions: list[Position],
    contexts: "WordContexts",
    parts: Parts | None,
    whole_error: bool,
    rates: list[float] | None,
) -> float:
    """Return the loss of a sentence; with a rate for each position, take steps of gradient descent.

    Shapes: input (rows, D); output (rows, D or window · D).
    """
    total = 0.0
    reach = None
    if parts is not None:
        reach = _Reach(input, parts, positions, contexts.window, whole_error, moves=rates is not None)
    for number, position in enumerate(positions):
        vectors = input[position.context] if reach is None else reach.vectors(position)
        loss, errors = _update_position(
            vectors, output, position, contexts.hidden, whole_error, None if rates is None else rates[number]
        )
        total += loss
        if rates is None:
            continue
        if reach is None:
            np.add.at(input, position.context, errors)
        else:
            reach.add(position, errors)
    if reach is not None:
        reach.close()
    return total


def _update_position(
    vectors: Rows, output: Rows, position: Position, hidden: str, whole_error: bool, rate: float | None
) -> tuple[float, Rows]:
    """Return the loss of one position and what to add to its context's vectors; move the rows of `output`.

    Shapes: vectors and the result (C, D); output (rows, D or window · D).
    """
    made = vectors
    if hidden == "mean":
        made = vectors.mean(0, keepdims=True)
    elif hidden == "concatenated":
        made = vectors.reshape(1, -1)
    signs = 2 * np.array(position.labels, np.float32) - 1
    scores = made @ output[position.outputs].T * signs
    loss = float(np.logaddexp(0.0, -scores.astype(np.float64)).sum())
    if rate is None:
        return loss, vectors
    slopes = np.float32(rate) * signs / (1 + np.exp(np.minimum(scores, 80)))
    errors = slopes @ output[position.outputs]
    np.add.at(output, position.outputs, slopes.T @ made)
    if hidden == "concatenated":
        errors = errors.reshape(vectors.shape)
    elif hidden == "mean":
        errors = np.repeat(errors if whole_error else errors / len(vectors), len(vectors), 0)
    return loss, errors

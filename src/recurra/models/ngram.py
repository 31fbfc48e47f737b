"""An n-gram model of any order, interpolated by Witten and Bell's rule."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from recurra.errors import ConfigError, DataError, ShapeError, VocabularyError

_Ids = NDArray[np.int64]
_Floats = NDArray[np.float64]


@dataclass(frozen=True)
class _Grams:
    """The n-grams of one length k, each a context (an (k-1)-gram, by its number) and a token after it.

    `keys` are context*V + token, sorted: a k-gram's number is its place there, and a context's followers
    lie side by side. `totals` and `types` are c(h) and T(h) by the context's number.
    """

    keys: _Ids
    counts: _Ids
    totals: _Ids
    types: _Ids

    @classmethod
    def count(
        cls, contexts: _Ids, tokens: _Ids, num_contexts: int, vocabulary_size: int
    ) -> tuple["_Grams", _Ids]:
        """The k-grams of a text, and the number of the one at each place."""
        keys, numbers, counts = np.unique(
            contexts * vocabulary_size + tokens, return_inverse=True, return_counts=True
        )
        owners = keys // vocabulary_size
        types = np.bincount(owners, minlength=num_contexts)
        totals = np.bincount(contexts, minlength=num_contexts)
        return cls(keys, counts, totals, types), numbers

    def find(self, keys: _Ids) -> _Ids:
        """The number of the k-gram with each key, or -1 where it was never seen."""
        places = np.minimum(np.searchsorted(self.keys, keys), len(self.keys) - 1)
        return np.where(self.keys[places] == keys, places, -1)


class NGramModel:
    """An n-gram model, interpolated from the order n down to the uniform distribution.

        P(w|h) = (c(h w) + T(h) P(w|h')) / (c(h) + T(h)),   and below the unigrams P(w) = 1/V

    where h' is h without its first token, c(h w) counts w after h, c(h) = Σ_w c(h w), and T(h) is the number
    of distinct tokens seen after h. After a context never seen, P(w|h) = P(w|h'). Made by `fit`.

    Contexts are numbered order by order, each (k-1)-gram seen refined by the token before what follows it,
    so that memory grows with the text, and V^n, which would not fit a machine's integers, is never formed.

    Source: Witten & Bell 1991, method C of Bell, Cleary & Witten, "Text Compression" (1990); interpolated as
    in Chen & Goodman, "An Empirical Study of Smoothing Techniques for Language Modeling" (1998).
    """

    def __init__(self, vocabulary_size: int, grams: Sequence[_Grams]) -> None:
        self.vocabulary_size = vocabulary_size
        self._grams = tuple(grams)

    @classmethod
    def fit(cls, ids: ArrayLike, vocabulary_size: int, order: int) -> "NGramModel":
        """Count the n-grams of every length up to `order` in one text.

        Shapes: ids (T,), integers from 0 to V-1.
        Raises: ConfigError if `order` or `vocabulary_size` is below 1; DataError if there are no ids;
        ShapeError if they are not one row of integers; VocabularyError if one is outside 0 … V-1.
        """
        if order < 1 or vocabulary_size < 1:
            raise ConfigError(
                f"n-gram model: got order {order}, vocabulary_size {vocabulary_size}, expected both >= 1."
            )
        tokens = _checked(ids, vocabulary_size)
        if not len(tokens):
            raise DataError("n-gram model: there are no tokens to count; give a longer text.")
        contexts, num_contexts = np.zeros(len(tokens), dtype=np.int64), 1
        grams = []
        for length in range(1, min(order, len(tokens)) + 1):
            found, numbers = _Grams.count(contexts, tokens[length - 1 :], num_contexts, vocabulary_size)
            grams.append(found)
            contexts, num_contexts = numbers[:-1], len(found.keys)
        return cls(vocabulary_size, grams)

    @property
    def order(self) -> int:
        """The length n of the longest n-grams; at most the length of the text that was counted."""
        return len(self._grams)

    @property
    def parameters(self) -> int:
        """The number of n-grams stored, of all lengths; V + V^2 + … + V^n were possible."""
        return sum(len(grams.keys) for grams in self._grams)

    def log_probs(self, ids: ArrayLike) -> _Floats:
        """log P, in nats, of each token given the (up to n-1) tokens before it in `ids`.

        Shapes: ids (T,); result (T,).
        Raises: ShapeError, VocabularyError as `fit`.
        """
        tokens = _checked(ids, self.vocabulary_size)
        probs = np.full(len(tokens), 1 / self.vocabulary_size)
        contexts = np.zeros(len(tokens), dtype=np.int64)
        for length, grams in enumerate(self._grams, start=1):
            # contexts[i] is the number of the (length-1)-gram before token length-1+i, or -1.
            seen = contexts >= 0
            numbers = np.full(len(contexts), -1)
            numbers[seen] = grams.find(contexts[seen] * self.vocabulary_size + tokens[length - 1 :][seen])
            counts = np.where(numbers >= 0, grams.counts[numbers], 0)
            types = np.where(seen, grams.types[contexts], 0)
            totals = np.where(seen, grams.totals[contexts], 0)
            longer = probs[length - 1 :]
            known = types > 0
            longer[known] = (counts + types * longer)[known] / (totals + types)[known]
            contexts = numbers[:-1]
        return np.asarray(np.log(probs), dtype=np.float64)

    def cross_entropy(self, ids: ArrayLike) -> float:
        """The mean of -log P over the tokens, in nats a token; its exponential is the perplexity.

        Shapes: ids (T,), T >= 1.
        Raises: DataError if there are no ids; ShapeError, VocabularyError as `fit`.
        """
        log_probs = self.log_probs(ids)
        if not len(log_probs):
            raise DataError("n-gram model: there are no tokens to evaluate on; give a longer text.")
        return float(-log_probs.mean())

    def next_probs(self, context: ArrayLike = ()) -> _Floats:
        """P(w|h) of every token w after `context`, of which the last n-1 tokens count; the sum is 1.

        Shapes: context (T,), T >= 0; result (V,).
        Raises: ShapeError, VocabularyError as `fit`.
        """
        tokens = _checked(context, self.vocabulary_size)
        probs = np.full(self.vocabulary_size, 1 / self.vocabulary_size)
        for length, grams in enumerate(self._grams, start=1):
            if length - 1 > len(tokens):
                break
            number = self._number(tokens[len(tokens) - (length - 1) :])
            if number < 0 or not grams.types[number]:
                break
            first = number * self.vocabulary_size
            start, end = np.searchsorted(grams.keys, (first, first + self.vocabulary_size))
            probs *= grams.types[number]
            probs[grams.keys[start:end] - first] += grams.counts[start:end]
            probs /= grams.totals[number] + grams.types[number]
        return probs

    def sample(self, length: int, prime: ArrayLike = (), seed: int = 0) -> _Ids:
        """Draw `length` tokens one after another, each given those before it, `prime` first of all.

        Shapes: prime (T,); result (length,), without `prime`.
        Raises: ConfigError if `length` is negative; ShapeError, VocabularyError as `fit`.
        """
        if length < 0:
            raise ConfigError(f"length: got {length}, expected >= 0 tokens.")
        start = _checked(prime, self.vocabulary_size)
        tokens = np.concatenate([start, np.zeros(length, dtype=np.int64)])
        chances = np.random.default_rng(seed).random(length)
        for place, chance in enumerate(chances, start=len(start)):
            below = np.cumsum(self.next_probs(tokens[max(0, place - self.order + 1) : place]))
            drawn = int(np.searchsorted(below, chance * below[-1], side="right"))
            tokens[place] = min(drawn, self.vocabulary_size - 1)
        return tokens[len(start) :]

    def _number(self, tokens: _Ids) -> int:
        """The number of the n-gram that `tokens` are, or -1 if it was never seen; the empty one's is 0."""
        number = 0
        for grams, token in zip(self._grams, tokens.tolist(), strict=False):
            number = int(grams.find(np.array(number * self.vocabulary_size + token)))
            if number < 0:
                break
        return number


def _checked(ids: ArrayLike, vocabulary_size: int) -> _Ids:
    found = np.asarray(ids)
    if found.ndim != 1 or (found.size and not np.issubdtype(found.dtype, np.integer)):
        raise ShapeError(
            f"n-gram model: got ids of shape {found.shape} and type {found.dtype}, "
            f"expected one row of integers."
        )
    if found.size and not (found.min() >= 0 and found.max() < vocabulary_size):
        wrong = found.min() if found.min() < 0 else found.max()
        raise VocabularyError(
            f"n-gram model: got id {wrong}, expected 0 to {vocabulary_size - 1}; "
            f"encode the text with the vocabulary that the model was counted with."
        )
    return found.astype(np.int64)

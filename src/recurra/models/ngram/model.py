"""N-gram models of any order and smoothing: fitting, probabilities and sampling."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from recurra.config import Smoothing
from recurra.errors import ConfigError, DataError, ShapeError, VocabularyError
from recurra.models.ngram.counting import CHUNK_TOKENS, AnyIds, Contexts, Ids, count_ngrams
from recurra.models.ngram.smoothing import Floats, GramTable, smoothed


class NGramModel:
    """An n-gram model: P(w | the n-1 tokens before it), from counts.

        log P(w|h) = log_probs[h w] where h w was seen, else backoffs[h] + log P(w|h')

    where h' is h without its first token; if h was never seen, P(w|h) = P(w|h'). The smoothing defines the
    content of the tables: see `recurra.models.ngram.smoothing.smoothed`. With add-k and maximum likelihood
    the model does not use h': backoffs[h] itself is log P of a token not seen after h. `fit` and `read_arpa`
    create models.

    `start_id` is the symbol before the start of a text, or None if there is no such symbol.
    """

    def __init__(
        self,
        vocabulary_size: int,
        tables: Sequence[GramTable],
        *,
        smoothing: Smoothing = "kneser-ney",
        start_id: int | None = None,
    ) -> None:
        self.vocabulary_size = vocabulary_size
        self.tables = tuple(tables)
        self.smoothing: Smoothing = smoothing
        self.start_id = start_id

    def __repr__(self) -> str:
        size = f"{self.vocabulary_size:,} symbols, {self.parameters:,} parameters"
        return f"NGramModel(order {self.order}, {size})"

    @classmethod
    def fit(
        cls,
        ids: ArrayLike,
        vocabulary_size: int,
        order: int,
        smoothing: Smoothing = "witten-bell",
        *,
        starts: ArrayLike | None = None,
        start_id: int | None = None,
        k: float = 1.0,
        cutoffs: Sequence[int] = (),
        chunk: int = CHUNK_TOKENS,
    ) -> "NGramModel":
        """Count the n-grams of every length up to `order` in one text.

        `starts` are the positions of new sentences, such as lines; no n-gram crosses them. `k`, `cutoffs`:
        see `smoothed`; `chunk`: number of tokens that are sorted at once.

        Shapes: ids (T,), integers from 0 to V-1; starts (S,), ascending.
        Raises: ConfigError if an option is invalid; DataError if there are no ids; ShapeError if they are not
        one row of integers; VocabularyError if one is outside 0 … V-1.
        """
        if order < 1 or vocabulary_size < 1:
            raise ConfigError(
                f"n-gram model: got order {order}, vocabulary_size {vocabulary_size}, expected both >= 1."
            )
        tokens = _checked(ids, vocabulary_size)
        if not len(tokens):
            raise DataError("n-gram model: there are no tokens to count; give a longer text.")
        places = None if starts is None else np.asarray(starts, dtype=np.int64)
        levels = count_ngrams(tokens, vocabulary_size, order, starts=places, start_id=start_id, chunk=chunk)
        tables = smoothed(levels, vocabulary_size, smoothing, k=k, cutoffs=cutoffs)
        return cls(vocabulary_size, tables, smoothing=smoothing, start_id=start_id)

    @property
    def order(self) -> int:
        """The length n of the longest n-grams; at most the length of the counted text."""
        return len(self.tables)

    @property
    def parameters(self) -> int:
        """The number of stored n-grams of all lengths, out of V + V^2 + … + V^n possible ones."""
        return sum(map(len, self.tables))

    def log_probs(self, ids: ArrayLike, starts: ArrayLike | None = None) -> Floats:
        """Return log P, in nats, of each token given up to n-1 tokens before it, back to the last start.

        Shapes: ids (T,); starts (S,), ascending; result (T,).
        Raises: ShapeError, VocabularyError as `fit`.
        """
        tokens = _checked(ids, self.vocabulary_size).astype(np.int64)
        places = None if starts is None else np.asarray(starts, dtype=np.int64)
        contexts = Contexts(tokens, places, self.start_id, self.order)
        result = self.tables[0].log_probs[tokens]
        numbers: Ids = tokens
        for length, table in enumerate(self.tables[1:], start=2):
            before = contexts.before(numbers, length, 0, len(tokens))
            numbers = np.full(len(tokens), -1, dtype=np.int64)
            known = np.flatnonzero(before >= 0)
            found = table.find(before[known] * self.vocabulary_size + tokens[known])
            numbers[known] = found
            unseen = self.tables[length - 2].backoffs[before[known]]
            if self._backs_off:
                unseen = unseen + result[known]
            else:
                result[contexts.depth(0, len(tokens)) >= length - 1] = self._nothing_known
            result[known] = np.where(found >= 0, table.log_probs[found], unseen)
        return result

    def log_probs_after(self, contexts: Ids, tokens: Ids) -> Floats:
        """Return log P, in nats, of each token after its own context.

        Shapes: contexts (M, n-1), the newest token last, -1 to the left of shorter ones; tokens (M,);
        result (M,). All ids from 0 to V-1.
        """
        result = self.tables[0].log_probs[tokens]
        for length, table in enumerate(self.tables[1:], start=2):
            reaching = np.flatnonzero(contexts[:, -(length - 1)] >= 0)
            last = contexts[reaching, -(length - 1) :]
            numbers = last[:, 0]
            for shorter, column in zip(self.tables[1:], last.T[1:], strict=False):
                found = shorter.find(numbers * self.vocabulary_size + column)
                numbers = np.where(numbers >= 0, found, -1)
            if not self._backs_off:
                result[reaching] = self._nothing_known
            seen = numbers >= 0
            known, numbers = reaching[seen], numbers[seen]
            found = table.find(numbers * self.vocabulary_size + tokens[known])
            unseen = self.tables[length - 2].backoffs[numbers] + (result[known] if self._backs_off else 0.0)
            result[known] = np.where(found >= 0, table.log_probs[found], unseen)
        return result

    def cross_entropy(self, ids: ArrayLike, starts: ArrayLike | None = None) -> float:
        """Return the mean of -log P in nats per token; its exponential is the perplexity.

        Shapes: ids (T,), T >= 1; starts (S,).
        Raises: DataError if there are no ids; ShapeError, VocabularyError as `fit`.
        """
        log_probs = self.log_probs(ids, starts)
        if not len(log_probs):
            raise DataError("n-gram model: there are no tokens to evaluate on; give a longer text.")
        return float(-log_probs.mean())

    def next_probs(self, context: ArrayLike = ()) -> Floats:
        """Return P(w|h) of every token w after the last n-1 tokens of `context`; the sum is 1.

        If the model has a start symbol, a context from the start of a text must begin with it.

        Shapes: context (T,), T >= 0; result (V,).
        Raises: ShapeError, VocabularyError as `fit`.
        """
        tokens = _checked(context, self.vocabulary_size).astype(np.int64)
        probs = np.exp(self.tables[0].log_probs)
        for length, table in enumerate(self.tables[1:], start=2):
            if length - 1 > len(tokens):
                break
            number = self._number(tokens[len(tokens) - (length - 1) :])
            if number < 0:
                if self._backs_off:
                    break
                probs[:] = np.exp(self._nothing_known)
                continue
            first = number * self.vocabulary_size
            start, end = np.searchsorted(table.keys, (first, first + self.vocabulary_size))
            backoff = np.exp(self.tables[length - 2].backoffs[number])
            probs = probs * backoff if self._backs_off else np.full(self.vocabulary_size, backoff)
            probs[table.keys[start:end] - first] = np.exp(table.log_probs[start:end])
        return probs

    def sample(self, length: int, prime: ArrayLike = (), seed: int = 0) -> Ids:
        """Sample `length` tokens one by one, each given the tokens before it, starting from `prime`.

        Shapes: prime (T,); result (length,), without `prime`.
        Raises: ConfigError if `length` is negative; ShapeError, VocabularyError as `fit`.
        """
        if length < 0:
            raise ConfigError(f"length: got {length}, expected >= 0 tokens.")
        start = _checked(prime, self.vocabulary_size).astype(np.int64)
        tokens = np.concatenate([start, np.zeros(length, dtype=np.int64)])
        chances = np.random.default_rng(seed).random(length)
        for place, chance in enumerate(chances, start=len(start)):
            below = np.cumsum(self.next_probs(tokens[max(0, place - self.order + 1) : place]))
            drawn = int(np.searchsorted(below, chance * below[-1], side="right"))
            tokens[place] = min(drawn, self.vocabulary_size - 1)
        return tokens[len(start) :]

    @property
    def _backs_off(self) -> bool:
        return self.smoothing in ("kneser-ney", "witten-bell")

    @property
    def _nothing_known(self) -> float:
        """log P after an unseen context, for smoothing without back-off."""
        return -float(np.log(self.vocabulary_size)) if self.smoothing == "add-k" else -np.inf

    def _number(self, tokens: Ids) -> int:
        """Return the number of the n-gram `tokens`, or -1 if it is unknown."""
        number = int(tokens[0])
        for table, token in zip(self.tables[1:], tokens[1:].tolist(), strict=False):
            number = int(table.find(np.array(number * self.vocabulary_size + token)))
            if number < 0:
                break
        return number


def _checked(ids: ArrayLike, vocabulary_size: int) -> AnyIds:
    """Return the ids as an array, checked but not copied: it may be a file larger than memory."""
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
            f"encode the text with the vocabulary of the model."
        )
    return found

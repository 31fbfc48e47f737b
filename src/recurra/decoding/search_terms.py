"""The options, model interface, constraints and results of a beam search."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, Literal, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from recurra.errors import ConfigError
from recurra.layers.output import OutputScores

StateT = TypeVar("StateT")


@dataclass(frozen=True)
class LengthPenalty:
    """The divisor of a log-probability, which makes up for the lower probability of long hypotheses:

        power:  T^α          google:  ((5 + T) / 6)^α

    T is the number of symbols, including the end. α = 0 keeps the log-probability.

    Source: Y. Wu et al., Google's neural machine translation system (2016); for the power, A. Ng's lectures.
    """

    alpha: float = 0.0
    form: Literal["power", "google"] = "power"

    def divisor(self, length: int) -> float:
        """Return the divisor of a hypothesis with `length` symbols."""
        base = float(max(1, length)) if self.form == "power" else (5.0 + length) / 6.0
        return float(base**self.alpha)

    def best(
        self, log_probs: NDArray[np.float64], length: int, longest: Sequence[int]
    ) -> NDArray[np.float64]:
        """Return upper bounds of the scores of hypotheses with `length` symbols, extended up to `longest`.

        Log-probabilities are at most 0 and never increase, so the largest divisor gives the best score.

        Shapes: log_probs and the result (S, W); longest: one value per sentence, S in all.
        """
        least = self.divisor(length + 1)
        divisors = [max(least, self.divisor(max(length + 1, each))) for each in longest]
        best: NDArray[np.float64] = log_probs / np.array(divisors).reshape(-1, 1)
        return best


@dataclass(frozen=True)
class BeamOptions:
    """The options of a beam search.

    `max_length`: maximum number of symbols, including the end; a longer hypothesis is cut there.
    `min_length`: minimum number of symbols before the end.
    `block_ngrams`: no n-gram of this length occurs twice in a hypothesis; 0 allows all.
    `coverage_penalty`, β: adds β Σ_s log min(κ_s, 1) to the score of an ended hypothesis, where κ_s is the
    sum of its attention weights on source step s (Wu et al. 2016).
    `groups`: number of groups of the beam, which are extended one after another at each step; for each time
    an earlier group took a symbol, its log-probability is reduced by `diversity` (Vijayakumar et al. 2018).
    `banned`: symbols that no hypothesis contains.

    Raises: ConfigError for invalid values.
    """

    width: int = 5
    n_best: int = 1
    max_length: int = 100
    min_length: int = 0
    length_penalty: LengthPenalty = LengthPenalty()
    block_ngrams: int = 0
    coverage_penalty: float = 0.0
    groups: int = 1
    diversity: float = 0.5
    banned: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        for name, least in (
            ("width", 1),
            ("n_best", 1),
            ("max_length", 1),
            ("min_length", 0),
            ("block_ngrams", 0),
            ("coverage_penalty", 0),
            ("groups", 1),
            ("diversity", 0),
        ):
            if getattr(self, name) < least:
                raise ConfigError(f"{name}: got {getattr(self, name)}, expected >= {least}.")
        if self.width % self.groups:
            raise ConfigError(f"groups: got {self.groups}, expected a divisor of the width, {self.width}.")
        if self.min_length > self.max_length:
            raise ConfigError(f"min_length: got {self.min_length}, more than max_length, {self.max_length}.")


class Hypothesis(NamedTuple):
    """Symbols without the end, their log-probability and score, and whether they ended or were cut."""

    symbols: tuple[int, ...]
    log_prob: float
    score: float
    ended: bool


@dataclass(frozen=True)
class SearchedModel(Generic[StateT]):
    """The interface of a model for beam search.

    `step` takes the last symbol of each row (R,) and the state, and returns scores (R, V), or an object that
    computes them, and the next state; the log-softmax of the scores are the log-probabilities. The rows of a
    sentence are adjacent, and every sentence has the same number of rows. `rows` selects rows (S', W') of a
    state, for S' sentences; rows may repeat. `unattended` returns Σ_s log min(κ_s, 1) of each row (R,), for
    the coverage penalty.
    """

    step: Callable[[Tensor, StateT], tuple[Tensor | OutputScores, StateT]]
    rows: Callable[[StateT, Tensor], StateT]
    begin: int
    end: int
    unattended: Callable[[StateT], Tensor] | None = None


@dataclass(frozen=True)
class OutputConstraints:
    """The constraints of each output sentence: maximum length, prefix and phrases that it must contain."""

    longest: Sequence[int]
    prefixes: Sequence[Sequence[int]] | None = None
    phrases: Sequence[Sequence[Sequence[int]]] | None = None

"""What is asked of a search, of which model, and what it gives."""

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
    """What a log-probability is divided by, so that long hypotheses may win:

        power:  T^α          google:  ((5 + T) / 6)^α

    T counts the symbols, the end among them. α = 0 leaves the log-probability.

    Source: Y. Wu et al., Google's neural machine translation system (2016); for the power, A. Ng's lectures.
    """

    alpha: float = 0.0
    form: Literal["power", "google"] = "power"

    def divisor(self, length: int) -> float:
        """The divisor of a hypothesis of so many symbols."""
        base = float(max(1, length)) if self.form == "power" else (5.0 + length) / 6.0
        return float(base**self.alpha)

    def best(
        self, log_probs: NDArray[np.float64], length: int, longest: Sequence[int]
    ) -> NDArray[np.float64]:
        """What hypotheses that have so many symbols can score at most, if they go on up to `longest`.

        Log-probabilities can only fall, and are no positive numbers; so the largest divisor is the best.

        Shapes: log_probs (S, W) and the result; longest: one for each of S sentences.
        """
        least = self.divisor(length + 1)
        divisors = [max(least, self.divisor(max(length + 1, each))) for each in longest]
        best: NDArray[np.float64] = log_probs / np.array(divisors).reshape(-1, 1)
        return best


@dataclass(frozen=True)
class BeamOptions:
    """How a beam search goes.

    `max_length` counts symbols, the end among them; what reaches it without the end is cut there.
    `min_length`: symbols before the end.
    `block_ngrams`: no n symbols stand twice in a hypothesis; 0 allows all.
    `coverage_penalty`, β: a hypothesis that ends has β Σ_s log min(κ_s, 1) added to its score, κ_s what its
    symbols together attended to source step s (Wu et al. 2016).
    `groups`: the beam is cut into so many, one after the other at each step; a later one sees `diversity`
    less log-probability for each time that an earlier one took a symbol (Vijayakumar et al. 2018).

    Raises: ConfigError for numbers that cannot be.
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
    """A sequence of symbols, without the end; whether it ended or was cut; what it is worth."""

    symbols: tuple[int, ...]
    log_prob: float
    score: float
    ended: bool


@dataclass(frozen=True)
class SearchedModel(Generic[StateT]):
    """What a search needs of a model.

    `step` takes the last symbol of each row (R,) and the state, and gives scores (R, V), or what computes
    them, whose log-softmax are the log-probabilities, and the state after it. Rows of a sentence stand
    together, of each sentence as many. `rows` takes rows (S', W') of a state, those of S' sentences, one as
    often as it is named. `unattended` gives Σ_s log min(κ_s, 1) of each row (R,), for the coverage penalty.
    """

    step: Callable[[Tensor, StateT], tuple[Tensor | OutputScores, StateT]]
    rows: Callable[[StateT, Tensor], StateT]
    begin: int
    end: int
    unattended: Callable[[StateT], Tensor] | None = None


@dataclass(frozen=True)
class OutputConstraints:
    """What is asked of each sentence: how long it may be, how it begins, what it must have in it."""

    longest: Sequence[int]
    prefixes: Sequence[Sequence[int]] | None = None
    phrases: Sequence[Sequence[Sequence[int]]] | None = None

"""Whether a wrong output is a search error (the beam) or a model error.

    P(y*|x) > P(ŷ|x)    the search missed the reference, which the model prefers: a search error
    else                 the model prefers the wrong output: a model error

Both scores are normalised as in the search.
Source: A. Ng's lectures on error analysis in beam search.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

Fault = Literal["none", "beam", "model"]
_ALIKE = 1e-6  # scores closer than this are equal


def fault_of(right: float, found: float, *, same: bool) -> Fault:
    """Return the cause of an error, from the scores of the reference and of the output.

    It is "none" if both are the `same` text.
    """
    if same:
        return "none"
    return "beam" if right > found + _ALIKE else "model"


@dataclass(frozen=True)
class FaultShares:
    """Counts of correct outputs (`none`), search errors (`beam`) and model errors (`model`)."""

    none: int
    beam: int
    model: int

    @classmethod
    def count(cls, faults: Iterable[Fault]) -> "FaultShares":
        """Count the causes of errors."""
        every = list(faults)
        return cls(every.count("none"), every.count("beam"), every.count("model"))

    @property
    def wrong(self) -> int:
        """Number of wrong outputs."""
        return self.beam + self.model

    def share(self, fault: Fault) -> float:
        """Share of the wrong outputs that are search errors ("beam") or model errors ("model")."""
        return {"none": 0, "beam": self.beam, "model": self.model}[fault] / max(1, self.wrong)

"""Was it the beam or the model? For each text that was found in place of the right one, which is at fault.

    P(y*|x) > P(ŷ|x)    the search missed a text that the model likes better: the beam is at fault
    else                 the model likes the wrong text better: the model is at fault

Both are normalised alike, as the search ranked them.
Source: A. Ng's lectures on error analysis in beam search.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

Fault = Literal["none", "beam", "model"]
_ALIKE = 1e-6  # scores nearer than this are the same


def fault_of(right: float, found: float, *, same: bool) -> Fault:
    """Who is at fault, by the scores of the right text and of the one that was found; nobody if they are the
    `same` text."""
    if same:
        return "none"
    return "beam" if right > found + _ALIKE else "model"


@dataclass(frozen=True)
class FaultShares:
    """How many texts were right, and whose fault the others were."""

    none: int
    beam: int
    model: int

    @classmethod
    def count(cls, faults: Iterable[Fault]) -> "FaultShares":
        """The counts of some faults."""
        every = list(faults)
        return cls(every.count("none"), every.count("beam"), every.count("model"))

    @property
    def wrong(self) -> int:
        """Texts that were not right."""
        return self.beam + self.model

    def share(self, fault: Fault) -> float:
        """Of the texts that were not right, the share that is the beam's or the model's fault."""
        return {"none": 0, "beam": self.beam, "model": self.model}[fault] / max(1, self.wrong)

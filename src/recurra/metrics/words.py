"""Metrics of spelling correction and of gap filling."""

from dataclasses import asdict, dataclass
from typing import Any

from recurra.results import Result


@dataclass(frozen=True, repr=False)
class SpellingFigures(Result):
    """Results of a spelling corrector on words with known corrections."""

    misspelt: int
    mended: int
    right: int
    left_alone: int

    @property
    def accuracy(self) -> float:
        """Share of the misspelt words that were corrected to the right word."""
        return self.mended / max(1, self.misspelt)

    @property
    def specificity(self) -> float:
        """Share of the correct words that were left unchanged."""
        return self.left_alone / max(1, self.right)

    def to_dict(self) -> dict[str, Any]:
        """As plain values, for JSON."""
        return asdict(self) | {"accuracy": self.accuracy, "specificity": self.specificity}

    def sentence(self) -> str:
        """Describe the metrics."""
        text = f"{self.accuracy:.1%} of {self.misspelt:,} misspelt words corrected"
        if self.right:
            text += f", {self.specificity:.2%} of {self.right:,} correct words left unchanged"
        return text


@dataclass(frozen=True, repr=False)
class ClozeFigures(Result):
    """How often the removed word is ranked first, and among the first five."""

    gaps: int
    first: int
    among_five: int

    @property
    def accuracy(self) -> float:
        """Share of the removed words that were ranked first."""
        return self.first / max(1, self.gaps)

    @property
    def top_5(self) -> float:
        """Share of the removed words that were ranked among the first five."""
        return self.among_five / max(1, self.gaps)

    def to_dict(self) -> dict[str, Any]:
        """As plain values, for JSON."""
        return asdict(self) | {"accuracy": self.accuracy, "top_5": self.top_5}

    def sentence(self) -> str:
        """Describe the metrics."""
        return (
            f"{self.accuracy:.1%} of {self.gaps:,} words ranked first, {self.top_5:.1%} among the first five"
        )

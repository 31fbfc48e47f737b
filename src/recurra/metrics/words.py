"""Figures of words: misspelt ones that were mended, missing ones that were found."""

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class SpellingFigures:
    """How a corrector does where the right words are known."""

    misspelt: int
    mended: int
    right: int
    left_alone: int

    @property
    def accuracy(self) -> float:
        """Share of the misspelt words that were mended to the right word."""
        return self.mended / max(1, self.misspelt)

    @property
    def specificity(self) -> float:
        """Share of the right words that were left alone."""
        return self.left_alone / max(1, self.right)

    def to_dict(self) -> dict[str, Any]:
        """As plain values, for JSON."""
        return asdict(self) | {"accuracy": self.accuracy, "specificity": self.specificity}

    def sentence(self) -> str:
        """For people."""
        text = f"{self.accuracy:.1%} of {self.misspelt:,} misspelt words mended"
        if self.right:
            text += f", {self.specificity:.2%} of {self.right:,} right words left alone"
        return text


@dataclass(frozen=True)
class ClozeFigures:
    """How often the word that was taken out comes first, and among the first five."""

    gaps: int
    first: int
    among_five: int

    @property
    def accuracy(self) -> float:
        """Share of the words that came first."""
        return self.first / max(1, self.gaps)

    @property
    def top_5(self) -> float:
        """Share of the words that came among the first five."""
        return self.among_five / max(1, self.gaps)

    def to_dict(self) -> dict[str, Any]:
        """As plain values, for JSON."""
        return asdict(self) | {"accuracy": self.accuracy, "top_5": self.top_5}

    def sentence(self) -> str:
        """For people."""
        return f"{self.accuracy:.1%} of {self.gaps:,} words found, {self.top_5:.1%} among the first five"

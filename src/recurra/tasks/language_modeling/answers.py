"""Continuations of a line as `recurra predict` shows them."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Continuation:
    """The most probable continuations of a line, best first, with their probabilities."""

    text: str
    endings: tuple[tuple[str, float], ...]
    number: int
    several: bool

    def line(self) -> str:
        """The most probable ending, or one line per ending with its probability if several were requested."""
        if not self.several:
            return self.endings[0][0] if self.endings else ""
        return "\n".join(f"{self.number}\t{share:.4f}\t{ending}" for ending, share in self.endings)

    def to_dict(self) -> dict[str, Any]:
        """As plain values, for JSON."""
        ways = [{"ending": ending, "probability": share} for ending, share in self.endings]
        return {"text": self.text, "endings": ways}

"""What encoder-decoders return: generated texts, and attention weights."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recurra.results import Result, shortened


@dataclass(frozen=True, repr=False)
class GeneratedText(Result):
    """An output: its log-probability, the score that ranks it, and whether it reached the end symbol."""

    text: str
    log_prob: float
    score: float
    ended: bool = True

    def told(self) -> str:
        """Return the text and its score."""
        return f"{shortened(self.text)}, score {self.score:.4f}{'' if self.ended else ', cut'}"

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {"text": self.text, "log_prob": self.log_prob, "score": self.score, "ended": self.ended}


@dataclass(frozen=True, repr=False)
class AttentionMap(Result):
    """Attention weights over the source for each output symbol; the last row is that of the end symbol.

    Shapes: weights (T, S), each row sums to 1.
    """

    source: tuple[str, ...]
    target: tuple[str, ...]
    weights: NDArray[np.float32]

    def told(self) -> str:
        """Return the target and the number of symbols on both sides."""
        target = shortened("".join(self.target))
        return f"{target}, {len(self.target)} target by {len(self.source)} source symbols"

    def to_rows(self, of: str | None = None) -> list[dict[str, Any]]:
        """Return one row per target symbol and source symbol, with the weight."""
        self._refuse(of)
        return [
            {"step": t, "target": target, "place": s, "source": source, "weight": float(self.weights[t, s])}
            for t, target in enumerate(self.target)
            for s, source in enumerate(self.source)
        ]

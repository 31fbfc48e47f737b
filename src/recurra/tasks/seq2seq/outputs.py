"""What encoder-decoders return: generated texts, attention weights, and the causes of errors."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recurra.metrics.beam_errors import Fault, FaultShares
from recurra.metrics.translation import TextFigures
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


@dataclass(frozen=True)
class Diagnosis:
    """One source, its reference with the highest score, the output found, and the cause of an error."""

    source: str
    right: str
    found: str
    right_score: float
    found_score: float
    fault: Fault

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {name: getattr(self, name) for name in self.__dataclass_fields__}


@dataclass(frozen=True)
class Tried:
    """The results of one beam width and length penalty: metrics, time, share of beam errors."""

    width: int
    alpha: float
    texts: TextFigures
    seconds: float
    beam_share: float

    @property
    def value(self) -> float:
        """BLEU, or chrF if most references are short."""
        return self.texts.value

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        names = ("bleu", "chrf", "exact")
        texts = {name: getattr(self.texts, name) for name in names}
        tried = {"width": self.width, "alpha": self.alpha}
        return tried | texts | {"seconds": self.seconds, "beam_share": self.beam_share}


@dataclass(frozen=True, repr=False)
class BeamErrors(Result):
    """The causes of wrong outputs with the model's own search, the results of other searches, and advice."""

    diagnoses: tuple[Diagnosis, ...]
    tried: tuple[Tried, ...]
    advice: str

    @property
    def shares(self) -> FaultShares:
        """Counts of the correct outputs, and of the wrong ones by cause."""
        return FaultShares.count(one.fault for one in self.diagnoses)

    def told(self) -> str:
        """Return the counts."""
        shares = self.shares
        return f"{shares.none:,} correct, {shares.beam:,} search errors, {shares.model:,} model errors"

    def to_rows(self, of: str | None = None) -> list[dict[str, Any]]:
        """Return one row per search that was tried, or `of` "outputs" one per output."""
        self._refuse(of, "searches", "outputs")
        if of == "outputs":
            return [one.to_dict() for one in self.diagnoses]
        return [one.to_dict() for one in self.tried]

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        shares = self.shares
        return {
            "right": shares.none,
            "beam": shares.beam,
            "model": shares.model,
            "tried": [one.to_dict() for one in self.tried],
            "advice": self.advice,
            "answers": [one.to_dict() for one in self.diagnoses],
        }

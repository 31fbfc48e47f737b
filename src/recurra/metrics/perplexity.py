"""Perplexity and related metrics of a text, with their units and the share of unknown symbols."""

import math
from dataclasses import asdict, dataclass
from typing import Any

from recurra.plain import unit_noun
from recurra.results import Result


@dataclass(frozen=True, repr=False)
class LikelihoodFigures(Result):
    """Sums over a text of N symbols, C characters, U of its symbols unknown to the model.

        loss = total / N nats per symbol;   perplexity = exp(loss);   bits per character = total / (C ln 2)

    Every symbol counts, line ends included. An unknown symbol counts as `<unk>`: the model only predicts
    that *some* unknown symbol follows. Results with different shares of unknown symbols, or with different
    vocabularies, are therefore not comparable; the perplexity without unknown symbols is given as well. With
    `spelling_nats`, the cost of spelling out the unknown symbols, the open-vocabulary bits per character are
    comparable for all units.
    """

    unit: str
    total_nats: float
    symbols: int
    characters: int
    unknown: int = 0
    unknown_nats: float = 0.0
    spelling_nats: float | None = None

    @property
    def loss(self) -> float:
        """Mean negative log-likelihood in nats per symbol."""
        return self.total_nats / max(1, self.symbols)

    @property
    def perplexity(self) -> float:
        """exp(loss); infinite if it is too large for a float."""
        return exp_or_infinite(self.loss)

    @property
    def perplexity_without_unknown(self) -> float:
        """Perplexity over the symbols that are in the vocabulary; NaN if none of them is."""
        known = self.symbols - self.unknown
        return exp_or_infinite((self.total_nats - self.unknown_nats) / known) if known else math.nan

    @property
    def bits_per_character(self) -> float:
        """Total bits divided by the number of characters, line ends included."""
        return self.total_nats / math.log(2) / max(1, self.characters)

    @property
    def open_bits_per_character(self) -> float | None:
        """Bits per character with unknown symbols spelt out; None if the cost of that is not known."""
        if self.spelling_nats is None:
            return None
        return (self.total_nats + self.spelling_nats) / math.log(2) / max(1, self.characters)

    @property
    def unknown_rate(self) -> float:
        """Share of the symbols that are `<unk>`."""
        return self.unknown / max(1, self.symbols)

    def main(self) -> dict[str, float]:
        """The main metric."""
        return {"perplexity": self.perplexity}

    def of_validation(self) -> dict[str, float]:
        """The metrics of a validation during training."""
        return {
            "loss": self.loss,
            "perplexity": self.perplexity,
            "bits_per_character": self.bits_per_character,
        }

    def to_dict(self) -> dict[str, Any]:
        """As plain values, for JSON."""
        known = self.unknown < self.symbols
        return asdict(self) | {
            "loss": self.loss,
            "perplexity": self.perplexity,
            "perplexity_without_unknown": self.perplexity_without_unknown if known else None,
            "bits_per_character": self.bits_per_character,
            "open_bits_per_character": self.open_bits_per_character,
            "unknown_rate": self.unknown_rate,
        }

    def sentence(self) -> str:
        """Describe the metrics with their units."""
        name = unit_noun(self.unit)
        parts = [
            f"{self.loss:.4f} nats per {name}",
            f"perplexity {perplexity_text(self.perplexity)} per {name}",
            f"{self.bits_per_character:.3f} bits per character",
            f"{self.symbols:,} {name}s",
        ]
        text = ", ".join(parts)
        if self.unknown:
            text += f"; {self.unknown_rate:.2%} are <unk>"
            if self.unknown < self.symbols:
                text += f" (perplexity without them {perplexity_text(self.perplexity_without_unknown)})"
            if self.spelling_nats:
                text += f"; {self.open_bits_per_character:.3f} bits per character with <unk> spelt out"
        return text


def perplexity_text(perplexity: float) -> str:
    """Format a perplexity with two decimals, or with three significant digits if it is very large."""
    return f"{perplexity:,.2f}" if perplexity < 1e9 else f"{perplexity:.3g}"


def exp_or_infinite(nats: float) -> float:
    """exp(nats); infinite from 700 nats on, near the largest float."""
    return math.exp(nats) if nats < 700 else math.inf

"""Listening: samples in, events out, as they happen."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recurra.errors import ConfigError
from recurra.metrics.detection import Crossings, Event
from recurra.models.detector import DetectorNetwork
from recurra.models.streaming_detector import StreamingDetector
from recurra.plain import listed, quoted
from recurra.tasks.detection.config import DetectConfig
from recurra.tasks.detection.symbols import (
    DetectorSymbols,
    Smoother,
    StepStream,
    refractory_steps,
    smoothing_steps,
)

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Heard:
    """A word that a detector has heard: the time of the decision in seconds, and the score."""

    word: str
    time_s: float
    score: float

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain values."""
        return {"word": self.word, "time_s": round(self.time_s, 3), "score": round(self.score, 4)}

    def line(self) -> str:
        """Return it as a line of text."""
        return f"{self.time_s:9.2f} s  {self.word}  {self.score:.3f}"


class Listening:
    """One stream: `push` takes samples in pieces of any size, and returns the events that end in them.

    Shapes: samples (N,), mono, float32 in [-1, 1], at the rate of the features (16 kHz).
    """

    def __init__(
        self,
        network: DetectorNetwork,
        symbols: DetectorSymbols,
        config: DetectConfig,
        thresholds: Sequence[float] | None = None,
    ) -> None:
        self._symbols = symbols
        self._steps, self._network = StepStream(symbols), StreamingDetector(network)
        self._smoother = Smoother(smoothing_steps(config, symbols), len(symbols.words))
        limits = network.thresholds.tolist() if thresholds is None else thresholds
        refractory = refractory_steps(config, symbols)
        self._crossings = [Crossings(limit, refractory) for limit in limits]
        self._heard, self._decided = 0, 0

    def __repr__(self) -> str:
        return f"Listening(words={list(self._symbols.words)}, seconds={self.seconds:.2f})"

    @property
    def seconds(self) -> float:
        """The seconds heard so far."""
        return self._heard / self._symbols.settings.rate

    def scores(self, samples: Floats) -> Floats:
        """Return the smoothed scores of the steps that are complete now. Shapes: (N,), (T, K)."""
        self._heard += len(samples)
        return self._smoother.push(self._network.push(self._steps.push(samples)))

    def push(self, samples: Floats) -> list[Event]:
        """Return the events of the words that have just ended."""
        scores = self.scores(samples)
        found = []
        for word, crossings in enumerate(self._crossings):
            for step in crossings.push(scores[:, word]):
                time = self._symbols.first_s + step * self._symbols.step_s
                found.append(Event(word, time, float(scores[step - self._decided, word])))
        self._decided += len(scores)
        return sorted(found, key=lambda event: event.time_s)

    def events(self, blocks: Iterable[Floats]) -> Iterator[Event]:
        """Yield the events of samples that arrive in blocks."""
        for block in blocks:
            yield from self.push(block)


def thresholds_of(given: Sequence[str], network: DetectorNetwork, symbols: DetectorSymbols) -> list[float]:
    """Return the threshold of each word: WORD=P or P where given, else the one chosen in training.

    Raises: ConfigError for an unknown word, or no number between 0 and 1.
    """
    found = dict(zip(symbols.words, network.thresholds.tolist(), strict=True))
    for one in given:
        word, equals, number = one.rpartition("=")
        try:
            value = float(number)
        except ValueError:
            value = -1.0
        if not 0 < value < 1:
            raise ConfigError(
                f"threshold: got {quoted(one)}, expected a number between 0 and 1, or WORD=NUMBER."
            )
        if equals and word not in found:
            raise ConfigError(
                f"threshold: got the word {quoted(word)}, expected one of {listed(symbols.words)}."
            )
        found |= {word: value} if equals else dict.fromkeys(found, value)
    return list(found.values())

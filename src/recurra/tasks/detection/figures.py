"""The figures of a detector: misses, false alarms an hour with their bound, and latencies."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np

from recurra.data.readers.recordings import Recording
from recurra.metrics.detection import (
    Counts,
    CurvePoint,
    Scored,
    Spoken,
    count_events,
    detection_curve,
    events_of,
)
from recurra.models.detector import DetectorNetwork
from recurra.models.evaluating import evaluating
from recurra.plain import counted
from recurra.tasks.detection.config import DetectConfig
from recurra.tasks.detection.scoring import Prepared, prepare, probabilities, smoothed, times_of
from recurra.tasks.detection.symbols import (
    DetectorSymbols,
    matching_of,
    pause_of,
    refractory_steps,
    smoothing_steps,
)


@dataclass(frozen=True)
class Alarm:
    """A false alarm or a miss: the file, the time in it in seconds, the word, and the score of an alarm."""

    path: str
    at_s: float
    word: str
    score: float | None = None

    def line(self) -> str:
        """Return it as a line of text."""
        what = "missed" if self.score is None else f"false alarm, score {self.score:.2f}"
        return f"{self.path} at {self.at_s:.2f} s: {self.word}: {what}"


@dataclass(frozen=True)
class DetectFigures:
    """Misses and false alarms per word, over streams of `hours`."""

    by_word: dict[str, Counts]
    hours: float
    alarms: list[Alarm] = field(default_factory=list, compare=False)

    @property
    def total(self) -> Counts:
        """All words together; the hours are those of the audio, not of each word."""
        found = sum(self.by_word.values(), Counts(0, 0, 0, 0.0))
        return Counts(found.words, found.misses, found.alarms, self.hours, found.latencies)

    def main(self) -> dict[str, float]:
        """Return the share of missed words and the false alarms an hour."""
        total = self.total
        found = {"miss_rate": total.misses / total.words} if total.words else {}
        return found | ({"alarms_per_hour": total.alarms_per_hour} if self.hours else {})

    def sentence(self) -> str:
        """Return the figures as a sentence."""
        total = self.total
        said = f"{total.misses:,} of {counted(total.words, 'word')} missed, {told_alarms(total)}"
        if total.latencies:
            middle, late = np.quantile(total.latencies, [0.5, 0.9]).tolist()
            said += f"; latency {middle:.2f} s (median), {late:.2f} s (90%)"
        return said

    def lines(self) -> list[str]:
        """Return the figures of all words, if there are several."""
        if len(self.by_word) < 2:
            return [self.sentence()]
        return [
            self.sentence(),
            *(
                f"  {word}: {one.misses:,} of {one.words:,} missed, {counted(one.alarms, 'false alarm')}"
                for word, one in self.by_word.items()
            ),
        ]

    def to_dict(self) -> dict[str, Any]:
        """Return all figures as plain values."""
        total = self.total
        latency = float(np.median(total.latencies)) if total.latencies else None
        return {
            **self.main(),
            "words": total.words,
            "misses": total.misses,
            "alarms": total.alarms,
            "hours": self.hours,
            "alarms_per_hour_bound": total.bound_per_hour if self.hours else None,
            "latency_s": latency,
            "by_word": {
                word: {"words": one.words, "misses": one.misses, "alarms": one.alarms}
                for word, one in self.by_word.items()
            },
        }

    @classmethod
    def pooled(cls, parts: Sequence[Self]) -> Self | None:
        """Return the figures of several detectors, each on streams of its own, together."""
        words = list(dict.fromkeys(word for part in parts for word in part.by_word))
        nothing = Counts(0, 0, 0, 0.0)
        by_word = {word: sum((part.by_word.get(word, nothing) for part in parts), nothing) for word in words}
        return cls(by_word, sum(part.hours for part in parts), [one for part in parts for one in part.alarms])


def told_alarms(counts: Counts) -> str:
    """Return the false alarms with the hours of audio and the 95 % bound of their rate."""
    said = f"{counted(counts.alarms, 'false alarm')} in {counts.hours:.2f} hours"
    if not counts.hours:
        return said
    return f"{said} ({counts.alarms_per_hour:.1f} per hour, 95% sure below {counts.bound_per_hour:.1f})"


def measure(
    network: DetectorNetwork,
    symbols: DetectorSymbols,
    config: DetectConfig,
    rows: Sequence[Recording],
    thresholds: Sequence[float] | None = None,
) -> DetectFigures:
    """Score recordings as one stream, and count misses and false alarms at the thresholds of the network."""
    prepared = prepare(rows, symbols, pause_of(config))
    with evaluating(network):
        scores = smoothed(probabilities(network, prepared.inputs), smoothing_steps(config, symbols))
    limits = network.thresholds.tolist() if thresholds is None else thresholds
    steps = events_of(scores, limits, refractory_steps(config, symbols))
    events = list(times_of(steps, symbols))
    hours, matching = prepared.seconds / 3600, matching_of(config)
    by_word: dict[str, Counts] = {}
    listed: list[Alarm] = []
    for number, word in enumerate(symbols.words):
        own = [event for event in events if event[1] == number]
        spoken = [one for one in prepared.spoken if one.word == number]
        by_word[word] = count_events(own, spoken, hours, matching)
        scored = {
            time: float(scores[step, number]) for (step, _), (time, _) in zip(steps, events, strict=True)
        }
        listed += _named(prepared, own, spoken, word, scored, matching)
    return DetectFigures(by_word, hours, sorted(listed, key=lambda one: (one.path, one.at_s)))


def _named(
    prepared: Prepared,
    events: Iterable[tuple[float, int]],
    spoken: Iterable[Spoken],
    word: str,
    scored: dict[float, float],
    matching: Any,
) -> Iterator[Alarm]:
    """Yield the misses and the false alarms of a word with their files."""
    left = sorted(time for time, _ in events)
    for one in sorted(spoken, key=lambda one: one.end_s):
        hit = next((time for time in left if one.is_hit(time, matching)), None)
        if hit is None:
            yield _placed(prepared, one.end_s, word, None)
        else:
            left.remove(hit)
    for time in left:
        yield _placed(prepared, time, word, scored[time])


def _placed(prepared: Prepared, time: float, word: str, score: float | None) -> Alarm:
    place = int(np.searchsorted(prepared.starts_s, time, side="right")) - 1
    row = prepared.rows[place]
    offset = 0.0 if row.kind == "word" else row.start_s or 0.0
    return Alarm(row.path, time - prepared.starts_s[place] + offset, word, score)


def curve_of(
    streams: Sequence[Scored], word: int, config: DetectConfig, symbols: DetectorSymbols
) -> list[CurvePoint]:
    """Return misses and false alarms of a word over all thresholds, for scored streams."""
    return list(
        detection_curve(
            streams,
            word=word,
            step_s=symbols.step_s,
            first_s=symbols.first_s,
            refractory=refractory_steps(config, symbols),
            matching=matching_of(config),
        )
    )

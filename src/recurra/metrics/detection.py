"""Detections in streams: events from scores, misses and false alarms, rates with their bounds."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaincinv

Floats = NDArray[np.float64]
Scores = NDArray[np.float32]


class Event(NamedTuple):
    """A detection: the number of the word, the time of its decision in seconds, and the score."""

    word: int
    time_s: float
    score: float


class Spoken(NamedTuple):
    """A word in a stream: its number, and the time in seconds at which it ends.

    If the end is an estimate, an event up to `early_s` before it may be a hit.
    """

    word: int
    end_s: float
    early_s: float = 0.0

    def is_hit(self, time_s: float, matching: "Matching") -> bool:
        """Whether an event at a time may be a hit of the word."""
        early = max(self.early_s, matching.early_s)
        return self.end_s - early <= time_s <= self.end_s + matching.late_s


@dataclass(frozen=True)
class Matching:
    """What an event has to be near to count: an event is a hit if its time is in [end - early, end + late].

    The first event of a word within the window is its hit; each other event is a false alarm.
    """

    early_s: float = 0.1
    late_s: float = 1.0


@dataclass(frozen=True)
class Counts:
    """Words, misses and false alarms in streams of `hours`, with the latencies of the hits in seconds."""

    words: int
    misses: int
    alarms: int
    hours: float
    latencies: tuple[float, ...] = ()

    def __add__(self, other: "Counts") -> "Counts":
        return Counts(
            self.words + other.words,
            self.misses + other.misses,
            self.alarms + other.alarms,
            self.hours + other.hours,
            self.latencies + other.latencies,
        )

    @property
    def alarms_per_hour(self) -> float:
        """The rate of false alarms; nan without any audio."""
        return self.alarms / self.hours if self.hours else float("nan")

    @property
    def bound_per_hour(self) -> float:
        """The 95 % upper confidence bound of the rate of false alarms; see `rate_bound`."""
        return rate_bound(self.alarms, self.hours)


class Crossings:
    """Finds the events of one word in its scores, which may arrive in pieces.

    A score at or above the threshold is an event if the score before it was below, and if the last event is
    at least `refractory` steps ago.
    """

    def __init__(self, threshold: float, refractory: int) -> None:
        self.threshold, self._refractory = threshold, refractory
        self._step, self._above, self._last = 0, False, -refractory

    def __repr__(self) -> str:
        return f"Crossings(threshold={self.threshold:.4f}, refractory={self._refractory})"

    def push(self, scores: Scores) -> list[int]:
        """Return the numbers of the steps with an event, counted from the first score ever pushed.

        Shapes: scores (T,).
        """
        above = scores >= self.threshold
        before = np.concatenate([[self._above], above[:-1]]) if len(above) else above
        found = []
        for place in np.flatnonzero(above & ~before).tolist():
            step = self._step + place
            if step - self._last >= self._refractory:
                found.append(step)
                self._last = step
        if len(above):
            self._above = bool(above[-1])
        self._step += len(above)
        return found


def events_of(scores: Scores, thresholds: Sequence[float], refractory: int) -> list[tuple[int, int]]:
    """Return the events of a whole stream as (step, word), in the order of time.

    Shapes: scores (T, K), thresholds (K,).
    """
    found = [
        (step, word)
        for word, threshold in enumerate(thresholds)
        for step in Crossings(threshold, refractory).push(scores[:, word])
    ]
    return sorted(found)


def count_events(
    events: Sequence[tuple[float, int]], spoken: Sequence[Spoken], hours: float, matching: Matching
) -> Counts:
    """Count misses and false alarms of events, given as (time in seconds, word), among the spoken words."""
    left = sorted(events)
    latencies = []
    for one in sorted(spoken, key=lambda one: one.end_s):
        hit = next((event for event in left if event[1] == one.word and one.is_hit(event[0], matching)), None)
        if hit is not None:
            left.remove(hit)
            latencies.append(hit[0] - one.end_s)
    return Counts(len(spoken), len(spoken) - len(latencies), len(left), hours, tuple(latencies))


def rate_bound(count: int, hours: float, confidence: float = 0.95) -> float:
    """Return the exact upper confidence bound of a Poisson rate, of `count` events in `hours`.

    The bound λ solves P(N <= count | λ hours) = 1 - confidence: with no event, λ = -ln(0.05) / hours, about
    3 / hours.

    Source: F. Garwood, Fiducial limits for the Poisson distribution (1936).
    """
    return float(gammaincinv(count + 1, confidence)) / hours if hours else float("inf")


THRESHOLDS: Floats = 1 / (1 + np.exp(-np.linspace(-7.0, 9.0, 161)))
"""The thresholds of a curve: evenly spaced logits."""


class CurvePoint(NamedTuple):
    """What one threshold gives for one word."""

    threshold: float
    counts: Counts


class Scored(NamedTuple):
    """The scores of a stream, its words, and its hours, without pauses that were put in. Shapes: (T, K)."""

    scores: Scores
    spoken: Sequence[Spoken]
    hours: float


def detection_curve(
    streams: Sequence[Scored],
    *,
    word: int,
    step_s: float,
    first_s: float,
    refractory: int,
    matching: Matching,
) -> Iterator[CurvePoint]:
    """Yield misses and false alarms of one word for each threshold, from low to high.

    Step k of a stream is decided at `first_s + k step_s`.
    """
    for threshold in THRESHOLDS.tolist():
        total = Counts(0, 0, 0, 0.0)
        for scores, spoken, hours in streams:
            steps = Crossings(threshold, refractory).push(scores[:, word])
            own = [one for one in spoken if one.word == word]
            events = [(first_s + step * step_s, word) for step in steps]
            total = total + count_events(events, own, hours, matching)
        yield CurvePoint(threshold, total)


def best_threshold(curve: Sequence[CurvePoint], alarms_per_hour: float = 0.0) -> CurvePoint:
    """Return the point of a curve with the fewest misses among those with few enough false alarms.

    If no point has at most `alarms_per_hour` false alarms, those with the fewest are considered. Of several
    equal thresholds in a row, the one in the middle is returned: it is the farthest from a change.
    """
    fewest = min(point.counts.alarms_per_hour for point in curve)
    limit = max(alarms_per_hour, fewest)
    fitting = [i for i, point in enumerate(curve) if point.counts.alarms_per_hour <= limit]
    misses = min(curve[i].counts.misses for i in fitting)
    best = [i for i in fitting if curve[i].counts.misses == misses]
    runs: list[list[int]] = []
    for i in best:
        if runs and i == runs[-1][-1] + 1:
            runs[-1].append(i)
        else:
            runs.append([i])
    longest = max(runs, key=len)
    return curve[longest[len(longest) // 2]]

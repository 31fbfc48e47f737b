"""Scores of recordings that are read one after the other, as one stream."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from recurra.audio.files import RATE
from recurra.data.readers.recordings import Recording
from recurra.metrics.detection import Spoken
from recurra.models.detector import DetectorNetwork
from recurra.tasks.detection.corpus import floats_of, pause, span_of
from recurra.tasks.detection.symbols import DetectorSymbols, Smoother, StepStream

Floats = NDArray[np.float32]
_CHUNK = 2000  # steps that the network reads together


@dataclass(frozen=True)
class Prepared:
    """A stream of recordings as inputs of the network, with its words, and where each recording begins.

    Shapes: inputs (T, I).
    """

    inputs: Floats
    spoken: list[Spoken]
    starts_s: list[float]
    rows: Sequence[Recording]
    seconds: float


def prepare(rows: Sequence[Recording], symbols: DetectorSymbols, pause_s: float = 0.0) -> Prepared:
    """Read recordings as one stream, in an order that mixes those with and without words.

    After a word, the stream has a pause of very quiet noise, so that no word follows within the refractory
    time. Pauses do not count in `seconds`.
    """
    order = np.random.default_rng(len(rows)).permutation(len(rows)).tolist()
    mixed = [rows[i] for i in order]
    stream, at, heard = StepStream(symbols), 0, 0
    quiet = pause(pause_s)
    inputs, spoken, starts = [], [], []
    for row in mixed:
        samples = floats_of(row)
        starts.append(at / RATE)
        if row.kind == "word":
            number = symbols.words.index(row.word)
            span = span_of(row, symbols.longest_s[number])
            early = (span.end_s - span.start_s) / 2 if row.end_s is None else 0.0
            spoken.append(Spoken(number, at / RATE + span.end_s, early))
        inputs.append(stream.push(samples))
        at += len(samples)
        heard += len(samples)
        if row.kind == "word" and len(quiet):
            inputs.append(stream.push(quiet))
            at += len(quiet)
    joined = np.concatenate(inputs) if inputs else np.zeros((0, symbols.input_size), np.float32)
    return Prepared(joined, spoken, starts, mixed, heard / RATE)


@torch.no_grad()
def probabilities(network: DetectorNetwork, inputs: Floats) -> Floats:
    """Return the probability of each word at each step of a stream. Shapes: (T, I), (T, K)."""
    device = network.output.weight.device
    state, found = None, []
    for first in range(0, len(inputs), _CHUNK):
        chunk = torch.from_numpy(inputs[first : first + _CHUNK]).to(device)
        logits, state = network(chunk.unsqueeze(0), state)
        found.append(logits.squeeze(0).sigmoid().cpu().numpy())
    if not found:
        return np.zeros((0, len(network.thresholds)), np.float32)
    return np.concatenate(found)


def smoothed(scores: Floats, steps: int) -> Floats:
    """Return the moving average of the scores of a whole stream. Shapes: (T, K)."""
    return Smoother(steps, scores.shape[1]).push(scores)


def times_of(steps: Sequence[tuple[int, int]], symbols: DetectorSymbols) -> Iterator[tuple[float, int]]:
    """Yield events, given as (step, word), as (time in seconds, word)."""
    for step, word in steps:
        yield symbols.first_s + step * symbols.step_s, word

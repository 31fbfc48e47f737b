"""The training objective of detectors: the loss of each step, and figures on streams held out."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from recurra.data.readers.recordings import Recording
from recurra.data.sound_scenes import Placed, SceneMaker
from recurra.layers import State
from recurra.metrics.detection import Counts, Scored, Spoken, best_threshold
from recurra.models.detector import DetectorNetwork
from recurra.tasks.detection.config import DetectConfig
from recurra.tasks.detection.feeds import LabelSpan, labels_of
from recurra.tasks.detection.figures import curve_of
from recurra.tasks.detection.scoring import prepare, probabilities, smoothed
from recurra.tasks.detection.symbols import DetectorSymbols, StepStream, pause_of, smoothing_steps
from recurra.training import Objective

Floats = NDArray[np.float32]
_SCENES_PER_WORD, _FEWEST_SCENES, _MOST_SCENES = 5, 20, 200
_OF_LOSS = 0.01  # of the loss in the criterion, beside misses and false alarms per word


class DetectionObjective(Objective):
    """The weighted cross-entropy of each step, with the state carried from scene to scene.

    A validation reads two streams: the held-out recordings, and scenes that are mixed from them. It chooses
    the thresholds of the network: of those with few enough false alarms, the ones with the fewest misses. A
    network is judged by the threshold that has the fewest misses and false alarms together, which changes
    less from validation to validation.
    """

    def __init__(
        self,
        network: DetectorNetwork,
        symbols: DetectorSymbols,
        config: DetectConfig,
        valid: Sequence[Recording],
        maker: SceneMaker,
        label: LabelSpan,
    ) -> None:
        super().__init__(network)
        self._network, self._symbols, self._config = network, symbols, config
        whole = prepare(valid, symbols, pause_of(config))
        words = len(whole.spoken)
        scenes = min(_MOST_SCENES, max(_FEWEST_SCENES, _SCENES_PER_WORD * words))
        mixed = _mixed(maker, symbols, label, scenes, config.split_seed)
        hours = len(mixed[0]) * symbols.step_s / 3600
        self._streams = [
            (whole.inputs, whole.spoken, whole.seconds / 3600),
            (mixed[0], mixed[1], hours),
        ]
        self._labels = mixed[2]
        self._steps = smoothing_steps(config, symbols)

    def loss(
        self, network: nn.Module, segment: Any, state: State | None, context: int
    ) -> tuple[Tensor, State | None, Tensor | None]:
        """Return the summed loss of a scene of each stream, and the state after it."""
        total_loss: Any = network.total_loss
        total, after = total_loss(segment, state)
        return total, after, None

    def initial_state(self, batch_size: int) -> Any:
        """Return the state before a stream."""
        return self._network.initial_state(batch_size)

    def validate(self, network: nn.Module) -> dict[str, float]:
        """Return the loss on mixed scenes, and misses and false alarms at the thresholds chosen here."""
        own = self._network
        raw = [probabilities(own, inputs) for inputs, *_ in self._streams]
        scored = [
            Scored(smoothed(scores, self._steps), spoken, hours)
            for scores, (_, spoken, hours) in zip(raw, self._streams, strict=True)
        ]
        thresholds, found, errors = [], Counts(0, 0, 0, 0.0), 0
        for word in range(len(self._symbols.words)):
            curve = curve_of(scored, word, self._config, self._symbols)
            point = best_threshold(curve, self._config.alarms_per_hour)
            thresholds.append(point.threshold)
            found = found + point.counts
            errors += min(each.counts.misses + each.counts.alarms for each in curve)
        own.set_thresholds(thresholds)
        hours = sum(stream.hours for stream in scored)
        return {
            "loss": self._loss(raw[1]),
            "miss_rate": found.misses / max(1, found.words),
            "alarms_per_hour": found.alarms / hours if hours else 0.0,
            "errors_per_word": errors / max(1, found.words),
        }

    def criterion(self, figures: Mapping[str, float]) -> float:
        """Return misses and false alarms per word at the threshold that has the fewest of both together.

        A hundredth of the loss decides between equals.
        """
        return figures["errors_per_word"] + _OF_LOSS * figures["loss"]

    def _loss(self, scores: Floats) -> float:
        device = self._network.output.weight.device
        steps = min(len(scores), len(self._labels))
        logits = torch.logit(torch.from_numpy(scores[:steps]).double(), eps=1e-7).to(device)
        labels = self._labels[:steps].to(device)
        count = int((labels >= 0).sum())
        return float(self._network.loss_of(logits, labels)) / max(1, count)


def _mixed(
    maker: SceneMaker, symbols: DetectorSymbols, label: LabelSpan, scenes: int, seed: int
) -> tuple[Floats, list[Spoken], Tensor]:
    """Return scenes one after the other as one stream: inputs, words and labels. Shapes: (T, I), (T, K)."""
    settings = symbols.settings
    hop = settings.hop * symbols.frames_per_step
    samples = round(maker.settings.seconds * settings.rate) // hop * hop
    stream, inputs, spoken = StepStream(symbols), [], []
    for number in range(scenes):
        scene = maker.make(np.random.default_rng([seed, number]), samples)
        inputs.append(stream.push(scene.samples))
        start = number * samples / settings.rate
        spoken += [Spoken(word, start + end) for word, end in scene.words]
    joined = np.concatenate(inputs)
    placed = [Placed(one.word, one.end_s) for one in spoken]
    labels = labels_of(placed, len(joined), symbols, label)
    return joined, spoken, torch.from_numpy(labels).long()

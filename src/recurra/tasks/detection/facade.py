"""The Python class of detectors."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recurra.arguments import AtLeastOne, checks_arguments
from recurra.audio.files import RATE, recording_blocks
from recurra.data.examples import BadRows
from recurra.data.inputs import Input
from recurra.data.readers.recordings import Recording, read_recordings
from recurra.errors import ConfigError
from recurra.metrics.detection import Event
from recurra.tasks.detection.config import DetectDecisionPart, DetectEvaluationPart
from recurra.tasks.detection.corpus import pause
from recurra.tasks.detection.curves import draw_curve
from recurra.tasks.detection.figures import DetectFigures, measure
from recurra.tasks.detection.listening import Heard, Listening, thresholds_of
from recurra.tasks.detection.mining import Mined, check_free, folder_of, mine, train_with
from recurra.tasks.model import Model
from recurra.tasks.shown import Evaluation, InputPrediction, ignored
from recurra.training import Listener

Floats = NDArray[np.float32]
_BLOCK_S, _AFTER_S = 0.5, 0.5


@dataclass(frozen=True)
class HeardIn:
    """The words of one recording."""

    path: str
    heard: tuple[Heard, ...]

    def line(self) -> str:
        """Return the words with their times, separated by tabs."""
        return "\t".join([self.path, *(f"{one.word} {one.time_s:.2f}" for one in self.heard)])

    def to_dict(self) -> dict[str, Any]:
        """Return all as plain values."""
        return {"path": self.path, "heard": [one.to_dict() for one in self.heard]}


class Detector(Model):
    """Detects words in a stream of sound, one decision per step.

    detector = recurra.Detector.train("athena/", negative_data="speech/", out="runs/athena")
    detector.listen("recording.wav")
    """

    task = "detect"

    @checks_arguments
    def read_file(self, data: str | Path) -> list[Recording]:
        """Read recordings for `evaluate`: a folder, a table or a sound file."""
        return read_recordings(Path(data), BadRows(False), words=self.symbols.words)

    @checks_arguments
    def listen(
        self, source: str | Path | Iterable[Floats], *, threshold: Sequence[str] = ()
    ) -> Iterator[Heard]:
        """Yield the words of a recording, or of blocks of samples (16 kHz, mono, float32) as they arrive.

        After a recording, half a second of quiet is heard, so that a word at its very end is found.

        `threshold` has the form of `recurra listen`: "0.7" for all words, or "athena=0.7".

        Raises: DataError for a file that cannot be read; ConfigError for a threshold.
        """
        blocks: Iterable[Floats]
        if isinstance(source, str | Path):  # the score of a word at the end rises after it
            blocks = chain(recording_blocks(Path(source), RATE, block_s=_BLOCK_S), [pause(_AFTER_S)])
        else:
            blocks = source
        yield from self._named(self.stream(threshold=threshold).events(blocks))

    @checks_arguments
    def stream(self, *, threshold: Sequence[str] = ()) -> Listening:
        """Return a new stream, which takes samples in pieces of any size."""
        limits = thresholds_of(threshold, self.network, self.symbols)
        return Listening(self.network, self.symbols, self.config, limits)

    @checks_arguments
    def mine(
        self,
        recordings: Sequence[str | Path],
        out: str | Path,
        *,
        threshold: Sequence[str] = (),
        epochs: AtLeastOne | None = None,
        overwrite: bool = False,
        tell: Callable[[Path, Heard], None] | None = None,
        listeners: Sequence[Listener] = (),
    ) -> Mined:
        """Find the false alarms in recordings without the words, and train on with them as negatives.

        The clips and the table of negatives are in the folder OUT-mined; the run `out` starts with the
        weights of this one. Without false alarms nothing is written, and `result` is None.

        Raises: ConfigError if the model has no run folder; DataError; StorageError if a folder exists.
        """
        if self.run is None:
            raise ConfigError("mine: the model has no run folder to start from; train it into one.")
        paths, folder = [Path(one) for one in recordings], folder_of(Path(out))
        check_free(Path(out), folder, overwrite=overwrite)
        found = mine(self, paths, folder, threshold=threshold, tell=tell)
        if found.table is None:
            return found
        result = train_with(
            self.run.path, found.table, Path(out), epochs=epochs, overwrite=overwrite, listeners=listeners
        )
        return replace(found, result=result)

    def _named(self, events: Iterable[Event]) -> Iterator[Heard]:
        return (Heard(self.symbols.words[word], time, score) for word, time, score in events)

    @checks_arguments
    def evaluate(self, data: str | Path | None = None, *, threshold: Sequence[str] = ()) -> DetectFigures:
        """Return misses and false alarms on recordings, or on the validation data of the run.

        Raises: as `Model.evaluate`.
        """
        part = self.held_out() if data is None else self.read_file(data)
        limits = thresholds_of(threshold, self.network, self.symbols)
        return measure(self.network, self.symbols, self.config, part, limits)

    @checks_arguments
    def evaluation(self, data: Path | None, options: DetectEvaluationPart) -> Evaluation:
        """Return what `recurra evaluate` shows."""
        figures = self.evaluate(data, threshold=options.threshold)
        lines = figures.lines()
        if options.events:
            lines += [one.line() for one in figures.alarms]
        if options.picture is not None:
            part = self.held_out() if data is None else self.read_file(data)
            draw_curve(self.network, self.symbols, self.config, part, Path(options.picture))
            lines.append(f"picture: {options.picture}")
        return Evaluation(figures.to_dict(), lines)

    @checks_arguments
    def predictions(
        self,
        source: Input,
        options: DetectDecisionPart,
        *,
        as_json: bool = False,
        tell: Callable[[str], None] = ignored,
    ) -> Iterator[InputPrediction]:
        """Yield the words of each recording: of a sound file, a folder, a table, or lines that name files."""
        given = source.inputs
        paths = [one for group in self.inputs(source, options) for one in group] if given is None else given
        for path in paths:
            yield HeardIn(path, tuple(self.listen(path, threshold=options.threshold)))

    @checks_arguments
    def inputs(
        self, source: Input, options: DetectDecisionPart, *, tell: Callable[[str], None] = ignored
    ) -> Iterator[Sequence[str]]:
        """Yield the paths of the recordings, one by one."""
        if source.is_stream:
            yield from ([line] for line in source.lines() if line.strip())
            return
        yield from ([row.path] for row in read_recordings(source.file(), BadRows(False)))

"""The task detect: recordings become a network that finds words in a stream of sound."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from recurra.data.examples import BadRows, rows_told
from recurra.data.readers.recordings import Recording
from recurra.data.sound_scenes import SceneMaker, SceneSettings, Sound
from recurra.models.detector import DetectorNetwork
from recurra.plain import shell
from recurra.tasks.detection.config import DetectConfig
from recurra.tasks.detection.corpus import (
    check_parts,
    check_words,
    groups_of,
    longest_of,
    read_part,
    sound_of,
    statistics_of_rows,
    told,
)
from recurra.tasks.detection.facade import Detector
from recurra.tasks.detection.feeds import LabelSpan, SceneFeed
from recurra.tasks.detection.figures import DetectFigures, measure
from recurra.tasks.detection.objective import DetectionObjective
from recurra.tasks.detection.starting import DetectorStart
from recurra.tasks.detection.symbols import DetectorSymbols, settings_of
from recurra.tasks.rows import Parts, RowCorpus, RowTask
from recurra.tasks.starting import Source, Start
from recurra.tasks.task import Setup


class Detection(RowTask):
    """Detectors of words in a stream; see `RowTask`."""

    name = "detect"
    config = DetectConfig
    model = Detector

    def read_rows(self, config: DetectConfig, part: str, bad: BadRows) -> list[Recording] | None:
        """Read the recordings of --data with its negatives and backgrounds, of --valid or of --test."""
        return read_part(config, part, bad)

    def groups(self, config: DetectConfig, rows: Sequence[Recording]) -> list[list[int]]:
        """Group the recordings of a speaker or a source, and the pieces of a file."""
        return groups_of(rows)

    def stratum(self, row: Recording) -> object:
        """Return the kind and the word of a recording."""
        return row.kind, row.word

    def fingerprint(self, rows: Sequence[Recording]) -> str:
        """Return a digest that changes with the content of any recording, wherever the files lie."""
        return super().fingerprint([row.content for row in rows])

    def files_beside(self, config: DetectConfig, part: str) -> Sequence[str]:
        """Return the negatives and the backgrounds, which belong to --data."""
        named = (config.negative_data, config.background_data) if part == "data" else ()
        return [path for path in named if path is not None]

    def corpus(
        self, config: DetectConfig, parts: Parts[Recording], symbols: DetectorSymbols, bad: BadRows
    ) -> RowCorpus[Recording]:
        """Check that there are words to train and to validate on, and that the model has all of them."""
        check_parts(parts.train, parts.valid, config.data or "")
        for part, rows in parts.each():
            check_words(rows, symbols.words, part)
        return RowCorpus(symbols, parts, self.fingerprint, bad.sentences)

    def learn_symbols(self, config: DetectConfig, train: Sequence[Recording]) -> DetectorSymbols:
        """Return the words, and the statistics of the features of the training recordings."""
        check_parts(train, train, config.data or "")
        settings = settings_of(config)
        words = tuple(sorted({row.word for row in train if row.kind == "word"}))
        return DetectorSymbols(
            words,
            settings,
            statistics_of_rows(train, settings),
            config.normalization_s if config.normalization == "running" else None,
            config.frames_per_step,
            longest_of(train, words),
        )

    def save_symbols(self, symbols: DetectorSymbols, folder: Path) -> None:
        """Write the symbols."""
        symbols.save(folder)

    def load_symbols(self, folder: Path, facts: Mapping[str, Any]) -> DetectorSymbols:
        """Load the symbols of a run."""
        return DetectorSymbols.load(folder)

    def start_from(self, config: DetectConfig, source: Source) -> Start:
        """Start with the weights and the statistics of another detector."""
        if source.task is not self:
            raise source.refusal(self, ("detect",))
        return DetectorStart(source)

    def build(self, config: DetectConfig, symbols: DetectorSymbols, corpus: Any = None) -> DetectorNetwork:
        """Build a network with initial weights."""
        return DetectorNetwork(config, symbols.input_size, len(symbols.words))

    def setup(
        self,
        config: DetectConfig,
        corpus: RowCorpus[Recording],
        network: DetectorNetwork,
        rank: int,
        processes: int,
    ) -> Setup:
        """Mix scenes of the training recordings, and weight the ones as often as there are zeros for each."""
        symbols: DetectorSymbols = corpus.symbols
        label = LabelSpan(config.label_ms / 1000, config.tolerance_ms / 1000)
        feed = SceneFeed(
            _maker(config, symbols, corpus.train, partial=config.partial, most_words=config.words_per_scene),
            symbols,
            label,
            batch_size=config.batch_size,
            updates=config.updates_per_epoch,
            seed=config.seed,
            rank=rank,
            processes=processes,
        )
        share = feed.positive_share()
        network.positive_weight = (1 - share) / share if share else 1.0
        valid = _maker(config, symbols, corpus.valid, partial=0.0, most_words=1)
        return Setup(DetectionObjective(network, symbols, config, corpus.valid, valid, label), feed)

    def measure(
        self,
        network: DetectorNetwork,
        symbols: DetectorSymbols,
        config: DetectConfig,
        part: Sequence[Recording],
    ) -> DetectFigures:
        """Score the recordings as one stream."""
        return measure(network, symbols, config, part)

    def criterion(self, config: DetectConfig, figures: DetectFigures) -> float | None:
        """Return misses and false alarms per word."""
        total = figures.total
        return (total.misses + total.alarms) / total.words if total.words else None

    def unit(self, config: DetectConfig) -> str:
        """Return "decision"."""
        return "decision"

    def introduce(self, corpus: RowCorpus[Recording]) -> Iterable[str]:
        """Describe the recordings."""
        for part, rows in corpus.parts.each():
            yield f"{part}: {told(rows)}"
        if not any(row.kind == "background" for row in corpus.train):
            yield "no backgrounds: words are laid over synthetic noise; name some with --background-data"
        if not any(row.kind == "negative" for row in corpus.train):
            yield "no negatives: no other speech is heard in training; name recordings with --negative-data"
        yield from rows_told(corpus.skipped, "skipped", corpus.kept)

    def next_commands(self, config: DetectConfig, run: Path) -> Sequence[str]:
        """Return the commands that are useful after training."""
        return (
            f"recurra listen {shell(run)} FILE",
            f"recurra mine {shell(run)} FILES",
            f"recurra evaluate {shell(run)}",
        )


def _maker(
    config: DetectConfig,
    symbols: DetectorSymbols,
    rows: Sequence[Recording],
    *,
    partial: float,
    most_words: int,
) -> SceneMaker:
    """Return what mixes scenes from recordings."""
    sounds: dict[str, list[Sound]] = {"word": [], "negative": [], "background": []}
    for row in rows:
        sounds[row.kind].append(sound_of(row, symbols.words, symbols.longest_s))
    settings = SceneSettings(
        seconds=config.scene_s,
        rate=symbols.settings.rate,
        most_words=most_words,
        level=(config.quietest_db, config.loudest_db),
        snr=(config.snr_db, max(config.snr_db, 40.0)),
        speed=config.speed,
        room=config.room,
        partial=partial,
    )
    return SceneMaker(sounds["word"], sounds["negative"], sounds["background"], settings)

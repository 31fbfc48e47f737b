"""The options of detectors of words."""

from typing import ClassVar, Literal, Self

from pydantic import model_validator

from recurra.config import (
    BatchPart,
    FoldsPart,
    Part,
    RecurrentNetworkConfig,
    RecurrentPart,
    RunPart,
    TaskConfig,
    default,
    option,
)
from recurra.config.conditions import Conditions, OnlyIn, Unless
from recurra.config.part import FilePath
from recurra.config.parts import LoopPart
from recurra.config.sound import SoundFeaturesPart

_OF_LANGUAGE_MODELS = (
    *("tie_weights", "adaptive_softmax", "embedding_dropout", "embedding_size", "init_scale"),
    *("activation_regularization", "temporal_activation_regularization"),
)


class ScenesPart(Part):
    """How training scenes are mixed from the recordings."""

    title: ClassVar[str] = "Scenes"
    not_searched: ClassVar[tuple[str, ...]] = ("label_ms", "updates_per_epoch")

    negative_data: FilePath | None = option(
        None, "Recordings without the words, as negatives: a folder (its folders are groups) or a table"
    )
    background_data: FilePath | None = option(None, "Noises to lay the words over: a folder or a table")
    scene_s: float = option(
        6.0, "Duration of a training scene, to whose beginning the gradient flows", unit="seconds", ge=0.1
    )
    words_per_scene: int = option(2, "Maximum number of words in a scene", ge=1, le=100)
    label_ms: float = option(300.0, "Duration of the label 1 after the end of a word", unit="ms", gt=0)
    quietest_db: float = option(
        -75.0, "Lowest level of the speech of a scene, of full scale", unit="dB", ge=-120, le=0
    )
    loudest_db: float = option(
        -12.0, "Highest level of the speech of a scene, of full scale", unit="dB", ge=-120, le=0
    )
    snr_db: float = option(3.0, "Lowest ratio of speech to background", unit="dB", ge=-60, le=40)
    speed: float = option(0.1, "Vary the speed of words by up to this fraction", ge=0, lt=1)
    room: float = option(0.3, "Probability of a synthetic room response", ge=0, le=1)
    partial: float = option(0.1, "Probability that an other sound is a part of a word", ge=0, le=1)
    updates_per_epoch: int = option(50, "Number of updates per epoch; each mixes new scenes", ge=1)


class EventPart(Part):
    """How events are found in the scores, and what counts as found."""

    title: ClassVar[str] = "Events"
    # They change the meaning of the figures.
    not_searched: ClassVar[tuple[str, ...]] = ("tolerance_ms", "late_ms", "alarms_per_hour", "refractory_s")

    smoothing_ms: float = option(90.0, "Duration of the moving average of the scores", unit="ms", ge=0)
    refractory_s: float = option(1.0, "Shortest time between two events of a word", unit="seconds", ge=0)
    tolerance_ms: float = option(
        200.0, "Count an event as a hit from this long before the end of a word on", unit="ms", ge=0
    )
    late_ms: float = option(1000.0, "Count an event as a hit until this long after it", unit="ms", gt=0)
    alarms_per_hour: float = option(
        0.0, "Choose the threshold with the fewest misses that has at most this many false alarms", ge=0
    )


class DetectDecisionPart(Part):
    """Options of deciding what is an event."""

    title: ClassVar[str] = "Detectors"

    threshold: tuple[str, ...] = option((), "Threshold on the score of a word: WORD=P, or P for all words")


class DetectEvaluationPart(DetectDecisionPart):
    """Options of `recurra evaluate` for detectors."""

    picture: FilePath | None = option(None, "Write a plot of misses against false alarms to this PNG file")
    events: bool = option(False, "List the misses and the false alarms")


class DetectConfig(
    RunPart,
    BatchPart,
    FoldsPart,
    ScenesPart,
    EventPart,
    SoundFeaturesPart,
    RecurrentNetworkConfig,
    TaskConfig,
):
    """All options of a detector of words."""

    task: ClassVar[str] = "recurra.tasks.detection.task:Detection"
    title: ClassVar[str] = "Detector"
    summary: ClassVar[str] = "Train a detector of spoken words, such as a trigger word, in streams of sound."
    example: ClassVar[str] = "recurra train detect --data athena/ --negative-data speech/ -o runs/athena"
    conditions: ClassVar[Conditions] = {
        **dict.fromkeys(_OF_LANGUAGE_MODELS, OnlyIn("language models")),
        "new_words": OnlyIn("text tasks"),
        "validation_fraction": Unless("valid"),
    }
    main_options: ClassVar[tuple[str, ...]] = (
        *(
            "data",
            "valid",
            "test",
            "negative_data",
            "background_data",
            "hidden_size",
            "num_layers",
            "scene_s",
        ),
        *("label_ms", "alarms_per_hour", "epochs", "updates_per_epoch", "learning_rate", "seed", "folds"),
    )
    evaluation: ClassVar[type[Part]] = DetectEvaluationPart
    prediction: ClassVar[type[Part]] = DetectDecisionPart

    data: FilePath | None = option(
        None, "Recordings of the words: a folder, with one folder per word, or a table"
    )
    # A jordan cell feeds back its own output, which streaming does not have.
    cell: Literal["lstm", "gru", "rnn"] = default(RecurrentPart, "cell", "gru")
    hidden_size: int = default(RecurrentPart, "hidden_size", 64)
    num_layers: int = default(RecurrentPart, "num_layers", 1)
    batch_size: int = default(BatchPart, "batch_size", 16)
    validation_fraction: float = default(BatchPart, "validation_fraction", 0.2)
    epochs: int = default(LoopPart, "epochs", 20)

    @model_validator(mode="after")
    def _check_bands(self) -> Self:
        if not self.lowest_hz < self.highest_hz:
            raise ValueError(
                f"lowest_hz: got {self.lowest_hz:g}, expected less than highest_hz, {self.highest_hz:g}; "
                "lower it"
            )
        if not self.quietest_db <= self.loudest_db:
            raise ValueError(
                f"quietest_db: got {self.quietest_db:g}, expected at most loudest_db, {self.loudest_db:g}; "
                "lower it"
            )
        if self.features == "mfcc" and self.coefficients > self.bands:
            raise ValueError(
                f"coefficients: got {self.coefficients}, expected at most bands, {self.bands}; lower it"
            )
        if self.window_ms < self.hop_ms:
            raise ValueError(
                f"window_ms: got {self.window_ms:g}, expected at least hop_ms, {self.hop_ms:g}; raise it"
            )
        return self

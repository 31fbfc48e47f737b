"""Configuration parts of tasks that read sound: the features of a frame."""

from typing import ClassVar, Literal

from recurra.config.conditions import Conditions, When
from recurra.config.part import Part, option


class SoundFeaturesPart(Part):
    """How recordings become frames of numbers."""

    title: ClassVar[str] = "Sound features"
    conditions: ClassVar[Conditions] = {
        "coefficients": When("features", "mfcc"),
        "normalization_s": When("normalization", "running"),
    }

    features: Literal["log-mel", "mfcc"] = option("log-mel", "Numbers of a frame: log-mel energies, or MFCC")
    bands: int = option(40, "Number of mel bands", ge=2, le=512)
    coefficients: int = option(13, "MFCC: number of coefficients", ge=1, le=512)
    window_ms: float = option(25.0, "Duration of a frame", unit="ms", gt=0, le=1000)
    hop_ms: float = option(10.0, "Time between the starts of two frames", unit="ms", gt=0, le=1000)
    lowest_hz: float = option(60.0, "Lowest frequency of the mel bands", unit="Hz", ge=0)
    highest_hz: float = option(7600.0, "Highest frequency of the mel bands", unit="Hz", gt=0, le=8000)
    deltas: int = option(0, "Add the frames' first (1), or first and second (2) derivatives", ge=0, le=2)
    normalization: Literal["running", "global"] = option(
        "running",
        "Normalise each number by its mean and standard deviation: those of the last seconds (running), or "
        "those of the training data (global)",
    )
    normalization_s: float = option(
        10.0, "Time constant of the running mean and standard deviation", unit="seconds", gt=0
    )
    frames_per_step: int = option(3, "Number of frames that the network reads in one step", ge=1, le=100)

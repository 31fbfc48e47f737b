"""The vocabularies of a labelling model, and the files that store them."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from recurra.errors import VocabularyError
from recurra.files import write_text
from recurra.plain import json_text, parsed_json
from recurra.text import Vocabulary
from recurra.text.comparison import PairFeatures
from recurra.text.gazetteer import Gazetteer
from recurra.text.word_encoder import WordEncoder


@dataclass(frozen=True)
class ScoreScale:
    """How scores of rows are standardised, and their range in the training data.

    standardised = (score - mean) / deviation
    """

    mean: float
    deviation: float
    lowest: float
    highest: float

    @classmethod
    def of(cls, scores: Sequence[float]) -> "ScoreScale":
        """Return the scale of training scores; equal scores have a deviation of 1."""
        each = np.array(scores)
        return cls(float(each.mean()), float(each.std()) or 1.0, float(each.min()), float(each.max()))

    def standardised(self, score: float) -> float:
        """Return a score as the network learns it."""
        return (score - self.mean) / self.deviation

    def score(self, standardised: float) -> float:
        """Return the score that a network predicts, within the range of the training scores."""
        return min(self.highest, max(self.lowest, standardised * self.deviation + self.mean))


@dataclass(frozen=True)
class Symbols:
    """The vocabularies of a labelling model: words, word labels, and labels of whole rows (classes).

    `spans`: the word labels mark spans in BIO. `vector_shape`: the shape of a step that is not a word.
    `in_turns`: the state is carried over from row to row of a conversation, as in training.
    `gazetteer`: the word lists, if there are any. `scale`: the scale of the rows' scores, if they have scores
    instead of labels. `features`: the features of pairs that the network reads.
    """

    words: WordEncoder | None
    labels: Vocabulary | None
    classes: Vocabulary | None
    spans: bool = False
    vector_shape: tuple[int, ...] = ()
    in_turns: bool = False
    gazetteer: Gazetteer | None = None
    scale: ScoreScale | None = None
    features: PairFeatures | None = None


def save_symbols(folder: Path, symbols: Symbols) -> None:
    """Write words.json, labels.json and, if there are word lists, gazetteer.json into a run's folder."""
    if symbols.words is not None:
        symbols.words.save(folder / "words.json")
    content: dict[str, Any] = {
        "labels": None if symbols.labels is None else symbols.labels.symbols,
        "classes": None if symbols.classes is None else symbols.classes.symbols,
        "spans": symbols.spans,
        "vector_shape": symbols.vector_shape,
        "in_turns": symbols.in_turns,
    }
    if symbols.gazetteer is not None:
        symbols.gazetteer.save(folder / "gazetteer.json")
        content["gazetteer"] = symbols.gazetteer.types
    if symbols.scale is not None:
        content["scale"] = asdict(symbols.scale)
    if symbols.features is not None:
        content["features"] = symbols.features.to_dict()
    write_text(folder / "labels.json", json_text(content) + "\n")


def load_symbols(folder: Path) -> Symbols:
    """Load the symbols that `save_symbols` wrote.

    Raises: VocabularyError if a file is missing or damaged.
    """
    path = folder / "labels.json"
    try:
        content = parsed_json(path.read_text(encoding="utf-8"))
        labels, classes = (
            None if content[name] is None else Vocabulary(content[name]) for name in ("labels", "classes")
        )
        shape = tuple(int(size) for size in content["vector_shape"])
        spans, in_turns = bool(content["spans"]), bool(content.get("in_turns", False))
        types = content.get("gazetteer")
        scale = ScoreScale(**content["scale"]) if "scale" in content else None
        features = PairFeatures.from_dict(content["features"]) if "features" in content else None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise VocabularyError(f"{path}: is missing or damaged; copy it from the run it came with.") from error
    words = None if shape else WordEncoder.load(folder / "words.json")
    gazetteer = None if types is None else Gazetteer.load(folder / "gazetteer.json")
    if gazetteer is not None and gazetteer.types != types:
        raise VocabularyError(
            f"{folder / 'gazetteer.json'}: has other types than labels.json; copy it from the run it came "
            "with."
        )
    return Symbols(words, labels, classes, spans, shape, in_turns, gazetteer, scale, features)

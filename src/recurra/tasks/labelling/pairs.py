"""What only pairs have: features of both texts, and the baselines that are fitted to them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recurra.data.examples import Example
from recurra.errors import VocabularyError
from recurra.files import write_text
from recurra.metrics import ClassFigures, ScoreFigures
from recurra.metrics.names import metrics_told
from recurra.models.pair_baselines import Baseline, baseline_of, fit_labels, fit_scores
from recurra.plain import json_text, parsed_json
from recurra.tasks.labelling.config import PairConfig
from recurra.text.comparison import GROUPS, Pair, PairFeatures
from recurra.text.label_symbols import ScoreScale, Symbols, load_symbols, save_symbols

_BASELINES = "baselines.json"


@dataclass(frozen=True)
class PairBaselines:
    """Models on all features of a pair, by name, which predict labels or scores beside the network."""

    features: PairFeatures
    models: Mapping[str, Baseline]

    def save(self, folder: Path) -> None:
        """Write baselines.json."""
        models = {name: model.to_dict() for name, model in self.models.items()}
        content = {"features": self.features.to_dict(), "models": models}
        write_text(folder / _BASELINES, json_text(content) + "\n")

    @classmethod
    def load(cls, folder: Path) -> "PairBaselines | None":
        """Load baselines.json; None if an earlier version trained the run, which wrote none.

        Raises: VocabularyError if it is damaged.
        """
        path = folder / _BASELINES
        if not path.exists():
            return None
        try:
            found = parsed_json(path.read_text(encoding="utf-8"))
            models = {str(name): baseline_of(model) for name, model in found["models"].items()}
            return cls(PairFeatures.from_dict(found["features"]), models)
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise VocabularyError(f"{path}: is damaged; copy it from the run it came with.") from error


@dataclass(frozen=True)
class PairSymbols(Symbols):
    """The symbols of a model of pairs, with the baselines that are told beside its metrics."""

    baselines: PairBaselines | None = None


@dataclass(frozen=True)
class BaselineFigures:
    """The metrics of baselines by name, of labels or of scores; empty without baselines."""

    labels: Mapping[str, ClassFigures] = field(default_factory=dict)
    scores: Mapping[str, ScoreFigures] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.labels or self.scores)

    def __add__(self, other: "BaselineFigures") -> "BaselineFigures":
        """The metrics of both sets of predictions together, of the baselines that both have."""
        labels = {
            name: self.labels[name] + other.labels[name] for name in self.labels if name in other.labels
        }
        scores = {
            name: self.scores[name] + other.scores[name] for name in self.scores if name in other.scores
        }
        return BaselineFigures(labels, scores)

    def main(self) -> dict[str, dict[str, float]]:
        """Return the main metrics of each baseline."""
        of_labels = {
            name: {"accuracy": one.accuracy, "macro_f1": one.macro_f1} for name, one in self.labels.items()
        }
        return of_labels | {name: one.main() for name, one in self.scores.items()}

    def told(self) -> str:
        """Return the metrics of each baseline as text."""
        each = (f"{name} {metrics_told(figures)}" for name, figures in self.main().items())
        return f"on features alone: {'; '.join(each)}"


def pairs_of(rows: Sequence[Example]) -> list[Pair]:
    """Return the words of both texts of each row."""
    return [(row.words, row.second or ()) for row in rows]


def with_features(symbols: Symbols, config: PairConfig, train: Sequence[Example]) -> PairSymbols:
    """Return symbols with the chosen features and with baselines, fitted to the training rows."""
    pairs = pairs_of(train)
    chosen = [name for name in GROUPS if getattr(config, _OPTIONS[name])]
    features = PairFeatures.fit(pairs, chosen, symmetric=config.symmetric) if chosen else None
    every = PairFeatures.fit(pairs, symmetric=config.symmetric)
    x = every.of_pairs(pairs).astype(np.float64)
    if symbols.scale is not None:
        models = fit_scores(x, [0.0 if row.score is None else row.score for row in train])
    else:
        assert symbols.classes is not None, "pairs have labels or scores"
        models = fit_labels(x, [symbols.classes.ids[str(row.label)] for row in train], len(symbols.classes))
    own = {one.name: getattr(symbols, one.name) for one in fields(Symbols)}
    return replace(PairSymbols(**own), features=features, baselines=PairBaselines(every, models))


_OPTIONS = {"overlap": "overlap_features", "lengths": "length_features", "numbers": "number_features"}


def baseline_figures(rows: Sequence[Example], symbols: Symbols) -> BaselineFigures:
    """Return the metrics of the baselines on rows."""
    if not isinstance(symbols, PairSymbols) or symbols.baselines is None or not rows:
        return BaselineFigures()
    x = symbols.baselines.features.of_pairs(pairs_of(rows)).astype(np.float64)
    outputs = {name: model.outputs(x) for name, model in symbols.baselines.models.items()}
    if symbols.scale is not None:
        scale = symbols.scale
        return BaselineFigures(scores={name: _of_scores(rows, one, scale) for name, one in outputs.items()})
    assert symbols.classes is not None, "pairs have labels or scores"
    names = symbols.classes.symbols
    return BaselineFigures({name: _of_labels(rows, one, names) for name, one in outputs.items()})


def _of_scores(rows: Sequence[Example], outputs: NDArray[np.float64], scale: ScoreScale) -> ScoreFigures:
    said = outputs[:, 0].clip(scale.lowest, scale.highest).tolist()
    known = [(row.score, one) for row, one in zip(rows, said, strict=True) if row.score is not None]
    return ScoreFigures(tuple(gold for gold, _ in known), tuple(one for _, one in known))


def _of_labels(rows: Sequence[Example], outputs: NDArray[np.float64], names: Sequence[str]) -> ClassFigures:
    # With two labels, boosted trees have one output, the log-odds of the second one.
    best = outputs.argmax(1) if outputs.shape[1] > 1 else (outputs[:, 0] > 0).astype(np.int64)
    labelled = [(row.label, names[k]) for row, k in zip(rows, best.tolist(), strict=True) if row.label]
    return ClassFigures.count([gold for gold, _ in labelled], [name for _, name in labelled])


def save_pair_symbols(folder: Path, symbols: Symbols) -> None:
    """Write the symbols of a model of pairs, with its baselines."""
    save_symbols(folder, symbols)
    if isinstance(symbols, PairSymbols) and symbols.baselines is not None:
        symbols.baselines.save(folder)


def load_pair_symbols(folder: Path) -> PairSymbols:
    """Load what `save_pair_symbols` wrote. Raises: VocabularyError if a file is missing or damaged."""
    symbols = load_symbols(folder)
    own: dict[str, Any] = {one.name: getattr(symbols, one.name) for one in fields(Symbols)}
    return PairSymbols(**own, baselines=PairBaselines.load(folder))

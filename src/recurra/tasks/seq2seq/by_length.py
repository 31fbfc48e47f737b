"""Scores of translators, chat-bots and captioners by the length of the source, also of two runs."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from recurra.arguments import checks_arguments
from recurra.data.readers.pairs import Pair
from recurra.errors import ConfigError
from recurra.metrics.translation import LengthFigures, TextScore, scores_by_length
from recurra.reports.drawing import score_by_length, write_png
from recurra.results import Result, shortened
from recurra.tasks.model import load
from recurra.tasks.seq2seq.figures import PairFigures

if TYPE_CHECKING:
    from recurra.tasks.seq2seq.pair_model import PairModel

_EXACT = 10  # width of the column with the exact match


@dataclass(frozen=True, repr=False)
class ScoresByLength(Result):
    """The metrics of one or two models by the number of words of the source.

    `figures` has the metrics on all pairs by the name of the model, which is the path of its run; `lengths`
    the metrics of each interval of lengths. `score` is the metric of the intervals: BLEU, or chrF if most
    references are short.
    """

    figures: Mapping[str, PairFigures]
    lengths: Mapping[str, Sequence[LengthFigures]]
    score: TextScore

    def told(self) -> str:
        """Return the metrics of each model on all pairs."""
        return "; ".join(f"{shortened(name)}: {one.texts.sentence()}" for name, one in self.figures.items())

    def to_rows(self, of: str | None = None) -> list[dict[str, Any]]:
        """Return one row per model and interval: model, lengths, bleu or chrf, exact and texts."""
        self._refuse(of)
        return [
            {
                "model": name,
                "lengths": one.lengths,
                self.score.figure: one.score,
                "exact": one.exact,
                "texts": one.texts,
            }
            for name, every in self.lengths.items()
            for one in every
        ]

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {
            "by_length": {name: [one.to_list() for one in every] for name, every in self.lengths.items()},
            "by_length_metric": self.score.figure,
        }

    def lines(self) -> list[str]:
        """Return a table of BLEU by source length; if most references are short, of chrF and exact match."""
        return list(self._table())

    def _table(self) -> Iterator[str]:
        exact = 0 if self.score.figure == "bleu" else _EXACT  # width of its column
        widths = {name: max(12, len(name) - exact) for name in self.lengths}
        yield f"{'words':>12}{'texts':>8}" + "".join(
            f"  {name:>{width + exact}}" for name, width in widths.items()
        )
        if exact:
            yield " " * 20 + "".join(
                f"  {self.score.name:>{width}}{'exact':>{exact}}" for width in widths.values()
            )
        for rows in zip(*self.lengths.values(), strict=True):
            values = ""
            for width, row in zip(widths.values(), rows, strict=True):
                values += f"  {row.score:>{width}.2f}" + (f"{row.exact:>{exact}.2%}" if exact else "")
            yield f"{rows[0].lengths:>12}{rows[0].texts:>8,}{values}"

    @checks_arguments
    def draw(self, path: str | Path) -> None:
        """Write a plot of the score by source length to a PNG file.

        Raises: StorageError if it cannot be written.
        """
        points = {name: [one.point() for one in every] for name, every in self.lengths.items()}
        write_png(Path(path), score_by_length, points, score=self.score.name, length="words of the source")


def by_length_of(
    model: "PairModel", pairs: Sequence[Pair], compare_with: str | Path | None = None
) -> ScoresByLength:
    """Evaluate a model on pairs by the length of the source, and another run with the same search options.

    Raises: RunError if there is no such run, or it is of another task; ConfigError if it is the model's own
    run; DataError as `PairModel.measure`.
    """
    models = {_name_of(model): model}
    if compare_with is not None:
        other = load(compare_with, type(model))
        if _name_of(other) in models:
            raise ConfigError(f"compare_with: {compare_with} is the run itself; name another run.")
        alike = {name: getattr(model.config, name) for name in ("beam_width", "length_penalty")}
        models[_name_of(other)] = other.searching(**alike, beam_groups=1)
    figures = {name: one.measure(pairs) for name, one in models.items()}
    sources, right = [" ".join(pair.source) for pair in pairs], [pair.targets for pair in pairs]
    lengths = {name: scores_by_length(sources, one.answers, right) for name, one in figures.items()}
    return ScoresByLength(figures, lengths, figures[_name_of(model)].texts.score)


def _name_of(model: "PairModel") -> str:
    return str(model.run.path) if model.run is not None else model.task

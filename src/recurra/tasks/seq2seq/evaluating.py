"""The output of `recurra evaluate` for translators, chat-bots and captioners."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from recurra.config import SearchPart
from recurra.data.examples import BadRows
from recurra.data.readers.pairs import Pair
from recurra.errors import ConfigError
from recurra.metrics.translation import LengthFigures, TextScore, scores_by_length
from recurra.reports.drawing import score_by_length, write_png
from recurra.tasks.model import load
from recurra.tasks.seq2seq.config import PairEvaluationPart
from recurra.tasks.seq2seq.corpus import empty_told
from recurra.tasks.seq2seq.figures import PairFigures
from recurra.tasks.shown import Evaluation

if TYPE_CHECKING:
    from recurra.tasks.seq2seq.pair_model import PairModel

_EXACT = 10  # width of the column with the exact match
Lengths = list[LengthFigures]


def evaluation_of(model: "PairModel", data: Path | None, options: PairEvaluationPart) -> Evaluation:
    """Compute BLEU, chrF and perplexity; optionally by source length, and compared with another run.

    If most references are short, chrF is reported instead of BLEU.
    """
    searching = {name: value for name, value in options.given().items() if name in SearchPart.model_fields}
    model = model.searching(**searching)
    bad = BadRows(options.given().get("skip_bad", model.config.skip_bad))
    pairs = model.pairs_of(data, options.target, bad)
    figures, lengths = _figures_of(model, pairs, by_length=options.by_length)
    series = {_name_of(model): lengths}
    found: dict[str, Any] = figures.to_dict()
    score = figures.texts.score
    lines = figures.lines()
    if options.compare_with is not None:
        other = load(options.compare_with, type(model))
        if _name_of(other) in series:
            raise ConfigError(f"--compare-with: {options.compare_with} is the run itself; name another run.")
        alike = {name: getattr(model.config, name) for name in ("beam_width", "length_penalty")}
        others, lengths = _figures_of(other.searching(**alike, beam_groups=1), pairs, by_length=True)
        series[_name_of(other)] = lengths
        found["compared_with"] = others.to_dict()
        lines.append(f"{_name_of(other)}: {others.sentence()}")
    if score.figure == "bleu":
        lines.append(f"BLEU signature: {figures.texts.bleu_signature}")
    lines.append(f"chrF signature: {figures.texts.chrf_signature}")
    if options.by_length:
        found["by_length"] = {name: [row.to_list() for row in rows] for name, rows in series.items()}
        found["by_length_metric"] = score.figure
        lines += _table(series, score)
    if options.picture is not None:
        points = {name: [row.point() for row in rows] for name, rows in series.items()}
        axes = {"score": score.name, "length": "words of the source"}
        write_png(Path(options.picture), score_by_length, points, **axes)
    return Evaluation(found, lines, bad.sentences, empty_told(bad.empty))


def _name_of(model: "PairModel") -> str:
    return str(model.run.path) if model.run is not None else model.task


def _figures_of(model: "PairModel", pairs: Sequence[Pair], *, by_length: bool) -> tuple[PairFigures, Lengths]:
    model.check_shapes(pairs)
    figures = model.measure(pairs)
    if not by_length:
        return figures, []
    sources = [" ".join(pair.source) for pair in pairs]
    return figures, scores_by_length(sources, figures.answers, [pair.targets for pair in pairs])


def _table(series: Mapping[str, Lengths], score: TextScore) -> Iterator[str]:
    """Yield BLEU by source length; if most references are short, chrF and exact match."""
    exact = 0 if score.figure == "bleu" else _EXACT  # width of its column
    widths = {name: max(12, len(name) - exact) for name in series}
    yield f"{'words':>12}{'texts':>8}" + "".join(
        f"  {name:>{width + exact}}" for name, width in widths.items()
    )
    if exact:
        yield " " * 20 + "".join(f"  {score.name:>{width}}{'exact':>{exact}}" for width in widths.values())
    for rows in zip(*series.values(), strict=True):
        values = ""
        for width, row in zip(widths.values(), rows, strict=True):
            values += f"  {row.score:>{width}.2f}" + (f"{row.exact:>{exact}.2%}" if exact else "")
        yield f"{rows[0].lengths:>12}{rows[0].texts:>8,}{values}"

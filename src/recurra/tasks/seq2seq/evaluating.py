"""The output of `recurra evaluate` for translators, chat-bots and captioners."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from recurra.config import SearchPart
from recurra.data.examples import BadRows
from recurra.data.readers.pairs import Pair
from recurra.errors import ConfigError
from recurra.metrics.translation import bleu_by_length
from recurra.reports.drawing import score_by_length, write_png
from recurra.tasks.model import Evaluation, load
from recurra.tasks.seq2seq.config import PairEvaluationPart
from recurra.tasks.seq2seq.corpus import empty_told
from recurra.tasks.seq2seq.figures import PairFigures

if TYPE_CHECKING:
    from recurra.tasks.seq2seq.pair_model import PairModel

Lengths = list[tuple[str, float, int]]


def evaluation_of(model: "PairModel", data: Path | None, options: PairEvaluationPart) -> Evaluation:
    """Compute BLEU, chrF and perplexity; optionally by source length, and compared with another run."""
    searching = {name: value for name, value in options.given().items() if name in SearchPart.model_fields}
    model = model.searching(**searching)
    bad = BadRows(options.given().get("skip_bad", model.config.skip_bad))
    pairs = model.pairs_of(data, options.target, bad)
    figures, lengths = _figures_of(model, pairs, by_length=options.by_length)
    series = {_name_of(model): lengths}
    found: dict[str, Any] = figures.to_dict()
    lines = [figures.sentence()]
    if options.compare_with is not None:
        other = load(options.compare_with, type(model))
        if _name_of(other) in series:
            raise ConfigError(f"--compare-with: {options.compare_with} is the run itself; name another run.")
        alike = {name: getattr(model.config, name) for name in ("beam_width", "length_penalty")}
        others, lengths = _figures_of(other.searching(**alike, beam_groups=1), pairs, by_length=True)
        series[_name_of(other)] = lengths
        found["compared_with"] = others.to_dict()
        lines.append(f"{_name_of(other)}: {others.sentence()}")
    lines.append(f"BLEU signature: {figures.texts.bleu_signature}")
    lines.append(f"chrF signature: {figures.texts.chrf_signature}")
    if options.by_length:
        found["by_length"] = series
        lines += _table(series)
    if options.picture is not None:
        write_png(Path(options.picture), score_by_length, series, score="BLEU", length="words of the source")
    return Evaluation(found, lines, bad.sentences, empty_told(bad.empty))


def _name_of(model: "PairModel") -> str:
    return str(model.run.path) if model.run is not None else model.task


def _figures_of(model: "PairModel", pairs: Sequence[Pair], *, by_length: bool) -> tuple[PairFigures, Lengths]:
    model.check_shapes(pairs)
    figures = model.measure(pairs)
    if not by_length:
        return figures, []
    sources = [" ".join(pair.source) for pair in pairs]
    return figures, bleu_by_length(sources, figures.answers, [pair.targets for pair in pairs])


def _table(series: Mapping[str, Lengths]) -> Iterator[str]:
    names = list(series)
    yield f"{'words':>12}{'texts':>8}" + "".join(f"  {name:>12}" for name in names)
    for row in zip(*series.values(), strict=True):
        lengths, _, count = row[0]
        bleus = "".join(
            f"  {bleu:>{max(12, len(name))}.2f}" for name, (_, bleu, _) in zip(names, row, strict=True)
        )
        yield f"{lengths:>12}{count:>8,}{bleus}"

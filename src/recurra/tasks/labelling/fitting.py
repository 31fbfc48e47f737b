"""Fits a calibration to rows: temperatures by their likelihood, thresholds by an objective."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

from recurra.data.examples import Example, conversations
from recurra.data.splits import stratified_folds
from recurra.errors import ConfigError, DataError
from recurra.metrics import Decision, Hits, ThresholdCurve
from recurra.metrics.temperature import LIMIT, fit_temperature
from recurra.plain import quoted
from recurra.tasks.labelling.calibration import NOT_REACHED, Calibration, ChosenThreshold, Fit, Scaling
from recurra.tasks.labelling.curves import LabelCurves, count_curves
from recurra.tasks.labelling.deciding import find_label, labels_at, title_of
from recurra.tasks.labelling.figures import reliability_of
from recurra.tasks.labelling.likelihoods import Scored
from recurra.tasks.labelling.predicting import ROWS, UNSCALED, WORDS, Prediction, Temperatures

_SEED = 1  # of the two halves
DEFAULT_OBJECTIVE = "f1"
_BETAS = {"f1": 1.0, "f0.5": 0.5, "f2": 2.0}
_EXPECTED = "expected f1, f0.5, f2, precision:P or recall:P with 0 < P <= 1"
_SEPARATED = "not determined, as every prediction on these rows is correct"
_AT_LIMIT = f"at its limit of {LIMIT:g}, as the scores say almost nothing about these rows"


class _Stage(NamedTuple):
    """Temperatures, the rows that they were fitted on, the other rows, and the predictions for all rows.

    `curves` and `other_curves` are those of the predictions for the rows and for the other rows.
    """

    temperatures: Temperatures
    notes: Mapping[str, str]
    rows: Sequence[int]
    others: Sequence[int]
    said: Sequence[Prediction]
    curves: LabelCurves
    other_curves: LabelCurves


def fit_calibration(
    scored: Scored,
    data: str,
    *,
    maximise: str = DEFAULT_OBJECTIVE,
    objectives: Mapping[str, str] | None = None,
) -> Calibration:
    """Fit temperatures to rows, and choose the thresholds of labels; see `Labeller.calibrate`.

    Raises: ConfigError for an unknown label or objective; DataError if no row has a label of the model.
    """
    wanted = _wanted(scored, objectives or {})
    for likelihood in scored.likelihoods.values():
        if not likelihood.counts.any():
            raise DataError(f"{data}: no row has labels that the model can predict; use other data.")
    every = range(len(scored.rows))
    before, whole = _stage_of(scored, UNSCALED, {}, every), _stage(scored, every)
    one, other = _halves(scored.rows)
    stages = [_stage(scored, one, other), _stage(scored, other, one)] if one and other else []
    scalings = [_scaling(scored, where, before, whole, stages) for where in scored.likelihoods]
    if objectives is None and maximise != "none":
        wanted = dict.fromkeys(_default_labels(scored, whole.curves), maximise)
    chosen = [
        _threshold(scored, where, label, objective, whole, stages)
        for (where, label), objective in wanted.items()
    ]
    return Calibration(data, len(scored.rows), tuple(scalings), tuple(chosen))


def _stage(scored: Scored, rows: Sequence[int], others: Sequence[int] = ()) -> _Stage:
    """Fit the temperatures to some rows."""
    found, notes = {}, {}
    for where, likelihood in scored.likelihoods.items():
        temperature = fit_temperature(likelihood.slope_on(rows))
        found[where] = 1.0 if temperature is None else temperature
        if temperature is None or temperature == LIMIT:
            notes[where] = _SEPARATED if temperature is None else _AT_LIMIT
    return _stage_of(scored, Temperatures(**found), notes, rows, others)


def _stage_of(
    scored: Scored,
    temperatures: Temperatures,
    notes: Mapping[str, str],
    rows: Sequence[int],
    others: Sequence[int] = (),
) -> _Stage:
    said = scored.predictions(temperatures)
    curves, other_curves = (
        count_curves([scored.rows[i] for i in part], [said[i] for i in part], scored.symbols)
        for part in (rows, others)
    )
    return _Stage(temperatures, notes, rows, others, said, curves, other_curves)


def _halves(rows: Sequence[Example]) -> tuple[list[int], list[int]]:
    """Split the rows into halves, stratified by label; the turns of a conversation stay together."""
    groups = conversations(rows)
    folds = stratified_folds([rows[group[0]].label for group in groups], 2, _SEED)
    one, other = ([row for group in fold for row in groups[group]] for fold in folds)
    return one, other


def _scaling(scored: Scored, where: str, before: _Stage, whole: _Stage, stages: Sequence[_Stage]) -> Scaling:
    """Return the temperature of words or rows, and how well the probabilities fit before and after."""
    likelihood = scored.likelihoods[where]

    def fit(parts: Sequence[tuple[_Stage, Sequence[int]]]) -> Fit:
        rows = [row for _, part in parts for row in part]
        total = sum(
            float(likelihood.losses(getattr(stage.temperatures, where))[list(part)].sum())
            for stage, part in parts
        )
        said = [stage.said[row] for stage, part in parts for row in part]
        reliability = reliability_of(where, [scored.rows[row] for row in rows], said)
        return Fit(total / max(1, int(likelihood.counts[rows].sum())), reliability)

    return Scaling(
        where,
        title_of(where, scored.symbols),
        getattr(whole.temperatures, where),
        fit([(before, before.rows)]),
        fit([(whole, whole.rows)]),
        fit([(stage, stage.others) for stage in stages]) if stages else None,
        whole.notes.get(where, ""),
    )


def _threshold(
    scored: Scored, where: str, label: str, objective: str, whole: _Stage, stages: Sequence[_Stage]
) -> ChosenThreshold:
    """Choose the threshold of a label on all rows, and count it on each half with that of the other half."""
    choose = _chooser(objective, "objective")
    title = title_of(where, scored.symbols)
    curve = whole.curves.tables[title][label]
    found = choose(curve)
    threshold = NOT_REACHED if found is None else found.threshold
    hits = curve.hits_at(threshold)
    crossed = []
    for stage in stages:
        on_half = choose(stage.curves.tables[title][label])
        least = NOT_REACHED if on_half is None else on_half.threshold
        crossed.append(stage.other_curves.tables[title][label].hits_at(least))
    both = Hits(*(sum(values) for values in zip(*map(_counts, crossed), strict=True))) if crossed else None
    return ChosenThreshold(where, label, objective, threshold, found is not None, hits, both)


def _counts(hits: Hits) -> tuple[int, int, int]:
    return hits.correct, hits.predicted, hits.support


def _wanted(scored: Scored, objectives: Mapping[str, str]) -> dict[tuple[str, str], str]:
    """Return the objectives of labels, with where these stand. Raises: ConfigError."""
    found = {}
    for name, objective in objectives.items():
        _chooser(objective, name)
        found[find_label(name, scored.symbols, "threshold_for")] = objective
    return found


def _default_labels(scored: Scored, curves: LabelCurves) -> Iterator[tuple[str, str]]:
    """Yield the labels that get a threshold if none are named.

    These are the entity types with a correct prediction, and of two labels of rows or words the less frequent
    one, so that the other one is predicted otherwise. More labels get none: each threshold alone would say
    nothing about the choice between them.
    """
    for where in (WORDS, ROWS):
        labels = labels_at(where, scored.symbols)
        table = curves.tables.get(title_of(where, scored.symbols), {})
        if where == WORDS and scored.symbols.spans:
            yield from ((where, label) for label in labels if table[label].correct.any())
        elif len(labels) == 2:
            yield where, min(reversed(labels), key=lambda label: table[label].support)


def _chooser(objective: str, name: str) -> Callable[[ThresholdCurve], Decision | None]:
    """Return how an objective chooses a threshold. Raises: ConfigError for an unknown one."""
    if objective in _BETAS:
        return lambda curve: curve.best(_BETAS[objective])
    kind, _, text = objective.partition(":")
    try:
        least = float(text)
    except ValueError:
        least = 0.0
    if kind not in ("precision", "recall") or not 0 < least <= 1:
        raise ConfigError(f"threshold_for: got {quoted(objective)} for {name}, {_EXPECTED}.")
    if kind == "precision":
        return lambda curve: curve.with_precision(least)
    return lambda curve: curve.with_recall(least)

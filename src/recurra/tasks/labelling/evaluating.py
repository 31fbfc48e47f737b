"""The output of `recurra evaluate` for taggers and classifiers."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from recurra.config import Part
from recurra.tasks.labelling.calibrating import reading_with
from recurra.tasks.labelling.config import DecisionPart, LabelEvaluationPart
from recurra.tasks.labelling.curves import count_curves
from recurra.tasks.labelling.deciding import Thresholds, check_has_labels, parsed_thresholds
from recurra.tasks.labelling.figures import figures_beside_baselines
from recurra.tasks.labelling.mistakes import worst_mistakes
from recurra.tasks.shown import Evaluation

if TYPE_CHECKING:
    from recurra.tasks.labelling.labeller import Labeller

_SHOWN = ("mistakes", "thresholds", "label", "picture")


def evaluation_of(model: "Labeller", data: Path | None, options: LabelEvaluationPart) -> Evaluation:
    """Compute the metrics, tables, worst mistakes and thresholds that `recurra evaluate` prints."""
    model = deciding_with(model, options)
    hidden = {*_SHOWN, *DecisionPart.model_fields}
    given = {name: value for name, value in options.given().items() if name not in hidden}
    model, bad = reading_with(model, data, given)
    rows = model.rows_of(data, bad)
    if options.thresholds:
        check_has_labels(model.symbols, "thresholds")
    every = model.predict_rows(rows, every_label=options.thresholds, decide=False)
    said = model.decided_by.decide_all(every, model.symbols)
    figures = figures_beside_baselines(rows, said, model.symbols)
    worst = worst_mistakes(rows, said, options.mistakes, spans=model.symbols.spans)
    found: dict[str, Any] = figures.to_dict()
    lines = list(figures.lines())
    if options.thresholds:
        curves = count_curves(rows, every, model.symbols)
        if options.label is not None:
            curves = curves.of(options.label, model.symbols)
        found["thresholds"] = curves.to_dict()
        lines += curves.lines()
        if options.picture is not None:
            curves.draw(options.picture)
    lines += [mistake.line() for mistake in worst]
    return Evaluation(found, lines, bad.sentences, bad.notes)


def deciding_with(model: "Labeller", options: Part) -> "Labeller":
    """Return the model with the thresholds that the options of a command name."""
    given = options.given()
    if given.get("saved_thresholds"):
        model = model.deciding()
    if given.get("threshold"):
        thresholds = parsed_thresholds(given["threshold"], "threshold")
        Thresholds.named(thresholds, model.symbols, "threshold")  # errors name the option
        model = model.deciding(thresholds)
    return model

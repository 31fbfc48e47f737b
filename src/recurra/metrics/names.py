"""The names and values of metrics as text, for progress lines, sentences, tables and reports."""

from collections.abc import Mapping

from recurra.config.choosing import OF_LABEL
from recurra.plain import one_line

_WORDS = {
    "f1": "F1",
    "bleu": "BLEU",
    "chrf": "chrF",
    "pearson": "Pearson",
    "spearman": "Spearman",
    "tag_accuracy": "word accuracy",  # in runs of older versions
}
_SHARES = {"precision", "recall", "majority", "exact", "calibration_error"}
_SHORT = {"loss": ".4f", "bleu": ".2f", "chrf": ".2f", "pearson": ".4f", "spearman": ".4f"}


def metric_name(name: str) -> str:
    """Return the name of a metric as words: "macro F1" for `macro_f1`, "F1 of X" for `f1:X`."""
    if name.startswith(OF_LABEL):
        return f"F1 of {one_line(name.removeprefix(OF_LABEL))}"
    return _WORDS.get(name) or " ".join(_WORDS.get(word, word) for word in name.split("_"))


def metric_value(name: str, value: float) -> str:
    """Return the value of a metric as text: shares as percentages, others as numbers."""
    if name in _SHARES or name.startswith(OF_LABEL) or name.endswith(("f1", "accuracy")):
        return f"{value:.2%}"
    return f"{value:{_SHORT.get(name, '.4g')}}"


def metrics_told(figures: Mapping[str, float]) -> str:
    """Return metrics with their values, separated by commas: "accuracy 98.00%, macro F1 97.12%"."""
    return ", ".join(f"{metric_name(name)} {metric_value(name, value)}" for name, value in figures.items())

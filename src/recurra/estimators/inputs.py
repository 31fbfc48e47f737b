"""What estimators read: the rows of X, and their labels y."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recurra.arguments import is_many
from recurra.data.examples import Example
from recurra.errors import ArgumentTypeError, ConfigError
from recurra.plain import quoted
from recurra.tasks.labelling.predicting import Prediction
from recurra.text.words import Split, Words, words_of


def row_of(one: Any) -> dict[str, Any]:
    """Return an input as the columns of a row."""
    if isinstance(one, np.ndarray):
        return {"vectors": one}
    if isinstance(one, tuple):
        return {"text": one[0], "text2": one[1]}
    return {"text": one}


def sequences(given: Any) -> list[Any]:
    """Return texts, words or arrays of steps as a list. Raises: ConfigError for anything else."""
    if getattr(given, "ndim", 1) in (3, 5) and isinstance(given, np.ndarray):
        return list(given)
    if not is_many(given):
        expected = "a list of texts, of lists of words, or of arrays of steps (T, F)"
        raise ConfigError(f"X: got {told(given)}, expected {expected}.")
    found: list[Any] = []
    for place, one in enumerate(given):
        if isinstance(one, str):
            found.append(str(one))
        elif isinstance(one, np.ndarray) and one.ndim in (2, 4):
            found.append(one)
        elif is_many(one) and (words := list(one)) and all(isinstance(word, str) for word in words):
            found.append(Words(words))
        else:
            raise ArgumentTypeError(
                f"X[{place}]: got {told(one)}, expected a text, a list of words or an array of steps (T, F)."
            )
    if len({isinstance(one, np.ndarray) for one in found}) > 1:
        raise ConfigError("X: has both texts and arrays; give rows of one kind.")
    return found


def labels_of_words(given: Any) -> list[list[str]]:
    """Return one list of labels per row. Raises: ArgumentTypeError for anything else."""
    found = []
    for place, labels in enumerate(given if hasattr(given, "shape") or is_many(given) else [given]):
        if not is_many(labels):
            raise ArgumentTypeError(
                f"y[{place}]: got {told(labels)}, expected a list of labels, one per word."
            )
        found.append([str(label) for label in labels])
    return found


def in_bio(gold: Sequence[Sequence[str]]) -> list[Sequence[str]]:
    """Return labels of any tagging scheme in BIO; labels of no scheme stay as they are."""
    from recurra.text.schemes import Refused, scheme_of, to_bio

    scheme = scheme_of(gold)
    if not isinstance(scheme, str) or scheme == "classes":
        return list(gold)
    found: list[Sequence[str]] = []
    for labels in gold:
        converted = to_bio(labels, scheme)
        found.append(labels if isinstance(converted, Refused) else converted)
    return found


def has_texts(labels: Iterable[Any]) -> bool:
    """Whether some labels are texts."""
    return is_many(labels) and any(isinstance(label, str) for label in labels)


def names_of(classes: Sequence[Any] | NDArray[Any]) -> list[str]:
    """Return the labels of classes in the model: their text, or numbers if that does not tell them apart."""
    names = [str(one) for one in classes]
    kept = [name.strip().replace("\r\n", "\n") for name in names]
    if kept == names and all(names) and len(set(names)) == len(names):
        return names
    return [str(number) for number in range(len(names))]


def check_read(model: Any, inputs: Sequence[Any]) -> None:
    """Check that a model reads texts or arrays, as these are. Raises: ConfigError."""
    if inputs and isinstance(inputs[0], np.ndarray) == (model.symbols.words is not None):
        got, fitted = ("texts", "arrays") if model.symbols.words is None else ("arrays", "texts")
        raise ConfigError(f"X: has {got}, but the model was fitted on {fitted}; give {fitted}.")


def probabilities_of(model: Any, inputs: list[Any]) -> list[dict[str, float]]:
    """Return the probabilities of the classes of each row; empty for a row without words.

    Raises: ConfigError for texts if the model reads arrays, and the reverse.
    """
    check_read(model, inputs)
    if inputs and isinstance(inputs[0], np.ndarray):
        found = model.predict_rows([Example(vectors=array) for array in inputs])
    else:
        found = model.predict(inputs)
    return [dict(one.probabilities) for one in found]


def word_predictions(model: Any, inputs: list[Any], *, every_label: bool = False) -> list[Prediction]:
    """Return the labels of the words or steps of each row; `every_label` is as in `predict_rows`.

    Raises: as `probabilities_of`.
    """
    check_read(model, inputs)
    found: list[Prediction] = model.predict_rows(
        [_example(one, model.config.split) for one in inputs], every_label=every_label
    )
    return found


def _example(one: Any, split: Split) -> Example:
    if isinstance(one, np.ndarray):
        return Example(vectors=one)
    words = one if isinstance(one, Words) else [word.text for word in words_of(one, split)]
    return Example(tuple(words))


def told(value: Any) -> str:
    """Return a value as a message shows it."""
    if hasattr(value, "shape"):
        return f"an array of shape {value.shape}"
    return " ".join(quoted(value, 60).split())

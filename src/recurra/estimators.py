"""Estimators with the interface of scikit-learn; needs `pip install recurra[sklearn]`.

    from recurra.estimators import ClassifierEstimator
    cross_val_score(ClassifierEstimator(hidden_size=50, epochs=10), texts, labels, cv=5)

Each option of training is a parameter, with the default of `recurra train`; `random_state` is the seed. `fit`
trains in a temporary run folder, which is removed with the estimator, unless `out` names one. A fitted
estimator keeps its model as `model_`, a `recurra` model with all of its methods. A pickle of a fitted
estimator has the bytes of the files of its run (Safetensors, JSON and TOML with checksums) and no tensors; to
store a model, use `save`, and load it with `recurra.load`.
"""

import inspect
import shutil
import tempfile
import weakref
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from recurra.arguments import is_many
from recurra.config import GoldPart, Part, RowsPart
from recurra.errors import ArgumentTypeError, ConfigError, MissingExtra
from recurra.files import make_folder
from recurra.plain import counted, quoted
from recurra.tasks import registry
from recurra.text.words import Words

try:
    from sklearn.base import BaseEstimator, ClassifierMixin  # type: ignore[import-untyped]
    from sklearn.utils import check_consistent_length, check_random_state  # type: ignore[import-untyped]
    from sklearn.utils.multiclass import check_classification_targets  # type: ignore[import-untyped]
    from sklearn.utils.validation import check_is_fitted, column_or_1d  # type: ignore[import-untyped]
except ImportError as error:
    raise MissingExtra(
        "recurra.estimators: needs the package scikit-learn; install it with "
        "`pip install 'recurra[sklearn]'`."
    ) from error

# Options that `fit` sets, that belong to repeats, or that describe files.
_SET_BY_FIT = {"data", "valid", "test", "seed", "seeds", "folds", "fold"}
_OF_FILES = {*RowsPart.model_fields, *GoldPart.model_fields, "phrases"} - {"split", "scheme"}
_OWN = {"preset": None, "random_state": 1, "out": None, "verbose": 0}
_LARGEST_SEED = 2**31 - 1


def _with_options(cls: type[Any]) -> type[Any]:
    """Give an estimator one parameter per option of its task; scikit-learn reads them from the signature."""
    config = registry.config_of(cls.task)
    defaults = {
        name: field.default
        for name, field in config.model_fields.items()
        if name not in _SET_BY_FIT | _OF_FILES and _applies(config, name)
    }
    every = defaults | _OWN

    def __init__(self: Any, **parameters: Any) -> None:  # noqa: N807
        for name in parameters:
            if name not in every:
                raise TypeError(f"{cls.__name__}() got an unexpected keyword argument {name!r}")
        for name, default in every.items():
            setattr(self, name, parameters.get(name, default))

    given = [inspect.Parameter("self", inspect.Parameter.POSITIONAL_OR_KEYWORD)]
    given += [inspect.Parameter(n, inspect.Parameter.KEYWORD_ONLY, default=v) for n, v in every.items()]
    __init__.__signature__ = inspect.Signature(given)  # type: ignore[attr-defined]
    cls.__init__ = __init__
    cls.options = defaults
    return cls


def _applies(config: type[Part], name: str) -> bool:
    from recurra.config.conditions import can_apply

    return can_apply(config, name)


class RunEstimator(BaseEstimator):
    """Base class of the estimators: trains a model of one task, and keeps its run."""

    task: ClassVar[str]
    options: ClassVar[dict[str, Any]]
    model_: Any
    _removes: Any = None  # removes the temporary folder

    def _fit(self, rows: list[dict[str, Any]]) -> Self:
        """Train on rows, in `out` or in a temporary folder. Raises: ConfigError for fewer than two rows."""
        if len(rows) < 2:
            raise ConfigError(
                f"X: has {counted(len(rows), 'sample')}; at least 2 are needed, to hold one out."
            )
        given = {name: getattr(self, name) for name in self.options}
        given = {
            name: value.item() if isinstance(value, np.generic) else value for name, value in given.items()
        }
        changed = {name: value for name, value in given.items() if value != self.options[name]}
        folder = None if self.out is not None else Path(tempfile.mkdtemp(prefix="recurra-"))
        run = Path(self.out) if folder is None else folder / "run"
        try:
            model = registry.get(self.task).model.train(
                rows,
                out=run,
                preset=self.preset,
                overwrite=True,
                progress=bool(self.verbose),
                seed=self._seed(),
                **changed,
            )
        except BaseException:
            if folder is not None:
                shutil.rmtree(folder, ignore_errors=True)
            raise
        self._keep(model, folder)
        return self

    def _seed(self) -> int:
        if self.random_state is None or not isinstance(self.random_state, int | np.integer):
            return int(check_random_state(self.random_state).randint(_LARGEST_SEED))
        return int(self.random_state)

    def _keep(self, model: Any, folder: Path | None) -> None:
        """Keep a model; an earlier temporary folder is removed now, this one with the estimator."""
        if self._removes is not None:
            self._removes()
        self.model_, self._removes = model, None
        if folder is not None:
            self._removes = weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)

    def save(self, out: str | Path) -> None:
        """Copy the run of a fitted estimator into a folder, which `recurra.load` reads.

        Raises: NotFittedError before `fit`; RunError if the folder exists already.
        """
        check_is_fitted(self, "model_")
        self.model_.save(out)

    def __getstate__(self) -> dict[str, Any]:
        state = dict(super().__getstate__())
        state.pop("_removes", None)
        if "model_" in state:
            with tempfile.TemporaryDirectory(prefix="recurra-") as folder:
                self.model_.save(Path(folder) / "run")
                files = [file for file in Path(folder).rglob("*") if file.is_file()]
                state["model_"] = {str(file.relative_to(folder)): file.read_bytes() for file in files}
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        files = state.pop("model_", None)
        super().__setstate__(state)
        if files is not None:
            folder = Path(tempfile.mkdtemp(prefix="recurra-"))
            for name, content in files.items():
                make_folder((folder / name).parent)
                (folder / name).write_bytes(content)
            self._keep(registry.get(self.task).model.load(folder / "run"), folder)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.string, tags.input_tags.two_d_array = True, False
        tags.input_tags.three_d_array = self.task != "pair"
        tags.target_tags.required = True
        return tags


class _Classifying(ClassifierMixin, RunEstimator):
    """Classifiers: one label per row."""

    def fit(self, X: Any, y: Any) -> Self:
        """Train on rows with one label each; part of them is held out to select the best epoch
        (`validation_fraction`).

        Raises: ConfigError, a ValueError, for other rows or invalid parameters; DataError for a row without
        words.
        """
        inputs = self._inputs(X)
        labels = column_or_1d(np.asarray(y, dtype=object if _has_texts(y) else None))
        check_consistent_length(inputs, labels)
        check_classification_targets(labels)
        classes = np.unique(labels)
        names = _names_of(classes)
        order = np.searchsorted(classes, labels)
        rows = [_row(one) | {"label": names[place]} for one, place in zip(inputs, order, strict=True)]
        self._fit(rows)
        self.classes_, self._names = classes, names
        return self

    def predict_proba(self, X: Any) -> NDArray[np.float64]:
        """Return the probability of each class, in the order of `classes_`; 0 for a class of the validation
        rows only. Shapes: (rows, classes).

        Raises: NotFittedError before `fit`; ConfigError for other rows, or a row without words.
        """
        check_is_fitted(self, "model_")
        found = np.zeros((0, len(self.classes_)))
        said = _predictions(self.model_, self._inputs(X))
        for place, one in enumerate(said):
            if not one:
                raise ConfigError(f"X[{place}]: has no words, so it has no class; remove it.")
        rows = [[one.get(name, 0.0) for name in self._names] for one in said]
        return np.array(rows) if rows else found

    def predict(self, X: Any) -> NDArray[Any]:
        """Return the most probable class of each row. Shapes: (rows,). Raises: as `predict_proba`."""
        best = self.predict_proba(X).argmax(axis=1)
        found: NDArray[Any] = self.classes_[best]
        return found

    def _inputs(self, X: Any) -> list[Any]:
        return _sequences(X)


@_with_options
class ClassifierEstimator(_Classifying):
    """A classifier of texts, or of sequences of vectors or images, for scikit-learn.

        ClassifierEstimator(hidden_size=50, epochs=10).fit(["a fine film", "a dull one"] * 20, [1, 0] * 20)

    X is a list, an array or a series of texts, of lists of words, or of arrays of steps (T, F) or
    (T, C, H, W). The parameters are the options of `recurra train classify`; see `recurra.estimators`.
    """

    task = "classify"


@_with_options
class PairClassifierEstimator(_Classifying):
    """A classifier of pairs of texts for scikit-learn.

    X is a list of pairs of texts, or an array of shape (rows, 2). The parameters are the options of
    `recurra train pair`; see `recurra.estimators`.
    """

    task = "pair"

    def _inputs(self, X: Any) -> list[Any]:
        found = []
        for place, one in enumerate(X if hasattr(X, "shape") or is_many(X) else [X]):
            pair = tuple(one) if is_many(one) else ()
            if len(pair) != 2 or not all(isinstance(text, str) for text in pair):
                raise ArgumentTypeError(f"X[{place}]: got {_told(one)}, expected a pair of texts.")
            found.append(tuple(map(str, pair)))
        return found


@_with_options
class TaggerEstimator(RunEstimator):
    """A tagger of words, or of the steps of sequences, for scikit-learn.

        TaggerEstimator().fit([["go", "to", "oslo"]] * 20, [["O", "O", "B-city"]] * 20)

    X is a list of lists of words, of texts, which are split as `split` says, or of arrays of steps; y has one
    list of labels per row. The parameters are the options of `recurra train tag`; see `recurra.estimators`.
    """

    task = "tag"

    def fit(self, X: Any, y: Any) -> Self:
        """Train on rows with one label per word; part of the rows is held out to select the best epoch
        (`validation_fraction`).

        Raises: ConfigError, a ValueError, for other rows or invalid parameters; DataError for a row with
        another number of labels than words.
        """
        inputs, labels = _sequences(X), _labels_of_words(y)
        check_consistent_length(inputs, labels)
        self._fit([_row(one) | {"labels": each} for one, each in zip(inputs, labels, strict=True)])
        self.classes_ = np.array(sorted(self.model_.symbols.labels.symbols), dtype=object)
        return self

    def predict(self, X: Any) -> list[list[str]]:
        """Return the labels of the words of each row; labels of entities follow the BIO scheme.

        Raises: NotFittedError before `fit`; ConfigError for other rows.
        """
        check_is_fitted(self, "model_")
        return [list(one) for one in _word_labels(self.model_, _sequences(X))]

    def score(self, X: Any, y: Any) -> float:
        """Return the F1 of entities if the labels mark entities, otherwise the word accuracy.

        Raises: as `predict`; ValueError if X and y differ in length.
        """
        from recurra.metrics import ClassFigures, EntityFigures

        found, gold = self.predict(X), _labels_of_words(y)
        check_consistent_length(found, gold)
        for place, (one, right) in enumerate(zip(found, gold, strict=True)):
            if len(one) != len(right):
                raise ConfigError(
                    f"y[{place}]: has {len(right)} labels, but X[{place}] has {len(one)} words."
                )
        if self.model_.symbols.spans:
            return EntityFigures.count(_in_bio(gold), found).overall.f1
        return ClassFigures.count(
            [label for labels in gold for label in labels], [label for labels in found for label in labels]
        ).accuracy


def _row(one: Any) -> dict[str, Any]:
    """Return an input as the columns of a row."""
    if isinstance(one, np.ndarray):
        return {"vectors": one}
    if isinstance(one, tuple):
        return {"text": one[0], "text2": one[1]}
    return {"text": one}


def _sequences(given: Any) -> list[Any]:
    """Return texts, words or arrays of steps as a list. Raises: ConfigError for anything else."""
    if getattr(given, "ndim", 1) in (3, 5) and isinstance(given, np.ndarray):
        return list(given)
    if not is_many(given):
        expected = "a list of texts, of lists of words, or of arrays of steps (T, F)"
        raise ConfigError(f"X: got {_told(given)}, expected {expected}.")
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
                f"X[{place}]: got {_told(one)}, expected a text, a list of words or an array of steps (T, F)."
            )
    if len({isinstance(one, np.ndarray) for one in found}) > 1:
        raise ConfigError("X: has both texts and arrays; give rows of one kind.")
    return found


def _labels_of_words(given: Any) -> list[list[str]]:
    """Return one list of labels per row. Raises: ArgumentTypeError for anything else."""
    found = []
    for place, labels in enumerate(given if hasattr(given, "shape") or is_many(given) else [given]):
        if not is_many(labels):
            raise ArgumentTypeError(
                f"y[{place}]: got {_told(labels)}, expected a list of labels, one per word."
            )
        found.append([str(label) for label in labels])
    return found


def _in_bio(gold: Sequence[Sequence[str]]) -> list[Sequence[str]]:
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


def _has_texts(labels: Iterable[Any]) -> bool:
    return is_many(labels) and any(isinstance(label, str) for label in labels)


def _names_of(classes: Sequence[Any] | NDArray[Any]) -> list[str]:
    """Return the labels of classes in the model: their text, or numbers if that does not tell them apart."""
    names = [str(one) for one in classes]
    kept = [name.strip().replace("\r\n", "\n") for name in names]
    if kept == names and all(names) and len(set(names)) == len(names):
        return names
    return [str(number) for number in range(len(names))]


def _predictions(model: Any, inputs: list[Any]) -> list[dict[str, float]]:
    """Return the probabilities of the classes of each row; empty for a row without words."""
    if not inputs:
        return []
    if isinstance(inputs[0], np.ndarray):
        return [dict(one.probabilities) for one in model.predict_rows(_examples(inputs))]
    return [dict(one.probabilities) for one in model.predict(inputs)]


def _word_labels(model: Any, inputs: list[Any]) -> list[Iterable[str]]:
    """Return the labels of the words or steps of each row."""
    if inputs and isinstance(inputs[0], np.ndarray):
        return [one.labels for one in model.predict_rows(_examples(inputs))]
    return [[word.label for word in one.words] for one in model.predict(inputs)]


def _examples(arrays: Iterable[NDArray[Any]]) -> list[Any]:
    from recurra.data.examples import Example

    return [Example(vectors=array) for array in arrays]


def _told(value: Any) -> str:
    if hasattr(value, "shape"):
        return f"an array of shape {value.shape}"
    return " ".join(quoted(value, 60).split())

"""The estimators of classifiers: one label per row."""

from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import ClassifierMixin
from sklearn.utils import check_consistent_length
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, column_or_1d

from recurra.arguments import is_many
from recurra.errors import ArgumentTypeError, ConfigError
from recurra.estimators.base import RunEstimator, with_options
from recurra.estimators.inputs import has_texts, names_of, probabilities_of, row_of, sequences, told


class _Classifying(ClassifierMixin, RunEstimator):
    """Classifiers: one label per row."""

    def fit(self, X: Any, y: Any) -> Self:
        """Train on rows with one label each; part of them is held out to select the best epoch
        (`validation_fraction`).

        Raises: ConfigError, a ValueError, for other rows or invalid parameters; DataError for a row without
        words.
        """
        inputs = self._inputs(X)
        labels = column_or_1d(np.asarray(y, dtype=object if has_texts(y) else None))
        check_consistent_length(inputs, labels)
        check_classification_targets(labels)
        classes = np.unique(labels)
        names = names_of(classes)
        order = np.searchsorted(classes, labels)
        rows = [row_of(one) | {"label": names[place]} for one, place in zip(inputs, order, strict=True)]
        self._fit(rows)
        self.classes_, self._names = classes, names
        return self

    def predict_proba(self, X: Any) -> NDArray[np.float64]:
        """Return the probability of each class, in the order of `classes_`; each row sums to 1.

        With `from_run`, the model also has the labels of the source run. Labels that are not in y are not in
        `classes_`: the probabilities are P(class | one of `classes_`), and equal if all of them are 0 as
        32-bit numbers. A class of the validation rows only has probability 0.

        Shapes: (rows, classes).
        Raises: NotFittedError before `fit`; ConfigError for other rows, or a row without words.
        """
        check_is_fitted(self, "model_")
        said = probabilities_of(self.model_, self._inputs(X))
        found = np.zeros((len(said), len(self.classes_)))
        for place, one in enumerate(said):
            if not one:
                raise ConfigError(f"X[{place}]: has no words, so it has no class; remove it.")
            found[place] = [one.get(name, 0.0) for name in self._names]
        found[found.sum(axis=1) == 0] = 1.0
        shares: NDArray[np.float64] = found / found.sum(axis=1, keepdims=True)
        return shares

    def predict(self, X: Any) -> NDArray[Any]:
        """Return the most probable one of `classes_` for each row. Shapes: (rows,).

        Raises: as `predict_proba`.
        """
        best = self.predict_proba(X).argmax(axis=1)
        found: NDArray[Any] = self.classes_[best]
        return found

    def _inputs(self, X: Any) -> list[Any]:
        return sequences(X)


@with_options
class ClassifierEstimator(_Classifying):
    """A classifier of texts, or of sequences of vectors or images, for scikit-learn.

        ClassifierEstimator(hidden_size=50, epochs=10).fit(["a fine film", "a dull one"] * 20, [1, 0] * 20)

    X is a list, an array or a series of texts, of lists of words, or of arrays of steps (T, F) or
    (T, C, H, W). The parameters are the options of `recurra train classify`; see `recurra.estimators`.
    """

    task = "classify"


@with_options
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
                raise ArgumentTypeError(f"X[{place}]: got {told(one)}, expected a pair of texts.")
            found.append(tuple(map(str, pair)))
        return found

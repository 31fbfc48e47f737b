"""The estimator of taggers: one label per word."""

from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import check_consistent_length
from sklearn.utils.validation import check_is_fitted

from recurra.errors import ConfigError
from recurra.estimators.base import RunEstimator, with_options
from recurra.estimators.inputs import in_bio, labels_of_words, row_of, sequences, word_predictions


@with_options
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
        inputs, labels = sequences(X), labels_of_words(y)
        check_consistent_length(inputs, labels)
        self._fit([row_of(one) | {"labels": each} for one, each in zip(inputs, labels, strict=True)])
        self.classes_ = np.array(sorted(self.model_.symbols.labels.symbols), dtype=object)
        return self

    def predict(self, X: Any) -> list[list[str]]:
        """Return the labels of the words of each row; labels of entities follow the BIO scheme.

        Raises: NotFittedError before `fit`; ConfigError for other rows.
        """
        check_is_fitted(self, "model_")
        return [list(one.labels or ()) for one in word_predictions(self.model_, sequences(X))]

    def predict_proba(self, X: Any) -> list[NDArray[np.float64]]:
        """Return the probability of each label at each word, in the order of `classes_`.

        For a softmax, `predict` returns the most probable label of each word. For a conditional random field
        (`decoder="crf"`), the probabilities are its marginals P(label of the word | row), but `predict`
        returns the most probable sequence of labels, which may have another label at a word. `classes_` has
        all labels of the model; with `from_run`, this includes the labels of the source run.

        Shapes: per row (words, labels); each line sums to 1. Raises: as `predict`.
        """
        check_is_fitted(self, "model_")
        symbols = self.model_.symbols.labels.symbols
        columns = [symbols.index(label) for label in self.classes_]
        found = []
        for one in word_predictions(self.model_, sequences(X), every_label=True):
            assert one.every_label is not None, "requested"
            found.append(one.every_label[:, columns].astype(np.float64))
        return found

    def score(self, X: Any, y: Any) -> float:
        """Return the F1 of entities if the labels mark entities, otherwise the word accuracy.

        Raises: as `predict`; ValueError if X and y differ in length.
        """
        from recurra.metrics import ClassFigures, EntityFigures

        found, gold = self.predict(X), labels_of_words(y)
        check_consistent_length(found, gold)
        for place, (one, right) in enumerate(zip(found, gold, strict=True)):
            if len(one) != len(right):
                raise ConfigError(
                    f"y[{place}]: has {len(right)} labels, but X[{place}] has {len(one)} words."
                )
        if self.model_.symbols.spans:
            return EntityFigures.count(in_bio(gold), found).overall.f1
        return ClassFigures.count(
            [label for labels in gold for label in labels], [label for labels in found for label in labels]
        ).accuracy

"""Baselines of pairs: linear models and boosted trees on features of overlap, lengths and numbers."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
_PENALTIES = (0.3, 1.0, 3.0, 10.0, 30.0, 100.0)
_PARTS = 5  # of the training pairs, of which each is predicted in turn to choose the penalty
_STEPS = 300
TREES, LOGISTIC, RIDGE = "boosted trees", "logistic regression", "ridge regression"


@dataclass(frozen=True)
class LinearBaseline:
    """outputs = x W + b: logits of labels, or one score. Shapes: weight (F, K), bias (K,)."""

    weight: Floats
    bias: Floats

    def outputs(self, x: Floats) -> Floats:
        """Return the outputs. Shapes: x (N, F); result (N, K)."""
        found: Floats = x @ self.weight + self.bias
        return found

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {"weight": self.weight.tolist(), "bias": self.bias.tolist()}


@dataclass(frozen=True)
class TreesBaseline:
    """outputs = b + Σ_t tree_t(x); a tree goes left at a node if x[feature] <= threshold, to a leaf's value.

    Trees are padded to the same number of nodes; a leaf has the feature -1. `depth` is that of the deepest.

    Shapes: feature, left, right (K, trees, nodes) int; threshold, value (K, trees, nodes); bias (K,).
    """

    feature: NDArray[np.int64]
    left: NDArray[np.int64]
    right: NDArray[np.int64]
    threshold: Floats
    value: Floats
    bias: Floats
    depth: int

    def outputs(self, x: Floats) -> Floats:
        """Return the outputs. Shapes: x (N, F); result (N, K)."""
        return np.stack([self._output(x, k) for k in range(len(self.bias))], axis=1)

    def _output(self, x: Floats, k: int) -> Floats:
        trees, rows = np.arange(self.feature.shape[1]), np.arange(len(x))[:, None]
        at = np.zeros((len(x), len(trees)), dtype=np.int64)
        for _ in range(self.depth):
            feature = self.feature[k][trees, at]
            goes_left = x[rows, feature.clip(min=0)] <= self.threshold[k][trees, at]
            below = np.where(goes_left, self.left[k][trees, at], self.right[k][trees, at])
            at = np.where(feature < 0, at, below)
        total: Floats = self.bias[k] + self.value[k][trees, at].sum(1)
        return total

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {name: getattr(self, name).tolist() for name in _OF_TREES} | {"depth": self.depth}


Baseline = LinearBaseline | TreesBaseline
_OF_TREES = ("feature", "left", "right", "threshold", "value", "bias")


def baseline_of(found: Mapping[str, Any]) -> Baseline:
    """Return a baseline from the values of its `to_dict`. Raises: KeyError, TypeError, ValueError."""
    if "depth" not in found:
        return LinearBaseline(*(np.array(found[name], dtype=np.float64) for name in ("weight", "bias")))
    feature, left, right = (np.array(found[name], dtype=np.int64) for name in ("feature", "left", "right"))
    threshold, value, bias = (np.array(found[name], np.float64) for name in ("threshold", "value", "bias"))
    return TreesBaseline(feature, left, right, threshold, value, bias, int(found["depth"]))


def fit_labels(x: Floats, labels: Sequence[int], count: int) -> dict[str, Baseline]:
    """Fit logistic regression and, if scikit-learn is installed, boosted trees to labels 0 … count - 1.

    Logistic regression minimises Σ -log softmax(x W + b)[label] + λ/2 |W|²; of several λ, the one with the
    lowest loss on each fifth of the pairs, fitted to the others, is used.

    Shapes: x (N, F).
    """
    y = np.array(labels, dtype=np.int64)

    def loss(model: LinearBaseline, part: Floats, gold: NDArray[Any]) -> float:
        return -float(log_softmax(model.outputs(part))[np.arange(len(gold)), gold].sum())

    linear = _with_best_penalty(x, y, lambda a, b, penalty: _logistic(a, b, count, penalty), loss)
    return {LOGISTIC: linear} | _trees(x, y, has_labels=True)


def fit_scores(x: Floats, scores: Sequence[float]) -> dict[str, Baseline]:
    """Fit ridge regression and, if scikit-learn is installed, boosted trees to scores; see `fit_labels`."""
    y = np.array(scores, dtype=np.float64)

    def loss(model: LinearBaseline, part: Floats, gold: NDArray[Any]) -> float:
        return float(np.square(model.outputs(part)[:, 0] - gold).sum())

    return {RIDGE: _with_best_penalty(x, y, _ridge, loss)} | _trees(x, y, has_labels=False)


def _with_best_penalty(
    x: Floats,
    y: NDArray[Any],
    fit: Callable[[Floats, NDArray[Any], float], LinearBaseline],
    loss: Callable[[LinearBaseline, Floats, NDArray[Any]], float],
) -> LinearBaseline:
    part = np.random.default_rng(0).permutation(len(x)) % _PARTS
    if len(x) < 2 * _PARTS:
        return fit(x, y, 10.0)
    losses = [
        sum(loss(fit(x[part != k], y[part != k], one), x[part == k], y[part == k]) for k in range(_PARTS))
        for one in _PENALTIES
    ]
    return fit(x, y, _PENALTIES[int(np.argmin(losses))])


def _logistic(x: Floats, y: NDArray[np.int64], count: int, penalty: float) -> LinearBaseline:
    from scipy.optimize import minimize

    features = x.shape[1]
    gold = np.eye(count)[y]

    def loss_and_slope(flat: Floats) -> tuple[float, Floats]:
        weight, bias = flat[:-count].reshape(features, count), flat[-count:]
        log_shares = log_softmax(x @ weight + bias)
        error = np.exp(log_shares) - gold
        loss = -(gold * log_shares).sum() + penalty / 2 * np.square(weight).sum()
        return float(loss), np.concatenate([(x.T @ error + penalty * weight).reshape(-1), error.sum(0)])

    start = np.zeros((features + 1) * count)
    found = minimize(loss_and_slope, start, jac=True, method="L-BFGS-B", options={"maxiter": _STEPS}).x
    return LinearBaseline(found[:-count].reshape(features, count), found[-count:])


def log_softmax(logits: Floats) -> Floats:
    """Return log softmax over the last axis. Shapes: (N, K)."""
    shifted = logits - logits.max(1, keepdims=True)
    found: Floats = shifted - np.log(np.exp(shifted).sum(1, keepdims=True))
    return found


def _ridge(x: Floats, y: Floats, penalty: float) -> LinearBaseline:
    means, mean = x.mean(0), float(y.mean())
    centred = x - means
    square = centred.T @ centred + penalty * np.eye(x.shape[1])
    weight = np.linalg.solve(square, centred.T @ (y - mean))
    return LinearBaseline(weight[:, None], np.array([mean - means @ weight]))


def _trees(x: Floats, y: NDArray[Any], *, has_labels: bool) -> dict[str, Baseline]:
    """Return gradient boosting by scikit-learn as plain arrays; nothing without it, or with one label."""
    try:
        from sklearn.ensemble import GradientBoostingClassifier, GradientBoostingRegressor
    except ImportError:
        return {}
    if has_labels and len(np.unique(y)) < 2:
        return {}
    kind = GradientBoostingClassifier if has_labels else GradientBoostingRegressor
    # The settings were chosen on training parts of four data sets.
    model = kind(n_estimators=150, max_depth=3, subsample=0.5, learning_rate=0.05, random_state=0).fit(x, y)
    each = [[tree.tree_ for tree in column] for column in model.estimators_.T]
    nodes = max(tree.node_count for column in each for tree in column)

    def padded(name: str, fill: float, dtype: Any) -> NDArray[Any]:
        found = np.full((len(each), len(each[0]), nodes), fill, dtype=dtype)
        for k, column in enumerate(each):
            for t, tree in enumerate(column):
                values = getattr(tree, name)
                found[k, t, : tree.node_count] = values[:, 0, 0] if name == "value" else values
        return found

    is_leaf = padded("children_left", -1, np.int64) < 0
    trees = TreesBaseline(
        feature=np.where(is_leaf, -1, padded("feature", -1, np.int64)),
        left=padded("children_left", -1, np.int64).clip(min=0),
        right=padded("children_right", -1, np.int64).clip(min=0),
        threshold=padded("threshold", 0.0, np.float64),
        value=model.learning_rate * padded("value", 0.0, np.float64),
        bias=np.zeros(len(each)),
        depth=max(tree.max_depth for column in each for tree in column),
    )
    # The first prediction, which the trees correct, is the same for all pairs.
    raw = model.decision_function(x[:1]) if has_labels else model.predict(x[:1])
    bias = raw.reshape(-1) - trees.outputs(x[:1].astype(np.float32).astype(np.float64))[0]
    return {TREES: replace(trees, bias=bias)}

"""Features of pairs of texts, and the baselines that are fitted to them."""

import json
import math

import numpy as np
import pytest

from recurra.models.pair_baselines import (
    LOGISTIC,
    RIDGE,
    TREES,
    baseline_of,
    fit_labels,
    fit_scores,
    log_softmax,
)
from recurra.text.comparison import GROUPS, PairFeatures

PAIRS = [
    (["The", "cat", "sat", "on", "12", "mats", "."], ["a", "cat", "sat", "on", "12", "big", "mats"]),
    (["no", "dogs", "here"], ["no", "dogs", "here"]),
    (["one"], ["two", "words"]),
    (["it", "cost", "3.50", "and", "7"], ["it", "cost", "3.50", "and", "8", ",", "not", "9"]),
]


def named(first: str, second: str, **options):
    """The features of two texts by name, not standardised."""
    features = PairFeatures(**options)
    return features._named(first.split(), second.split())


def test_shares_of_words_by_hand():
    found = named("a b b c", "B c d", groups=("overlap",))
    assert found["1-grams, first"] == 2 / 4
    assert found["1-grams, second"] == 2 / 3
    assert found["1-grams, F"] == 4 / 7
    assert found["2-grams, first"] == 1 / 3  # b c
    assert found["3-grams, F"] == 0
    assert found["subsequence, first"] == 2 / 4
    assert found["same"] == 0
    assert named("x y", "X y", groups=("overlap",))["same"] == 1


def test_rare_words_weigh_more():
    pairs = [(["the", "cat"], ["the", "dog"])] * 3 + [(["the", "emu"], ["the", "yak"])]
    features = PairFeatures.fit(pairs, ("overlap",))
    assert features.documents == 8
    assert features.frequencies == {"the": 8, "cat": 3, "dog": 3}
    weights = features._weights(["the", "cat", "emu", "gnu"])
    assert weights["the"] == pytest.approx(math.log(9 / 9) + 0.1)
    assert weights["cat"] == pytest.approx(math.log(9 / 4) + 0.1)
    assert weights["emu"] == weights["gnu"] == pytest.approx(math.log(9 / 2) + 0.1)
    shared = features._named(["the", "cat"], ["the", "dog"])["weighted words, first"]
    assert shared == pytest.approx(weights["the"] / (weights["the"] + weights["cat"]))


def test_common_words_of_one_text():
    often = [(["Not", "b", str(k)], ["not", "a", "c"]) for k in range(11)]
    features = PairFeatures.fit([*often, (["a"], ["b"])], ("overlap",))
    assert features.common == ("not", "a", "b", "c")  # in 22, 12, 12 and 11 texts; each number is in one
    found = features._named(["A", "NOT", "x", "a"], ["a", "b"])
    told = {"'not'": 1.0, "'a'": 0.0, "'b'": 1.0, "'c'": 0.0}
    assert list(found.items())[-4:] == [(f"{word} in one text only", value) for word, value in told.items()]
    many = [([f"w{k:02}" for k in range(50)], ["w49"])] * 11
    assert PairFeatures.fit(many).common == ("w49", *(f"w{k:02}" for k in range(39)))
    assert PairFeatures.fit(many, ("lengths", "numbers")).common == ()
    assert PairFeatures.fit(often[:10], ("overlap",)).common == ("not",)


def test_numbers_by_hand():
    same = named("it cost 3.50 and 7", "7 and 3.50", groups=("numbers",))
    assert same["same numbers"] == 1
    assert same["no numbers"] == 0
    assert same["shared numbers"] == pytest.approx(math.log(3))
    other = named("1 of 2", "2 of 3 and 4", groups=("numbers",))
    assert other["same numbers"] == 0
    assert other["other numbers, first"] == pytest.approx(math.log(2))
    assert other["other numbers, second"] == pytest.approx(math.log(3))
    assert named("a", "b", groups=("numbers",))["no numbers"] == 1


def test_the_common_subsequence_is_that_of_dynamic_programming():
    draw = np.random.default_rng(1)
    for _ in range(50):
        a, b = (list(map(str, draw.integers(0, 4, draw.integers(0, 9)))) for _ in range(2))
        table = np.zeros((len(a) + 1, len(b) + 1), int)
        for i, one in enumerate(a):
            for j, two in enumerate(b):
                table[i + 1, j + 1] = table[i, j] + 1 if one == two else max(table[i, j + 1], table[i + 1, j])
        found = PairFeatures(("overlap",))._named(a, b)["subsequence, first"]
        assert found == pytest.approx(table[-1, -1] / len(a) if a else 0.0)


@pytest.mark.parametrize("groups", [GROUPS, ("overlap",), ("lengths", "numbers")])
def test_symmetric_features_do_not_depend_on_the_order(groups):
    turned = [(b, a) for a, b in PAIRS]
    symmetric = PairFeatures.fit(PAIRS * 11, groups, symmetric=True)
    np.testing.assert_array_equal(symmetric.of_pairs(PAIRS), symmetric.of_pairs(turned))
    directed = PairFeatures.fit(PAIRS * 11, groups)
    assert not np.array_equal(directed.of_pairs(PAIRS), directed.of_pairs(turned))


def test_values_are_standardised_and_limited():
    features = PairFeatures.fit(PAIRS)
    values = features.of_pairs(PAIRS)
    assert values.shape == (4, len(features.names))
    assert values.dtype == np.float32
    np.testing.assert_allclose(values.mean(0), 0, atol=1e-6)
    deviation = values.std(0)
    np.testing.assert_allclose(deviation[deviation > 0], 1, atol=1e-5)
    odd = features.of_pairs([(["x"] * 5000, ["1"] * 9)])
    assert np.abs(odd).max() == 5


@pytest.mark.parametrize("pair", [((), ()), (["a"], ()), ((), ["a"]), (["ß", "İ"], ["SS", "é́"])])
def test_empty_and_odd_texts_have_finite_features(pair):
    assert np.isfinite(PairFeatures.fit(PAIRS).of_pairs([pair])).all()


def test_features_come_back_from_json():
    features = PairFeatures.fit(PAIRS * 11, symmetric=True)
    assert features.common
    again = PairFeatures.from_dict(json.loads(json.dumps(features.to_dict())))
    assert again == features
    np.testing.assert_array_equal(again.of_pairs(PAIRS), features.of_pairs(PAIRS))
    damaged = features.to_dict() | {"mean": [1.0]}
    with pytest.raises(ValueError, match="number of features"):
        PairFeatures.from_dict(damaged)


def data(count: int = 300, classes: int = 3):
    draw = np.random.default_rng(2)
    x = draw.normal(size=(count, 4))
    scores = x @ [1.0, -2.0, 0.0, 0.5] + 3 * np.sin(2 * x[:, 2]) + 0.3 * draw.normal(size=count)
    labels = np.digitize(scores, np.quantile(scores, np.arange(1, classes) / classes))
    return x, scores, labels


@pytest.mark.parametrize("classes", [2, 3])
def test_logistic_regression_is_that_of_scikit_learn(classes):
    linear = pytest.importorskip("sklearn.linear_model")
    x, _, labels = data(classes=classes)
    shares = []
    for penalty in (0.3, 1.0, 3.0, 10.0, 30.0, 100.0):
        # With two labels, scikit-learn has one column, the difference of ours, whose penalty is half.
        model = linear.LogisticRegression(C=(2 if classes == 2 else 1) / penalty, max_iter=5000, tol=1e-10)
        shares.append(model.fit(x, labels).predict_proba(x))
    found = np.exp(log_softmax(fit_labels(x, labels.tolist(), classes)[LOGISTIC].outputs(x)))
    assert min(np.abs(found - each).max() for each in shares) < 1e-3


def test_ridge_regression_is_that_of_scikit_learn():
    linear = pytest.importorskip("sklearn.linear_model")
    x, scores, _ = data()
    found = fit_scores(x, scores.tolist())[RIDGE].outputs(x)[:, 0]
    penalties = (0.3, 1.0, 3.0, 10.0, 30.0, 100.0)
    each = [linear.Ridge(alpha=penalty).fit(x, scores).predict(x) for penalty in penalties]
    assert min(np.abs(found - one).max() for one in each) < 1e-8


@pytest.mark.parametrize("classes", [2, 3])
def test_boosted_trees_are_those_of_scikit_learn(classes):
    ensemble = pytest.importorskip("sklearn.ensemble")
    x, scores, labels = data(classes=classes)
    options = {"n_estimators": 150, "max_depth": 3, "subsample": 0.5, "learning_rate": 0.05}
    model = ensemble.GradientBoostingClassifier(**options, random_state=0).fit(x, labels)
    x = x.astype(np.float32).astype(np.float64)
    trees = baseline_of(json.loads(json.dumps(fit_labels(x, labels.tolist(), classes)[TREES].to_dict())))
    expected = model.decision_function(x).reshape(len(x), -1)
    np.testing.assert_allclose(trees.outputs(x), expected, atol=1e-6)
    model = ensemble.GradientBoostingRegressor(**options, random_state=0).fit(x, scores)
    trees = fit_scores(x, scores.tolist())[TREES]
    np.testing.assert_allclose(trees.outputs(x)[:, 0], model.predict(x), atol=1e-6)


def test_one_label_and_few_pairs():
    found = fit_labels(np.zeros((3, 2)), [0, 0, 0], 1)
    assert found[LOGISTIC].outputs(np.ones((2, 2))).argmax(1).tolist() == [0, 0]
    assert TREES not in found

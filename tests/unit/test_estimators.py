"""The estimators keep the promises of scikit-learn, as far as they hold for texts and sequences."""

import copy
import gc
import pickle
import subprocess
import sys

import numpy as np
import pytest

pytest.importorskip("sklearn")
from sklearn.base import clone, is_classifier
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV, cross_val_score, cross_validate
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.utils import estimator_checks
from sklearn.utils.validation import check_is_fitted, validate_data

import recurra as rc
from recurra.errors import ConfigError, DataError
from recurra.estimators import ClassifierEstimator, PairClassifierEstimator, TaggerEstimator

ESTIMATORS = [ClassifierEstimator, PairClassifierEstimator, TaggerEstimator]
SMALL = {"hidden_size": 8, "embedding_size": 8, "epochs": 6, "learning_rate": 0.03, "threads": 1}
TEXTS = [f"{('good', 'bad')[i % 2]} film {i % 7}" for i in range(40)]
Y = np.array([i % 2 for i in range(40)])
WORDS = [["go", "to", ("oslo", "rome", "paris")[i % 3], "now"] for i in range(40)]
LABELS = [["O", "O", "S-to", "O"] for _ in WORDS]
CHECKS = [
    getattr(estimator_checks, f"check_{name}")
    for name in (
        *("estimator_cloneable", "estimator_repr", "get_params_invariance", "set_params", "mixin_order"),
        *("no_attributes_set_in_init", "parameters_default_constructible", "valid_tag_types"),
    )
]


@pytest.fixture(scope="module")
def classifier():
    return ClassifierEstimator(**SMALL).fit(TEXTS, Y)


@pytest.mark.parametrize("kind", ESTIMATORS)
@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_the_checks_of_scikit_learn_that_need_no_table(kind, check):
    """`check_estimator` runs nothing else for an estimator that does not read tables of numbers."""
    check(kind.__name__, kind())


class Series(ClassifierEstimator):
    """A classifier that reads each row of a table of numbers as a series of one feature."""

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array, tags.input_tags.three_d_array = True, False
        tags.input_tags.string, tags.classifier_tags.poor_score = False, True
        return tags

    def fit(self, X, y):
        X, y = validate_data(self, X, y)
        return super().fit([row[:, None] for row in X.astype(np.float32)], y)

    def predict_proba(self, X):
        check_is_fitted(self, "model_")
        X = validate_data(self, X, reset=False)
        return super().predict_proba([row[:, None] for row in X.astype(np.float32)])


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_all_checks_of_scikit_learn_on_tables_read_as_series():
    """Some 50 checks with trainings; skipped are only those of other packages."""
    estimator = Series(epochs=1, hidden_size=4, threads=1)
    found = estimator_checks.check_estimator(estimator, on_fail=None, on_skip=None)
    assert len(found) > 40
    assert {one["check_name"]: one["exception"] for one in found if one["status"] == "failed"} == {}


@pytest.mark.parametrize("kind", ESTIMATORS)
def test_the_parameters_are_the_options_of_training(kind):
    parameters = kind().get_params()
    assert {"hidden_size", "epochs", "validation_fraction", "vectors", "random_state", "out"} < set(
        parameters
    )
    assert not {"data", "valid", "test", "seed", "folds", "format", "label_column"} & set(parameters)
    assert kind(hidden_size=3).hidden_size == 3
    assert "ep" not in parameters
    with pytest.raises(TypeError, match="unexpected keyword argument 'hiden_size'"):
        kind(hiden_size=3)
    rows = [("a", "b")] if kind.task == "pair" else [["a"]]
    with pytest.raises(ConfigError, match="hidden_size: got 0, expected >= 1"):
        kind(hidden_size=0).fit(2 * rows, 2 * ([["x"]] if kind.task == "tag" else ["x"]))


def test_a_fitted_classifier(classifier):
    assert is_classifier(classifier)
    assert classifier.classes_.tolist() == [0, 1]
    assert classifier.score(TEXTS, Y) == 1.0
    found = classifier.predict(np.array(TEXTS))
    assert (found == Y).all()
    assert found.dtype == Y.dtype
    shares = classifier.predict_proba([rc.Words(text.split()) for text in TEXTS])
    assert shares.sum(axis=1) == pytest.approx(1.0)
    assert (shares.argmax(axis=1) == Y).all()
    assert classifier.predict([]).shape == (0,)
    assert isinstance(classifier.model_, rc.Classifier)
    assert classifier.model_.evaluate().rows == 4
    with pytest.raises(NotFittedError):
        clone(classifier).predict(TEXTS)


def test_the_same_seed_gives_the_same_model(classifier):
    again = clone(classifier).fit(TEXTS, Y)
    assert (again.predict_proba(TEXTS) == classifier.predict_proba(TEXTS)).all()
    other = clone(classifier).set_params(random_state=np.random.RandomState(7)).fit(TEXTS, Y)
    assert (other.predict_proba(TEXTS) != classifier.predict_proba(TEXTS)).any()


@pytest.mark.parametrize("copied", [lambda e: pickle.loads(pickle.dumps(e)), copy.deepcopy, copy.copy])
def test_a_copy_has_files_of_its_own(classifier, copied):
    other = copied(classifier)
    folder = other.model_.run.path
    assert folder != classifier.model_.run.path
    assert (other.predict_proba(TEXTS) == classifier.predict_proba(TEXTS)).all()
    del other
    gc.collect()
    assert not folder.parent.exists()
    assert classifier.model_.run.path.exists()


def test_a_pickle_has_no_tensors(classifier):
    assert (
        b"torch"
        not in pickle.dumps(classifier).replace(b"[versions]", b"").split(b"model.safetensors")[1][:200]
    )
    assert all(isinstance(one, bytes) for one in classifier.__getstate__()["model_"].values())


def test_the_run_stays_where_it_was_asked_for(tmp_path, classifier):
    out = tmp_path / "run"
    named = clone(classifier).set_params(out=out, epochs=1)
    named.fit(TEXTS, Y)
    named.fit(TEXTS, Y)  # overwrites its own run
    del named
    gc.collect()
    assert isinstance(rc.load(out), rc.Classifier)
    classifier.save(tmp_path / "saved")
    assert rc.load(tmp_path / "saved").predict(TEXTS[0]).label == "0"


def test_a_failed_fit_leaves_no_files(tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    with pytest.raises(DataError, match="'text' is empty"):
        ClassifierEstimator(**SMALL).fit(["a", " "], [0, 1])
    assert not list(tmp_path.iterdir())


def test_cross_validation_pipelines_and_grids():
    estimator = ClassifierEstimator(**SMALL)
    lower = FunctionTransformer(lambda texts: [text.lower() for text in texts])
    piped = make_pipeline(lower, estimator)
    upper = [text.upper() for text in TEXTS]
    grid = {"classifierestimator__hidden_size": np.array([1, 8])}
    search = GridSearchCV(piped, grid, cv=2, scoring="neg_log_loss").fit(upper, Y)
    assert search.best_params_ == {"classifierestimator__hidden_size": 8}
    assert (search.predict(upper) == Y).all()


@pytest.mark.slow
def test_processes_train_at_the_same_time():
    found = cross_validate(ClassifierEstimator(**SMALL), TEXTS, Y, cv=2, n_jobs=2, return_estimator=True)
    alone = cross_validate(ClassifierEstimator(**SMALL), TEXTS, Y, cv=2, return_estimator=True)
    assert found["test_score"].tolist() == alone["test_score"].tolist()
    for one, other in zip(found["estimator"], alone["estimator"], strict=True):
        assert (one.predict_proba(TEXTS) == other.predict_proba(TEXTS)).all()


@pytest.mark.parametrize(
    "classes", [["ham", "spam"], ["", " ham"], [True, False], ["a\r\nb", "a\nb"], [10, -3]]
)
def test_classes_of_any_kind_come_back(classes):
    y = np.array([classes[i] for i in Y])
    found = ClassifierEstimator(**SMALL).fit(TEXTS, y)
    assert found.classes_.tolist() == sorted(classes)
    assert (found.predict(TEXTS) == y).all()


def test_sequences_of_steps(tmp_path):
    X = np.zeros((40, 6, 2))
    X[Y == 1, 3:, 0] = 1.0
    options = {"hidden_size": 8, "epochs": 8, "learning_rate": 0.03, "threads": 1}
    of_array = ClassifierEstimator(**options).fit(X, Y)
    of_list = ClassifierEstimator(**options).fit(list(X), Y)
    assert of_array.score(X, Y) == 1.0
    assert (of_list.predict_proba(list(X)) == of_array.predict_proba(X)).all()


def test_pairs_of_texts():
    X = [(f"good {i % 5}", f"{('good', 'bad')[i % 2]} {i % 5}") for i in range(40)]
    found = PairClassifierEstimator(**SMALL).fit(X, Y)
    assert found.predict_proba(np.array(X)).shape == (40, 2)
    assert (found.predict(np.array(X)) == found.predict(X)).all()


def test_a_tagger_is_scored_by_its_entities():
    small = SMALL | {"batch_size": 4, "dropout": 0.0}
    found = TaggerEstimator(**small).fit(WORDS, LABELS)
    assert found.predict(WORDS[:1]) == [["O", "O", "B-to", "O"]]  # in BIO, whatever the scheme
    assert set(found.classes_) >= {"B-to", "O"}
    assert found.score(WORDS, LABELS) == 1.0
    assert found.score(WORDS[:2], [["O", "O", "S-to", "O"], ["S-to", "O", "O", "O"]]) == pytest.approx(0.5)
    plain = TaggerEstimator(**small, scheme="classes").fit(WORDS, [["V", "P", "N", "A"]] * 40)
    assert plain.score(WORDS[:1], [["V", "P", "N", "V"]]) == 0.75
    assert cross_val_score(TaggerEstimator(**small), WORDS, LABELS, cv=2).tolist() == [1.0, 1.0]
    with pytest.raises(ConfigError, match=r"y\[0\]: has 1 labels, but X\[0\] has 4 words"):
        found.score(WORDS[:1], [["O"]])


def test_labels_of_the_source_run_are_no_classes(tmp_path):
    three = np.array(["bad", "good", "odd"])
    y, texts = three[np.arange(39) % 3], [f"{three[i % 3]} film {i % 7}" for i in range(39)]
    ClassifierEstimator(**SMALL, out=tmp_path / "source").fit(texts, y)
    of_two = y != "odd"
    small = {name: value for name, value in SMALL.items() if name not in ("hidden_size", "embedding_size")}
    found = ClassifierEstimator(**small | {"epochs": 1, "learning_rate": 1e-6}, from_run=tmp_path / "source")
    found.fit([text for text, kept in zip(texts, of_two, strict=True) if kept], y[of_two])
    assert found.classes_.tolist() == ["bad", "good"]
    shares = found.predict_proba(texts)
    assert shares.sum(axis=1) == pytest.approx(1)
    whole = [found.model_.predict(text).probabilities for text in texts]
    assert min(one["bad"] + one["good"] for one in whole) < 0.7  # the label "odd" is probable
    assert shares[:, 1] == pytest.approx([one["good"] / (one["bad"] + one["good"]) for one in whole])
    assert (found.predict(texts) == found.classes_[shares.argmax(axis=1)]).all()


@pytest.mark.parametrize("decoder", ["softmax", "crf"])
def test_the_probabilities_of_a_tagger(decoder):
    options = SMALL | {"batch_size": 4, "epochs": 1, "decoder": decoder, "scheme": "classes"}
    labels = [["V", "P", "N", "A"], ["V", "P", "N", "V"]] * 20
    found = TaggerEstimator(**options).fit(WORDS, labels)
    rows = [["go"], ["to", "rome", "now"], "now go to oslo", rc.Words(["paris"])]
    shares = found.predict_proba(rows)
    assert [one.shape for one in shares] == [(1, 4), (3, 4), (4, 4), (1, 4)]
    assert np.concatenate(shares).sum(axis=1) == pytest.approx(1.0, abs=1e-5)
    said = found.predict(rows)
    for one, row in zip(shares, found.model_.predict([rc.Words(rows[0]), rc.Words(rows[1])]), strict=False):
        columns = found.classes_.searchsorted([word.label for word in row.words])
        assert one[range(len(one)), columns] == pytest.approx([w.probability for w in row.words], abs=1e-5)
    if decoder == "softmax":
        assert [found.classes_[one.argmax(axis=1)].tolist() for one in shares] == said
    assert found.predict_proba([]) == []
    with pytest.raises(ConfigError, match="X: has arrays, but the model was fitted on texts; give texts"):
        found.predict_proba([np.zeros((3, 2), dtype=np.float32)])


def test_a_grid_of_taggers():
    options = SMALL | {"batch_size": 4, "dropout": 0.0, "epochs": 3}
    halves = [(np.arange(20), np.arange(20, 40))]
    search = GridSearchCV(TaggerEstimator(**options), {"learning_rate": [1e-6, 0.05]}, cv=halves)
    search.fit(WORDS, LABELS)
    assert search.best_params_ == {"learning_rate": 0.05}
    assert search.best_score_ == 1.0
    assert search.predict(WORDS[:1]) == [["O", "O", "B-to", "O"]]
    assert [one.shape for one in search.predict_proba(WORDS[:2])] == 2 * [(4, len(search.classes_))]


@pytest.mark.parametrize(
    ("kind", "X", "y", "told"),
    [
        (ClassifierEstimator, "a text", [0], "X: got 'a text', expected a list of texts"),
        (ClassifierEstimator, np.zeros((4, 3)), [0, 1, 0, 1], r"X: got an array of shape \(4, 3\)"),
        (ClassifierEstimator, ["a", None], [0, 1], r"X\[1\]: got None, expected a text, a list of words"),
        (ClassifierEstimator, ["a", []], [0, 1], r"X\[1\]: got \[\], expected a text"),
        (ClassifierEstimator, ["a", np.zeros((2, 2))], [0, 1], "X: has both texts and arrays"),
        (ClassifierEstimator, ["a"], [0], "X: has 1 sample; at least 2 are needed"),
        (ClassifierEstimator, ["a", "b"], [0], "inconsistent numbers of samples"),
        (ClassifierEstimator, ["a", "b"], [0.5, 1.5], "Unknown label type"),
        (PairClassifierEstimator, ["ab", "cd"], [0, 1], r"X\[0\]: got 'ab', expected a pair of texts"),
        (TaggerEstimator, [["a"]], ["O"], r"y\[0\]: got 'O', expected a list of labels"),
        (TaggerEstimator, [["a"]], 3, r"y\[0\]: got 3, expected a list of labels"),
    ],
)
def test_other_rows_are_refused(kind, X, y, told):
    with pytest.raises(ValueError, match=told):
        kind(**SMALL).fit(X, y)


def test_a_row_without_words_has_no_class(classifier):
    with pytest.raises(ConfigError, match=r"X\[1\]: has no words"):
        classifier.predict(["good film", " "])


def test_scikit_learn_is_loaded_for_estimators_only():
    code = (
        "import recurra, sys; recurra.Tagger; print('sklearn' in sys.modules); "
        "sys.modules['sklearn'] = None; import recurra.estimators"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout == "False\n"
    assert "needs the package scikit-learn; install it with `pip install 'recurra[sklearn]'`." in done.stderr

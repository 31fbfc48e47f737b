"""Estimators with the interface of scikit-learn; needs `pip install recurra[sklearn]`.

    from recurra.estimators import ClassifierEstimator
    cross_val_score(ClassifierEstimator(hidden_size=50, epochs=10), texts, labels, cv=5)

Each option of training is a parameter, with the default of `recurra train`; `random_state` is the seed. `fit`
trains in a temporary run folder, which is removed with the estimator, unless `out` names one. A fitted
estimator keeps its model as `model_`, a `recurra` model with all of its methods. A pickle of a fitted
estimator has the bytes of the files of its run (Safetensors, JSON and TOML with checksums) and no tensors; to
store a model, use `save`, and load it with `recurra.load`.
"""

from importlib.util import find_spec

from recurra.errors import MissingExtra

if find_spec("sklearn") is None:
    raise MissingExtra(
        "recurra.estimators: needs the package scikit-learn; install it with "
        "`pip install 'recurra[sklearn]'`."
    )

from recurra.estimators.classifiers import ClassifierEstimator, PairClassifierEstimator
from recurra.estimators.tagger import TaggerEstimator

__all__ = ["ClassifierEstimator", "PairClassifierEstimator", "TaggerEstimator"]

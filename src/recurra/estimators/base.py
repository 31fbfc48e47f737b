"""The base class of the estimators, and their parameters."""

import inspect
import shutil
import tempfile
import weakref
from pathlib import Path
from typing import Any, ClassVar, Self, cast

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from recurra.config import GoldPart, Part, RowsPart
from recurra.errors import ConfigError
from recurra.files import make_folder
from recurra.plain import counted
from recurra.tasks import registry

# Options that `fit` sets, that belong to repeats, or that describe files.
_SET_BY_FIT = {"data", "valid", "test", "seed", "seeds", "folds", "fold"}
_OF_FILES = {*RowsPart.model_fields, *GoldPart.model_fields, "phrases"} - {"split", "scheme"}
_OWN = {"preset": None, "random_state": 1, "out": None, "verbose": 0}
_LARGEST_SEED = 2**31 - 1


def with_options(cls: type[Any]) -> type[Any]:
    """Give an estimator one parameter per option of its task; scikit-learn reads them from the signature."""
    config = registry.config_of(cls.task)
    defaults = {
        name: field.default
        for name, field in config.model_fields.items()
        if name not in _SET_BY_FIT | _OF_FILES and _applies(config, name)
    }
    every = defaults | _OWN

    def initialise(self: Any, **parameters: Any) -> None:
        for name in parameters:
            if name not in every:
                raise TypeError(f"{cls.__name__}() got an unexpected keyword argument {name!r}")
        for name, default in every.items():
            setattr(self, name, parameters.get(name, default))

    given = [inspect.Parameter("self", inspect.Parameter.POSITIONAL_OR_KEYWORD)]
    given += [inspect.Parameter(n, inspect.Parameter.KEYWORD_ONLY, default=v) for n, v in every.items()]
    cast(Any, initialise).__signature__ = inspect.Signature(given)
    cls.__init__ = initialise
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

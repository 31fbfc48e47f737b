"""The training of models of pairs in Python, on one file or on a source and a target file."""

from typing import Any, ClassVar, Self, overload

from recurra.arguments import checks_arguments
from recurra.data.rows_in_memory import each_row, is_in_memory
from recurra.tasks.model import Model
from recurra.tasks.repeats import Repeats


class TrainedOnPairs(Model):
    """A model whose `train` also accepts the file of the targets."""

    beside: ClassVar[str] = "target"
    """The option that names the file with the targets, or captions, of --data."""

    @overload
    @classmethod
    def train(
        cls,
        data: Any = None,
        target: Any = None,
        *,
        folds: int,
        fold: None = None,
        **options: Any,
    ) -> Repeats[Self]: ...

    @overload
    @classmethod
    def train(
        cls,
        data: Any = None,
        target: Any = None,
        *,
        seeds: int,
        **options: Any,
    ) -> Repeats[Self]: ...

    @overload
    @classmethod
    def train(cls, data: Any = None, target: Any = None, **options: Any) -> Self: ...

    @classmethod
    @checks_arguments
    def train(cls, data: Any = None, target: Any = None, **options: Any) -> Self | Repeats[Self]:
        """Train on the pairs of one file, or of a source and a target file; other options as `Model.train`.

        Data in memory are a list of pairs, or a list of sources and a list of targets of the same length; for
        a captioner, arrays of pictures and their captions.

        Raises: as `Model.train`.
        """
        if target is not None and is_in_memory(data) and is_in_memory(target):
            data = each_row(data, target, "target")
        elif target is not None:
            options[cls.beside] = target
        found: Self | Repeats[Self] = super().train(data, **options)
        return found

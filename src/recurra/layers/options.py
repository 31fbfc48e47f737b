"""The options of every recurrent layer beyond torch.nn's arguments: names, defaults and checks."""

import inspect
from collections.abc import Callable
from functools import wraps
from numbers import Real
from typing import Any, TypedDict, TypeGuard, TypeVar, cast

from recurra.cells import WrongType, refuse
from recurra.kernels import BACKENDS

SKIPS = ("none", "residual", "graves")
MERGES = ("concat", "sum", "mean")

F = TypeVar("F", bound=Callable[..., Any])


class LayerOptions(TypedDict, total=False):
    """Options of every layer; see RecurrentLayer for their meaning."""

    skip: str
    merge: str
    learn_initial_state: bool
    zoneout: float | tuple[float, float]
    variational_dropout: float
    weight_drop: float
    stateful: bool
    backend: str


DEFAULTS: LayerOptions = {
    "skip": "none",
    "merge": "concat",
    "learn_initial_state": False,
    "zoneout": 0.0,
    "variational_dropout": 0.0,
    "weight_drop": 0.0,
    "stateful": False,
    "backend": "auto",
}


def takes_layer_options(initialise: F) -> F:
    """Replace `**options: Unpack[LayerOptions]` in a signature by the single options with their defaults.

    So `help()` and `inspect.signature` list all arguments, and an unknown name raises Python's usual
    TypeError.
    """
    written = inspect.signature(initialise)
    named = [p for p in written.parameters.values() if p.kind is not inspect.Parameter.VAR_KEYWORD]
    added = [
        inspect.Parameter(
            name,
            inspect.Parameter.KEYWORD_ONLY,
            default=default,
            annotation=LayerOptions.__annotations__[name],
        )
        for name, default in DEFAULTS.items()
    ]
    known = {parameter.name for parameter in [*named, *added]}

    @wraps(initialise)
    def checked(self: Any, *positional: Any, **options: Any) -> None:
        if "proj_size" in options and not self.takes_projection:  # like torch.nn, even for 0
            refuse([no_projection(options["proj_size"])])
        for name in options.keys() - known:
            raise TypeError(f"{type(self).__name__}() got an unexpected keyword argument {name!r}")
        initialise(self, *positional, **options)

    checked.__signature__ = written.replace(parameters=[*named, *added])  # type: ignore[attr-defined]
    return cast(F, checked)


def option_faults(options: LayerOptions, *, parts: int, bidirectional: object, dropout: object) -> list[str]:
    """Return one message per invalid option: its value and the expected one; a state has `parts` tensors."""
    given: dict[str, object] = {**options, "dropout": dropout}
    faults: list[str] = [
        f"{name}: got {given[name]!r}, expected one of {', '.join(map(repr, choices))}"
        for name, choices in {"skip": SKIPS, "merge": MERGES, "backend": BACKENDS}.items()
        if given[name] not in choices
    ]
    faults += [
        WrongType(f"{name}: got {given[name]!r}, expected True or False")
        for name in ("learn_initial_state", "stateful")
        if not isinstance(given[name], bool)
    ]
    for name in ("dropout", "variational_dropout", "weight_drop"):
        if not is_probability(given[name]):
            sentence = f"{name}: got {given[name]!r}, expected a probability in 0..1"
            faults.append(sentence if isinstance(given[name], Real) else WrongType(sentence))
    zoneout = given["zoneout"]
    pair = isinstance(zoneout, tuple | list) and len(zoneout) == 2 and all(map(is_probability, zoneout))
    if not is_probability(zoneout) and not (pair and parts == 2):
        wanted = "a probability in 0..1" + (", or a pair of them (hidden, cell)" if parts == 2 else "")
        faults.append(f"zoneout: got {zoneout!r}, expected {wanted}")
    if not faults and dropout and options["variational_dropout"]:
        faults.append(
            f"variational_dropout: got {options['variational_dropout']!r} with dropout={dropout!r}, "
            "expected one of the two to be 0"
        )
    if options["stateful"] is True and bidirectional is True:
        faults.append(
            "stateful: got True with bidirectional=True, expected a forward layer: "
            "a backward direction starts at the end of the sequence, and a stream has no end"
        )
    return faults


def no_projection(proj_size: object) -> str:
    """Return the message for a projection of a layer that does not support one."""
    return f"proj_size: got {proj_size!r}, expected none: only LSTM has a projection; remove it, or use LSTM"


def is_probability(value: object) -> TypeGuard[float]:
    """Return whether a value is a number (Python's or numpy's) in 0..1 and not a bool."""
    if isinstance(value, bool) or not isinstance(value, Real):
        return False
    return 0 <= float(value) <= 1

"""The complete state of a training, as tensors and plain values, for a bit-for-bit resume."""

from collections.abc import Collection, Mapping
from dataclasses import fields
from typing import Any

from torch import Tensor

from recurra.errors import RunError
from recurra.training.learner import Learner
from recurra.training.place import Place

_VERSION = 3
_REMEDY = "resume with the Recurra version that wrote it, or train again"


def take(learner: Learner, place: Place) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Return state and tensors of a checkpoint; every process must call this, and the first one writes."""
    state, tensors = learner.checkpoint()
    return {"version": _VERSION, "place": place.to_dict(), **state}, tensors


def restore(learner: Learner, state: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> Place:
    """Restore the learner from the result of `take`; return the place.

    Raises: RunError if it does not fit.
    """
    if state.get("version") != _VERSION:
        raise RunError(f"the checkpoint has version {state.get('version')}, expected {_VERSION}; {_REMEDY}.")
    refuse_other_keys(state, {"place", *state})
    refuse_other_keys(state["place"], {each.name for each in fields(Place)}, "place.")
    learner.restore({key: value for key, value in state.items() if key not in ("version", "place")}, tensors)
    return Place(**state["place"])


def refuse_other_keys(found: Collection[str], expected: Collection[str], within: str = "") -> None:
    """Refuse a part of a checkpoint with missing or unknown keys.

    Raises: RunError naming the missing and the unknown keys.
    """
    wrong = [f"{within}{key} is missing" for key in sorted(set(expected).difference(found))]
    wrong += [f"{within}{key} is unknown" for key in sorted(set(found).difference(expected))]
    if wrong:
        raise RunError(f"the checkpoint does not fit ({', '.join(wrong[:3])}); {_REMEDY}.")

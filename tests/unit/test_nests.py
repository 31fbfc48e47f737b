"""Nested structures of tensors, of any containers: mapped, flattened and rebuilt."""

from typing import NamedTuple

import pytest
import torch
from torch.utils import _pytree

from recurra.cells import LSTMState
from recurra.nests import flatten, map_nest, unflatten


class Deep(NamedTuple):
    cell: LSTMState
    rest: list[object]


def some(number: float) -> torch.Tensor:
    return torch.full((2, 3), float(number))


NESTS = {
    "a tensor": some(1),
    "nothing": None,
    "a pair": (some(1), some(2)),
    "named": LSTMState(some(1), some(2)),
    "deep": Deep(LSTMState(some(1), some(2)), [some(3), None, {"a": some(4), "b": (some(5),)}]),
}


@pytest.mark.parametrize("name", sorted(NESTS))
def test_tensors_come_in_the_order_of_torchs_own_trees(name):
    nest = NESTS[name]
    expected = [leaf for leaf in _pytree.tree_leaves(nest) if leaf is not None]
    assert all(a is b for a, b in zip(flatten(nest), expected, strict=True))
    other = unflatten(nest, [tensor + 10 for tensor in expected])
    torch.testing.assert_close(other, _pytree.tree_map(lambda t: None if t is None else t + 10, nest))
    assert type(other) is type(nest)
    added = map_nest(torch.add, nest, other)
    torch.testing.assert_close(flatten(added), [2 * tensor + 10 for tensor in expected])


def test_other_structures_are_refused():
    with pytest.raises(ValueError, match="expected the same structure"):
        map_nest(torch.add, (some(1), some(2)), (some(1),))
    with pytest.raises(ValueError, match="expected the same structure"):
        map_nest(torch.add, LSTMState(some(1), some(2)), (some(1), some(2)))
    with pytest.raises(TypeError, match="got str, expected a nest of tensors"):
        flatten("state")
    with pytest.raises(ValueError, match="got 1 tensors, expected 2"):
        unflatten((some(1), some(2)), [some(1)])

"""The contract that every cell keeps: one step, and the state to start from.

An equation holds no tensors: its weights are handed to it, so that a cell, a layer of many steps and a
kernel's reference all compute with the same few lines.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import ClassVar, Generic, TypeVar

import torch
from torch import Tensor, nn

from recurra.cells.state import State

W = TypeVar("W")
S = TypeVar("S", bound=State)


class Equation(ABC, Generic[W, S]):
    """What one step computes, with weights of type W and a state of type S.

    `gates` names the row blocks of weight_ih, weight_hh and the biases, in their order; each block has
    hidden_size rows. `weights_type` is the named tuple that the weights come in.
    """

    gates: ClassVar[tuple[str, ...]]
    weights_type: type[W]

    @abstractmethod
    def step(self, x: Tensor, state: S, weights: W) -> S:
        """Return the state after one more input.

        Shapes: x (B, I); state (B, H), a pair of them for the LSTM.
        """

    @abstractmethod
    def initial_state(self, batch_size: int, weights: W) -> S:
        """Return the state before the first step, all zeros: a<0> = 0.

        Shapes: (B, H), a pair of them for the LSTM.
        """

    def state_widths(self, hidden_size: int, proj_size: int = 0) -> tuple[int, ...]:
        """Return the last axis of each tensor of the state: (H,), for the LSTM (H, H) or (P, H)."""
        return (hidden_size,)

    def weight_shapes(
        self, input_size: int, hidden_size: int, bias: bool = True, proj_size: int = 0
    ) -> dict[str, tuple[int, ...]]:
        """Return the shape of each weight by its name, in torch.nn's order.

        Shapes: weight_ih (G*H, I); weight_hh (G*H, H), or (G*H, P) with a projection; biases (G*H,);
        weight_hr (P, H), only with a projection.
        """
        rows = len(self.gates) * hidden_size
        shapes: dict[str, tuple[int, ...]] = {
            "weight_ih": (rows, input_size),
            "weight_hh": (rows, proj_size or hidden_size),
        }
        if bias:
            shapes |= {"bias_ih": (rows,), "bias_hh": (rows,)}
        if proj_size:
            shapes["weight_hr"] = (proj_size, hidden_size)
        return shapes


def init_uniform(parameters: Iterable[nn.Parameter], hidden_size: int) -> None:
    """Draw every parameter from U(-1/√H, 1/√H), in order: the draws that torch.nn makes.

    Shapes: any.
    """
    bound = 1.0 / math.sqrt(hidden_size)
    with torch.no_grad():
        for parameter in parameters:
            parameter.uniform_(-bound, bound)

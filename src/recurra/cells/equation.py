"""The interface of every cell: one step, and the initial state.

An equation holds no tensors: it takes the weights as an argument, so that a cell, a layer over many steps and
the reference of a kernel all share one implementation.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from typing import Generic, TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor

from recurra.cells.state import State

LAYER_NORM_EPSILON = 1e-5  # added to the variance

W = TypeVar("W")
S = TypeVar("S", bound=State)


class Equation(ABC, Generic[W, S]):
    """The computation of one step, with weights of type W and a state of type S.

    `weights_type` is the named tuple of the weights. `layer_norm` says whether both products are normalised
    (Ba et al. 2016).
    """

    weights_type: type[W]
    layer_norm: bool = False

    @property
    @abstractmethod
    def gates(self) -> tuple[str, ...]:
        """The names of the row blocks of weight_ih, weight_hh and the biases, in order; each has H rows."""

    @abstractmethod
    def step(self, x: Tensor, state: S, weights: W) -> S:
        """Return the state after one input.

        Shapes: x (B, I); state (B, H), a pair of them for the LSTM.
        """

    def gates_of(self, x: Tensor, state: S, weights: W) -> dict[str, Tensor]:
        """Return the gate activations and the candidate of one step by name; empty unless overridden.

        Shapes: x (B, I); state (B, H), a pair of them for the LSTM; each result (B, H).
        """
        return {}

    @abstractmethod
    def initial_state(self, batch_size: int, weights: W) -> S:
        """Return the all-zero state before the first step: a<0> = 0.

        Shapes: (B, H), a pair of them for the LSTM.
        """

    def state_widths(self, hidden_size: int, proj_size: int = 0) -> tuple[int, ...]:
        """Return the last axis of each tensor of the state: (H,), for the LSTM (H, H) or (P, H)."""
        return (hidden_size,)

    def weight_shapes(
        self, input_size: int, hidden_size: int, bias: bool = True, proj_size: int = 0
    ) -> dict[str, tuple[int, ...]]:
        """Return the shape of each weight by name: torch.nn's weights in torch's order, then the others.

        Shapes: weight_ih (G*H, I); weight_hh (G*H, H), or (G*H, P) with a projection; biases (G*H,);
        weight_hr (P, H), only with a projection; gain_ih, gain_hh (G*H,), only with layer_norm.
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
        if self.layer_norm:
            shapes |= {"gain_ih": (rows,), "gain_hh": (rows,)}
        return shapes

    def initialise(self, weights_by_name: Mapping[str, Tensor], hidden_size: int) -> None:
        """Initialise weights in place as torch.nn does, from U(-1/√H, 1/√H) in order; gains 1, shifts 0.

        Shapes: those of `weight_shapes`.
        """
        drawn = [w for name, w in weights_by_name.items() if not name.startswith(("gain", "shift"))]
        init_uniform(drawn, hidden_size)
        with torch.no_grad():
            for name, weight in weights_by_name.items():
                if name.startswith(("gain", "shift")):
                    weight.fill_(1.0 if name.startswith("gain") else 0.0)


def init_uniform(parameters: Iterable[Tensor], hidden_size: int) -> None:
    """Draw every parameter from U(-1/√H, 1/√H) in order, as torch.nn does.

    Shapes: any.
    """
    bound = 1.0 / math.sqrt(hidden_size) if hidden_size else 0.0
    with torch.no_grad():
        for parameter in parameters:
            parameter.uniform_(-bound, bound)


def layer_normalised(vector: Tensor, gain: Tensor) -> Tensor:
    """Return (v - mean)/√(variance + 1e-5) * gain, over the last axis.

    Source: Ba, Kiros & Hinton 2016.
    Shapes: vector (B, N); gain (N,); result (B, N).
    """
    return F.layer_norm(vector, vector.shape[-1:], eps=LAYER_NORM_EPSILON) * gain


def product(x: Tensor, weight: Tensor, bias: Tensor | None, gain: Tensor | None) -> Tensor:
    """Return W x + b, or LN(W x)*gain + b with a gain.

    Shapes: x (B, I); weight (N, I); bias, gain (N,) or None; result (B, N).
    """
    if gain is None:
        return F.linear(x, weight, bias)
    normalised = layer_normalised(F.linear(x, weight), gain)
    return normalised if bias is None else normalised + bias


def product_of_blocks(
    x: Tensor, weight: Tensor, bias: Tensor | None, gain: Tensor | None, blocks: Iterable[int], of: int
) -> tuple[Tensor, ...]:
    """Return the product with some of the `of` row blocks, one tensor per block, normalised together.

    Shapes: x (B, I); weight (of*H, I); bias, gain (of*H,) or None; each result (B, H).
    """
    chosen = list(blocks)

    def rows_of(tensor: Tensor) -> Tensor:
        parts = tensor.chunk(of)
        return torch.cat([parts[block] for block in chosen]) if len(chosen) > 1 else parts[chosen[0]]

    rows_of_bias, rows_of_gain = (None if rows is None else rows_of(rows) for rows in (bias, gain))
    return product(x, rows_of(weight), rows_of_bias, rows_of_gain).chunk(len(chosen), dim=-1)

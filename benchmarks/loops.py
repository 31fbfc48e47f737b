"""Cells that torch.nn does not have, written as a Python loop over time, as a user of torch would.

Each is written for speed: one call computes the input products of all steps before the loop, biases are added
up where the equation allows it, and a step is one product followed by element-wise operations. The initial
state is zero.

Shapes: x (T, B, I); weights shared with recurra's layer; result (T, B, H), or (T, B, P) with a projection.
"""

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from recurra.cells import GRUWeights, JordanWeights, LSTMWeights, RNNWeights

Loop = Callable[[Tensor, Any], Tensor]

_ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "leaky_relu": F.leaky_relu,
    "sigmoid": torch.sigmoid,
    "hardtanh": F.hardtanh,
}


def rnn(nonlinearity: str) -> Loop:
    """h' = g(W x + U h + b)."""
    activation = _ACTIVATIONS[nonlinearity]

    def run(x: Tensor, weights: RNNWeights) -> Tensor:
        sums = F.linear(x, weights.weight_ih, weights.bias_ih + weights.bias_hh)
        recurrent = weights.weight_hh.t()
        h = x.new_zeros(x.shape[1], recurrent.shape[0])
        outputs = []
        for at_step in sums.unbind(0):
            h = activation(torch.addmm(at_step, h, recurrent))
            outputs.append(h)
        return torch.stack(outputs)

    return run


def jordan(x: Tensor, weights: JordanWeights) -> Tensor:
    """y' = V tanh(W x + U y + b) + c."""
    sums = F.linear(x, weights.weight_ih, weights.bias_ih + weights.bias_hh)
    recurrent, projection = weights.weight_hh.t(), weights.weight_ho.t()
    y = x.new_zeros(x.shape[1], projection.shape[1])
    outputs = []
    for at_step in sums.unbind(0):
        y = torch.addmm(weights.bias_ho, torch.addmm(at_step, y, recurrent).tanh(), projection)
        outputs.append(y)
    return torch.stack(outputs)


def gru_before(x: Tensor, weights: GRUWeights) -> Tensor:
    """Reset gate applied before the product: n = tanh(W_n x + U_n (r*h) + b_n)."""
    H = weights.weight_hh.shape[1]
    sums = F.linear(x, weights.weight_ih, weights.bias_ih + weights.bias_hh)
    of_gates, of_candidate = sums.split([2 * H, H], dim=-1)
    recurrent, of_reset = (block.t() for block in weights.weight_hh.split([2 * H, H]))
    h = x.new_zeros(x.shape[1], H)
    outputs = []
    for gates, candidate in zip(of_gates.unbind(0), of_candidate.unbind(0), strict=True):
        r, z = torch.addmm(gates, h, recurrent).sigmoid().chunk(2, dim=1)
        n = torch.addmm(candidate, r * h, of_reset).tanh()
        h = torch.lerp(n, h, z)
        outputs.append(h)
    return torch.stack(outputs)


def gru_none(x: Tensor, weights: GRUWeights) -> Tensor:
    """No reset gate: n = tanh(W_n x + U_n h + b_n)."""
    sums = F.linear(x, weights.weight_ih, weights.bias_ih + weights.bias_hh)
    recurrent = weights.weight_hh.t()
    h = x.new_zeros(x.shape[1], recurrent.shape[0])
    outputs = []
    for at_step in sums.unbind(0):
        z, n = torch.addmm(at_step, h, recurrent).chunk(2, dim=1)
        h = torch.lerp(n.tanh(), h, z.sigmoid())
        outputs.append(h)
    return torch.stack(outputs)


def lstm(peepholes: bool | str = False, coupled_gates: bool = False, output_activation: str = "tanh") -> Loop:
    """c' = f*c + i*g; h' = o*tanh(c'), with at most one of the three options."""

    def run(x: Tensor, weights: LSTMWeights) -> Tensor:
        H = weights.weight_hh.shape[1]
        sums = F.linear(x, weights.weight_ih, weights.bias_ih + weights.bias_hh)
        recurrent = weights.weight_hh.t()
        h = c = x.new_zeros(x.shape[1], H)
        if peepholes:
            p_if, p_o = weights.weight_peephole.split([2 * H, H])
        outputs = []
        for at_step in sums.unbind(0):
            blocks = torch.addmm(at_step, h, recurrent)
            if coupled_gates:
                f, g, o = blocks.chunk(3, dim=1)
                c = torch.lerp(g.tanh(), c, f.sigmoid())
            else:
                i_f, g, o = blocks.split([2 * H, H, H], dim=1)
                if peepholes:
                    i_f = i_f + p_if * c.repeat(1, 2)
                    o = torch.addcmul(o, p_o, c) if peepholes == "previous" else o
                i, f = i_f.sigmoid().chunk(2, dim=1)
                c = torch.addcmul(f * c, i, g.tanh())
                if peepholes is True:
                    o = torch.addcmul(o, p_o, c)
            h = o.sigmoid() * (c.tanh() if output_activation == "tanh" else c)
            outputs.append(h)
        return torch.stack(outputs)

    return run


def lstm_relevance(x: Tensor, weights: LSTMWeights) -> Tensor:
    """Relevance gate r on the hidden state inside the candidate: g = tanh(W_g x + U_g (r*h) + b_g)."""
    H = weights.weight_hh.shape[1]
    sums = F.linear(x, weights.weight_ih, weights.bias_ih + weights.bias_hh)
    i_f, g, o_r = sums.split([2 * H, H, 2 * H], dim=-1)
    of_gates, of_candidate = torch.cat([i_f, o_r], dim=-1), g
    u_if, u_g, u_or = weights.weight_hh.split([2 * H, H, 2 * H])
    recurrent, of_relevance = torch.cat([u_if, u_or]).t(), u_g.t()
    h = c = x.new_zeros(x.shape[1], H)
    outputs = []
    for gates, candidate in zip(of_gates.unbind(0), of_candidate.unbind(0), strict=True):
        i, f, o, r = torch.addmm(gates, h, recurrent).sigmoid().chunk(4, dim=1)
        g = torch.addmm(candidate, r * h, of_relevance).tanh()
        c = torch.addcmul(f * c, i, g)
        h = o * c.tanh()
        outputs.append(h)
    return torch.stack(outputs)

"""The other way to write a cell's weights: one matrix that multiplies [a<t-1>; x<t>].

Wa [a<t-1>; x<t>] = Waa a<t-1> + Wax x<t> with Wa = [Waa | Wax]: weight_hh stands to the left, weight_ih to
the right.
"""

from typing import NamedTuple, TypeVar

import torch
from torch import Tensor

from recurra.cells.checks import shape_error
from recurra.cells.gru import GRUWeights
from recurra.cells.lstm import LSTMWeights
from recurra.cells.rnn import RNNWeights

W = TypeVar("W", RNNWeights, GRUWeights, LSTMWeights)
_GATES: dict[type, int] = {RNNWeights: 1, GRUWeights: 3, LSTMWeights: 4}


class ConcatenatedWeights(NamedTuple):
    """The weights of a cell with W_hh and W_ih side by side and one bias where one is enough.

    `bias_hn` is the GRU's second bias of n: it stands inside the reset product, so the sum cannot take it
    up. `weight_hr` is the LSTM's projection. Row blocks keep the cell's gate order.
    Shapes: weight (G*H, H+I), or (G*H, P+I) with a projection; bias (G*H,) or None; bias_hn (H,) or None;
    weight_hr (P, H) or None.
    """

    weight: Tensor
    bias: Tensor | None = None
    bias_hn: Tensor | None = None
    weight_hr: Tensor | None = None


def concatenate_weights(weights: RNNWeights | GRUWeights | LSTMWeights) -> ConcatenatedWeights:
    """Return the concatenated form of a cell's weights; the function that the cell computes stays the same.

    Shapes: weight_ih (G*H, I) and weight_hh (G*H, H) become weight (G*H, H+I); two biases become their sum.
    """
    weight = torch.cat([weights.weight_hh, weights.weight_ih], dim=1)
    bias, bias_hn = weights.bias_ih, None
    if weights.bias_ih is not None and weights.bias_hh is not None:
        if isinstance(weights, GRUWeights):
            r_and_z, bias_hn = weights.bias_hh.tensor_split([2 * len(weights.bias_hh) // 3])
            bias = weights.bias_ih + torch.cat([r_and_z, torch.zeros_like(bias_hn)])
        else:
            bias = weights.bias_ih + weights.bias_hh
    projection = weights.weight_hr if isinstance(weights, LSTMWeights) else None
    return ConcatenatedWeights(weight, bias, bias_hn, projection)


def split_weights(kind: type[W], concatenated: ConcatenatedWeights) -> W:
    """Return weights of `kind` (RNNWeights, GRUWeights, LSTMWeights) from the concatenated form.

    The whole bias goes to bias_ih; bias_hh is zero, but for the GRU's bias_hn.
    Shapes: weight (G*H, H+I) becomes weight_hh (G*H, H) and weight_ih (G*H, I).
    Raises: ShapeError if the rows are no multiple of the gates, or no columns are left for the input.
    """
    weight, bias, bias_hn, weight_hr = concatenated
    rows, columns = weight.shape
    gates = _GATES[kind]
    hidden_size = rows // gates
    width = hidden_size if weight_hr is None else weight_hr.shape[0]
    if rows % gates or columns <= width:
        wanted = f"({gates}*H, {'H' if weight_hr is None else width}+I) with I >= 1"
        remedy = f"it is [W_hh | W_ih] with the row blocks of {gates} gates"
        raise shape_error("weight", f"shape {(rows, columns)}", wanted, remedy)
    weight_hh, weight_ih = weight.split([width, columns - width], dim=1)
    bias_hh = None if bias is None else torch.zeros_like(bias)
    if bias_hh is not None and bias_hn is not None:
        bias_hh = torch.cat([bias_hh[: rows - hidden_size], bias_hn])
    if kind is LSTMWeights:
        return kind(weight_ih, weight_hh, bias, bias_hh, weight_hr)
    return kind(weight_ih, weight_hh, bias, bias_hh)

"""What RNN, GRU and LSTM share: parameters, the forms an input may have, and the way through a call."""

import warnings
from collections.abc import Sequence
from typing import Any, TypeGuard

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence

from recurra.cells import (
    Equation,
    State,
    autocasts,
    check_kind,
    check_sizes,
    checked_state,
    init_uniform,
    map_state,
    shape_error,
    state_from,
)
from recurra.kernels import BACKENDS, choose, torch_fused
from recurra.kernels.torch_fused import StackOptions
from recurra.layers.lengths import checked_lengths
from recurra.layers.stack import flat, run_packed_stack, run_stack

Device = torch.device | str | int | None
Lengths = Tensor | Sequence[int] | None

# What extra_repr leaves out, in its order.
_DEFAULTS: dict[str, object] = {
    "proj_size": 0,
    "num_layers": 1,
    "bias": True,
    "batch_first": False,
    "dropout": 0.0,
    "bidirectional": False,
    "backend": "auto",
}


class RecurrentLayer(nn.Module):
    """A stack of one cell over time: what `recurra.RNN`, `recurra.GRU` and `recurra.LSTM` have in common.

    It takes the place of torch.nn's layer of the same name: same arguments, parameter names, state_dict,
    initial values, results and gradients. Beyond it there are

    - `lengths=` at the call: row b has lengths[b] steps, in any order, none allowed. The output keeps T and
      is zero in the padding; the final state is that of each row's last step, for a row of none the initial
      state. Whatever the padding holds reaches neither outputs nor gradients.
    - `backend=` at construction: "auto", "native", "torch" (its fused functions) or "reference" (one step
      = the cell's equation; also for double backward). `backend_used` says which one the last call took.

    Shapes: input (T, B, I), or (B, T, I) with batch_first, or (T, I) for one row, or a PackedSequence;
    lengths (B,); hx (L*D, B, H), or (L*D, H) for one row; output like the input, its last axis D*H.
    """

    backend_used: str = ""

    def __init__(
        self,
        equation: Equation[Any, Any],
        input_size: int,
        hidden_size: int,
        *,
        num_layers: int,
        bias: bool,
        batch_first: bool,
        dropout: float,
        bidirectional: bool,
        device: Device,
        dtype: torch.dtype | None,
        backend: str,
        proj_size: int = 0,
    ) -> None:
        super().__init__()
        check_sizes(
            {"input_size": input_size, "hidden_size": hidden_size, "num_layers": num_layers},
            {"bias": bias, "batch_first": batch_first, "bidirectional": bidirectional},
            _faults(hidden_size, dropout, proj_size, backend),
        )
        if dropout > 0 and num_layers == 1:
            warnings.warn(
                f"dropout: got {dropout} with one layer, but it acts between layers only; "
                "set num_layers=2 or more, or put torch.nn.Dropout behind the layer",
                stacklevel=3,
            )
        self.equation = equation
        self.input_size = input_size
        self.hidden_size = hidden_size
        self.num_layers = num_layers
        self.bias = bias
        self.batch_first = batch_first
        self.dropout = float(dropout)
        self.bidirectional = bidirectional
        self.proj_size = proj_size
        self.backend = backend
        self._names = self._add_parameters(device, dtype)
        self.reset_parameters()
        self.flatten_parameters()

    def _add_parameters(self, device: Device, dtype: torch.dtype | None) -> list[list[dict[str, str]]]:
        """Make all parameters; return their names by [layer][direction][name in the cell]."""
        names: list[list[dict[str, str]]] = []
        for layer in range(self.num_layers):
            input_size = self.input_size if layer == 0 else self.output_size
            shapes = self.equation.weight_shapes(input_size, self.hidden_size, self.bias, self.proj_size)
            names.append([])
            for suffix in ("", "_reverse")[: self.num_directions]:
                names[-1].append({name: f"{name}_l{layer}{suffix}" for name in shapes})
                for name, shape in shapes.items():
                    parameter = nn.Parameter(torch.empty(shape, device=device, dtype=dtype))
                    self.register_parameter(f"{name}_l{layer}{suffix}", parameter)
        return names

    @property
    def num_directions(self) -> int:
        """2 for a bidirectional layer, else 1."""
        return 2 if self.bidirectional else 1

    @property
    def output_size(self) -> int:
        """The last axis of the output: D*H, or D*P with a projection."""
        return self.num_directions * (self.proj_size or self.hidden_size)

    @property
    def all_weights(self) -> list[list[Tensor]]:
        """The parameters of each layer and direction, as torch.nn's layers list them."""
        return [flat([[direction]]) for layer in self.weights() for direction in layer]

    def weights(self) -> list[list[Any]]:
        """Return the weights as the cell takes them, by [layer][direction]."""
        kind = self.equation.weights_type
        return [
            [
                kind(**{name: getattr(self, own_name) for name, own_name in direction.items()})
                for direction in layer
            ]
            for layer in self._names
        ]

    def reset_parameters(self) -> None:
        """Draw all weights anew from U(-1/√H, 1/√H)."""
        init_uniform(self.parameters(), self.hidden_size)

    def flatten_parameters(self) -> None:
        """Put the weights into one stretch of memory for cuDNN; on other devices do nothing."""
        sizes = (self.input_size, self.hidden_size, self.proj_size)
        torch_fused.flatten_for_cudnn(self.equation, flat(self.weights()), self._options(), sizes)

    def initial_state(self, batch_size: int) -> State:
        """Return the zeros that a batch starts from, in the weights' type and on their device.

        Shapes: (L*D, B, H), a pair of them for the LSTM (hidden (L*D, B, P) with a projection).
        """
        like: Tensor = getattr(self, self._names[0][0]["weight_hh"])
        return self._zeros(batch_size, like)

    def entry_state(self, hx: Any, x: Tensor, batch_size: int, batched: bool = True) -> State:
        """Return the state to start from: hx once it is checked and batched, or zeros.

        Under autocast it takes the dtype of x; what a call returns has the weights' dtype again.
        Shapes: hx (L*D, B, H), or (L*D, H) where not batched; result (L*D, B, H); pairs for the LSTM.
        Raises: ShapeError where hx does not fit.
        """
        if hx is None:
            return self._zeros(batch_size, x)
        shapes = self._state_shapes(batch_size)
        axes = "(num_layers * directions, batch, hidden_size)"
        if not batched:
            shapes = [(layers, width) for layers, _, width in shapes]
            axes = "(num_layers * directions, hidden_size) for one row"
        mixed = autocasts(x)
        state = checked_state(hx, shapes, axes, x.device, None if mixed else x.dtype)
        if mixed:
            state = map_state(lambda part: part.to(x.dtype), state)
        return state if batched else map_state(lambda part: part.unsqueeze(1), state)

    def forward(
        self, input: Tensor | PackedSequence, hx: Any = None, lengths: Lengths = None
    ) -> tuple[Tensor | PackedSequence, State]:
        """Run a batch of sequences; return the last layer's hidden state at each step and all final states.

        Shapes: input (T, B, I), or (B, T, I) with batch_first, or (T, I) for one row, or a PackedSequence;
        hx (L*D, B, H), or (L*D, H) for one row, for the LSTM a pair of them (hidden with P for H where it
        has a projection); lengths (B,); output like the input, its last axis D*H.
        Raises: ShapeError where shapes, dtypes, devices or lengths do not fit; BackendUnavailable if the
        backend asked for cannot run.
        """
        if isinstance(input, PackedSequence):
            return self._forward_packed(input, hx, lengths)
        self._check_input(input)
        batched = input.dim() == 3
        x = input if batched else input.unsqueeze(1)
        if batched and self.batch_first:
            x = x.transpose(0, 1)
        T, B = x.shape[:2]
        steps = checked_lengths(lengths, T, B)
        state = self.entry_state(hx, x, B, batched)
        backend = self.backend_used = choose(self.backend, self.equation)
        output, state = run_stack(backend, self.equation, x, state, self.weights(), self._options(), steps)
        state = self._exit_state(state, x)
        if not batched:
            return output.squeeze(1), map_state(lambda part: part.squeeze(1), state)
        return output.transpose(0, 1) if self.batch_first else output, state

    def _forward_packed(
        self, packed: PackedSequence, hx: Any, lengths: Lengths
    ) -> tuple[PackedSequence, State]:
        if lengths is not None:
            remedy = "a PackedSequence has its own; leave lengths out"
            raise shape_error("lengths", "lengths beside a PackedSequence", "none", remedy)
        data, batch_sizes, sorted_indices, unsorted_indices = packed
        self._check_input(data, packed=True)
        state = self.entry_state(hx, data, int(batch_sizes[0]), batched=True)
        if sorted_indices is not None:
            state = map_state(lambda part: part.index_select(1, sorted_indices), state)
        backend = self.backend_used = choose(self.backend, self.equation)
        output, state = run_packed_stack(
            backend, self.equation, packed, state, self.weights(), self._options()
        )
        state = self._exit_state(state, data)
        if unsorted_indices is not None:
            state = map_state(lambda part: part.index_select(1, unsorted_indices), state)
        return PackedSequence(output, batch_sizes, sorted_indices, unsorted_indices), state

    def _options(self) -> StackOptions:
        return StackOptions(self.bias, self.num_layers, self.dropout, self.training, self.bidirectional)

    def _state_shapes(self, batch_size: int) -> list[tuple[int, ...]]:
        widths = self.equation.state_widths(self.hidden_size, self.proj_size)
        return [(self.num_layers * self.num_directions, batch_size, width) for width in widths]

    def _zeros(self, batch_size: int, like: Tensor) -> State:
        return state_from([like.new_zeros(shape) for shape in self._state_shapes(batch_size)])

    def _exit_state(self, state: State, x: Tensor) -> State:
        """Under autocast back in the weights' dtype, whichever the backend computed in."""
        if not autocasts(x):
            return state
        dtype = getattr(self, self._names[0][0]["weight_ih"]).dtype
        return map_state(lambda part: part.to(dtype), state)

    def _check_input(self, input: Tensor, packed: bool = False) -> None:
        if input.dim() not in ((2,) if packed else (2, 3)) or input.shape[-1] != self.input_size:
            axes = "batch, steps" if self.batch_first else "steps, batch"
            wanted = f"({axes}, {self.input_size}), or (steps, {self.input_size}) for one row"
            if packed:
                wanted = f"(all steps, {self.input_size}) in a PackedSequence"
            remedy = f"its last axis is input_size={self.input_size}"
            raise shape_error("input", f"shape {tuple(input.shape)}", wanted, remedy)
        check_kind(input, getattr(self, self._names[0][0]["weight_ih"]))

    def _apply(self, fn: Any, recurse: bool = True) -> "RecurrentLayer":
        super()._apply(fn, recurse)
        self.flatten_parameters()
        return self

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        self.flatten_parameters()

    def extra_repr(self) -> str:
        """Return the options that are not the default, as torch.nn prints them."""
        options = {name: getattr(self, name) for name in _DEFAULTS}
        changed = [f"{name}={value}" for name, value in options.items() if value != _DEFAULTS[name]]
        return ", ".join([str(self.input_size), str(self.hidden_size), *changed])


def _faults(hidden_size: object, dropout: object, proj_size: object, backend: object) -> list[str]:
    faults = []
    if not _is_number(dropout, (int, float)) or not 0 <= dropout <= 1:
        faults.append(f"dropout: got {dropout!r}, expected a probability in 0..1")
    widest = hidden_size - 1 if _is_number(hidden_size, int) else 0
    if not _is_number(proj_size, int) or not 0 <= proj_size <= max(widest, 0):
        faults.append(f"proj_size: got {proj_size!r}, expected a whole number in 0..hidden_size-1")
    if backend not in BACKENDS:
        faults.append(f"backend: got {backend!r}, expected one of {', '.join(BACKENDS)}")
    return faults


def _is_number(value: object, kind: type | tuple[type, ...]) -> TypeGuard[int]:
    return isinstance(value, kind) and not isinstance(value, bool)

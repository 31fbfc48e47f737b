"""The options, parameters and parameter names of a stack of recurrent layers."""

import warnings
from collections.abc import Callable, Iterable
from dataclasses import fields, is_dataclass
from typing import Any, Unpack, cast

import torch
from torch import Tensor, nn

from recurra.cells import (
    Equation,
    State,
    WrongType,
    check_sizes,
    dtype_faults,
    init_uniform,
    state_from,
    truth_of,
)
from recurra.errors import ArgumentTypeError, ConfigError
from recurra.kernels import native, torch_fused
from recurra.kernels.torch_fused import StackOptions
from recurra.layers.options import DEFAULTS, LayerOptions, option_faults
from recurra.layers.stack import Stack, flat, output_size
from recurra.layers.stateful import Stateful

Device = torch.device | str | int | None

# extra_repr omits options with these values and prints the others in this order.
_DEFAULTS: dict[str, object] = {
    "proj_size": 0,
    "num_layers": 1,
    "bias": True,
    "batch_first": False,
    "dropout": 0.0,
    "bidirectional": False,
    **DEFAULTS,
}


class LayerStack(Stateful):
    """The parameters of a stack of layers of one cell, under torch.nn's names, and RecurrentLayer's options.

    Shapes: for a layer with input size W, weight_ih (G*H, W), weight_hh (G*H, H), biases (G*H,) and the other
    weights of the cell; a learnt initial state (L*D, H).
    """

    takes_projection = False  # whether proj_size may be passed by name
    _packed: list[native.KeptPack] | None = None

    def __init__(
        self,
        equation: Callable[[], Equation[Any, Any]],
        input_size: int,
        hidden_size: int,
        *,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        device: Device = None,
        dtype: torch.dtype | None = None,
        proj_size: int = 0,
        faults: Iterable[str] = (),
        **options: Unpack[LayerOptions],
    ) -> None:
        super().__init__()
        chosen = cast(LayerOptions, {**DEFAULTS, **options})
        made, equation_faults = _made(equation)
        equation_faults += dtype_faults(dtype)
        bidirectional = truth_of("bidirectional", bidirectional, stacklevel=5)
        parts = 2 if made is None else len(made.state_widths(1, 1))
        check_sizes(
            {"input_size": input_size, "hidden_size": hidden_size, "num_layers": num_layers},
            {"bias": bias, "batch_first": batch_first},
            [
                *equation_faults,
                *faults,
                *option_faults(chosen, parts=parts, bidirectional=bidirectional, dropout=dropout),
            ],
        )
        assert made is not None, "an invalid equation has faults"
        self.equation = made
        self.input_size = int(input_size)  # may be a numpy integer
        self.hidden_size = int(hidden_size)
        self.num_layers = int(num_layers)
        self.bias = bias
        self.batch_first = batch_first
        self.dropout = float(dropout)
        self.bidirectional = bidirectional
        self.proj_size = int(proj_size)
        self.skip = chosen["skip"]
        self.merge, self.learn_initial_state = chosen["merge"], chosen["learn_initial_state"]
        zoneout: Any = chosen["zoneout"]
        is_pair = isinstance(zoneout, tuple | list)
        self.zoneout: float | tuple[float, float] = (
            (float(zoneout[0]), float(zoneout[1])) if is_pair else float(zoneout)
        )
        self.variational_dropout = float(chosen["variational_dropout"])
        self.weight_drop = float(chosen["weight_drop"])
        self.stateful = chosen["stateful"]
        self.watchers: list[Callable[..., None]] = []  # called with the input; see recurra.layers.watching
        self.backend = chosen["backend"]
        self._warn_of_idle_options()
        self._names = self._add_parameters(device, dtype)
        self._fields = self._names_by_field()
        self._initial_names = self._add_initial_state(device, dtype) if self.learn_initial_state else ()
        self.reset_parameters()
        self.flatten_parameters()

    def _warn_of_idle_options(self) -> None:
        where = (
            "it acts between layers only; set num_layers=2 or more, or add torch.nn.Dropout after the layer"
        )
        for name in ("dropout", "variational_dropout"):
            if getattr(self, name) > 0 and self.num_layers == 1:
                warnings.warn(f"{name}: got {getattr(self, name)} with one layer, but {where}", stacklevel=5)
        if self.skip == "graves" and self.num_layers == 1:
            warnings.warn(
                "skip: got 'graves' with one layer, but it joins several; set num_layers=2 or more",
                stacklevel=5,
            )
        if self.merge != "concat" and not self.bidirectional:
            warnings.warn(
                f"merge: got {self.merge!r} with one direction, but it joins two; set bidirectional=True",
                stacklevel=5,
            )

    def _add_parameters(self, device: Device, dtype: torch.dtype | None) -> list[list[dict[str, str]]]:
        """Create all parameters; return their names by [layer][direction][name in the cell]."""
        names: list[list[dict[str, str]]] = []
        for layer in range(self.num_layers):
            input_size = self._entering_size(layer)
            shapes = self.equation.weight_shapes(input_size, self.hidden_size, self.bias, self.proj_size)
            names.append([])
            for suffix in ("", "_reverse")[: self.num_directions]:
                names[-1].append({name: f"{name}_l{layer}{suffix}" for name in shapes})
                for name, shape in shapes.items():
                    parameter = nn.Parameter(torch.empty(shape, device=device, dtype=dtype))
                    self.register_parameter(f"{name}_l{layer}{suffix}", parameter)
        return names

    def _entering_size(self, layer: int) -> int:
        """Return the input size of a layer."""
        if layer == 0:
            return self.input_size
        return self._layer_size + (self.input_size if self.skip == "graves" else 0)

    def _names_by_field(self) -> list[list[list[str | None]]]:
        kind = self.equation.weights_type
        return [[[names.get(field) for field in kind._fields] for names in layer] for layer in self._names]

    def _add_initial_state(self, device: Device, dtype: torch.dtype | None) -> tuple[str, ...]:
        shapes = [(layers, width) for layers, _, width in self._state_shapes(0)]
        names = ("initial_hidden", "initial_cell")[: len(shapes)]
        for name, shape in zip(names, shapes, strict=True):
            self.register_parameter(name, nn.Parameter(torch.empty(shape, device=device, dtype=dtype)))
        return names

    @property
    def num_directions(self) -> int:
        """2 for a bidirectional layer, else 1."""
        return 2 if self.bidirectional else 1

    @property
    def _layer_size(self) -> int:
        """The last axis of the output of one layer."""
        return output_size(self._width, self.bidirectional, self.merge)

    @property
    def _width(self) -> int:
        return self.equation.state_widths(self.hidden_size, self.proj_size)[0]

    @property
    def output_size(self) -> int:
        """The last axis of the output: D*H, or H if the directions are merged (P instead of H with a
        projection); times L with skip="graves"."""
        return self._layer_size * (self.num_layers if self.skip == "graves" else 1)

    @property
    def all_weights(self) -> list[list[Tensor]]:
        """The weights of each layer and direction, in torch.nn's order."""
        return [flat([[direction]]) for layer in self.weights() for direction in layer]

    # For code written for torch.nn's layers, which reads and sets these. A weight that was deleted because it
    # is recomputed before each call is None until it is set.
    @property
    def _flat_weights(self) -> tuple[Tensor | None, ...]:
        return tuple(getattr(self, name, None) for name in self._flat_weights_names)

    @_flat_weights.setter
    def _flat_weights(self, weights: Iterable[Tensor]) -> None:
        for name, weight in zip(self._flat_weights_names, weights, strict=True):
            if weight is getattr(self, name, None):
                continue
            if not isinstance(weight, nn.Parameter):
                self._parameters.pop(name, None)
            setattr(self, name, weight)

    @property
    def _all_weights(self) -> list[list[str]]:
        return [list(names.values()) for layer in self._names for names in layer]

    @property
    def _flat_weights_names(self) -> list[str]:
        return [name for names in self._all_weights for name in names]

    def weights(self) -> list[list[Any]]:
        """Return the weights in the cell's named tuples, by [layer][direction]."""
        make, own = self.equation.weights_type._make, self._parameters
        return [
            [
                make(
                    [
                        None if name is None else own[name] if name in own else getattr(self, name)
                        for name in names
                    ]
                )
                for names in layer
            ]
            for layer in self._fields
        ]

    def reset_parameters(self) -> None:
        """Redraw all weights from U(-1/√H, 1/√H); a learnt initial state becomes zero, gains become one."""
        for layer in self._names:
            for names in layer:
                weights = {name: getattr(self, own_name) for name, own_name in names.items()}
                self.equation.initialise(weights, self.hidden_size)
        for name in self._initial_names:
            nn.init.zeros_(getattr(self, name))
        # Like torch.nn's layers: under weight normalisation, the parameters that a weight is computed from.
        known = {*self._flat_weights_names, *self._initial_names}
        init_uniform([p for name, p in self.named_parameters() if name not in known], self.hidden_size)

    def flatten_parameters(self) -> None:
        """Put the weights into one contiguous block of memory for cuDNN; on other devices do nothing."""
        if any(weight is None for weight in self._flat_weights):
            return
        weights, options = self.weights(), self.stack().plain
        together = self.stack().is_torchs(self.input_size, self._layer_size)
        for layer, own in enumerate([flat(weights)] if together else [flat([own]) for own in weights]):
            sizes = (self._entering_size(layer), self.hidden_size, self.proj_size)
            plain = options if together else options._replace(num_layers=1)
            torch_fused.flatten_for_cudnn(self.equation, own, plain, sizes)

    def initial_state(self, batch_size: int) -> State:
        """Return the initial state (zeros, or the learnt state) with the weights' dtype and device.

        Shapes: (L*D, B, H), a pair of them for the LSTM (hidden (L*D, B, P) with a projection).
        """
        return self._start(batch_size, self._some_weight())

    @property
    def keep_packed(self) -> bool:
        """Whether evaluation without gradients keeps packed weights for the native kernels between calls.

        By default the kernels pack the weights at each call, which dominates the time of short calls (a few
        rows, one step). The packed copy takes as much memory as the weights. It is rebuilt after a step of
        one of torch's optimisers and whenever torch's version counter of a weight changes (`load_state_dict`,
        any in-place operation). Writes through `weight.data` (as in `vector_to_parameters`), through an array
        that shares the memory, by another process or by a collective are not detected: set the attribute
        again after them to discard the packed copy.
        """
        return self._packed is not None

    @keep_packed.setter
    def keep_packed(self, keep: bool) -> None:
        places = range(self.num_layers * self.num_directions)
        self._packed = [native.KeptPack() for _ in places] if keep else None

    def stack(self) -> Stack:
        """Return the description of the stack for this call."""
        plain = StackOptions(self.bias, self.num_layers, self.dropout, self.training, self.bidirectional)
        zoneout = (self.zoneout, self.zoneout) if isinstance(self.zoneout, int | float) else self.zoneout
        kept, dropout = None if self.training else self._packed, self.variational_dropout
        return Stack(self.equation, plain, self.skip, self.merge, dropout, zoneout, kept)

    def _state_shapes(self, batch_size: int) -> list[tuple[int, ...]]:
        widths = self.equation.state_widths(self.hidden_size, self.proj_size)
        return [(self.num_layers * self.num_directions, batch_size, width) for width in widths]

    def _start(self, batch_size: int, like: Tensor) -> State:
        if not self._initial_names:
            return state_from([like.new_zeros(shape) for shape in self._state_shapes(batch_size)])
        parts = [getattr(self, name).unsqueeze(1).to(like.dtype) for name in self._initial_names]
        return state_from([part.expand(-1, batch_size, -1).contiguous() for part in parts])

    def _some_weight(self) -> Tensor:
        """Return a weight that has the layer's dtype and device."""
        name = self._names[0][0]["weight_ih"]
        return cast(Tensor, self._parameters[name] if name in self._parameters else getattr(self, name))

    def _apply(self, fn: Any, recurse: bool = True) -> "LayerStack":
        super()._apply(fn, recurse)
        self.flatten_parameters()
        return self

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        self.flatten_parameters()

    def extra_repr(self) -> str:
        """Return the options that differ from their defaults, in torch.nn's format."""
        changed = [
            f"{name}={getattr(self, name)}"
            for name, default in _DEFAULTS.items()
            if getattr(self, name) != default
        ]
        equation: Any = self.equation
        if is_dataclass(equation):
            changed += [
                f"{field.name}={getattr(equation, field.name)}"
                for field in fields(equation)
                if getattr(equation, field.name) != field.default
            ]
        return ", ".join([str(self.input_size), str(self.hidden_size), *changed])


def _made(equation: Callable[[], Equation[Any, Any]]) -> tuple[Equation[Any, Any] | None, list[str]]:
    try:
        return equation(), []
    except ArgumentTypeError as error:
        return None, [WrongType(line) for line in str(error).splitlines()]
    except ConfigError as error:
        return None, str(error).splitlines()

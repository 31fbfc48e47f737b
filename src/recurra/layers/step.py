"""One step at a time without torch, for streams in which every input needs an immediate output."""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from recurra.cells import LSTMState, State, check_tensor, shape_error
from recurra.errors import BackendUnavailable, ConfigError, ShapeError
from recurra.kernels import native
from recurra.layers.options import SKIPS
from recurra.layers.recurrent import RecurrentLayer

Floats = NDArray[np.float32]


class StreamingStep:
    """A recurrent layer frozen for streaming: packs the weights once, keeps the state, and uses numpy arrays.

        step = StreamingStep(layer)
        output = step(x)                # the output for x, given all earlier inputs

    The output is the same as the layer's in evaluation, for one row and one step per call; torch is not used.
    Later changes of the layer's weights have no effect. One object serves one stream; it is not thread-safe.
    Shapes: x (I,), float32; output (W,), where W is the layer's output_size; `run` takes (T, I), returns
    (T, W).
    Raises: ConfigError for a bidirectional layer; BackendUnavailable if the native kernels cannot run the
    layer: they are not available, its weights are not float32 on the CPU, or they do not have its cell.
    """

    def __init__(self, layer: RecurrentLayer) -> None:
        if not isinstance(layer, RecurrentLayer):
            raise ConfigError(
                f"layer: got a {type(layer).__name__}, expected a layer of recurra; "
                "copy a torch.nn layer into one with load_state_dict(layer.state_dict())"
            )
        if layer.bidirectional:
            raise ConfigError(
                "layer: got a bidirectional one, expected one that runs forwards only; "
                "a backward direction needs inputs that have not arrived yet"
            )
        weights = [directions[0] for directions in layer.weights()]
        start = layer.initial_state(1)
        hidden = start if isinstance(start, torch.Tensor) else start.hidden
        zoneout = layer.stack().zoneout
        blocked = native.reason(layer.equation, hidden, "zoneout" if any(zoneout) else None)
        if blocked is not None:
            raise BackendUnavailable(f"StreamingStep: {blocked}; call the layer itself, step by step.")
        self._widths = layer.equation.state_widths(layer.hidden_size, layer.proj_size)
        self._layers = layer.num_layers
        with torch.no_grad():
            self._stack: Any = native.streaming_stack(
                layer.equation, weights, SKIPS.index(layer.skip), *zoneout
            )
            self._start = self._flat(start)
        self.input_size: int = self._stack.input_size
        self.output_size: int = self._stack.output_size
        self.reset()

    def __repr__(self) -> str:
        return f"StreamingStep({self._layers} layers)"

    def __call__(self, x: Floats) -> Floats:
        """Run one step; return its output in a new array.

        Shapes: x (I,), float32; result (W,).
        Raises: ShapeError for another shape or type.
        """
        if not isinstance(x, np.ndarray) or x.shape != (self.input_size,) or x.dtype != np.float32:
            raise _misfit(x, f"({self.input_size},)", "one step")
        output: Floats = np.empty(self.output_size, np.float32)
        self._stack.run(x if x.flags.c_contiguous else np.ascontiguousarray(x), output)
        return output

    def run(self, x: Floats) -> Floats:
        """Run several steps in one call.

        Shapes: x (T, I), float32; result (T, W).
        Raises: ShapeError for another shape or type.
        """
        fits = isinstance(x, np.ndarray) and x.ndim == 2 and x.shape[1] == self.input_size
        if not fits or x.dtype != np.float32:
            raise _misfit(x, f"(T, {self.input_size})", "steps in rows")
        output: Floats = np.empty((len(x), self.output_size), np.float32)
        self._stack.run(np.ascontiguousarray(x), output)
        return output

    def reset(self) -> None:
        """Reset the state to zeros, or to the layer's learnt initial state."""
        self._stack.set_state(self._start)

    @property
    def state(self) -> State:
        """The state after the last step, in the layer's format; it can be set to continue a saved stream.

        Shapes: (L, 1, H), a pair of them for the LSTM.
        """
        flat: Floats = np.empty(self._stack.state_size, np.float32)
        self._stack.get_state(flat)
        rows = torch.from_numpy(flat.reshape(self._layers, 1, -1))
        if len(self._widths) == 1:
            return rows
        return LSTMState(*(part.contiguous() for part in rows.split(list(self._widths), dim=-1)))

    @state.setter
    def state(self, state: State) -> None:
        self._stack.set_state(self._flat(state))

    def __reduce__(self) -> Any:
        raise TypeError("StreamingStep: cannot be copied or pickled; create another one and set its `state`")

    def _flat(self, state: State) -> Floats:
        parts = list(state) if isinstance(state, tuple | list) else [state]
        for part in parts:
            check_tensor("state", part)
        shapes = [tuple(part.shape) for part in parts]
        expected = [(self._layers, 1, width) for width in self._widths]
        if shapes != expected:
            raise shape_error("state", f"shapes {shapes}", f"{expected}", "pass a value of `state`")
        joined = torch.cat([part.detach().float() for part in parts], dim=-1)
        flat: Floats = joined.reshape(-1).numpy().copy()
        return flat


def _misfit(x: object, shape: str, what: str) -> ShapeError:
    """Return the error for an input that is not a float32 array of this shape."""
    if not isinstance(x, np.ndarray):
        remedy = "take its .detach().numpy()" if isinstance(x, torch.Tensor) else "wrap it in np.float32(...)"
        return shape_error("x", f"a {type(x).__name__}", f"a numpy array of shape {shape}", remedy)
    remedy = f"pass {what} with input_size as the last axis"
    if x.dtype != np.float32:
        remedy = "convert it with .astype(np.float32)"
    return shape_error("x", f"{x.dtype} of shape {x.shape}", f"float32 of shape {shape}", remedy)

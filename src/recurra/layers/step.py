"""One step at a time without torch: a layer for streams, where each input must be answered at once."""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from recurra.cells import LSTMState, State, shape_error
from recurra.errors import BackendUnavailable, ConfigError
from recurra.kernels import native
from recurra.layers.options import SKIPS
from recurra.layers.recurrent import RecurrentLayer

Floats = NDArray[np.float32]


class StreamingStep:
    """A recurrent layer frozen for streaming: weights packed once, the state kept, numpy in and out.

        step = StreamingStep(layer)
        output = step(x)                # the output for x, after all that came before it

    What it gives is what the layer gives in evaluation, one row, one step a call; torch takes no part in it.
    Later changes of the layer's weights do not reach it. One object serves one stream: it is no place for
    two threads at once.
    Shapes: x (I,), float32; output (W,), W being the layer's output_size; `run` takes (T, I), gives (T, W).
    Raises: ConfigError for a layer that reads backwards too; BackendUnavailable where the native kernels
    cannot run the layer: they are not here, its weights are not float32 on the CPU, or its cell is none of
    theirs.
    """

    def __init__(self, layer: RecurrentLayer) -> None:
        if layer.bidirectional:
            raise ConfigError(
                "layer: got a bidirectional one, expected one that runs forwards only; "
                "what comes later cannot be read before it is there"
            )
        weights = [directions[0] for directions in layer.weights()]
        start = layer.initial_state(1)
        hidden = start if isinstance(start, torch.Tensor) else start.hidden
        zoneout = layer.stack().zoneout
        blocked = native.reason(layer.equation, hidden, "zoneout" if any(zoneout) else None)
        if blocked is not None:
            raise BackendUnavailable(f"StreamingStep: {blocked}; call the layer itself, step by step")
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

    def __call__(self, x: Floats) -> Floats:
        """Take one step; return its output in an array of its own.

        Shapes: x (I,), float32; result (W,).
        Raises: ShapeError for another shape or type.
        """
        if x.shape != (self.input_size,) or x.dtype != np.float32:
            remedy = "give one step, numpy's float32"
            raise shape_error(
                "x", f"{x.dtype} of shape {x.shape}", f"float32 of shape ({self.input_size},)", remedy
            )
        output: Floats = np.empty(self.output_size, np.float32)
        self._stack.run(x if x.flags.c_contiguous else np.ascontiguousarray(x), output)
        return output

    def run(self, x: Floats) -> Floats:
        """Take several steps in one call.

        Shapes: x (T, I), float32; result (T, W).
        Raises: ShapeError for another shape or type.
        """
        if x.ndim != 2 or x.shape[1] != self.input_size or x.dtype != np.float32:
            remedy = "give steps in rows, numpy's float32"
            raise shape_error(
                "x", f"{x.dtype} of shape {x.shape}", f"float32 of shape (T, {self.input_size})", remedy
            )
        output: Floats = np.empty((len(x), self.output_size), np.float32)
        self._stack.run(np.ascontiguousarray(x), output)
        return output

    def reset(self) -> None:
        """Begin anew: from zeros, or from the layer's learnt initial state."""
        self._stack.set_state(self._start)

    @property
    def state(self) -> State:
        """The state after the last step, as the layer would give it: for saving, and for going on elsewhere.

        Shapes: (L, 1, H), a pair of them for the LSTM; setting it takes the same.
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

    def _flat(self, state: State) -> Floats:
        parts = [state] if isinstance(state, torch.Tensor) else list(state)
        shapes = [tuple(part.shape) for part in parts]
        expected = [(self._layers, 1, width) for width in self._widths]
        if shapes != expected:
            raise shape_error("state", f"shapes {shapes}", f"{expected}", "give what `state` gave")
        joined = torch.cat([part.detach().float() for part in parts], dim=-1)
        flat: Floats = joined.reshape(-1).numpy().copy()
        return flat

"""A detector that reads steps as they arrive, without torch's overhead where the kernels allow it."""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from recurra.errors import BackendUnavailable
from recurra.layers import StreamingStep
from recurra.models.detector import DetectorNetwork

Floats = NDArray[np.float32]


class StreamingDetector:
    """The network prepared for one stream: the same probabilities as the network's, step by step.

    The weights are fixed: after the network's weights have changed, create a new object.

    Shapes: `push` takes inputs (T, I) and returns probabilities (T, K).
    """

    def __init__(self, network: DetectorNetwork) -> None:
        self._network = network
        weight, bias = network.output.weight.detach(), network.output.bias.detach()
        self._weight, self._bias = weight.cpu().numpy().T.copy(), bias.cpu().numpy()
        try:
            self._step: Any = StreamingStep(network.recurrent)
        except BackendUnavailable:
            self._step = _LayerStep(network)

    def __repr__(self) -> str:
        return f"StreamingDetector({len(self._bias)} words)"

    def push(self, inputs: Floats) -> Floats:
        """Read some steps and return the probability of each word at each of them."""
        if not len(inputs):
            return np.zeros((0, len(self._bias)), np.float32)
        # Row by row, so that no result depends on how many rows arrive together.
        output = self._step.run(np.ascontiguousarray(inputs))
        logits = np.stack([row @ self._weight for row in output]) + self._bias
        found: Floats = (1 / (1 + np.exp(-logits.astype(np.float64)))).astype(np.float32)
        return found


class _LayerStep:
    """The layer itself with its state, where the native kernels cannot run it. Shapes: (T, I), (T, W)."""

    def __init__(self, network: DetectorNetwork) -> None:
        self._network, self._state = network, None

    @torch.no_grad()
    def run(self, inputs: Floats) -> Floats:
        """Return the outputs of some steps."""
        device = self._network.output.weight.device
        rows = []
        for row in inputs:
            step = torch.from_numpy(row).to(device).reshape(1, 1, -1)
            output, self._state = self._network.recurrent(step, self._state)
            rows.append(output.reshape(-1).cpu().numpy())
        return np.stack(rows)

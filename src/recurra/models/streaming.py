"""A recurrent language model that takes one symbol at a time, as sampling does, without torch in the way."""

import numpy as np
import torch
from torch import Tensor, nn

from recurra.errors import BackendUnavailable
from recurra.layers import StreamingStep
from recurra.models.language_model import LanguageModelNetwork


class StreamingLanguageModel:
    """The network frozen for one stream: the same probabilities as its own, some ten times sooner.

        model = StreamingLanguageModel(network)
        logits = model.step(id)         # over the symbol after it, given all before

    Made for one use: after a change of the network's weights make another.
    Shapes: logits (V,).
    Raises: BackendUnavailable where the native kernels cannot run the network.
    """

    def __init__(self, network: LanguageModelNetwork) -> None:
        if network.device.type != "cpu" or network.embedding.weight.dtype != torch.float32:
            raise BackendUnavailable("streaming: the network is not in float32 on a CPU; call it as it is")
        self._vectors = network.embedding.weight.detach().numpy()
        self._layers = [
            StreamingStep(layer) for layer in (network.recurrent, network.last) if layer is not None
        ]
        self._output: nn.Module = network.output

    def reset(self) -> None:
        """Begin anew, as if nothing had been read."""
        for layer in self._layers:
            layer.reset()

    @torch.no_grad()
    def step(self, id_: int) -> Tensor:
        """Read one symbol; the logits of the next. Shapes: result (V,)."""
        output = np.ascontiguousarray(self._vectors[id_])
        for layer in self._layers:
            output = layer(output)
        logits: Tensor = self._output(torch.from_numpy(output))
        return logits

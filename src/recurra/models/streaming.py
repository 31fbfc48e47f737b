"""A recurrent language model that reads one symbol at a time, as in sampling, without torch's overhead."""

import numpy as np
import torch
from torch import Tensor, nn

from recurra.errors import BackendUnavailable
from recurra.layers import StreamingStep
from recurra.models.language_model import LanguageModelNetwork


class StreamingLanguageModel:
    """The network prepared for one stream: the same probabilities, about ten times faster.

        model = StreamingLanguageModel(network)
        logits = model.step(id)         # of the next symbol, given all previous ones

    The weights are fixed: after the network's weights have changed, create a new object.
    Shapes: logits (V,).
    Raises: BackendUnavailable if the native kernels cannot run the network.
    """

    def __init__(self, network: LanguageModelNetwork) -> None:
        if network.device.type != "cpu" or network.embedding.weight.dtype != torch.float32:
            raise BackendUnavailable(
                "streaming: needs a network in float32 on a CPU; call the network itself"
            )
        self._vectors = network.embedding.weight.detach().numpy()
        self._layers = [
            StreamingStep(layer) for layer in (network.recurrent, network.last) if layer is not None
        ]
        self._output: nn.Module = network.output

    def reset(self) -> None:
        """Reset the state, as if nothing had been read."""
        for layer in self._layers:
            layer.reset()

    @torch.no_grad()
    def step(self, id_: int) -> Tensor:
        """Read one symbol and return the logits of the next. Shapes: result (V,)."""
        output = np.ascontiguousarray(self._vectors[id_])
        for layer in self._layers:
            output = layer(output)
        logits: Tensor = self._output(torch.from_numpy(output))
        return logits

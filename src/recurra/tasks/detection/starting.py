"""Starting a detector with the weights of another one."""

from collections.abc import Mapping

from torch import nn

from recurra.config import CellPart
from recurra.config.sound import SoundFeaturesPart
from recurra.errors import ConfigError
from recurra.plain import counted
from recurra.tasks.detection.symbols import DetectorSymbols
from recurra.tasks.starting import Piece, Source, Start

# Options that the weights, the features or their statistics depend on.
_TAKEN = (*SoundFeaturesPart.model_fields, *CellPart.model_fields, "cell", "hidden_size", "num_layers")


class DetectorStart(Start):
    """The words, the features with their statistics, and all weights of the source."""

    required = _TAKEN
    names: Mapping[str, str] = {"recurrent": "recurrent layers", "output": "output layer", "": "thresholds"}

    def __init__(self, source: Source) -> None:
        super().__init__(source)
        self.options = {name: getattr(source.config, name) for name in _TAKEN}

    def join(self, own: DetectorSymbols) -> DetectorSymbols:
        """Return the symbols of the source, with whose statistics its weights were trained."""
        words = self.source.symbols.words
        if own.words != words:
            raise ConfigError(
                f"from_run: the words of {self.source.path} are {', '.join(words)}, those of the data "
                f"{', '.join(own.words)}; use data with the same words, or train anew."
            )
        found: DetectorSymbols = self.source.symbols
        return found

    def told(self, symbols: DetectorSymbols) -> str:
        """Return the number of words."""
        return counted(len(symbols.words), "word")

    def pieces(self, network: nn.Module, symbols: DetectorSymbols) -> Mapping[str, Piece]:
        """Return all tensors of the source under their own names."""
        return {name: Piece(tensor) for name, tensor in self.source.weights.items()}

"""Starting a detector with the weights of another one."""

from collections.abc import Mapping
from typing import Any

from torch import nn

from recurra.errors import ConfigError
from recurra.plain import counted
from recurra.tasks.detection.symbols import DetectorSymbols
from recurra.tasks.starting import Piece, Start

# Options that the weights or the features of a detector depend on.
_TAKEN = (
    *("features", "bands", "coefficients", "window_ms", "hop_ms", "lowest_hz", "highest_hz", "deltas"),
    *("normalization", "normalization_s", "frames_per_step", "cell", "hidden_size", "num_layers"),
)


class DetectorStart(Start):
    """The words, the features with their statistics, and all weights of the source."""

    names: Mapping[str, str] = {"recurrent": "recurrent layers", "output": "output layer", "": "thresholds"}

    @property
    def options(self) -> Mapping[str, Any]:  # type: ignore[override]
        """The options of the features and of the network."""
        return {name: getattr(self.source.config, name) for name in _TAKEN}

    required = _TAKEN

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

"""Readers, which read a text with a model segment by segment and carry the state."""

from typing import Any, Generic, Protocol, TypeVar

import torch
from torch import Tensor

from recurra.data import Segment
from recurra.models.next_symbol import NextSymbolNetwork
from recurra.models.ngram import NGramNetwork

_SEGMENT_LENGTH = 256


class Reader(Protocol):
    """Reads a text segment by segment and returns the loss of each symbol.

    `segment_length` is the number of steps per segment. Shapes: see `read`.
    """

    segment_length: int

    @property
    def device(self) -> torch.device:
        """Device on which segments must be."""
        ...

    def read(self, segment: Segment, state: Any) -> tuple[Tensor, Any]:
        """Return -log P of each target, zero in padding, and the state after the last step.

        Shapes: losses (B, T), in nats.
        """
        ...


Network = TypeVar("Network", bound=NextSymbolNetwork | NGramNetwork)


class NetworkReader(Generic[Network]):
    """Base class of the readers with a network."""

    def __init__(self, network: Network) -> None:
        self.network = network

    @property
    def device(self) -> torch.device:
        """Device of the weights."""
        return self.network.device


class PlainReader(NetworkReader[NextSymbolNetwork | NGramNetwork]):
    """Reads with the model unchanged."""

    segment_length = _SEGMENT_LENGTH

    @torch.no_grad()
    def read(self, segment: Segment, state: Any) -> tuple[Tensor, Any]:
        """Return -log P of each target, and the state after the last step. Shapes: losses (B, T)."""
        return self.network.token_losses(
            segment.inputs, segment.targets, state, segment.lengths, segment.resets
        )

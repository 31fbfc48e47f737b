"""What reads a text with a model, segment after segment, the state carried."""

from typing import Any, Generic, Protocol, TypeVar

import torch
from torch import Tensor

from recurra.data import Segment
from recurra.models.next_symbol import NextSymbolNetwork
from recurra.models.ngram import NGramNetwork

_SEGMENT_LENGTH = 256


class Reader(Protocol):
    """What reads a text segment after segment and says how likely each symbol was.

    `segment_length` is how many steps it wants at a time. Shapes: see `read`.
    """

    segment_length: int

    @property
    def device(self) -> torch.device:
        """Where segments belong."""
        ...

    def read(self, segment: Segment, state: Any) -> tuple[Tensor, Any]:
        """-log P of each target, zero in padding, and the state after the last.

        Shapes: losses (B, T), in nats.
        """
        ...


Network = TypeVar("Network", bound=NextSymbolNetwork | NGramNetwork)


class NetworkReader(Generic[Network]):
    """What reads with a network."""

    def __init__(self, network: Network) -> None:
        self.network = network

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return self.network.device


class PlainReader(NetworkReader[NextSymbolNetwork | NGramNetwork]):
    """The model as it is."""

    segment_length = _SEGMENT_LENGTH

    @torch.no_grad()
    def read(self, segment: Segment, state: Any) -> tuple[Tensor, Any]:
        """-log P of each target, and the state after the last. Shapes: losses (B, T)."""
        return self.network.token_losses(
            segment.inputs, segment.targets, state, segment.lengths, segment.resets
        )

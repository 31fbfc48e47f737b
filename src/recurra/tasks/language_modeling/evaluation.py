"""How well a language model predicts a text: every symbol counted, the state carried."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Generic, Protocol, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from recurra.data import Segment, TokenStreams
from recurra.metrics import LikelihoodFigures
from recurra.models import NextSymbolNetwork, NGramNetwork
from recurra.tasks.language_modeling.corpus import EncodedText
from recurra.tasks.language_modeling.open_vocabulary import spelling_nats
from recurra.text import Tokenizer

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


def read_text(
    reader: Reader,
    tokenizer: Tokenizer,
    text: EncodedText,
    *,
    streams: int = 1,
    reset_at_documents: bool = False,
) -> Iterator[tuple[Segment, Tensor]]:
    """Segment after segment of a text with the losses of its targets, (B, T), the state carried."""
    batches = TokenStreams(
        text.tokens.ids,
        start_id=tokenizer.start_id,
        batch_size=max(1, min(streams, len(text.tokens))),
        segment_length=min(reader.segment_length, len(text.tokens)),
        document_starts=text.tokens.document_starts,
        at_document="reset" if reset_at_documents else "carry",
        name=str(text.source.path),
    )
    state = None
    for index in range(len(batches)):
        segment = batches.segment(index).to(reader.device)
        losses, state = reader.read(segment, state)
        yield segment, losses


def evaluate_text(
    network: NextSymbolNetwork | NGramNetwork,
    tokenizer: Tokenizer,
    text: EncodedText,
    *,
    streams: int = 1,
    reset_at_documents: bool = False,
    reader: Reader | None = None,
    spell_unknown: bool = True,
) -> LikelihoodFigures:
    """Sums of -log P over a text.

    With one stream the state is carried from the first symbol to the last, as published figures do; with
    more (faster) each stream after the first begins without its context. Either way every symbol
    counts once, the first predicted from the start symbol.
    """
    unk = tokenizer.vocabulary.unk_id
    total = unknown_nats = 0.0
    with _evaluating(network):
        for segment, losses in read_text(
            reader or PlainReader(network),
            tokenizer,
            text,
            streams=streams,
            reset_at_documents=reset_at_documents,
        ):
            total += float(losses.sum(dtype=torch.float64))
            if unk is not None:
                unknown_nats += float(losses[segment.targets == unk].sum(dtype=torch.float64))
    return LikelihoodFigures(
        unit=tokenizer.unit,
        total_nats=total,
        symbols=len(text.tokens),
        characters=text.characters,
        unknown=text.tokens.count(unk),
        unknown_nats=unknown_nats,
        spelling_nats=spelling_nats(tokenizer, text) if spell_unknown else None,
    )


def losses_of_text(
    network: NextSymbolNetwork | NGramNetwork,
    tokenizer: Tokenizer,
    text: EncodedText,
    *,
    reset_at_documents: bool = False,
) -> NDArray[np.float64]:
    """-log P of each symbol of a text, one after the other, the state carried.

    Shapes: result (N,), in nats.
    """
    with _evaluating(network):
        parts = [
            losses[0].double().cpu().numpy()
            for _, losses in read_text(
                PlainReader(network), tokenizer, text, reset_at_documents=reset_at_documents
            )
        ]
    return np.concatenate(parts)


@contextmanager
def _evaluating(network: nn.Module) -> Iterator[None]:
    """The network in evaluation mode, for a while."""
    was_training = network.training
    network.eval()
    try:
        yield
    finally:
        network.train(was_training)

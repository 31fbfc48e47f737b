"""Evaluation of language models: -log P of every symbol of a text, with the state carried over."""

from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from recurra.data import Segment, TokenStreams
from recurra.metrics import LikelihoodFigures
from recurra.models import NextSymbolNetwork, NGramNetwork
from recurra.models.evaluating import evaluating
from recurra.models.open_vocabulary import spelling_nats
from recurra.models.reading import PlainReader, Reader
from recurra.tasks.language_modeling.corpus import EncodedText
from recurra.text import Tokenizer


def read_text(
    reader: Reader,
    tokenizer: Tokenizer,
    text: EncodedText,
    *,
    streams: int = 1,
    reset_at_documents: bool = False,
) -> Iterator[tuple[Segment, Tensor]]:
    """Yield the segments of a text with the losses of their targets, (B, T), carrying the state over."""
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
    """Compute the sum of -log P over a text and its likelihood figures.

    With one stream the state is carried from the first symbol to the last, as for published figures. With
    more streams, which is faster, each stream after the first starts without its context. In both cases
    every symbol counts once; the first one is predicted from the start symbol.
    """
    unk = tokenizer.vocabulary.unk_id
    total = unknown_nats = 0.0
    with evaluating(network):
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
        spelling_nats=spelling_nats(tokenizer, text.tokens, text.source.chunks) if spell_unknown else None,
    )


def losses_of_text(
    network: NextSymbolNetwork | NGramNetwork,
    tokenizer: Tokenizer,
    text: EncodedText,
    *,
    reset_at_documents: bool = False,
) -> NDArray[np.float64]:
    """Return -log P of each symbol of a text in order, with the state carried over.

    Shapes: result (N,), in nats.
    """
    with evaluating(network):
        parts = [
            losses[0].double().cpu().numpy()
            for _, losses in read_text(
                PlainReader(network), tokenizer, text, reset_at_documents=reset_at_documents
            )
        ]
    return np.concatenate(parts)

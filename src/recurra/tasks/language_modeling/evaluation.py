"""How well a language model predicts a text: every symbol counted, the state carried."""

import torch

from recurra.data import TokenStreams
from recurra.metrics import LikelihoodFigures
from recurra.models import NextSymbolNetwork, NGramNetwork
from recurra.tasks.language_modeling.corpus import EncodedText
from recurra.text import Tokenizer


def evaluate_text(
    network: NextSymbolNetwork | NGramNetwork,
    tokenizer: Tokenizer,
    text: EncodedText,
    *,
    streams: int = 1,
    segment_length: int = 256,
    reset_at_documents: bool = False,
) -> LikelihoodFigures:
    """Sums of -log P over a text.

    With one stream the state is carried from the first symbol to the last, as published figures do; with
    more (faster) each stream after the first begins without its context. Either way every symbol
    counts once, the first predicted from the start symbol.
    """
    batches = TokenStreams(
        text.tokens.ids,
        start_id=tokenizer.start_id,
        batch_size=max(1, min(streams, len(text.tokens))),
        segment_length=min(segment_length, len(text.tokens)),
        document_starts=text.tokens.document_starts,
        at_document="reset" if reset_at_documents else "carry",
        name=str(text.source.path),
    )
    device = network.device
    unk = tokenizer.vocabulary.unk_id
    total = unknown_nats = 0.0
    state = None
    was_training = network.training
    network.eval()
    try:
        with torch.no_grad():
            for index in range(len(batches)):
                segment = batches.segment(index).to(device)
                losses, state = network.token_losses(
                    segment.inputs, segment.targets, state, segment.lengths, segment.resets
                )
                total += float(losses.sum(dtype=torch.float64))
                if unk is not None:
                    unknown_nats += float(losses[segment.targets == unk].sum(dtype=torch.float64))
    finally:
        network.train(was_training)
    return LikelihoodFigures(
        unit=tokenizer.unit,
        total_nats=total,
        symbols=len(text.tokens),
        characters=text.characters,
        unknown=text.tokens.count(unk),
        unknown_nats=unknown_nats,
    )

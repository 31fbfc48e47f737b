"""Dropout on sequences: of single values, of the same features at all steps, or of whole symbols."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class SequenceDropout(nn.Module):
    """Set values to zero with probability p and scale the others by 1/(1-p), in training only.

    With `once` each row has one mask for all steps (variational dropout).

    Shapes: (B, T, H) in and out.
    Source: Y. Gal & Z. Ghahramani, A theoretically grounded application of dropout in recurrent neural
    networks (2016).
    """

    def __init__(self, p: float, *, once: bool = False) -> None:
        super().__init__()
        self.p, self.once = p, once

    def forward(self, x: Tensor) -> Tensor:
        """Apply dropout to a batch of sequences. Shapes: (B, T, H) in and out."""
        if not self.training or self.p == 0:
            return x
        if not self.once:
            return F.dropout(x, self.p)
        return x * F.dropout(x.new_ones(x.shape[0], 1, x.shape[2]), self.p)

    def extra_repr(self) -> str:
        """Return the options in torch.nn's format."""
        return f"p={self.p}" + (", once" if self.once else "")


def embed_with_dropout(embedding: nn.Embedding, ids: Tensor, p: float) -> Tensor:
    """Return the embeddings of symbols; in training, each symbol of the vocabulary is dropped with
    probability p at all its positions, and the others are scaled by 1/(1-p).

    Shapes: ids (B, T); result (B, T, E).
    Source: Gal & Ghahramani 2016.
    """
    vectors: Tensor = embedding(ids)
    if not embedding.training or p == 0:
        return vectors
    kept = F.dropout(torch.ones(embedding.num_embeddings, device=ids.device), p)
    return vectors * kept[ids].unsqueeze(-1).to(vectors.dtype)

"""Dropout on sequences: of single numbers, of features at all steps alike, of whole symbols."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class SequenceDropout(nn.Module):
    """Leave out numbers with probability p, and scale the others by 1/(1-p); only in training.

    With `once` a row's mask is the same at all steps (variational dropout).

    Shapes: (B, T, H) in and out.
    Source: Y. Gal & Z. Ghahramani, A theoretically grounded application of dropout in recurrent neural
    networks (2016).
    """

    def __init__(self, p: float, *, once: bool = False) -> None:
        super().__init__()
        self.p, self.once = p, once

    def forward(self, x: Tensor) -> Tensor:
        """Drop from a batch of sequences. Shapes: (B, T, H) in and out."""
        if not self.training or self.p == 0:
            return x
        if not self.once:
            return F.dropout(x, self.p)
        return x * F.dropout(x.new_ones(x.shape[0], 1, x.shape[2]), self.p)

    def extra_repr(self) -> str:
        """Return the options, as torch.nn prints them."""
        return f"p={self.p}" + (", once" if self.once else "")


def embed_with_dropout(embedding: nn.Embedding, ids: Tensor, p: float) -> Tensor:
    """The vectors of symbols; in training each symbol of the vocabulary is left out, wherever it stands,
    with probability p, and the others are scaled by 1/(1-p).

    Shapes: ids (B, T); result (B, T, E).
    Source: Gal & Ghahramani 2016.
    """
    vectors: Tensor = embedding(ids)
    if not embedding.training or p == 0:
        return vectors
    kept = F.dropout(torch.ones(embedding.num_embeddings, device=ids.device), p)
    return vectors * kept[ids].unsqueeze(-1).to(vectors.dtype)

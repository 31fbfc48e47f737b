"""From a model's logits to symbols: transforms, sampling, completion."""

from recurra.decoding.completion import Completion, complete
from recurra.decoding.sampling import sample_ids
from recurra.decoding.transforms import LogitsTransform, chain, forbid, temperature, top_k, top_p

__all__ = [
    "Completion",
    "LogitsTransform",
    "chain",
    "complete",
    "forbid",
    "sample_ids",
    "temperature",
    "top_k",
    "top_p",
]

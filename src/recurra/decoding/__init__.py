"""Decoding a model's logits to symbols: transforms, sampling, completion, beam search, lattice search."""

from recurra.decoding.beam import (
    BeamOptions,
    Hypothesis,
    LengthPenalty,
    SearchedModel,
    beam_search,
    stream_search,
)
from recurra.decoding.completion import Completion, Following, complete
from recurra.decoding.edits import Edits, WordList
from recurra.decoding.lattice import Alternative, Path, best_paths
from recurra.decoding.sampling import Step, sample_ids
from recurra.decoding.transforms import LogitsTransform, chain, forbid, temperature, top_k, top_p

__all__ = [
    "Alternative",
    "BeamOptions",
    "Completion",
    "Edits",
    "Following",
    "Hypothesis",
    "LengthPenalty",
    "LogitsTransform",
    "Path",
    "SearchedModel",
    "Step",
    "WordList",
    "beam_search",
    "best_paths",
    "chain",
    "complete",
    "forbid",
    "sample_ids",
    "stream_search",
    "temperature",
    "top_k",
    "top_p",
]

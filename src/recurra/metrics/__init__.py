"""Figures from arrays and texts: perplexity, mixtures, novelty."""

from recurra.metrics.mixtures import best_mixture, mixture_losses
from recurra.metrics.novelty import Match, Novelty, longest_match, ngram_recall, novelty
from recurra.metrics.perplexity import LikelihoodFigures, exp_or_infinite, perplexity_text

__all__ = [
    "LikelihoodFigures",
    "Match",
    "Novelty",
    "best_mixture",
    "exp_or_infinite",
    "longest_match",
    "mixture_losses",
    "ngram_recall",
    "novelty",
    "perplexity_text",
]

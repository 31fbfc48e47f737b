"""Figures from arrays and texts: perplexity, novelty."""

from recurra.metrics.novelty import Match, Novelty, longest_match, ngram_recall, novelty
from recurra.metrics.perplexity import LikelihoodFigures

__all__ = ["LikelihoodFigures", "Match", "Novelty", "longest_match", "ngram_recall", "novelty"]

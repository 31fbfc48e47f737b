"""Figures from arrays and texts: perplexity, novelty."""

from recurra.metrics.perplexity import LikelihoodFigures

__all__ = ["LikelihoodFigures"]

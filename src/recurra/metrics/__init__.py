"""Metrics of arrays and texts: perplexity, mixtures, novelty, labels, words."""

from recurra.metrics.edit_distance import edit_distance
from recurra.metrics.labels import ClassFigures, EntityFigures, Hits, Reliability
from recurra.metrics.mixtures import best_mixture, mixture_losses
from recurra.metrics.novelty import Match, Novelty, longest_match, ngram_recall, novelty
from recurra.metrics.perplexity import LikelihoodFigures, exp_or_infinite, perplexity_text
from recurra.metrics.scores import ScoreFigures
from recurra.metrics.thresholds import Decision, ThresholdCurve
from recurra.metrics.words import ClozeFigures, SpellingFigures

__all__ = [
    "ClassFigures",
    "ClozeFigures",
    "Decision",
    "EntityFigures",
    "Hits",
    "LikelihoodFigures",
    "Match",
    "Novelty",
    "Reliability",
    "ScoreFigures",
    "SpellingFigures",
    "ThresholdCurve",
    "best_mixture",
    "edit_distance",
    "exp_or_infinite",
    "longest_match",
    "mixture_losses",
    "ngram_recall",
    "novelty",
    "perplexity_text",
]

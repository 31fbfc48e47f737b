"""Smoothing: from counts to probabilities, including those of unseen n-grams.

All methods produce tables in the form of an ARPA file: the log-probability of each n-gram that was seen, and
for each context the factor for the probabilities of tokens that were not seen after it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from recurra.config import Smoothing
from recurra.errors import ConfigError
from recurra.models.ngram.counting import Flags, GramCounts, Ids

Floats = NDArray[np.float64]


# Discounts for texts too small to estimate them; typical values of many texts.
_USUAL_DISCOUNTS = (0.5, 1.0, 1.5)


@dataclass(frozen=True)
class GramTable:
    """The k-grams of a model, numbered in the order of their keys.

    Shapes: keys, log_probs, backoffs (M,), for k = 1 M = V.

    `keys` are as in GramCounts; `log_probs` are log P(token | the k-1 before it), in nats; `backoffs` are the
    logs of the factors by which P(w | the last k-1 tokens) is multiplied if w was not seen after all k.
    """

    keys: Ids
    log_probs: Floats
    backoffs: Floats

    def __len__(self) -> int:
        return len(self.keys)

    def find(self, keys: Ids) -> Ids:
        """Return the number of the k-gram with each key, or -1 for unknown keys."""
        if not len(self.keys):
            return np.full(np.shape(keys), -1, dtype=np.int64)
        places = np.minimum(np.searchsorted(self.keys, keys), len(self.keys) - 1)
        return np.where(self.keys[places] == keys, places, -1)


def smoothed(
    levels: Sequence[GramCounts],
    vocabulary_size: int,
    smoothing: Smoothing,
    *,
    k: float = 1.0,
    cutoffs: Sequence[int] = (),
) -> list[GramTable]:
    """Compute the tables of a smoothed model from counts.

    kneser-ney   P(w|h) = max(a(h w) - D, 0) / a(h) + γ(h) P(w|h'),  γ(h) = Σ_w D / a(h): interpolated
                 modified Kneser-Ney (Chen & Goodman 1998). a is the count for the longest n-grams and at the
                 start of a text, else the number of distinct tokens seen to the left; D depends on a = 1, 2
                 or more and is estimated for each length from the counts of counts n_1 … n_4.
    witten-bell  P(w|h) = (c(h w) + T(h) P(w|h')) / (c(h) + T(h)), T(h) the number of distinct tokens after h
    add-k        P(w|h) = (c(h w) + k) / (c(h) + k V), uniform after an h never seen
    maximum-likelihood   P(w|h) = c(h w) / c(h), zero elsewhere

    `cutoffs`: n-grams of length 2, 3, … that occur at most this often are dropped, and their probability goes
    to the shorter ones; the last number applies to all longer ones.

    Raises: ConfigError if k or the cutoffs are invalid.
    """
    if smoothing == "add-k" and not k > 0:
        raise ConfigError(f"k: got {k}, expected > 0; for k = 0 use smoothing 'maximum-likelihood'.")
    if smoothing in ("kneser-ney", "witten-bell"):
        kept = _kept(levels, cutoffs)
        return _interpolated(levels, vocabulary_size, kept, discounts=smoothing == "kneser-ney")
    if any(cutoffs):
        raise ConfigError(f"cutoffs: need smoothing kneser-ney or witten-bell, not {smoothing}.")
    added = k if smoothing == "add-k" else 0.0
    return _added(levels, vocabulary_size, added)


def _kept(levels: Sequence[GramCounts], cutoffs: Sequence[int]) -> list[Flags]:
    """Return which k-grams the cutoffs keep."""
    if any(cutoff < 0 for cutoff in cutoffs) or list(cutoffs) != sorted(cutoffs):
        raise ConfigError(f"cutoffs: got {list(cutoffs)}, expected numbers >= 0 in non-decreasing order.")
    kept = [np.ones(len(levels[0]), dtype=bool)]
    for length, grams in enumerate(levels[1:]):
        cutoff = cutoffs[min(length, len(cutoffs) - 1)] if cutoffs else 0
        kept.append(grams.counts > cutoff)
    return kept


def _interpolated(
    levels: Sequence[GramCounts], vocabulary_size: int, kept: Sequence[Flags], *, discounts: bool
) -> list[GramTable]:
    below = np.array([1 / vocabulary_size])  # indexed by the number of the shorter k-gram
    here = np.zeros(1, dtype=np.int64)  # the contexts that are kept
    numbers = np.zeros(1, dtype=np.int64)  # the new number of each context
    tables: list[GramTable] = []
    for length, (grams, keeps) in enumerate(zip(levels, kept, strict=True), start=1):
        owners, contexts = grams.keys // vocabulary_size, len(below)
        if discounts:
            counts = grams.counts if length == len(levels) else _left_neighbours(grams, levels[length])
            taken = _discounts(counts)
            totals = np.bincount(owners, counts, contexts)
        else:
            counts = grams.counts
            types = np.bincount(owners, counts > 0, contexts)
            totals = np.bincount(owners, counts, contexts) + types
            taken = np.where(counts > 0, 1.0, 0.0)
        own = np.where(keeps, counts - taken if discounts else counts, 0.0)
        spared = np.bincount(owners, own, contexts)
        with np.errstate(invalid="ignore", divide="ignore"):
            # The probability that counts do not assign is distributed by the shorter context.
            weights = np.where(totals > 0, 1.0 - spared / totals, 1.0)
            probs = own / totals[owners] + weights[owners] * below[grams.suffixes]
        if tables:
            tables[-1].backoffs[:] = np.log(weights[here])  # of the kept contexts
        here = np.flatnonzero(keeps)
        keys = numbers[owners[here]] * vocabulary_size + grams.keys[here] % vocabulary_size
        tables.append(GramTable(keys, np.log(probs[here]), np.zeros(len(here))))
        numbers = np.full(len(grams), -1, dtype=np.int64)
        numbers[here] = np.arange(len(here))
        below = probs
    while not len(tables[-1]):
        tables.pop()  # the cutoffs removed all of them
    return tables


def _left_neighbours(grams: GramCounts, longer: GramCounts) -> Ids:
    """Return the number of distinct tokens to the left of each k-gram; the start of a text counts as one.

    A k-gram that occurs only at the start of a text, such as one with the start symbol, keeps its count.
    """
    found = np.bincount(longer.suffixes, minlength=len(grams))
    return np.where(found == 0, grams.counts, found + grams.begins)


def _discounts(counts: Ids) -> Floats:
    """Return the D of each count: D_j = j - (j+1) Y n_{j+1} / n_j for j = 1, 2, 3 or more.

    Y = n_1 / (n_1 + 2 n_2).
    """
    n = np.bincount(np.minimum(counts[counts > 0], 5), minlength=6)[1:5].astype(np.float64)
    discounts = np.array(_USUAL_DISCOUNTS)
    if (n > 0).all():
        j = np.arange(1, 4)
        estimated = j - (j + 1) * n[0] / (n[0] + 2 * n[1]) * n[1:] / n[:3]
        if (estimated > 0).all():  # zero would leave nothing for unseen n-grams
            discounts = estimated
    by_count = np.concatenate([[0.0], discounts])
    return by_count[np.minimum(counts, 3)]


def _added(levels: Sequence[GramCounts], vocabulary_size: int, added: float) -> list[GramTable]:
    tables: list[GramTable] = []
    contexts = 1
    for grams in levels:
        owners = grams.keys // vocabulary_size
        totals = np.bincount(owners, grams.counts, contexts) + added * vocabulary_size
        with np.errstate(divide="ignore"):
            if tables:
                tables[-1].backoffs[:] = np.log(added / np.where(totals > 0, totals, 1.0))
            probs = np.log((grams.counts + added) / totals[owners])
        tables.append(GramTable(grams.keys, probs, np.zeros(len(grams))))
        contexts = len(grams)
    return tables

"""Linear mixtures of the probabilities of several models, and their best weights."""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_ROUNDS = 1000
_CLOSE = 1e-10


def mixture_losses(losses: Floats, weights: Floats) -> Floats:
    """Compute -log Σ_k w_k p_k of each symbol.

    Shapes: losses (K, N), -log p_k in nats; weights (K,), their sum 1; result (N,).
    """
    low = losses.min(axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        mixed: Floats = low - np.log(weights @ np.exp(low - losses))
    return np.where(np.isfinite(low), mixed, np.inf)  # no model gives the symbol any probability


def best_mixture(losses: Floats) -> Floats:
    """Return the weights that maximise the likelihood of these symbols, by expectation maximisation.

    w_k ← mean over symbols of w_k p_k / Σ_j w_j p_j. The likelihood has only one maximum.

    Shapes: losses (K, N), -log p_k in nats; result (K,).
    """
    weights = np.full(len(losses), 1.0 / len(losses))
    low = losses.min(axis=0)
    seen = np.isfinite(low)
    likelihoods = np.exp(low[seen] - losses[:, seen])
    for _ in range(_ROUNDS):
        shares = weights[:, None] * likelihoods
        new: Floats = (shares / shares.sum(axis=0)).mean(axis=1)
        if np.abs(new - weights).max() < _CLOSE:
            return new
        weights = new
    return weights

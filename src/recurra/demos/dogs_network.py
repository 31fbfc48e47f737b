"""The network that reads D, O, G: its forward pass, and backpropagation through time derived by hand.

It has four input letters, three hidden units and four output letters, all in float64 NumPy, with one line of
code per equation.
"""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, fields
from functools import reduce

import numpy as np
from numpy.typing import NDArray

LETTERS = "DOGS"
HIDDEN_SIZE = 3
MAX_NORM = 1.0
EPSILON = 1e-5

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Weights:
    """The weights of the network, or the gradient of the loss with respect to each of them.

    Shapes: W (H, I); U (H, H); V (K, H); b (H,); c (K,), with I = K = 4 letters and H = 3.
    """

    W: Array
    U: Array
    V: Array
    b: Array
    c: Array

    def arrays(self) -> dict[str, Array]:
        """Return each array by its name."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    def norm(self) -> float:
        """The global L2 norm ‖g‖ = √(Σ g²) over all arrays."""
        return float(np.sqrt(sum(np.sum(array**2) for array in self.arrays().values())))

    def plus(self, other: "Weights", factor: float = 1.0) -> "Weights":
        """self + factor · other."""
        mine, theirs = self.arrays(), other.arrays()
        return Weights(**{name: mine[name] + factor * theirs[name] for name in mine})

    def furthest_from(self, other: "Weights") -> float:
        """The largest absolute difference of corresponding numbers."""
        theirs = other.arrays()
        return max(float(np.abs(mine - theirs[name]).max()) for name, mine in self.arrays().items())


@dataclass(frozen=True)
class Step:
    """One forward step; `loss` is None and `target` empty for a step without a target.

    Shapes: x (I,); s_before, z, s (H,); o, y_hat (K,).
    """

    letter: str
    target: str
    x: Array
    s_before: Array
    z: Array
    s: Array
    o: Array
    y_hat: Array
    loss: float | None


@dataclass(frozen=True)
class BackStep:
    """One backward step: ∂L/∂s, δ = ∂L/∂z, δ^out = ∂L/∂o, and this step's terms of the gradient.

    Shapes: delta_out (K,); from_s, delta (H,); terms as `Weights`.
    """

    delta_out: Array
    from_s: Array
    delta: Array
    terms: Weights


def one_hot(letter: str) -> Array:
    """Return the one-hot vector of a letter among D, O, G, S. Shapes: result (4,)."""
    return np.array([float(letter == other) for other in LETTERS])


def initial_weights(seed: int) -> Weights:
    """Draw weights uniformly from -1 … 1; biases are 0."""
    rng = np.random.default_rng(seed)
    K, H = len(LETTERS), HIDDEN_SIZE
    W, U, V = (rng.uniform(-1, 1, shape) for shape in ((H, K), (H, H), (K, H)))
    return Weights(W, U, V, np.zeros(H), np.zeros(K))


def forward(weights: Weights, every_step: bool = False) -> tuple[Step, ...]:
    """Run the forward pass over D, O, G from s_0 = 0.

    z_t = W x_t + U s_{t-1} + b;   s_t = tanh(z_t);   o_t = V s_t + c;   ŷ_t = softmax(o_t)
    L_t = -log ŷ_t[target], at the last step only or at each
    """
    steps: list[Step] = []
    s = np.zeros(HIDDEN_SIZE)
    for letter, following in itertools.pairwise(LETTERS):
        x, before = one_hot(letter), s
        z = weights.W @ x + weights.U @ before + weights.b
        s = np.tanh(z)
        o = weights.V @ s + weights.c
        log_y = o - o.max() - np.log(np.exp(o - o.max()).sum())
        target = following if every_step or following == LETTERS[-1] else ""
        loss = -float(log_y[LETTERS.index(target)]) if target else None
        steps.append(Step(letter, target, x, before, z, s, o, np.exp(log_y), loss))
    return tuple(steps)


def total_loss(steps: Sequence[Step]) -> float:
    """L = Σ L_t over the steps that have a target."""
    return sum(step.loss for step in steps if step.loss is not None)


def backward(weights: Weights, steps: Sequence[Step]) -> tuple[BackStep, ...]:
    """Run the backward pass from the last step to the first; the result is in the order of the steps.

        δ_t^out = ŷ_t - y_t, or 0 for a step without a target
        ∂L/∂s_t = Vᵀ δ_t^out + Uᵀ δ_{t+1};   δ_t = (1 - s_t²) * ∂L/∂s_t

    The terms of step t: dW: δ_t x_tᵀ, dU: δ_t s_{t-1}ᵀ, dV: δ_t^out s_tᵀ, db: δ_t, dc: δ_t^out.
    """
    found: list[BackStep] = []
    delta = np.zeros(HIDDEN_SIZE)
    for step in reversed(steps):
        delta_out = step.y_hat - one_hot(step.target) if step.target else np.zeros(len(LETTERS))
        from_s = weights.V.T @ delta_out + weights.U.T @ delta
        delta = (1 - step.s**2) * from_s
        terms = Weights(
            W=np.outer(delta, step.x),
            U=np.outer(delta, step.s_before),
            V=np.outer(delta_out, step.s),
            b=delta,
            c=delta_out,
        )
        found.append(BackStep(delta_out, from_s, delta, terms))
    return tuple(reversed(found))


def gradient_of(back: Sequence[BackStep]) -> Weights:
    """Sum the terms of the steps: dW = Σ δ_t x_tᵀ and so on."""
    return reduce(Weights.plus, (step.terms for step in back))


def finite_differences(weights: Weights, every_step: bool = False) -> Weights:
    """(L(w + ε) - L(w - ε))/2ε for each weight: slow, but independent of the hand-derived gradient."""

    def loss_with(name: str, place: tuple[int, ...], change: float) -> float:
        arrays = {other: array.copy() for other, array in weights.arrays().items()}
        arrays[name][place] += change
        return total_loss(forward(Weights(**arrays), every_step))

    slopes = {name: np.zeros_like(array) for name, array in weights.arrays().items()}
    for name, slope in slopes.items():
        for place in np.ndindex(slope.shape):
            up, down = (loss_with(name, place, change) for change in (EPSILON, -EPSILON))
            slope[place] = (up - down) / (2 * EPSILON)
    return Weights(**slopes)


def clip_factor(norm: float) -> float:
    """min(1, threshold/‖g‖) with threshold 1."""
    return min(1.0, MAX_NORM / norm) if norm else 1.0

"""A minimal recurrent network with every number shown: it reads D, O, G and learns to predict S.

The forward pass, backpropagation through time, gradient clipping and gradient descent are printed step by
step: each equation, then its numbers.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from rich.console import Console

from recurra.demos.dogs_network import (
    EPSILON,
    HIDDEN_SIZE,
    LETTERS,
    MAX_NORM,
    Array,
    BackStep,
    Step,
    Weights,
    backward,
    clip_factor,
    finite_differences,
    forward,
    gradient_of,
    initial_weights,
    one_hot,
    total_loss,
)
from recurra.errors import ConfigError

_ENOUGH = 0.9
_WIDTH = 96
_MAX_ROWS = 24


@dataclass(frozen=True)
class DogsResult:
    """All numbers of the demonstration.

    `forward`, `backward`, `gradient` and `clip_factor` belong to the `initial` weights; `difference` is the
    largest difference between `gradient` and finite differences. `losses`, `norms` (of the gradient, before
    clipping) and `probabilities` (of S at the last step) also begin there, and have one entry more than the
    number of updates. `said` holds the most probable letter after each input, with the `final` weights.
    """

    initial: Weights
    forward: tuple[Step, ...]
    backward: tuple[BackStep, ...]
    gradient: Weights
    difference: float
    clip_factor: float
    losses: tuple[float, ...]
    norms: tuple[float, ...]
    probabilities: tuple[float, ...]
    final: Weights
    said: str


def run(
    seed: int = 0,
    learning_rate: float = 0.3,
    steps: int = 100,
    every_step: bool = False,
    console: Console | None = None,
) -> DogsResult:
    """Print the forward and backward pass, then run gradient descent until S has a probability above 0.9.

    By default only the last step has a target; with `every_step` the target of each letter is the next one.
    At most `steps` updates are made.

    Raises: ConfigError if `steps` is negative or `learning_rate` is not above 0.
    """
    if steps < 0 or not learning_rate > 0:
        raise ConfigError(
            f"dogs: got steps {steps}, learning_rate {learning_rate}, expected steps >= 0, learning_rate > 0."
        )
    result = _learn(initial_weights(seed), learning_rate, steps, every_step)
    out = console or Console()
    for line in _told(result, learning_rate, every_step):
        style = "bold" if line.startswith("──") else None
        out.print(line, style=style, markup=False, highlight=False, soft_wrap=True)
    return result


def _learn(initial: Weights, learning_rate: float, steps: int, every_step: bool) -> DogsResult:
    first = ahead = forward(initial, every_step)
    back = backward(initial, ahead)
    weights, gradient = initial, gradient_of(back)
    losses, norms, probabilities = [total_loss(ahead)], [gradient.norm()], [float(ahead[-1].y_hat[-1])]
    slope = gradient
    while len(losses) <= steps and probabilities[-1] <= _ENOUGH:
        weights = weights.plus(slope, -learning_rate * clip_factor(norms[-1]))
        ahead = forward(weights, every_step)
        slope = gradient_of(backward(weights, ahead))
        losses.append(total_loss(ahead))
        norms.append(slope.norm())
        probabilities.append(float(ahead[-1].y_hat[-1]))
    return DogsResult(
        initial=initial,
        forward=first,
        backward=back,
        gradient=gradient,
        difference=gradient.furthest_from(finite_differences(initial, every_step)),
        clip_factor=clip_factor(norms[0]),
        losses=tuple(losses),
        norms=tuple(norms),
        probabilities=tuple(probabilities),
        final=weights,
        said="".join(LETTERS[int(step.y_hat.argmax())] for step in ahead),
    )


# The printed page: each equation, followed by the same with numbers, matrices in drawn brackets.


def _told(result: DogsResult, learning_rate: float, every_step: bool) -> Iterator[str]:
    yield from _told_network(result.initial, every_step)
    for t, step in enumerate(result.forward, start=1):
        yield from _told_forward(t, step, result.initial)
    yield from _told_loss(result)
    for t in range(len(result.forward), 0, -1):
        yield from _told_backward(t, result)
    yield from _told_sums(result)
    yield from _told_clipping(result)
    yield from _told_descent(result, learning_rate, every_step)


def _told_network(weights: Weights, every_step: bool) -> Iterator[str]:
    yield from _title("A recurrent network reads D, O, G and learns to predict S")
    yield f"  4 inputs (one of the letters D O G S), {HIDDEN_SIZE} hidden units, 4 outputs (the next letter)."
    if every_step:
        yield "  Every step has a target: O after D, G after O, S after G."
    else:
        yield "  Only the last step has a target, S after G; the outputs before it have no loss."
    yield ""
    yield "  zₜ = W xₜ + U sₜ₋₁ + b      sₜ = tanh(zₜ)      oₜ = V sₜ + c      ŷₜ = softmax(oₜ)"
    yield ""
    yield from _row("W =", weights.W, "  U =", weights.U, "  V =", weights.V)
    yield "  Initially b = 0, c = 0 and s₀ = 0."
    yield ""


def _told_forward(t: int, step: Step, weights: Weights) -> Iterator[str]:
    now, before = _sub(t), _sub(t - 1)
    yield from _title(f"Forward, t = {t}: the input is {step.letter}")
    yield f"  z{now} = W x{now} + U s{before} + b"
    numbers = (weights.W, step.x, "+", weights.U, step.s_before, "+", weights.b, "=", step.z)
    yield from _row("  =", *numbers)
    yield f"  s{now} = tanh(z{now})           o{now} = V s{now} + c"
    yield from _row("  =", step.s, "         =", weights.V, step.s, "+", weights.c, "=", step.o)
    yield f"  ŷ{now} = softmax(o{now}) = exp(o{now})/Σ exp(o{now})"
    yield from _row("  =", np.exp(step.o), f"/ {np.exp(step.o).sum():.3f} =", step.y_hat, list(LETTERS))


def _told_loss(result: DogsResult) -> Iterator[str]:
    yield from _title("Loss: the negative log-probability of the target")
    for t, step in enumerate(result.forward, start=1):
        if step.loss is None:
            yield f"  L{_sub(t)} = 0: {step.letter} has no target"
        else:
            chance = step.y_hat[LETTERS.index(step.target)]
            yield f"  L{_sub(t)} = -log ŷ{_sub(t)}[{step.target}] = -log {chance:.3f} = {step.loss:.3f}"
    yield f"  L  = L₁ + L₂ + L₃ = {result.losses[0]:.3f}"
    yield ""
    yield from _title("Backward through time, from the last step to the first")
    yield "  δₜᵒᵘᵗ = ŷₜ - yₜ        ∂L/∂sₜ = Vᵀ δₜᵒᵘᵗ + Uᵀ δₜ₊₁        δₜ = (1 - sₜ²) * ∂L/∂sₜ"
    yield ""


def _told_backward(t: int, result: DogsResult) -> Iterator[str]:
    step, back, weights = result.forward[t - 1], result.backward[t - 1], result.initial
    now, after = _sub(t), _sub(t + 1)
    yield from _title(f"Backward, t = {t}: the gradients at input {step.letter}")
    if step.target:
        yield f"  δ{now}ᵒᵘᵗ = ŷ{now} - y{now}"
        yield from _row("    =", step.y_hat, "-", one_hot(step.target), "=", back.delta_out)
    else:
        yield f"  δ{now}ᵒᵘᵗ = 0: this step has no target"
    terms: list[str | Array | list[str]] = [weights.V.T, back.delta_out] if step.target else []
    names = [f"Vᵀ δ{now}ᵒᵘᵗ"] if step.target else []
    if t < len(result.forward):
        terms += ["+"] * bool(terms) + [weights.U.T, result.backward[t].delta]
        names.append(f"Uᵀ δ{after}")
    else:
        yield f"  δ{after} = 0: no step follows the last one"
    yield f"  ∂L/∂s{now} = {' + '.join(names)}"
    yield from _row("    =", *terms, "=", back.from_s)
    yield f"  δ{now} = (1 - s{now}²) * ∂L/∂s{now}"
    yield from _row("    =", 1 - step.s**2, "*", back.from_s, "=", back.delta)


def _told_sums(result: DogsResult) -> Iterator[str]:
    yield from _title("The gradient: the sum of the terms of all steps")
    steps, backs = result.forward, result.backward
    factors = {
        "W": ("δ{0} x{0}ᵀ", [(back.delta, step.x) for step, back in zip(steps, backs, strict=True)]),
        "U": ("δ{0} s{1}ᵀ", [(back.delta, step.s_before) for step, back in zip(steps, backs, strict=True)]),
        "V": ("δ{0}ᵒᵘᵗ s{0}ᵀ", [(back.delta_out, step.s) for step, back in zip(steps, backs, strict=True)]),
    }
    for name, (term, pairs) in factors.items():
        names = [term.format(_sub(t), _sub(t - 1)) for t in range(1, len(steps) + 1)]
        yield f"  d{name} = {' + '.join(names)}"
        for t, (column, row) in enumerate(pairs):
            product = backs[t].terms.arrays()[name]
            if not product.any():
                yield f"    {names[t]} = 0"
                continue
            yield from _row("  " + names[t], "=", column, row[None], "=", product, gap=False)
        yield from _row(f"  d{name} =", result.gradient.arrays()[name])
    for name, term in (("b", "δ{0}"), ("c", "δ{0}ᵒᵘᵗ")):
        yield f"  d{name} = {' + '.join(term.format(_sub(t)) for t in range(1, len(steps) + 1))}"
        first, *others = [back.terms.arrays()[name] for back in backs]
        plus = [part for other in others for part in ("+", other)]
        yield from _row("  =", first, *plus, "=", result.gradient.arrays()[name])


def _told_clipping(result: DogsResult) -> Iterator[str]:
    yield from _title("Gradient check and clipping")
    arrays = result.gradient.arrays()
    count = sum(array.size for array in arrays.values())
    yield f"  Each of these {count} numbers is compared with (L(w + ε) - L(w - ε))/2ε, ε = {EPSILON:g}:"
    yield f"  the largest difference is {result.difference:.0e}."
    yield ""
    squares = " + ".join(f"{float(np.sum(array**2)):.3f}" for array in arrays.values())
    yield "  ‖g‖ = √(‖dW‖² + ‖dU‖² + ‖dV‖² + ‖db‖² + ‖dc‖²)"
    yield f"      = √({squares}) = {result.norms[0]:.3f}"
    if result.clip_factor < 1:
        yield f"  The norm is above {MAX_NORM:g}: g ← g · {MAX_NORM:g}/‖g‖ = {result.clip_factor:.3f} g"
    else:
        yield f"  The norm is at most {MAX_NORM:g}: g is not clipped."
    yield ""


def _told_descent(result: DogsResult, learning_rate: float, every_step: bool) -> Iterator[str]:
    yield from _title("Gradient descent")
    yield f"  w ← w - {learning_rate:g} · min(1, {MAX_NORM:g}/‖g‖) g, until ŷ₃[S] is above {_ENOUGH}"
    yield ""
    yield "  step    loss     ‖g‖   ŷ₃[S]"
    last = len(result.losses) - 1
    stride = max(1, -(-last // _MAX_ROWS))
    for step in sorted({*range(0, last + 1, stride), last}):
        chance = result.probabilities[step]
        yield (
            f"  {step:4d}  {result.losses[step]:6.3f}  {result.norms[step]:6.3f}  {chance:6.3f}  "
            + "█" * round(40 * chance)
        )
    yield ""
    says = "   ".join(f"{read} → {said}" for read, said in zip(LETTERS, result.said, strict=False))
    if every_step:
        yield f"  Predictions: {says}"
    if result.probabilities[-1] > _ENOUGH:
        yield f"  After D, O, G the network predicts S with probability {result.probabilities[-1]:.3f}."
    else:
        yield f"  S has probability {result.probabilities[-1]:.3f}: use more steps or a larger learning rate."


def _sub(t: int) -> str:
    return str(t).translate(str.maketrans("01234", "₀₁₂₃₄"))


def _title(words: str) -> Iterator[str]:
    yield f"── {words} ".ljust(_WIDTH, "─")
    yield ""


def _row(*parts: str | Array | list[str], gap: bool = True) -> Iterator[str]:
    """Yield lines with text and matrices side by side, text at middle height; vectors are columns."""
    columns = [[part] if isinstance(part, str) else _drawn(part) for part in parts]
    height = max(map(len, columns))
    for line in range(height):
        cells = []
        for column in columns:
            at = line - (height - len(column)) // 2
            cells.append(column[at] if 0 <= at < len(column) else " " * len(column[0]))
        yield ("  " + " ".join(cells)).rstrip()
    if gap:
        yield ""


def _drawn(part: Array | list[str]) -> list[str]:
    """Format a matrix in brackets, with three decimals, or with integers if all its numbers are 0 or 1."""
    if isinstance(part, list):
        return part
    rows = part[:, None] if part.ndim == 1 else part
    whole = np.isin(rows, (0, 1)).all()
    texts = [
        " ".join(f"{x + 0.0:.0f}" if whole else f"{round(x, 3) + 0.0:6.3f}" for x in row) for row in rows
    ]
    if len(texts) == 1:
        return [f"[{texts[0]}]"]
    left, right = ["⎡", *"⎢" * (len(texts) - 2), "⎣"], ["⎤", *"⎥" * (len(texts) - 2), "⎦"]
    return [f"{a}{text}{z}" for a, text, z in zip(left, texts, right, strict=True)]

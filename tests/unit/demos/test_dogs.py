"""The smallest example: gradients against torch and finite differences; the page against the results."""

import io
import math
import re
from dataclasses import replace

import numpy as np
import pytest
import torch
from rich.console import Console

from recurra.demos.dogs import run
from recurra.demos.dogs_network import (
    backward,
    finite_differences,
    forward,
    gradient_of,
    initial_weights,
    total_loss,
)
from recurra.errors import ConfigError


def printed(**options):
    stream = io.StringIO()
    result = run(console=Console(file=stream, width=100), **options)
    return result, stream.getvalue()


def torch_gradient(weights, every_step):
    """The loss from torch's recurrence, softmax and cross-entropy, and its automatic derivative."""
    tensors = {name: torch.tensor(array, requires_grad=True) for name, array in weights.arrays().items()}
    rnn = torch.nn.RNN(4, 3, batch_first=True, dtype=torch.float64)
    outputs, _ = torch.func.functional_call(
        rnn,
        {
            "weight_ih_l0": tensors["W"],
            "weight_hh_l0": tensors["U"],
            "bias_ih_l0": tensors["b"],
            "bias_hh_l0": torch.zeros(3, dtype=torch.float64),
        },
        torch.eye(4, dtype=torch.float64)[None, :3],
    )
    logits = outputs[0] @ tensors["V"].T + tensors["c"]
    targets = torch.tensor([1, 2, 3] if every_step else [-100, -100, 3])
    loss = torch.nn.functional.cross_entropy(logits, targets, reduction="sum")
    loss.backward()
    return loss.item(), {name: tensor.grad.numpy() for name, tensor in tensors.items()}


@pytest.mark.parametrize("every_step", [False, True])
@pytest.mark.parametrize("seed", range(4))
def test_gradients_agree_with_torch_and_with_finite_differences(seed, every_step):
    weights = initial_weights(seed)
    # Nonzero biases, so that every term is tested.
    weights = replace(weights, b=np.array([0.3, -0.2, 0.5]), c=np.array([0.1, -0.4, 0.2, 0.3]))
    ahead = forward(weights, every_step)
    gradient = gradient_of(backward(weights, ahead))
    loss, expected = torch_gradient(weights, every_step)
    assert total_loss(ahead) == pytest.approx(loss, abs=1e-12)
    for name, array in gradient.arrays().items():
        np.testing.assert_allclose(array, expected[name], rtol=0, atol=1e-12, err_msg=name)
        assert np.abs(array).max() > 1e-4
    assert gradient.furthest_from(finite_differences(weights, every_step)) < 1e-8


@pytest.mark.parametrize("every_step", [False, True])
@pytest.mark.parametrize("seed", range(3))
def test_s_is_learnt(seed, every_step):
    result, text = printed(seed=seed, every_step=every_step)
    assert result.probabilities[-1] > 0.9
    assert result.probabilities[-1] == pytest.approx(forward(result.final)[-1].y_hat[3])
    assert all(chance <= 0.9 for chance in result.probabilities[:-1])
    assert result.losses[-1] < result.losses[0]
    assert result.said[-1] == "S"
    assert f"the network predicts S with probability {result.probabilities[-1]:.3f}." in text


def test_each_next_letter_is_learnt_with_every_step():
    result, text = printed(every_step=True)
    assert result.said == "OGS"
    assert "D → O   O → G   G → S" in text


def test_only_the_last_step_is_taught_by_default():
    result, _ = printed()
    assert [step.loss is None for step in result.forward] == [True, True, False]
    assert not result.backward[0].delta_out.any()
    assert all(back.delta.any() for back in result.backward)


def numbers_under(text, equation):
    """All numbers from the line of an equation to the next empty line."""
    _, found, after = text.partition(f"\n  {equation}\n")
    assert found, equation
    return [float(number) for number in re.findall(r"-?\d+(?:\.\d+)?", after.split("\n\n")[0])]


def columns(*arrays):
    """The numbers of matrices side by side, row by row, rounded as printed; vectors are columns."""
    blocks = [np.round(a[:, None] if a.ndim == 1 else a, 3) for a in arrays]
    lines = range(max(map(len, blocks)))
    return [float(x) for line in lines for block in blocks if line < len(block) for x in block[line]]


@pytest.mark.parametrize("every_step", [False, True])
def test_printed_numbers_are_those_of_the_result(every_step):
    result, text = printed(every_step=every_step)
    w = result.initial
    for t, (step, back) in enumerate(zip(result.forward, result.backward, strict=True), start=1):
        now, before, after = ("₀₁₂₃₄"[place] for place in (t, t - 1, t + 1))
        z = columns(w.W, step.x, w.U, step.s_before, w.b, step.z)
        assert numbers_under(text, f"z{now} = W x{now} + U s{before} + b") == z
        s_and_o = columns(step.s, w.V, step.s, w.c, step.o)
        assert sorted(
            numbers_under(text, f"s{now} = tanh(z{now})           o{now} = V s{now} + c")
        ) == sorted(s_and_o)
        softmax = [*columns(np.exp(step.o), step.y_hat), round(np.exp(step.o).sum(), 3)]
        assert sorted(numbers_under(text, f"ŷ{now} = softmax(o{now}) = exp(o{now})/Σ exp(o{now})")) == sorted(
            softmax
        )
        if step.loss is not None:
            assert (
                f"L{now} = -log ŷ{now}[{step.target}] = -log {math.exp(-step.loss):.3f} = {step.loss:.3f}\n"
                in text
            )
        terms = [w.V.T, back.delta_out] if step.target else []
        names = [f"Vᵀ δ{now}ᵒᵘᵗ"] if step.target else []
        if t < 3:
            terms += [w.U.T, result.backward[t].delta]
            names += [f"Uᵀ δ{after}"]
        assert numbers_under(text, f"∂L/∂s{now} = {' + '.join(names)}") == columns(*terms, back.from_s)
        delta = columns(1 - step.s**2, back.from_s, back.delta)
        assert numbers_under(text, f"δ{now} = (1 - s{now}²) * ∂L/∂s{now}") == delta


def test_printed_gradient_is_that_of_the_result():
    result, text = printed(every_step=True)
    for name, array in result.gradient.arrays().items():
        block = text.split(f"\n  d{name} = ")[1].split("\n\n")[0]
        lines = block.split("\n")[-len(array) :]
        shown = [re.findall(r"-?\d+\.\d+", line)[-max(1, array[0].size) :] for line in lines]
        assert [[float(x) for x in row] for row in shown] == np.round(
            array.reshape(len(array), -1), 3
        ).tolist()
    assert f"= {result.norms[0]:.3f}\n" in text
    assert result.norms[0] == pytest.approx(
        math.sqrt(sum((array**2).sum() for array in result.gradient.arrays().values()))
    )
    assert result.clip_factor == pytest.approx(1 / result.norms[0])
    for step, (loss, chance) in enumerate(zip(result.losses, result.probabilities, strict=True)):
        assert re.search(
            rf"^ +{step}  +{loss:.3f}  +{result.norms[step]:.3f}  +{chance:.3f}  █", text, re.MULTILINE
        )


def test_a_step_follows_the_clipped_gradient():
    result, _ = printed(steps=1, learning_rate=0.2)
    assert len(result.losses) == 2
    moved = result.final.plus(result.initial, -1)
    assert moved.norm() == pytest.approx(0.2 * min(1, result.norms[0]))
    assert moved.plus(result.gradient, 0.2 * result.clip_factor).norm() < 1e-12


@pytest.mark.parametrize("options", [{}, {"every_step": True}, {"steps": 400, "learning_rate": 0.01}])
def test_page_fits_100_columns(options):
    _, text = printed(**options)
    assert max(map(len, text.split("\n"))) <= 100
    assert "-0.000" not in text
    assert "nan" not in text


def test_too_few_steps_say_so():
    result, text = printed(steps=0)
    assert result.losses == (total_loss(result.forward),)
    assert result.final is result.initial
    assert "use more steps or a larger learning rate" in text


@pytest.mark.parametrize("options", [{"steps": -1}, {"learning_rate": 0.0}, {"learning_rate": math.nan}])
def test_faults(options):
    with pytest.raises(ConfigError, match="dogs: got steps"):
        run(**options)


def test_a_learning_rate_far_too_large_still_gives_numbers():
    result, text = printed(learning_rate=1e6, steps=20, every_step=True)
    assert np.isfinite(result.losses).all()
    assert "nan" not in text

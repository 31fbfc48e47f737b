"""The neural cache and dynamic evaluation, against loops that implement the equations."""

import math

import pytest
import torch
from typer.testing import CliRunner

import recurra
from recurra.cli.main import app
from recurra.errors import ConfigError
from recurra.models.adaptation import CacheOptions, DynamicOptions


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    folder = tmp_path_factory.mktemp("adaptation")
    text = folder / "text.txt"
    text.write_text("the cat sat on the mat\nthe dog sat on the log\n" * 40)
    return recurra.LanguageModel.train(
        text, out=folder / "run", unit="word", hidden_size=16, batch_size=4, segment_length=12, epochs=2
    )


@pytest.fixture
def held_out(tmp_path):
    path = tmp_path / "held-out.txt"
    path.write_text("the log sat on the cat\na dog sat on a mat\n" * 20)
    return path


def read(model, path):
    """Inputs, targets and hidden states of a text, computed in one pass."""
    targets = torch.tensor(model.read_file(path).tokens.ids.astype("int64"))[None]
    inputs = torch.cat([torch.tensor([[model.tokenizer.start_id]]), targets[:, :-1]], dim=1)
    with torch.no_grad():
        losses, _ = model.network.token_losses(inputs, targets)
        features, _ = model.network.features(inputs, None, None, None)
    return targets[0], losses[0].double(), features.read[0].double()


def test_the_cache_is_its_equation(model, held_out):
    options = CacheOptions(size=30, sharpness=2.0, weight=0.2)
    targets, losses, hidden = read(model, held_out)
    total = 0.0
    for t in range(len(targets)):
        p = math.exp(-losses[t])
        past = range(max(0, t - 30), t)
        if past:
            scores = [math.exp(2.0 * float(hidden[t] @ hidden[i])) for i in past]
            same = sum(s for s, i in zip(scores, past, strict=True) if targets[i] == targets[t])
            p = 0.8 * p + 0.2 * same / sum(scores)
        total -= math.log(float(p))
    figures = model.evaluate(held_out, cache=options)
    assert figures.total_nats == pytest.approx(total, rel=1e-5)
    assert figures.total_nats < model.evaluate(held_out).total_nats


def test_dynamic_evaluation_is_its_equation(model, held_out):
    options = DynamicOptions(rate=0.02, decay=0.01, steps=7)
    from recurra.models.adaptation import gradient_sizes, statistics_streams

    sizes = gradient_sizes(
        model.network, statistics_streams(model.encoded("train").tokens.ids, model.tokenizer.start_id)
    )
    mean = torch.cat([size.flatten() for size in sizes.values()]).mean()
    kept = {name: weight.detach().clone() for name, weight in model.network.named_parameters()}
    targets, losses, _ = read(model, held_out)
    inputs = torch.cat([torch.tensor([model.tokenizer.start_id]), targets[:-1]])
    total, state = 0.0, None
    try:
        for at in range(0, len(targets), 7):
            part = slice(at, at + 7)
            own, state = model.network.token_losses(inputs[None, part], targets[None, part], state)
            total += float(own.detach().double().sum())
            grads = torch.autograd.grad(own.mean(), list(model.network.parameters()))
            state = recurra.layers.detach_state(state)
            with torch.no_grad():
                for (name, weight), grad in zip(model.network.named_parameters(), grads, strict=True):
                    pull = (0.01 * sizes[name] / mean).clamp(max=1.0)
                    weight += pull * (kept[name] - weight) - 0.02 * grad / (sizes[name] + 0.002)
    finally:
        model.network.load_state_dict(kept)
    figures = model.evaluate(held_out, dynamic=options)
    assert figures.total_nats == pytest.approx(total, rel=1e-4)
    assert figures.total_nats < float(losses.sum())
    for name, weight in model.network.named_parameters():
        assert torch.equal(weight, kept[name])  # the model itself is unchanged
    both = model.evaluate(held_out, dynamic=options, cache=CacheOptions())
    assert both.total_nats != figures.total_nats


def test_what_cannot_be_is_refused(model, held_out, tmp_path):
    with pytest.raises(ConfigError, match="streams: got 2, expected 1"):
        model.evaluate(held_out, streams=2, cache=CacheOptions())
    with pytest.raises(ConfigError, match=r"weight 1\.5"):
        CacheOptions(weight=1.5)
    with pytest.raises(ConfigError, match="steps 0"):
        DynamicOptions(steps=0)
    counted = recurra.LanguageModel.train(held_out, out=tmp_path / "run", unit="word", model="ngram")
    with pytest.raises(ConfigError, match="not to n-gram models"):
        counted.evaluate(held_out, cache=CacheOptions())


def test_the_command_line_has_them(model, held_out):
    def run(*options):
        command = ["evaluate", str(model.run.path), "--data", str(held_out), *options]
        done = CliRunner().invoke(app, command)
        assert done.exit_code == 0, done.output
        return done.stdout

    assert run("--cache-size", "50", "--dynamic-rate", "0.01") != run()

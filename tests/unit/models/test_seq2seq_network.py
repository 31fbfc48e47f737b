"""The encoder-decoder: padding, step by step, smoothing, copying, bridges, refusals."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from recurra.config import build_config
from recurra.data.batches import PairBatch
from recurra.errors import ConfigError
from recurra.layers.output import OutputScores
from recurra.models.seq2seq import Seq2SeqNetwork, SourceKind
from recurra.models.source import EncoderDecoderConfig

SYMBOLS, END = 11, 0
SMALL = {"cell": "gru", "hidden_size": 6, "num_layers": 1, "dropout": 0.0, "input_dropout": 0.0}
VARIANTS = {
    "general": {},
    "additive with coverage": {"attention": "additive", "coverage": True},
    "dot": {"attention": "dot", "hidden_size": 6, "bidirectional": False},
    "no attention": {"attention": "none"},
    "no attention, tied": {"attention": "none", "tie_weights": True, "embedding_size": 4},
    "deep lstm": {"cell": "lstm", "num_layers": 2, "decoder_layers": 3},
    "three ties": {"tie_weights": True, "share_vectors": True, "embedding_size": 5},
    "copying": {"copying": True},
    "graves": {"num_layers": 2, "skip": "graves"},
    "simplified gru": {"reset_gate": "none"},
    "rnn": {"cell": "rnn", "bridge": "zeros"},
    "copied state": {"bridge": "copy", "bidirectional": False, "num_layers": 2},
}


def a_network(joint: bool = True, shape: tuple[int, ...] = (), **options: object) -> Seq2SeqNetwork:
    torch.manual_seed(1)
    config = build_config(EncoderDecoderConfig, overrides=SMALL | options)
    kind = SourceKind(vector_shape=shape) if shape else SourceKind(SYMBOLS, joint)
    return Seq2SeqNetwork(config, kind, SYMBOLS, END)


def a_batch(sources: list[int], targets: list[int], seed: int = 0) -> PairBatch:
    torch.manual_seed(seed)

    def side(lengths: list[int]) -> tuple[torch.Tensor, torch.Tensor]:
        ids = torch.randint(1, SYMBOLS, (len(lengths), max(lengths)))
        every = torch.tensor(lengths)
        return ids * (torch.arange(max(lengths)) < every.unsqueeze(1)), every

    return PairBatch(*side(sources), *side(targets), END)


def row(batch: PairBatch, i: int) -> PairBatch:
    """One row alone, without padding."""
    S, T = int(batch.source_lengths[i]), int(batch.target_lengths[i])
    return replace(
        batch,
        source=batch.source[i : i + 1, :S],
        source_lengths=batch.source_lengths[i : i + 1],
        target=batch.target[i : i + 1, :T],
        target_lengths=batch.target_lengths[i : i + 1],
    )


@pytest.mark.parametrize("variant", VARIANTS)
def test_what_else_is_in_the_batch_changes_nothing(variant):
    network = a_network(**VARIANTS[variant]).double().eval()
    batch = a_batch([5, 1, 3, 0], [2, 4, 0, 3])
    together = network.token_losses(batch)
    for i in range(4):
        T = int(batch.target_lengths[i]) + 1
        alone = network.token_losses(row(batch, i))
        assert torch.allclose(together[i, :T], alone[0], atol=1e-10)
        assert not together[i, T:].any()


@pytest.mark.parametrize("variant", VARIANTS)
def test_each_step_gives_what_all_at_once_give_and_sums_to_one(variant):
    network = a_network(**VARIANTS[variant]).eval()
    batch = a_batch([4, 2], [3, 3])
    inputs, targets = batch.steps(network.start)
    with torch.no_grad():
        losses = network.token_losses(batch)
        _, state = network.read(*batch.inputs)
        for t in range(inputs.shape[1]):
            scores, state = network.step(inputs[:, t], state)
            every = scores.all() if isinstance(scores, OutputScores) else scores
            log_probs = every.log_softmax(1)
            assert torch.allclose(every.logsumexp(1), torch.zeros(2), atol=1e-5) or variant != "copying"
            gathered = -log_probs.gather(1, targets[:, t].unsqueeze(1)).squeeze(1)
            assert torch.allclose(gathered, losses[:, t], atol=1e-5)


@pytest.mark.parametrize("variant", VARIANTS)
def test_every_weight_learns(variant):
    network = a_network(**VARIANTS[variant])
    network.total_loss(a_batch([5, 3], [4, 3]), smoothing=0.1).backward()
    for name, parameter in network.named_parameters():
        # A deep encoder's skip output reaches the decoder by attention or by the bridge alone.
        if variant == "no attention" and name.startswith("encoder.recurrent") and "l0" not in name:
            continue
        assert parameter.grad is not None, name
        assert parameter.grad.abs().sum() > 0, name


@settings(max_examples=15, deadline=None)
@given(epsilon=st.floats(0.01, 0.5), seed=st.integers(0, 99))
def test_label_smoothing_is_cross_entropy_with_smoothed_targets(epsilon, seed):
    network = a_network().double().eval()
    batch = a_batch([4, 2, 3], [3, 1, 5], seed)
    inputs, targets = batch.steps(network.start)
    _, state = network.read(*batch.inputs)
    logits = network.output(network.write(inputs, state).features)
    wanted = torch.nn.functional.cross_entropy(
        logits.flatten(0, 1),
        targets.flatten(),
        ignore_index=-100,
        label_smoothing=epsilon,
        reduction="sum",
    )
    assert torch.allclose(network.total_loss(batch, smoothing=epsilon), wanted)


def test_with_copying_a_symbol_of_the_source_becomes_likelier():
    network = a_network(copying=True).eval()
    batch = a_batch([3], [2])
    batch = replace(batch, source=torch.tensor([[7, 7, 7]]))
    with torch.no_grad():
        network.copy_gate.weight.zero_()
        found = []
        for bias in (20.0, 0.0, -20.0):
            network.copy_gate.bias.fill_(bias)
            scores, _ = network.step(torch.tensor([END]), network.read(*batch.inputs)[1])
            assert float(scores.exp().sum()) == pytest.approx(1.0, abs=1e-5)
            found.append(float(scores[0, 7].exp()))
    assert found[0] < found[1] < found[2]
    assert found[2] == pytest.approx(1.0, abs=1e-5)
    assert found[1] == pytest.approx(0.5 + found[0] / 2, abs=1e-4)


def test_a_word_outside_the_vocabulary_is_copied_from_its_steps_of_the_source():
    """P = g softmax + (1 - g) Σ w_ts, computed by numpy; the id V + 1 is that of steps 1 and 3."""
    torch.manual_seed(1)
    config = build_config(EncoderDecoderConfig, overrides=SMALL | {"copying": True})
    network = Seq2SeqNetwork(config, SourceKind(SYMBOLS, True, unknown=2), SYMBOLS, END).eval()
    source = torch.tensor([[5, SYMBOLS + 1, 7, SYMBOLS + 1], [4, 3, 0, 0]])
    lengths = torch.tensor([4, 2])
    target = torch.tensor([[SYMBOLS + 1, 7, 2], [3, 2, 9]])
    batch = PairBatch(source, lengths, target, torch.tensor([3, 3]), END)
    inputs, targets = batch.steps(END)
    with torch.no_grad():
        known = source.masked_fill(source >= SYMBOLS, 2), lengths
        written = network.write(inputs.masked_fill(inputs >= SYMBOLS, 2), network.read(*known)[1])
        softmax = network.output(written.features).softmax(2).numpy()
        gate = torch.sigmoid(network.copy_gate(written.features)).numpy()
        weights = written.weights.numpy()
        expected = np.zeros((2, 4, SYMBOLS + 4))
        expected[:, :, :SYMBOLS] = gate * softmax
        for row, step in np.ndindex(2, 4):
            np.add.at(expected[row, step], source[row].numpy(), (1 - gate[row, step]) * weights[row, step])
        found, _ = network(source, lengths, inputs)
        assert np.allclose(found.exp().numpy(), expected, atol=1e-6)
        of_targets = np.take_along_axis(expected, targets.numpy()[..., None], 2)[..., 0]
        assert np.allclose(network.token_losses(batch).numpy(), -np.log(of_targets), atol=1e-5)
    state = network.read(*batch.inputs)[1]
    for t in range(inputs.shape[1]):
        scores, state = network.step(inputs[:, t], state)
        assert torch.allclose(scores.log_softmax(1), found[:, t], atol=1e-5)
    network.total_loss(batch).backward()
    assert all(bool(parameter.grad.isfinite().all()) for parameter in network.parameters())


def test_scheduled_sampling_feeds_own_symbols_as_often_as_asked():
    network = a_network().eval()
    batch = a_batch([3] * 300, [6] * 300)
    forced, _ = batch.steps(network.start)
    assert torch.equal(network.sampled_inputs(batch, 0.0), forced)
    torch.manual_seed(1)
    half = network.sampled_inputs(batch, 0.5)
    changed = (half[:, 1:] != forced[:, 1:]).float().mean()
    # A sampled symbol is sometimes the correct one by chance.
    assert 0.4 < float(changed) < 0.5
    assert torch.equal(half[:, 0], forced[:, 0])
    network.train()
    network.total_loss(batch, sampled=1.0).backward()


@pytest.mark.parametrize(
    ("shape", "options"),
    [
        ((7,), {"attention": "none"}),
        ((7,), {}),
        ((4, 7), {"attention": "additive"}),
        ((3, 9, 12), {"attention": "additive"}),
        ((1, 8, 8), {"attention": "none", "cell": "lstm"}),
    ],
)
def test_vectors_regions_and_pixels_are_read(shape, options):
    network = a_network(shape=shape, **options)
    batch = replace(a_batch([1, 1, 1], [3, 0, 2]), source=None, vectors=torch.rand(3, *shape) * 200)
    assert torch.isfinite(network.token_losses(batch)).all()
    network.total_loss(batch).backward()
    assert all(parameter.grad is not None for parameter in network.encoder.parameters())


def test_the_state_of_rows_is_that_of_their_sources():
    network = a_network(num_layers=2, decoder_layers=2).double().eval()
    batch = a_batch([5, 3, 4], [2, 2, 2])
    with torch.no_grad():
        _, state = network.read(*batch.inputs)
        spread = network.rows(state, torch.tensor([[0, 0], [1, 1], [2, 2]]))
        assert len(spread.memory.real) == 3
        kept = network.rows(spread, torch.tensor([[1, 0], [5, 5]]))
        scores, _ = network.step(torch.tensor([3, 4, 3, 4]), kept)
        for place, (source, symbol) in enumerate([(0, 3), (0, 4), (2, 3), (2, 4)]):
            alone = row(batch, source)
            wanted, _ = network.step(torch.tensor([symbol]), network.read(*alone.inputs)[1])
            assert torch.allclose(scores.all()[place], wanted.all()[0])


@pytest.mark.parametrize(
    ("joint", "shape", "options", "said"),
    [
        (False, (), {"share_vectors": True}, "share_vectors: needs a joint vocabulary"),
        (False, (), {"copying": True}, "copying: needs a joint vocabulary"),
        (
            True,
            (),
            {"attention": "none", "copying": True},
            "with attention other than none",
        ),
        (True, (5,), {"copying": True}, "copying: applies to text sources only"),
        (True, (), {"bridge": "copy"}, "bridge: copy needs a text encoder"),
        (True, (), {"attention": "dot"}, "attention: dot needs an encoder"),
    ],
)
def test_what_does_not_fit_is_named(joint, shape, options, said):
    with pytest.raises(ConfigError, match=said):
        a_network(joint, shape, **options)


@pytest.mark.parametrize("attention", ["general", "additive"])
def test_what_is_unattended_is_the_coverage_penalty_s_formula(attention):
    """Σ_s log min(κ_s, 1) over real source steps; κ_s is the total attention to s so far."""
    network = a_network(attention=attention).eval()
    batch = a_batch([4, 2], [5, 5])
    with torch.no_grad():
        _, state = network.read(*batch.inputs)
        state = network.rows(state, torch.tensor([[0, 0, 0], [1, 1, 1]]))
        written = network.write(torch.randint(1, SYMBOLS, (6, 3)), state)
        found = network.unattended(written.state)
    covered = written.weights.double().sum(1).tolist()
    over = 0
    for row, length in enumerate([4, 4, 4, 2, 2, 2]):
        wanted = sum(math.log(min(covered[row][s], 1.0)) for s in range(length))
        over += sum(covered[row][s] > 1 for s in range(length))
        assert float(found[row]) == pytest.approx(wanted, rel=1e-5, abs=1e-6)
    assert 0 < over < 18  # some source steps have enough attention, some do not
    with torch.no_grad():
        unread = network.unattended(state)
    assert unread.tolist() == pytest.approx([4 * math.log(1e-10)] * 3 + [2 * math.log(1e-10)] * 3)

"""Training with the full softmax against a plain torch loop, and likelihoods against loops in float64."""

import itertools

import numpy as np
import pytest
import torch
from plain_word_vectors import CONTEXTS, Text, outputs_of, pairs_by_double_loop, trainer_of
from scipy.optimize import minimize
from torch.nn.functional import cross_entropy

import recurra as rc
from recurra.models.word_vectors.likelihood import Pairs, calibrated, softmax_loss, tree_loss
from recurra.tasks.vectors.corpus import WordText
from recurra.tasks.vectors.networks import build_network
from recurra.tasks.vectors.softmax import ContextFeed

each_context = pytest.mark.parametrize("context", CONTEXTS)
BATCH = 3  # tokens: some batches have nothing to predict


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    made = tmp_path_factory.mktemp("softmax")
    random = np.random.default_rng(0)
    lines = [" ".join(random.choice([*"abcdefg"], size)) for size in (1, 1, 1, 7, 2, 9, 1, 4, 6, 3, 8)]
    (made / "train.txt").write_text("".join(f"{line}\n" for line in lines))
    (made / "valid.txt").write_text("a b c d e\nf g\n")
    return made


def batches_by_double_loop(text, context, window):
    """For each BATCH tokens of the text, the (context words, word) predictions; None for nearby-word."""
    found = [[] for _ in range(-(-len(text.tokens) // BATCH))]
    for sentence, begin in zip(text.sentences, text.starts, strict=False):
        for around, at in pairs_by_double_loop(sentence, context, window):
            found[(begin + at) // BATCH].append(([sentence[place] for place in around], sentence[at]))
    return found


def plain_loss(input, output, predictions, *, concatenated):
    hidden = [
        torch.cat([input[word] for word in words]) if concatenated else input[words].mean(0)
        for words, _ in predictions
    ]
    targets = torch.tensor([target for _, target in predictions])
    return cross_entropy(torch.stack(hidden) @ output.T, targets)


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
@pytest.mark.parametrize("context", [name for name in CONTEXTS if name != "nearby-word"])
def test_training_equals_a_plain_loop(context, optimizer, folder, tmp_path):
    rate = 0.5 if optimizer == "sgd" else 0.01
    options = {"objective": "softmax", "context": context, "embedding_size": 5, "subsample": 0.0, "seed": 4}
    options |= {"optimizer": optimizer, "learning_rate": rate, "schedule": "constant", "clip_norm": 0.0}
    options |= {"batch_size": BATCH, "min_count": 1, "epochs": 2, "device": "cpu", "threads": 1}
    if context in ("skip-gram", "cbow"):
        options["shrink_window"] = False
    if context != "previous-word":
        options["window"] = 2
    made = rc.WordVectors.train(
        folder / "train.txt",
        valid=folder / "valid.txt",
        out=tmp_path / "run",
        validate_every=10**6,
        **options,
    )
    words = {word: number for number, word in enumerate(made.symbols.words)}
    lines = (folder / "train.txt").read_text().split("\n")[:-1]
    text = Text([words[word] for word in line.split()] for line in lines)
    torch.manual_seed(4)
    start = build_network(made.config, made.symbols)
    input, output = (each.detach().double().requires_grad_() for each in (start.input, start.output))
    kind = torch.optim.SGD if optimizer == "sgd" else torch.optim.Adam
    plain = kind([input, output], lr=rate)
    batches = batches_by_double_loop(text, context, made.config.window)
    assert not all(batches)
    orders = [np.random.default_rng((4, epoch)).permutation(len(batches)) for epoch in range(2)]
    for predictions in [batches[part] for order in orders for part in order]:
        input.grad, output.grad = torch.zeros_like(input), torch.zeros_like(output)
        if predictions:
            concatenated = context == "previous-concatenated"
            plain_loss(input, output, predictions, concatenated=concatenated).backward()
        plain.step()
    for got, want, old in zip(made.network.parameters(), (input, output), start.parameters(), strict=True):
        torch.testing.assert_close(got.double(), want, rtol=1e-4, atol=2e-5)
        assert (got - old).abs().max() > 0.05


@each_context
@pytest.mark.parametrize("shrink", [False, True])
def test_batches_are_the_positions_of_the_kernels(context, shrink):
    """With dropped words, drawn windows and drawn neighbours; for any number of processes."""
    random = np.random.default_rng(3)
    text = Text(random.integers(0, 9, size) for size in (4, 1, 30, 2, 11, 1, 1, 1, 1, 50))
    keep = np.linspace(0.2, 1, 9).astype(np.float32)
    trainer = trainer_of(context, "sampling", window=3, shrink=shrink, keep=keep, seed=6)
    source = WordText(None, WordsOf(text))
    want = []
    for number in range(len(text.sentences)):
        for each in trainer.positions(text.tokens, text.starts, number, 2):
            is_each = trainer.contexts.hidden == "each"
            parts = [[word] for word in each.context] if is_each else [each.context]
            want += [(each.token // 7, part, each.word) for part in parts]
    for processes in (1, 3):
        got = []
        feeds = [
            ContextFeed(source, trainer.contexts, keep, batch_size=7, seed=6, rank=rank, processes=processes)
            for rank in range(processes)
        ]
        order = np.random.default_rng((6, 2)).permutation(len(feeds[0])).tolist()
        assert order != sorted(order)
        for place, number in enumerate(order):  # the parts of the text in a random order
            parts = [feed.window(place, place, 2)[0] for feed in feeds]
            own = [
                [
                    (number, [w for w in words if w >= 0], target)
                    for words, target in zip(part.contexts.tolist(), part.targets.tolist(), strict=True)
                    if target >= 0
                ]
                for part in parts
            ]
            joined = [one for row in itertools.zip_longest(*own) for one in row if one]
            assert {part.count for part in parts} == {max(1, len(joined))}
            got += joined
        assert sorted(got, key=lambda one: one[0]) == want


class WordsOf:
    """What a feed reads of a word file."""

    def __init__(self, text):
        self.tokens, self.starts = text.tokens, text.starts

    def __len__(self):
        return len(self.tokens)


def random_pairs(words=20, size=6, count=90):
    random = torch.Generator().manual_seed(1)
    output, hidden = (torch.randn(n, size, generator=random) for n in (words, count))
    logits = 0.6 * hidden @ output.T + 0.5 * torch.randn(words, generator=random)
    targets = torch.multinomial(logits.softmax(1), 1, generator=random)[:, 0]
    own = 0.3 * torch.randn(words, generator=random)
    log_counts = torch.randn(words, generator=random)
    return Pairs(hidden, targets), output, own, log_counts


def loss_by_loops(pairs, output, offsets, scale):
    """Mean of -log softmax in float64, one pair at a time."""
    total = 0.0
    for hidden, target in zip(pairs.hidden.double().numpy(), pairs.targets.tolist(), strict=True):
        scores = np.array([scale * float(row @ hidden) for row in output.double().numpy()]) + offsets.numpy()
        total += np.log(np.exp(scores - scores.max()).sum()) + scores.max() - scores[target]
    return total / len(pairs.targets)


def test_softmax_loss(monkeypatch):
    pairs, output, own, _ = random_pairs()
    want = loss_by_loops(pairs, output, own.double(), 0.7)
    assert softmax_loss(pairs, output, own, 0.7) == pytest.approx(want, rel=1e-6)
    monkeypatch.setattr("recurra.models.word_vectors.likelihood._AT_ONCE", 4 * 20 * 7)  # 13 parts
    assert softmax_loss(pairs, output, own, 0.7) == pytest.approx(want, rel=1e-6)


@pytest.mark.parametrize("parts", [1, 13])
@pytest.mark.parametrize("scale", [0.01, 1.0, 30.0])
def test_calibration_is_the_minimum(scale, parts, monkeypatch):
    """Also for scores that are far too small or too large to begin with; with a prior of one observation."""
    pairs, output, own, log_counts = random_pairs()
    pairs, own = Pairs(pairs.hidden * scale, pairs.targets), own * scale
    if parts > 1:
        monkeypatch.setattr("recurra.models.word_vectors.likelihood._AT_ONCE", 4 * 20 * 7)

    def loss(at):
        offsets = at[0] * own.double() + at[1] * log_counts.double()
        scores = pairs.hidden.double() @ output.double().T * at[0] + offsets
        prior = ((at[0] - 1) ** 2 + (at[1] - 1) ** 2) / 2
        return cross_entropy(scores, pairs.targets).item() + prior / len(pairs.targets)

    best = minimize(loss, [0.5 / scale, 0.5], method="Nelder-Mead", options={"xatol": 1e-9, "fatol": 1e-13})
    found = calibrated(pairs, output, own, log_counts)
    assert loss(found) == pytest.approx(best.fun, rel=1e-6)
    assert found.scale * scale == pytest.approx(best.x[0] * scale, rel=2e-3)
    assert found.bias == pytest.approx(best.x[1], abs=2e-3)


def test_calibration_of_scores_that_say_nothing():
    """All scores are equal, or tiny: the scale stays near 1, and the bias is that of the counts."""
    pairs, output, own, log_counts = random_pairs()

    def loss(bias):
        logits = (float(bias[0]) * log_counts.double()).expand(90, 20)
        return cross_entropy(logits, pairs.targets).item() + (float(bias[0]) - 1) ** 2 / 2 / 90

    best = minimize(loss, [0.0])
    for size in (0, 1e-4):
        found = calibrated(Pairs(pairs.hidden * size, pairs.targets), output, own * 0, log_counts)
        assert found.scale == pytest.approx(1, abs=0.1)
        assert found.bias == pytest.approx(best.x[0], abs=2e-3)


def test_tree_loss():
    counts = [9, 7, 5, 4, 2, 1, 1]
    tree = outputs_of("tree", counts)
    pairs, nodes, _, _ = random_pairs(words=6)
    pairs = Pairs(pairs.hidden, pairs.targets % 7)
    total = 0.0
    for hidden, target in zip(pairs.hidden.double(), pairs.targets.tolist(), strict=True):
        probability = 1.0
        for place in range(tree.path_starts[target], tree.path_starts[target + 1]):
            score = float(nodes[tree.path_nodes[place]].double() @ hidden)
            probability /= 1 + np.exp(-score if tree.path_labels[place] == 1 else score)
        total -= np.log(probability)
    assert tree_loss(pairs, nodes, tree) == pytest.approx(total / 90, rel=1e-6)

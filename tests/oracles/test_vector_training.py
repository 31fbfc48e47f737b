"""Whole trainings of word vectors against trainings by hand: every option reaches the kernels."""

import numpy as np
import pytest
import torch
from plain_word_vectors import CONTEXTS, Text, pairs_by_double_loop

import recurra as rc
from recurra.data.cooccurrences import Counting, open_table
from recurra.data.word_files import WordFile
from recurra.kernels.word_vectors import WordContexts, WordOutputs, WordTrainer, padded_rows
from recurra.models.word_vectors.subwords import Subwords
from recurra.models.word_vectors.tables import AliasTable, HuffmanTree
from recurra.tasks.vectors.judging import Judge

LINES = [" ".join(np.random.default_rng(n).choice([*"aaabbcdefg"], n % 9 + 1)) for n in range(90)]
COMMON = {
    "min_count": 1,
    "epochs": 2,
    "schedule": "constant",
    "seed": 7,
    "threads": 1,
    "validate_every": 10**6,
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    made = tmp_path_factory.mktemp("vectors")
    (made / "train.txt").write_text("".join(f"{line}\n" for line in LINES))
    (made / "valid.txt").write_text("a b c d e\nf g\n")
    return made


def trained(folder, out, **options):
    return rc.WordVectors.train(folder / "train.txt", valid=folder / "valid.txt", out=out, **COMMON | options)


def text_of(model):
    ids = {word: number for number, word in enumerate(model.symbols.words)}
    return Text([ids[word] for word in line.split()] for line in LINES)


def initial(rows, size):
    """Input rows uniform in ±1/(2 D), by the seed; output rows zero."""
    torch.manual_seed(COMMON["seed"])
    return padded_rows(rows, size).uniform_(-0.5 / size, 0.5 / size)


@pytest.mark.parametrize(
    ("context", "subwords"), [*((name, False) for name in CONTEXTS), ("skip-gram", True), ("cbow", True)]
)
@pytest.mark.parametrize("objective", ["negative-sampling", "hierarchical-softmax"])
def test_options_reach_the_kernels(context, objective, subwords, folder, tmp_path, monkeypatch):
    hidden, reach = CONTEXTS[context]
    is_tree, window = objective == "hierarchical-softmax", 1 if context == "previous-word" else 3
    size = 16 if hidden == "concatenated" else 5
    options = {"objective": objective, "context": context, "embedding_size": size, "learning_rate": 0.2}
    options |= {"subsample": 0.05, "chunk_size": 100}
    options |= {} if is_tree else {"negatives": 4, "negative_exponent": 0.3}
    options |= {} if context == "previous-word" else {"window": 3}
    if subwords:
        options |= {"subwords": True, "min_ngram": 1, "max_ngram": 3, "buckets": 6}
    shrinks = context in ("skip-gram", "cbow", "nearby-word") and not subwords
    if context in ("skip-gram", "cbow", "nearby-word"):
        options["shrink_window"] = shrinks
    whole_error = context != "cbow" and not subwords
    if subwords or context in ("cbow", "previous-average"):
        options["whole_error"] = whole_error
    model = trained(folder, tmp_path / "run", **options)

    text, counts = text_of(model), model.symbols.counts
    assert counts.tolist() == np.bincount(text.tokens).tolist()
    assert sorted(counts, reverse=True) == counts.tolist()
    words = len(counts)
    shares = counts / counts.sum()
    keep = np.minimum(1, (np.sqrt(shares / 0.05) + 1) * 0.05 / shares).astype(np.float32)
    assert (keep < 1).any()
    if is_tree:
        tree = HuffmanTree.of(counts)
        outputs = WordOutputs(path_starts=tree.starts, path_nodes=tree.nodes, path_labels=tree.labels)
    else:
        table = AliasTable.of(counts**0.3)
        outputs = WordOutputs(4, table.share, table.alias)
    output = padded_rows(words - is_tree, size * window if hidden == "concatenated" else size)
    by_hand = WordTrainer(
        initial(words + (6 if subwords else 0), size),
        output,
        WordContexts(hidden, reach, window, shrinks),
        outputs,
        vocabulary_size=words,
        keep=keep,
        parts=Subwords(1, 3, 6).table(model.symbols.words) if subwords else None,
        whole_error=whole_error,
        seed=COMMON["seed"],
    )
    monkeypatch.setenv("RECURRA_NO_NATIVE", "1")
    cuts = [0]
    while cuts[-1] < len(LINES):  # chunks of whole sentences, of 100 words or a few more
        full = [at for at in range(cuts[-1], len(LINES)) if text.starts[at] >= text.starts[cuts[-1]] + 100]
        cuts.append(min([*full, len(LINES)]))
    for epoch in range(2):
        for chunk in np.random.default_rng((COMMON["seed"], epoch)).permutation(len(cuts) - 1):
            span = cuts[chunk], cuts[chunk + 1]
            by_hand.run(text.tokens, text.starts, *span, epoch=epoch, rates=(0.2, 0.2))
    torch.testing.assert_close(model.network.input.data, by_hand.input, rtol=1e-4, atol=2e-6)
    torch.testing.assert_close(model.network.output.data, by_hand.output, rtol=1e-4, atol=2e-6)
    assert model.network.output.abs().max() > 0.01
    if not subwords:
        np.testing.assert_array_equal(model["a"], model.network.input[model.key_to_index["a"]].numpy())


def test_glove(folder, tmp_path):
    model = trained(
        folder, tmp_path / "run", objective="glove", window=4, x_max=5.0, alpha=0.5, embedding_size=6,
        learning_rate=0.1, vectors="sum",
    )  # fmt: skip
    text, words = text_of(model), len(model.symbols.words)
    file = WordFile(text.tokens, text.starts, len(text.tokens), "by hand", False)
    table = open_table(file, words, Counting(4, 5.0, 0.5))
    e = initial(words, 6).double()
    theta = padded_rows(words, 6).uniform_(-0.5 / 6, 0.5 / 6).double()
    b, other = torch.zeros(2, words).double()
    squares = [torch.ones_like(each) for each in (e, theta, b, other)]
    for stratum in [*range(16)] * 2:
        for row in range(16):
            block = row * 16 + (row + stratum) % 16
            for at in range(table.blocks[block], table.blocks[block + 1]):
                i, j = int(table.words[at]), int(table.contexts[at])
                g = (
                    0.1
                    * float(table.weights[at])
                    * (e[i] @ theta[j] + b[i] + other[j] - float(table.logs[at]))
                )
                steps = g * theta[j], g * e[i], g, g
                for each, square, place, step in zip(
                    (e, theta, b, other), squares, (i, j, i, j), steps, strict=True
                ):
                    each[place] -= step / square[place].sqrt()
                    square[place] += step**2
    network = model.network
    for got, want in (
        (network.input, e), (network.output, theta), (network.input_bias, b), (network.output_bias, other),
    ):  # fmt: skip
        torch.testing.assert_close(got.double(), want, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(model["c"], (e + theta)[model.key_to_index["c"]], rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("vectors", ["input", "output", "mean", "sum", "subwords"])
def test_the_vectors_of_words(vectors, folder, tmp_path):
    """With subwords, a word has the mean of its own row and those of its n-grams."""
    subwords = vectors == "subwords"
    options = {"subwords": True, "min_ngram": 1, "max_ngram": 2, "buckets": 7} if subwords else {}
    options |= {} if subwords else {"vectors": vectors}
    model = trained(
        folder, tmp_path / "run", embedding_size=5, learning_rate=0.3, max_steps=1, **options
    )  # fmt: skip
    network, words, how = model.network, model.symbols.words, Subwords(1, 2, 7)
    for number, word in enumerate(words):
        rows = [number, *([len(words) + row for row in how.rows(word)] if subwords else [])]
        input = sum(network.input.double()[row] for row in rows) / len(rows)
        output = network.output.double()[number]
        want = {"input": input, "output": output, "sum": input + output, "mean": (input + output) / 2}
        want["subwords"] = input
        np.testing.assert_allclose(model[word], want[vectors], rtol=1e-5, atol=1e-7)
    if subwords:
        rows = [len(words) + row for row in how.rows("zab")]
        np.testing.assert_allclose(model["zab"], network.input.double()[rows].mean(0), rtol=1e-5, atol=1e-7)


KINDS = {
    "negative-sampling": {"context": "cbow", "shrink_window": False},
    "hierarchical-softmax": {"context": "previous-average"},
    "softmax": {"context": "previous-concatenated", "device": "cpu"},
    "glove": {"x_max": 5.0},
}


@pytest.mark.parametrize("objective", KINDS)
def test_the_likelihood_of_held_out_words(objective, folder, tmp_path):
    """-log P(word | context) over the whole vocabulary, pair by pair in float64."""
    options = KINDS[objective] | {
        "window": 2,
        "embedding_size": 6,
        "objective": objective,
        "learning_rate": 0.1,
    }
    model = trained(folder, tmp_path / "run", **options)
    network, context = model.network, options.get("context", "nearby-word")
    ids = {word: number for number, word in enumerate(model.symbols.words)}
    held_out = model.held_out()
    sentences = [[ids[word] for word in line.split() if word in ids] for line in ("a b c d e", "f g")]
    pairs = Judge(model.config, model.symbols, network).pairs(held_out, 2000)
    possible = {}  # by word: the hidden vectors of the positions where it stands
    for sentence in sentences:
        for around, at in pairs_by_double_loop(sentence, context, 2):
            rows = network.input.detach().double()[[sentence[place] for place in around]]
            if context == "nearby-word":  # one of them, drawn
                found = [*rows]
            else:
                found = [rows.flatten() if context == "previous-concatenated" else rows.mean(0)]
            possible.setdefault(sentence[at], []).extend(found)
    assert sorted(pairs.targets.tolist()) == sorted(possible)
    for hidden, target in zip(pairs.hidden.double(), pairs.targets.tolist(), strict=True):
        assert any(torch.allclose(hidden, each, rtol=1e-5, atol=1e-7) for each in possible[target])
    scale, bias = network.calibration.tolist()
    shares = model.symbols.counts / model.symbols.counts.sum()
    losses = []
    for hidden, target in zip(pairs.hidden.double(), pairs.targets.tolist(), strict=True):
        scores = network.output.detach().double() @ hidden
        if objective == "hierarchical-softmax":
            tree = HuffmanTree.of(model.symbols.counts)
            path = slice(tree.starts[target], tree.starts[target + 1])
            signs = 2 * torch.from_numpy(tree.labels[path]) - 1
            losses.append(-torch.sigmoid(scores[tree.nodes[path].tolist()] * signs).log().sum())
            continue
        if objective == "glove":
            scores = scores + network.output_bias.double()
        scores = scale * scores + bias * torch.from_numpy(np.log(shares))
        losses.append(-scores.log_softmax(0)[target])
    figures = model.evaluate()
    assert figures.pairs == len(losses)
    assert figures.word_loss == pytest.approx(float(sum(losses)) / len(losses), rel=1e-5)
    unigram = -np.log(shares)[pairs.targets.numpy()].mean()
    assert figures.unigram_loss == pytest.approx(unigram, rel=1e-5)
    assert (scale, bias) == (1.0, 0.0) or objective in ("negative-sampling", "glove")

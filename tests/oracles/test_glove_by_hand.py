"""GloVe: counts against a double loop, training against loops in float64 and autograd."""

import itertools

import numpy as np
import pytest
import torch
from plain_word_vectors import Text, made_rows, random_text

from recurra.data import TextSource, cooccurrences
from recurra.data.cooccurrences import Counting, open_table, stretches
from recurra.data.word_files import WordFile, WordReading, open_words
from recurra.kernels.extension import extension
from recurra.kernels.glove import GloveEntries, GloveState, train_glove

RATE = 0.3
_numbers = itertools.count()


def word_file(text):
    """A word file that is in no cache."""
    return WordFile(text.tokens, text.starts, len(text.tokens), f"test {next(_numbers)}", False)


def counts_by_double_loop(text, window):
    counts = {}
    for sentence in text.sentences:
        for at, word in enumerate(sentence):
            for other, context in enumerate(sentence):
                if other != at and abs(other - at) <= window:
                    counts[word, context] = counts.get((word, context), 0.0) + 1 / abs(other - at)
    return counts


TEXTS = {
    "few words": (random_text(1, 4, [5, 1, 0, 2, 3, 9]), 4),
    "only itself": (Text([[0, 0, 0], [1]]), 2),
    "many words": (random_text(2, 60, [1000, 3, 1, 0, 700, *[20] * 60]), 60),
}


@pytest.mark.parametrize("name", TEXTS)
@pytest.mark.parametrize("window", [1, 2, 10])
def test_counts_equal_a_double_loop(name, window):
    text, words = TEXTS[name]
    want = counts_by_double_loop(text, window)
    tables = []
    # In one piece, or with a run for almost every sentence, merged a few keys at a time.
    for memory, runs in ((1 << 30, 1), (64 * window * 3, len(text.sentences) // 2)):
        file = word_file(text)
        assert len(stretches(file, window, memory)) >= runs
        how = Counting(window, x_max=3.0, alpha=0.6, grid=5, memory_bytes=memory)
        table = open_table(file, words, how)
        tables.append(table)
        got = dict(
            zip(zip(table.words.tolist(), table.contexts.tolist(), strict=True), table.logs, strict=True)
        )
        assert len(table) == len(got) == len(want)
        np.testing.assert_allclose([got[key] for key in want], np.log([*want.values()]), rtol=1e-6, atol=1e-6)
        weights = np.minimum(1, (np.exp(table.logs.astype(float)) / 3.0) ** 0.6)
        np.testing.assert_allclose(table.weights, weights, rtol=1e-6)
        number = table.words % 5 * 5 + table.contexts % 5
        assert (np.repeat(np.arange(25), np.diff(table.blocks)) == number).all()
    for one, other in zip(vars(tables[0]).values(), vars(tables[1]).values(), strict=True):
        np.testing.assert_array_equal(one, other)  # the memory does not show


def test_a_text_is_counted_once_for_all_weights(monkeypatch):
    text, words = TEXTS["many words"]
    counted, count = [], cooccurrences.counted_stretch
    monkeypatch.setattr(cooccurrences, "counted_stretch", lambda *a, **b: counted.append(b) or count(*a, **b))
    monkeypatch.setattr(cooccurrences, "_WEIGHED", 100)
    file = word_file(text)
    counts = counts_by_double_loop(text, 5)
    tables = []
    for x_max, alpha in ((10.0, 0.75), (3.0, 0.75), (10.0, 0.0), (10.0, 0.75)):
        table = open_table(file, words, Counting(5, x_max, alpha, grid=2))
        tables.append(table)
        pairs = zip(table.words.tolist(), table.contexts.tolist(), strict=True)
        want = [min(1, (counts[pair] / x_max) ** alpha) for pair in pairs]
        np.testing.assert_allclose(table.weights, want, rtol=1e-6)
        for name in ("blocks", "words", "contexts", "logs"):
            np.testing.assert_array_equal(getattr(table, name), getattr(tables[0], name))
    assert len(table) > 200
    assert len(counted) == 1
    open_table(file, words, Counting(4, 10.0, 0.75, grid=2))
    assert [each["window"] for each in counted] == [5, 4]


def test_damaged_weights_are_computed_again():
    file, how = word_file(TEXTS["few words"][0]), Counting(2, 10.0, 0.75, grid=2)
    before = np.array(open_table(file, 4, how).weights)
    for path in (cooccurrences.cache_folder() / "cooccurrence-weights").glob("*/weights"):
        if path.stat().st_size == before.nbytes and (np.fromfile(path, np.float32) == before).all():
            path.write_bytes(bytes(before.nbytes))
    np.testing.assert_array_equal(open_table(file, 4, how).weights, before)


def test_entries_of_a_block_are_in_a_random_order():
    text, words = TEXTS["many words"]
    table = open_table(word_file(text), words, Counting(5, 10.0, 0.75, grid=2))
    for first, last in itertools.pairwise(table.blocks):
        keys = (table.words * words + table.contexts)[first:last].tolist()
        assert len(keys) > 50
        assert keys != sorted(keys)
        assert abs(np.corrcoef(np.argsort(keys), np.arange(len(keys)))[0, 1]) < 0.2


def test_line_ends_and_unknown_words(tmp_path):
    """A line end ends a context; an unknown word leaves before distances are taken, a long line is cut."""
    (tmp_path / "a.txt").write_text("a b\nb ? a\n\na b a b a\n")
    ids = {"a": 0, "b": 1}
    words = open_words(TextSource(tmp_path / "a.txt"), WordReading(), ids, "x", 3)
    table = open_table(words, 2, Counting(5, 10.0, 0.75, grid=2))
    want = counts_by_double_loop(Text([[0, 1], [1, 0], [0, 1, 0], [1, 0]]), 5)
    got = dict(
        zip(zip(table.words.tolist(), table.contexts.tolist(), strict=True), np.exp(table.logs), strict=True)
    )
    assert got == pytest.approx(want, rel=1e-6)
    assert got[0, 0] == pytest.approx(1.0)  # 1/2 for both of the two


def state_of(words, size, scale=0.5):
    vectors = [made_rows(seed, words, size, scale) for seed in (1, 2)]
    squares = [made_rows(0, words, size).fill_(1.0) for _ in range(2)]
    random = torch.Generator().manual_seed(3)
    biases = [torch.stack([torch.randn(words, generator=random), torch.ones(words)]) for _ in range(2)]
    return GloveState(*vectors, *squares, *biases)


def entries_of(text, words, grid):
    table = open_table(word_file(text), words, Counting(4, 3.0, 0.75, grid=grid))
    return GloveEntries(*(np.array(array) for array in vars(table).values()))


def cost_of(entries, e, theta, b, other):
    """J, entry by entry."""
    total = 0.0
    for i, j, log, weight in zip(*(each.tolist() for each in entries[1:]), strict=True):
        total = total + weight * (e[i] @ theta[j] + b[i] + other[j] - log) ** 2 / 2
    return total


@pytest.mark.needs_native
@pytest.mark.parametrize("set_name", ["plain", "avx2", "avx512"])
@pytest.mark.parametrize(("words", "size", "grid"), [(2, 1, 1), (7, 15, 3), (30, 17, 16), (12, 100, 5)])
def test_an_epoch_equals_loops_in_float64(words, size, grid, set_name):
    before = extension().instruction_set()
    if not extension().use_instruction_set(set_name):
        pytest.skip(f"this processor has no {set_name}")
    entries = entries_of(random_text(1, words, [60, 1, 20]), words, grid)
    state = state_of(words, size, 0.5 * size**-0.5)
    plain = [each.double().numpy().copy() for each in state]
    e, theta, squares, other_squares, b, other = plain
    want, got = 0.0, 0.0
    try:
        for stratum in [*range(grid)] * 2:
            got += train_glove(state, entries, stratum, rate=RATE)
            for row in range(grid):
                block = row * grid + (row + stratum) % grid
                for at in range(entries.blocks[block], entries.blocks[block + 1]):
                    i, j = entries.words[at], entries.contexts[at]
                    error = e[i] @ theta[j] + b[0, i] + other[0, j] - float(entries.logs[at])
                    want += float(entries.weights[at]) * error**2 / 2
                    g = RATE * float(entries.weights[at]) * error
                    de, dtheta = g * theta[j], g * e[i]
                    e[i] -= de / squares[i] ** 0.5
                    theta[j] -= dtheta / other_squares[j] ** 0.5
                    b[0, i] -= g / b[1, i] ** 0.5
                    other[0, j] -= g / other[1, j] ** 0.5
                    squares[i] += de**2
                    other_squares[j] += dtheta**2
                    b[1, i] += g**2
                    other[1, j] += g**2
    finally:
        extension().use_instruction_set(before)
    assert got == pytest.approx(want, rel=1e-5)
    for name, mine, right in zip(state._fields, state, plain, strict=True):
        np.testing.assert_allclose(mine.numpy(), right, rtol=2e-5, atol=2e-5, err_msg=name)
    for each in state[:2]:  # the padding stays zero
        assert not each.as_strided((words, each.stride(0)), each.stride())[:, size:].any()


@pytest.mark.parametrize("off", ["0", "1"])
def test_steps_are_along_the_gradient_and_the_cost_is_told(off, monkeypatch):
    """Of entries that share no rows one step is -rate times the gradient of J; squares grow by its square."""
    monkeypatch.setenv("RECURRA_NO_NATIVE", off)
    logs, weights = np.array([0.3, 2.0, -0.6], np.float32), np.array([1.0, 0.4, 0.7], np.float32)
    ids = np.array([2, 0, 1], np.int32), np.array([0, 2, 2], np.int32)
    entries = GloveEntries(np.array([0, 2], np.int64), *(each[:2] for each in (*ids, logs, weights)))
    state = state_of(3, 5)
    old = [each.clone() for each in state]
    leaves = [
        each.double().requires_grad_() for each in (*state[:2], state.input_bias[0], state.output_bias[0])
    ]
    cost = cost_of(entries, *leaves)
    assert train_glove(state, entries, 0, rate=RATE, update=False) == pytest.approx(cost.item(), rel=1e-6)
    assert all(torch.equal(new, each) for new, each in zip(state, old, strict=True))
    assert train_glove(state, entries, 0, rate=RATE) == pytest.approx(cost.item(), rel=1e-6)
    gradients = torch.autograd.grad(cost, leaves)
    moved = (*state[:2], state.input_bias[0], state.output_bias[0])
    grown = (*state[2:4], state.input_bias[1], state.output_bias[1])
    for new, leaf, square, gradient in zip(moved, leaves, grown, gradients, strict=True):
        torch.testing.assert_close(new.double() - leaf, -RATE * gradient, rtol=1e-5, atol=1e-6)
        torch.testing.assert_close(square.double(), 1 + (RATE * gradient) ** 2, rtol=1e-6, atol=1e-6)


@pytest.mark.needs_native
def test_any_number_of_threads_gives_the_same_bits_and_the_reference_nearly(monkeypatch):
    entries = entries_of(random_text(4, 40, [300, 200]), 40, 8)
    results = []
    for threads, off in ((1, "0"), (2, "0"), (3, "0"), (8, "0"), (50, "0"), (1, "1")):
        monkeypatch.setenv("RECURRA_NO_NATIVE", off)
        state = state_of(40, 20)
        costs = [train_glove(state, entries, s, rate=0.05, threads=threads) for s in [*range(8)] * 2]
        results.append((state, costs))
    (first, costs), *others, (reference, near) = results
    for state, own in others:
        assert own == costs
        assert all(torch.equal(a, b) for a, b in zip(state, first, strict=True))
    assert near == pytest.approx(costs, rel=1e-5)
    for a, b in zip(first, reference, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-5)

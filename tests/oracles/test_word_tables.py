"""The Huffman tree against other constructions, alias tables against their probabilities, n-grams by hand."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from plain_word_vectors import Text, made_rows, whole

from recurra.kernels.word_vectors import WordContexts, WordOutputs, WordTrainer
from recurra.models.word_vectors.subwords import Subwords, hash_of
from recurra.models.word_vectors.tables import AliasTable, HuffmanTree

COUNTS = [
    [3, 1],
    [1, 1, 1],
    [5, 5, 5, 5, 5],
    [1, 1, 2, 3, 5, 8, 13, 21, 34],
    [1000, 1, 1, 1],
    np.random.default_rng(0).zipf(1.3, 500).clip(max=10**9).tolist(),
    np.random.default_rng(1).integers(1, 9, 1000).tolist(),
]


def cheapest_by_search(counts):
    """The least Σ count · length of all prefix codes, those with Σ 2^-length = 1, by trying all lengths."""
    falling = sorted(counts, reverse=True)

    def best(at, length, room):
        """The cost of the words from `at` on, at least this long; `room` of 2^-length is left of the sum."""
        if at == len(falling):
            return 0 if room == 0 else float("inf")
        if (
            room <= 0 or room > len(falling) - at
        ):  # all words that are left, as short as allowed, do not fill it
            return float("inf")
        here = falling[at] * length + best(at + 1, length, room - 1)
        return min(here, best(at, length + 1, 2 * room))

    return best(0, 1, 2)


def cheapest_by_queues(counts):
    """The same by merging the two smallest of a sorted list, again and again, without a heap."""
    left, total = sorted(counts), 0
    while len(left) > 1:
        both = left[0] + left[1]
        total += both
        left = sorted([*left[2:], both])
    return total


def codes_of(tree):
    places = [slice(a, b) for a, b in zip(tree.starts[:-1], tree.starts[1:], strict=True)]
    return [(tree.nodes[place].tolist(), tree.labels[place].tolist()) for place in places]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(1, 40), min_size=2, max_size=7))
def test_small_trees_are_as_cheap_as_a_search_finds(counts):
    tree = HuffmanTree.of(np.array(counts))
    assert int((tree.lengths * np.array(counts)).sum()) == cheapest_by_search(counts)


@pytest.mark.parametrize("counts", COUNTS, ids=lambda counts: str(len(counts)))
def test_trees(counts):
    tree, words = HuffmanTree.of(np.array(counts)), len(counts)
    assert int((tree.lengths * np.array(counts)).sum()) == cheapest_by_queues(counts)
    assert sum(2.0**-length for length in tree.lengths) == 1
    codes = codes_of(tree)
    node_after: dict[tuple, int] = {}
    for nodes, labels in codes:
        assert set(labels) <= {0.0, 1.0}
        for step, node in enumerate(nodes):  # the node is a function of the steps so far
            assert node_after.setdefault(tuple(labels[:step]), node) == node
    assert sorted(node_after.values()) == list(range(words - 1))
    assert node_after[()] == words - 2
    assert not {tuple(labels) for _, labels in codes} & node_after.keys()  # no code begins another
    assert len({tuple(labels) for _, labels in codes}) == words
    # A label of 1 is on the side of the smaller weight.
    weight = {}
    for count, (nodes, labels) in zip(counts, codes, strict=True):
        for node, label in zip(nodes, labels, strict=True):
            weight[node, label] = weight.get((node, label), 0) + count
    assert all(weight[node, 1.0] <= weight[node, 0.0] for node in range(words - 1))
    order = np.argsort(counts, kind="stable")
    lengths, ranked = tree.lengths[order], np.array(counts)[order]
    assert ((np.diff(lengths) <= 0) | (np.diff(ranked) == 0)).all()


@pytest.mark.needs_native
@pytest.mark.parametrize("counts", COUNTS[:-1], ids=lambda counts: str(len(counts)))
def test_probabilities_of_a_tree_add_up_to_one(counts):
    """Over all words after one context word, as the kernel computes their losses."""
    tree, words = HuffmanTree.of(np.array(counts)), len(counts)
    outputs = WordOutputs(path_starts=tree.starts, path_nodes=tree.nodes, path_labels=tree.labels)
    contexts = WordContexts("mean", "previous", 1, shrink=False)
    input, nodes = made_rows(1, words, 7, 1.0), made_rows(2, words - 1, 7, 1.0)
    trainer = WordTrainer(input, nodes, contexts, outputs, vocabulary_size=words)
    text = Text([[1, word] for word in range(words)])
    losses = [
        trainer.run(text.tokens, text.starts, number, number + 1, update=False).total
        for number in range(words)
    ]
    assert np.exp(-np.array(losses)).sum() == pytest.approx(1, abs=1e-5)
    assert trainer.run(*whole(text), update=False).total == pytest.approx(sum(losses), rel=1e-6)
    path, signs = outputs.path_of(1)
    own = torch.sigmoid((nodes.double()[path] @ input[1].double()) * signs).prod()
    assert losses[1] == pytest.approx(-own.log().item(), rel=1e-5)


@pytest.mark.parametrize("size", [1, 2, 3, 17, 1000])
@pytest.mark.parametrize("power", [-1.0, 0.0, 0.75, 3.0])
def test_alias_tables_have_the_exact_probabilities(size, power):
    weights = np.random.default_rng(size).zipf(1.2, size).clip(max=10**7).astype(float) ** power
    table = AliasTable.of(weights)
    assert ((table.share >= 0) & (table.share <= 1)).all()
    found = np.zeros(size)
    for cell in range(size):
        found[cell] += float(table.share[cell]) / size
        found[table.alias[cell]] += (1 - float(table.share[cell])) / size
    # A share is a float of 24 bits, which bounds the error of a cell; a word has up to V cells.
    np.testing.assert_allclose(found, weights / weights.sum(), atol=2.0**-24, rtol=1e-6)
    np.testing.assert_allclose(table.probabilities(), found, rtol=1e-12)


def fnv(text):
    """32-bit FNV-1a as fastText's program has it: bytes are signed, and extended to 32 bits."""
    found = np.uint32(2166136261)
    with np.errstate(over="ignore"):
        for byte in np.frombuffer(text.encode(), np.int8):
            found = (found ^ byte.astype(np.int32).view(np.uint32)) * np.uint32(16777619)
    return int(found)


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12))
def test_hashes(text):
    assert hash_of(text) == fnv(text)


def test_hash_of_ascii_is_the_published_one():
    assert hash_of("foobar") == 0xBF9CF968  # Fowler, Noll and Vo's test vector
    assert hash_of("") == 0x811C9DC5


@given(st.text("abcé日", min_size=1, max_size=9), st.integers(1, 4), st.integers(0, 3))
def test_pieces_are_all_substrings_of_the_lengths(word, shortest, more):
    marked, longest = f"<{word}>", shortest + more
    want = [
        marked[a:b]
        for a in range(len(marked))
        for b in range(a + 1, len(marked) + 1)
        if shortest <= b - a <= longest and marked[a:b] not in ("<", ">")
    ]
    how = Subwords(shortest, longest, 50)
    assert list(how.pieces(word)) == want
    assert how.rows(word) == [fnv(piece) % 50 for piece in want]


def test_the_table_of_parts():
    how = Subwords(3, 4, 10)
    starts, rows = how.table(["ab", "c"])
    # <ab> has <ab, ab> and <ab>; <c> has <c> alone, which is the whole.
    assert starts.tolist() == [0, 4, 6]
    assert rows.tolist() == [0, *(2 + fnv(p) % 10 for p in ("<ab", "<ab>", "ab>")), 1, 2 + fnv("<c>") % 10]

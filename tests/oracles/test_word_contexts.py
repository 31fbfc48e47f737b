"""The contexts of word vectors against double loops, and the distributions of what is drawn."""

import numpy as np
import pytest
import torch
from plain_word_vectors import (
    CONTEXTS,
    Text,
    outputs_of,
    pairs_by_double_loop,
    random_text,
    trainer_of,
    whole,
)
from scipy.stats import binomtest, chisquare

from recurra.kernels.word_vectors import WordContexts, WordTrainer
from recurra.models.word_vectors.tables import keep_probabilities

each_context = pytest.mark.parametrize("context", CONTEXTS)
RARE = 1e-4  # p-value below which draws are not what they should be; the seeds are fixed
TEXT = random_text(2, 9, [6, 1, 0, 2, 13, 3, 40, 1, 5])


def pairs_of(trainer, text, sentence, epoch=0):
    """The (context places, place) predictions of the trainer."""
    found = []
    for each in trainer.positions(text.tokens, text.starts, sentence, epoch):
        here = text.sentences[sentence]
        assert each.word == here[each.place] == text.tokens[each.token]
        assert each.context == [here[place] for place in each.places]
        if trainer.contexts.hidden == "each" and trainer.contexts.reach == "window":
            found += [([place], each.place) for place in each.places]
        else:
            found.append((each.places, each.place))
    return found


@each_context
@pytest.mark.parametrize("window", [1, 2, 5])
def test_pairs_are_those_of_a_double_loop(context, window):
    trainer = trainer_of(context, "sampling", window=window)
    window = trainer.contexts.window
    total = 0
    for number, sentence in enumerate(TEXT.sentences):
        want, got = pairs_by_double_loop(sentence, context, window), pairs_of(trainer, TEXT, number)
        if context == "nearby-word":
            assert [at for _, at in got] == [at for _, at in want]
            assert all(
                len(one) == 1 and one[0] in around for (one, _), (around, _) in zip(got, want, strict=True)
            )
        else:
            assert got == want
        total += len(want)
    assert trainer.run(*whole(TEXT), update=False).predictions == total


@pytest.mark.needs_native
@each_context
@pytest.mark.parametrize("epoch", [0, 3])
def test_the_trainer_reads_exactly_these_rows(context, epoch):
    """Rows that are NaN and in no pair leave the loss finite; each row that is in a pair does not."""
    text = Text([[0, 1, 2, 3, 4, 5, 6, 7, 8]])
    for target in (0, 4, 8):
        trainer = trainer_of(context, "tree", window=3, shrink=True)
        read = {w for p in trainer.positions(text.tokens, text.starts, 0, epoch) for w in p.context}
        trainer.input[target] = torch.nan
        loss = trainer.run(*whole(text), epoch=epoch, update=False).total
        assert np.isnan(loss) == (target in read)


@pytest.mark.parametrize("context", ["skip-gram", "cbow"])
def test_drawn_windows_are_uniform(context):
    window, length = 4, 300
    text = random_text(1, 9, [length] * 12)
    trainer = trainer_of(context, "sampling", window=window, shrink=True, seed=11)
    counts = np.zeros(window + 1, int)
    pairs = np.zeros((window + 1, window + 1), int)
    for number, sentence in enumerate(text.sentences):
        windows, found = [1] * length, pairs_of(trainer, text, number)
        for around, at in found:
            windows[at] = max(windows[at], *(abs(place - at) for place in around))
        assert found == pairs_by_double_loop(sentence, context, window, windows)
        inside = windows[window:-window]
        counts += np.bincount(inside, minlength=window + 1)
        np.add.at(pairs, (inside[::2], inside[1::2]), 1)
    assert counts[0] == 0
    assert chisquare(counts[1:]).pvalue > RARE
    assert chisquare(pairs[1:, 1:].ravel()).pvalue > RARE  # of neighbours: independent


def test_nearby_words_are_uniform_within_the_drawn_window():
    window, length = 3, 400
    text = random_text(1, 9, [length] * 10)
    for shrink in (False, True):
        trainer = trainer_of("nearby-word", "sampling", window=window, shrink=shrink, seed=5)
        offsets = [
            around[0] - at
            for number in range(10)
            for around, at in pairs_of(trainer, text, number)
            if window <= at < length - window
        ]
        found = [offsets.count(offset) for offset in (-3, -2, -1, 1, 2, 3)]
        near = np.array([sum(1 / (2 * w) for w in range(abs(o), 4)) / 3 for o in (-3, -2, -1, 1, 2, 3)])
        want = near if shrink else np.full(6, 1 / 6)
        assert sum(found) == len(offsets) == 10 * (length - 2 * window)
        assert chisquare(found, want * len(offsets)).pvalue > RARE


def test_draws_differ_between_seeds_epochs_and_places():
    text = Text([[1, 2, 3, 4, 5, 6, 7, 8] * 20])

    def drawn(seed, epoch):
        trainer = trainer_of("nearby-word", "sampling", window=5, shrink=True, seed=seed)
        return [
            (tuple(each.places), tuple(each.outputs))
            for each in trainer.positions(text.tokens, text.starts, 0, epoch)
        ]

    assert drawn(1, 0) == drawn(1, 0)
    runs = [drawn(seed, epoch) for seed in (0, 1, 2**63) for epoch in (0, 1)]
    for number, one in enumerate(runs):
        for other in runs[:number]:
            assert sum(a == b for a, b in zip(one, other, strict=True)) < 20


def test_subsampling_keeps_the_share_of_the_formula():
    counts, threshold = np.array([50_000, 9_000, 600, 90, 7]), 1e-3
    keep = keep_probabilities(counts, threshold)
    for count, kept in zip(counts, keep, strict=True):
        f = count / counts.sum()
        assert kept == pytest.approx(min(1.0, ((f / threshold) ** 0.5 + 1) * threshold / f), rel=1e-6)
    assert (keep[:3] < 1).all()
    assert keep[-1] == 1
    assert (keep_probabilities(counts, 0) == 1).all()
    text = Text([[0, 1, 2, 3, 4] * 800] * 2)
    trainer = trainer_of("skip-gram", "sampling", words=5, window=1, keep=keep, seed=3)
    kept = [each.word for number in (0, 1) for each in trainer.positions(text.tokens, text.starts, number)]
    for word, share in enumerate(keep.tolist()):
        assert binomtest(kept.count(word), 1600, share).pvalue > RARE


@each_context
def test_dropped_words_leave_before_windows_are_taken(context):
    keep = np.array([1, 0, 1, 0, 1, 1, 0, 1, 1], np.float32)
    dropping = trainer_of(context, "sampling", keep=keep)
    total = 0
    for number, sentence in enumerate(TEXT.sentences):
        left = [word for word in sentence if keep[word]]
        want = pairs_by_double_loop(left, context, dropping.contexts.window)
        found = dropping.positions(TEXT.tokens, TEXT.starts, number)
        assert [each.word for each in found] == sorted_words(left, want)
        if context != "nearby-word":
            each = [(place, each.place) for each in found for place in each.places]
            assert each == [(place, at) for around, at in want for place in around]
        assert all(each.context == [left[place] for place in each.places] for each in found)
        total += len(want)
    assert dropping.run(*whole(TEXT), update=False).predictions == total


def sorted_words(sentence, pairs):
    """The words that are predicted, in the order of the sentence."""
    return [sentence[at] for at in sorted({at for _, at in pairs})]


def test_negatives_follow_the_power_of_the_counts_and_leave_the_target_out():
    counts = np.array([4000, 1500, 700, 200, 60, 9, 1])
    outputs, negatives = outputs_of("sampling", counts, negatives=6), 6
    rows = trainer_of("skip-gram", "sampling", words=7).input
    trainer = WordTrainer(rows, rows.clone(), WordContexts(window=1), outputs, vocabulary_size=7, seed=8)
    text = Text([[0, 6] * 1500])
    drawn, left_out = np.zeros(7, int), {0: 0, 6: 0}
    for each in trainer.positions(text.tokens, text.starts, 0):
        assert each.outputs[0] == each.word
        assert each.word not in each.outputs[1:]
        assert each.labels == [1.0] + [0.0] * (len(each.outputs) - 1)
        drawn += np.bincount(each.outputs[1:], minlength=7)
        left_out[each.word] += negatives - (len(each.outputs) - 1)
    share = counts**0.75 / (counts**0.75).sum()
    draws = 1500 * negatives
    want = draws * np.array([share[0], *(2 * share[1:6]), share[6]])
    for word, count in left_out.items():
        assert binomtest(count, draws, share[word]).pvalue > RARE
    assert chisquare(drawn, want * drawn.sum() / want.sum()).pvalue > RARE
    assert drawn.sum() + sum(left_out.values()) == 2 * draws

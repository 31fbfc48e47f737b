"""Equal seeds give equal bits: with one thread however the text is cut, and with several threads."""

import itertools

import numpy as np
import pytest
import torch
from plain_word_vectors import CONTEXTS, OBJECTIVES, Text, random_text, trainer_of, whole

from recurra.kernels.extension import extension

pytestmark = pytest.mark.needs_native
each_context = pytest.mark.parametrize("context", CONTEXTS)
each_objective = pytest.mark.parametrize("objective", OBJECTIVES)
RATES = (0.2, 0.2)
TEXT = random_text(6, 9, [7, 1, 0, 30, 2, 0, 11, 60, 1, 1, 5])
PARTS = (
    np.array([0, 3, 4, 6, 7, 10, 11, 12, 14, 15], np.int64),
    np.array([0, 9, 10, 1, 2, 9, 3, 4, 10, 10, 5, 6, 7, 11, 8], np.int32),
)
KEEP = np.linspace(0.4, 1.0, 9).astype(np.float32)


def trained(context, objective, text, *, rates=RATES, calls=None, epochs=1, **options):
    """The trainer after some epochs, and the losses; `calls` are the sentences at which calls begin."""
    trainer = trainer_of(context, objective, size=17, window=3, shrink=True, rows=12, **options)
    cuts = calls or [0, len(text.sentences)]
    losses = [
        trainer.run(text.tokens, text.starts, first, last, epoch=epoch, rates=rates)
        for epoch in range(epochs)
        for first, last in itertools.pairwise(cuts)
    ]
    return trainer, losses


def same_bits(one, other):
    return torch.equal(one.input, other.input) and torch.equal(one.output, other.output)


@each_context
@each_objective
@pytest.mark.parametrize("parts", [None, PARTS], ids=["words", "subwords"])
def test_one_thread_and_any_calls_give_the_same_bits(context, objective, parts):
    options = {"keep": KEEP, "parts": parts, "seed": 3}
    first, losses = trained(context, objective, TEXT, **options)
    again, same = trained(context, objective, TEXT, **options)
    assert same_bits(first, again)
    assert losses == same
    pieces, parted = trained(context, objective, TEXT, calls=[0, 1, 1, 3, 4, 8, 11], **options)
    assert same_bits(first, pieces)
    assert sum(each.predictions for each in parted) == losses[0].predictions
    assert sum(each.total for each in parted) == pytest.approx(losses[0].total, rel=1e-9)
    # `reproducible` changes nothing where there is one thread.
    assert same_bits(first, trained(context, objective, TEXT, reproducible=True, **options)[0])
    other, _ = trained(context, objective, TEXT, keep=KEEP, parts=parts, seed=4)
    assert objective == "tree" or not same_bits(first, other)


@each_context
@each_objective
@pytest.mark.parametrize("parts", [None, PARTS], ids=["words", "subwords"])
def test_reproducible_threads_give_the_same_bits_twice(context, objective, parts):
    for threads, round_tokens in ((2, 4096), (3, 7), (2, 1)):
        options = {"threads": threads, "reproducible": True, "round_tokens": round_tokens}
        options |= {"keep": KEEP, "parts": parts}
        results = [trained(context, objective, TEXT, epochs=2, **options) for _ in range(3)]
        for again, losses in results[1:]:
            assert same_bits(results[0][0], again)
            assert losses == results[0][1]
        alone, _ = trained(context, objective, TEXT, epochs=2, keep=KEEP, parts=parts)
        assert not same_bits(alone, results[0][0])


@each_context
@each_objective
@pytest.mark.parametrize("parts", [None, PARTS], ids=["words", "subwords"])
def test_merged_copies_are_the_sum_of_what_the_threads_learned(context, objective, parts):
    """Each thread trains a copy on its part of the text; after each round the changes are added up."""
    for threads in (2, 3):
        text = random_text(7, 9, [6] * 4 * threads)  # four sentences for each thread, a round is one of them
        options = {"threads": threads, "reproducible": True, "round_tokens": 6, "parts": parts}
        got, losses = trained(context, objective, text, **options)
        plain, total = trained(context, objective, text, calls=[0, 0], parts=parts)[0], 0.0
        for number in range(4):
            before = plain.input.clone(), plain.output.clone()
            after = [each.clone() for each in before]
            for sentence in range(number, 4 * threads, 4):
                plain.input.copy_(before[0])
                plain.output.copy_(before[1])
                total += plain.run(text.tokens, text.starts, sentence, sentence + 1, rates=RATES).total
                after[0] += plain.input - before[0]
                after[1] += plain.output - before[1]
            plain.input.copy_(after[0])
            plain.output.copy_(after[1])
        torch.testing.assert_close(got.input, plain.input, rtol=1e-5, atol=1e-6)
        torch.testing.assert_close(got.output, plain.output, rtol=1e-5, atol=1e-6)
        assert losses[0].total == pytest.approx(total, rel=1e-6)


ODD = {
    "nothing": Text([]),
    "empty": Text([[], [], []]),
    "one word": Text([[3]]),
    "words alone": Text([[3], [4], [], [5]]),
    "one sentence": Text([[3, 4, 5, 1]]),
    "long": random_text(8, 9, [1000, 1000, 3]),
}


@each_objective
@pytest.mark.parametrize("reproducible", [False, True])
@pytest.mark.parametrize("name", ODD)
def test_odd_texts_and_more_threads_than_sentences(name, reproducible, objective):
    text = ODD[name]
    for context in CONTEXTS:
        alone, losses = trained(context, objective, text)
        options = {"threads": 5, "reproducible": reproducible, "round_tokens": 64}
        several, found = trained(context, objective, text, **options)
        assert several.input.isfinite().all()
        assert found[0].predictions == losses[0].predictions
        if name in ("one sentence", "one word", "words alone", "nothing", "empty"):  # a single thread's work
            assert same_bits(alone, several)
            assert found[0].total == pytest.approx(losses[0].total)
        if name in ("one word", "words alone", "nothing", "empty"):
            assert found[0] == (0.0, 0)
            assert same_bits(several, trainer_of(context, objective, size=17, window=3, rows=12))


@each_objective
def test_losses_do_not_depend_on_the_number_of_threads(objective):
    for reproducible in (False, True):
        totals = []
        for threads in (1, 2, 7):
            trainer = trainer_of("skip-gram", objective, threads=threads, reproducible=reproducible)
            before = trainer.input.clone()
            totals.append(trainer.run(*whole(TEXT), update=False))
            assert torch.equal(before, trainer.input)
        for each in totals[1:]:
            assert each.predictions == totals[0].predictions
            assert each.total == pytest.approx(totals[0].total, rel=1e-9)


def test_copies_are_borrowed_for_updates_only(monkeypatch):
    native, borrowed = extension(), []
    borrow = native.borrow_matrix
    monkeypatch.setattr(native, "borrow_matrix", lambda *size: borrowed.append(size) or borrow(*size))
    trainer = trainer_of("skip-gram", "sampling", threads=2, reproducible=True)
    borrowed.clear()
    trainer.run(*whole(TEXT), update=False)
    assert not borrowed
    trainer.run(*whole(TEXT), rates=RATES)
    trainer.run(*whole(TEXT), update=False)
    assert borrowed == [(2, 2 * 9 * 16)]


def test_threads_without_synchronisation_learn_as_well():
    """All threads update the same rows, so bits may differ, but not what is learned."""
    text = random_text(9, 9, [20] * 200)
    losses = []
    for threads in (1, 2, 4):
        trainer, _ = trained("skip-gram", "sampling", text, threads=threads, epochs=3, rates=(0.02, 0.02))
        assert trainer.input.isfinite().all()
        losses.append(trainer.run(*whole(text), update=False).total)
    assert losses[1:] == pytest.approx([losses[0]] * 2, rel=2e-2)


@each_context
@each_objective
@pytest.mark.parametrize("parts", [None, PARTS], ids=["words", "subwords"])
def test_copies_of_frequent_rows_lose_nothing(context, objective, parts):
    """All other threads have words that stand alone, so one thread does what it does without them."""
    text = random_text(10, 9, [30, 1, 500, 7])
    alone = [[number % 9] for number in range(2 * len(text.tokens))]
    text = Text([*text.sentences, *alone])
    want, losses = trained(context, objective, text, epochs=2, parts=parts, rates=(0.05, 0.05))
    for options in ({"reproducible": True, "round_tokens": 100}, {"reproducible": False}):
        got, found = trained(
            context, objective, text, epochs=2, parts=parts, rates=(0.05, 0.05), threads=3, **options
        )
        assert [each.predictions for each in found] == [each.predictions for each in losses]
        assert [each.total for each in found] == pytest.approx([each.total for each in losses], rel=1e-4)
        torch.testing.assert_close(got.input, want.input, rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(got.output, want.output, rtol=1e-4, atol=1e-5)
        assert (got.output - trainer_of(context, objective, size=17, window=3).output).abs().max() > 0.1


@each_objective
@pytest.mark.parametrize("parts", [None, PARTS], ids=["words", "subwords"])
def test_kept_copies_are_those_that_would_be_made_again(objective, parts):
    """Between calls, also one that a single thread does alone, and one without updates."""
    results = []
    for again in (False, True):
        trainer = trainer_of(
            "skip-gram", objective, rows=12, parts=parts, threads=2, reproducible=True, round_tokens=5
        )
        for first, last in ((0, 4), (4, 7), (7, 8), (8, 11), (0, 11)):
            trainer.run(TEXT.tokens, TEXT.starts, first, last, rates=RATES)
            trainer.run(*whole(TEXT), update=False)
            if again:
                trainer.rows_have_changed()
        results.append(trainer)
    assert same_bits(*results)
    trainer = results[0]  # rows that other code has changed are read again
    trainer.input.zero_()
    trainer.output.zero_()
    trainer.rows_have_changed()
    trainer.run(*whole(TEXT), rates=RATES)
    assert trainer.input.abs().max() == trainer.output.abs().max() == 0


def topical_text(words, sentences, seed):
    """Sentences of 20 words about one of 40 topics; their frequencies follow Zipf."""
    draws = np.random.default_rng(seed)
    share = 1 / np.arange(1, words // 40 + 1)
    ranks = draws.choice(words // 40, (sentences, 20), p=share / share.sum())
    return Text((40 * ranks + draws.integers(40, size=(sentences, 1))).astype(np.int32).tolist())


@each_objective
def test_reproducible_threads_learn_nearly_what_one_thread_learns(objective):
    """The frequent rows, the nodes near the root among them, neither overshoot nor stay far behind."""
    text, held_out = topical_text(2000, 3000, 1), topical_text(2000, 300, 2)

    def gain_with(number):
        trainer = trainer_of(
            "skip-gram", objective, words=2000, size=32, window=3, shrink=True, scale=0.01, threads=number,
            reproducible=True,
        )  # fmt: skip
        before = trainer.run(*whole(held_out), update=False)
        for epoch in range(3):
            trainer.run(*whole(text), epoch=epoch, rates=(0.05, 0.05))
        after = trainer.run(*whole(held_out), update=False)
        return (before.total - after.total) / before.predictions

    one = gain_with(1)
    assert one > 2
    assert gain_with(2) > 0.98 * one
    assert gain_with(8) > 0.75 * one  # on a short text many threads learn less

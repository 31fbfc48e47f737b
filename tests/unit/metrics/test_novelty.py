"""Novelty against brute force, and on texts whose answer is known."""

import importlib
import random
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recurra.errors import ConfigError
from recurra.metrics.novelty import Match, Novelty, longest_match, ngram_recall, novelty

MODULE = importlib.import_module("recurra.metrics.novelty")  # the room's `novelty` is the function
letters = st.text(alphabet="ab", max_size=40)
any_text = st.text(max_size=30)


def brute_force(sample, training_text):
    for length in range(len(sample), 0, -1):
        for start in range(len(sample) - length + 1):
            piece = sample[start : start + length]
            if piece in training_text:
                return Match(length, piece, start, training_text.find(piece))
    return Match(0, "", 0, 0)


@given(st.one_of(st.tuples(letters, letters), st.tuples(any_text, any_text)))
def test_longest_match_agrees_with_brute_force(texts):
    assert longest_match(*texts) == brute_force(*texts)


@given(any_text, any_text, st.text(min_size=1, max_size=20), any_text, any_text)
def test_a_planted_passage_is_found(before, after, passage, left, right):
    match = longest_match(before + passage + after, left + passage + right)
    assert match.length >= len(passage)
    assert (before + passage + after)[match.sample_start :].startswith(match.text)
    assert (left + passage + right)[match.training_start :].startswith(match.text)


def test_longest_match_across_the_edges_of_chunks(monkeypatch):
    rng = random.Random(0)
    training = "".join(rng.choices("abc", k=997))
    for chunk in (1, 7, 64, 997):
        monkeypatch.setattr(MODULE, "_CHUNK_CHARACTERS", chunk)
        for start in (0, 1, 60, 936, 957):
            sample = "xx" + training[start : start + 40] + "y"
            assert longest_match(sample, training) == Match(40, training[start : start + 40], 2, start)


def test_colliding_hashes_are_told_apart():
    # Thue-Morse words and their opposites hash alike modulo 2^64 whatever the base is.
    word = "a"
    for _ in range(11):
        word += word.translate(str.maketrans("ab", "ba"))
    opposite = word.translate(str.maketrans("ab", "ba"))
    match = longest_match(word, opposite)
    assert match.length < len(word)
    assert match.text in opposite


def test_longest_match_of_2000_characters_in_2_million_is_quick():
    rng = random.Random(1)
    words = ["".join(rng.choices("abcdefghij", k=rng.randint(2, 7))) for _ in range(300)]
    training = " ".join(rng.choices(words, k=400_000))[:2_000_000]
    sample = " ".join(rng.choices(words, k=400))[:1900] + training[1_234_567:1_234_667]
    start = time.perf_counter()
    match = longest_match(sample, training)
    assert time.perf_counter() - start < 5  # about 0.5 s when the machine is free
    assert match.length >= 100
    assert training[match.training_start :].startswith(match.text)


words = st.lists(st.sampled_from("xyz"), max_size=15)


@given(words, words, st.integers(1, 5))
def test_recall_agrees_with_brute_force(sample, training, n):
    grams = [sample[i : i + n] for i in range(len(sample) - n + 1)]
    known = [training[i : i + n] for i in range(len(training) - n + 1)]
    expected = sum(gram in known for gram in grams) / len(grams) if grams else None
    assert ngram_recall(sample, training, n) == expected


def test_recall_of_what_is_known():
    training = ["a", "car", "drives", "straight", "off", "the", "edge", "of", "a", "high", "sea", "cliff"]
    assert ngram_recall(training, training) == 1
    assert ngram_recall(training[::-1], training) == 0
    assert ngram_recall([*training[:9], "tree"], training) == pytest.approx(2 / 3)
    assert ngram_recall(training[:7], training) is None
    with pytest.raises(ConfigError, match="got 0"):
        ngram_recall(training, training, 0)


def test_empty_texts():
    assert longest_match("", "abc") == longest_match("abc", "") == Match(0, "", 0, 0)
    assert novelty("", "").recall is None


def test_sentences():
    training = "A ball is thrown upward from a bridge.\nIt strikes the water after 2.0 s."
    told = novelty("It strikes the water after 3.0 s and is gone", training)
    assert told == Novelty(44, Match(27, "It strikes the water after ", 0, 39), 0.0, 8)
    assert told.sentence() == (
        'The longest passage copied from the training text has 27 of 44 characters ("It strikes the water '
        "after\"); 0% of the sample's word 8-grams stand in it."
    )
    assert novelty("Zz", "abc").sentence() == (
        "No character of the sample stands in the training text; the sample is too short for word 8-grams."
    )
    long = novelty(training, training)
    assert long.recall == 1
    assert '("A ball is thrown upward from a bridge. It strikes the wate …")' in long.sentence()

"""Novelty against brute force, and on texts with known results."""

import importlib
import itertools
import random
import time
import tracemalloc
from unittest.mock import patch

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recurra.errors import ConfigError
from recurra.metrics.novelty import Match, Novelty, longest_match, ngram_recall, novelty

MODULE = importlib.import_module("recurra.metrics.novelty")  # `novelty` of the package is the function
letters = st.text(alphabet="ab", max_size=40)
any_text = st.text(max_size=30)


def brute_force(sample, training_text):
    for length in range(len(sample), 0, -1):
        for start in range(len(sample) - length + 1):
            piece = sample[start : start + length]
            if piece in training_text:
                return Match(length, piece, start, training_text.find(piece))
    return Match(0, "", 0, 0)


def cut(text, places):
    """The text in chunks with these ends; some chunks are empty."""
    bounds = [0, *sorted(place % (len(text) + 1) for place in places), len(text)]
    return [text[start:stop] for start, stop in itertools.pairwise(bounds)]


def of_pieces(size):
    return patch.object(MODULE, "_PIECE_CHARACTERS", size)


places = st.lists(st.integers(0, 99), max_size=5)
pieces = st.sampled_from([1, 2, 3, 7, 1 << 18])


@given(st.one_of(st.tuples(letters, letters), st.tuples(any_text, any_text)), places, pieces)
def test_longest_match_agrees_with_brute_force_wherever_the_text_is_cut(texts, places, size):
    sample, training = texts
    with of_pieces(size):
        assert longest_match(sample, cut(training, places)) == brute_force(sample, training)


@given(any_text, any_text, st.text(min_size=1, max_size=20), any_text, any_text, places)
def test_a_planted_passage_is_found(before, after, passage, left, right, places):
    training = left + passage + right
    match = longest_match(before + passage + after, cut(training, places))
    assert match.length >= len(passage)
    assert (before + passage + after)[match.sample_start :].startswith(match.text)
    assert training[match.training_start :].startswith(match.text)


def test_longest_match_across_the_edges_of_pieces_and_chunks():
    rng = random.Random(0)
    training = "".join(rng.choices("abc", k=997))
    for size, start in itertools.product((1, 7, 64, 997), (0, 1, 60, 936, 957)):
        sample = "xx" + training[start : start + 40] + "y"
        with of_pieces(size):
            for places in ([], [start + 1], [start + 20, start + 39], [100, 101, 500]):
                match = longest_match(sample, cut(training, places))
                assert match == Match(40, training[start : start + 40], 2, start)


def test_an_earlier_passage_of_the_sample_wins_also_where_it_stands_later_in_the_text():
    with of_pieces(4):
        assert longest_match("abc-xyz", ["..xyz..xyz....abc..abc.."]) == Match(3, "abc", 0, 14)


def test_colliding_hashes_are_told_apart():
    # Thue-Morse words and their complements have the same hash modulo 2^64 for every base.
    word = "a"
    for _ in range(11):
        word += word.translate(str.maketrans("ab", "ba"))
    opposite = word.translate(str.maketrans("ab", "ba"))
    match = longest_match(word, [opposite])
    assert match.length < len(word)
    assert match.text in opposite


def test_longest_match_of_2000_characters_in_2_million_is_quick():
    rng = random.Random(1)
    words = ["".join(rng.choices("abcdefghij", k=rng.randint(2, 7))) for _ in range(300)]
    training = " ".join(rng.choices(words, k=400_000))[:2_000_000]
    sample = " ".join(rng.choices(words, k=400))[:1900] + training[1_234_567:1_234_667]
    start = time.perf_counter()
    match = longest_match(sample, [training])
    assert time.perf_counter() - start < 5  # about 0.5 s on an idle machine
    assert match.length >= 100
    assert training[match.training_start :].startswith(match.text)


words = st.lists(st.sampled_from("xyz"), max_size=15)


@given(words, words, st.integers(1, 5))
def test_recall_agrees_with_brute_force(sample, training, n):
    grams = [sample[i : i + n] for i in range(len(sample) - n + 1)]
    known = [training[i : i + n] for i in range(len(training) - n + 1)]
    expected = sum(gram in known for gram in grams) / len(grams) if grams else None
    assert ngram_recall(sample, training, n) == expected


blanks = st.text(alphabet=" \n\u2003\x1cxyz", max_size=40)


@given(blanks, blanks, places, st.integers(1, 3), pieces)
def test_novelty_is_the_same_of_a_text_and_of_its_chunks(sample, training, places, n, size):
    whole = Novelty(
        len(sample), brute_force(sample, training), ngram_recall(sample.split(), training.split(), n), n
    )
    with of_pieces(size):
        assert novelty(sample, lambda: cut(training, places), n) == whole
        assert novelty(sample, training, n) == whole


@pytest.mark.parametrize("line", ["one line of a text, again and again\n", "withoutanyblank"])
def test_novelty_holds_a_piece_of_the_text_and_no_more(line):
    chunk = line * (100_000 // len(line))
    sample = "two lines of a text, again and again without any blank"
    told = {}
    for count in (10, 40):
        tracemalloc.start()
        told[count] = novelty(sample, lambda count=count: itertools.repeat(chunk, count))
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert peak < 20e6  # bytes; the words of 40 chunks would be 50 MB
    assert told[10] == told[40]


def test_recall_of_what_is_known():
    training = ["a", "car", "drives", "straight", "off", "the", "edge", "of", "a", "high", "sea", "cliff"]
    assert ngram_recall(training, training) == 1
    assert ngram_recall(training[::-1], training) == 0
    assert ngram_recall([*training[:9], "tree"], training) == pytest.approx(2 / 3)
    assert ngram_recall(training[:7], training) is None
    with pytest.raises(ConfigError, match="got 0"):
        ngram_recall(training, training, 0)


def test_empty_texts():
    assert (
        longest_match("", ["abc"])
        == longest_match("abc", [""])
        == longest_match("abc", [])
        == Match(0, "", 0, 0)
    )
    assert novelty("", "").recall is None


def test_sentences():
    training = "A ball is thrown upward from a bridge.\nIt strikes the water after 2.0 s."
    told = novelty("It strikes the water after 3.0 s and is gone", training)
    assert told == Novelty(44, Match(27, "It strikes the water after ", 0, 39), 0.0, 8)
    assert told.sentence() == (
        'The longest passage copied from the training text has 27 of 44 characters ("It strikes the water '
        "after \"); 0% of the sample's word 8-grams occur in that text."
    )
    assert novelty("Zz", "abc").sentence() == (
        "No character of the sample occurs in the training text; the sample is too short for word 8-grams."
    )
    long = novelty(training, training)
    assert long.recall == 1
    assert '("A ball is thrown upward from a bridge.\\nIt strikes the wate …")' in long.sentence()


@pytest.mark.parametrize(
    ("passage", "shown"),
    [
        ("accelerate?\n", r"accelerate?\n"),
        (" to the\t\n\nhand ", r" to the\t\n\nhand "),
        ("x" * 60, "x" * 60),
    ],
)
def test_the_passage_is_quoted_with_every_character_that_is_counted(passage, shown):
    told = novelty(passage + "#", passage).sentence()
    assert f'has {len(passage)} of {len(passage) + 1} characters ("{shown}")' in told

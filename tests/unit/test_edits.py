"""The error model of the spelling corrector: candidate words, and costs against figures by hand."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recurra.decoding import Edits, WordList
from recurra.metrics import edit_distance

WORDS = st.text("abc", max_size=7)


@given(st.sets(WORDS, min_size=1, max_size=25), st.text("abcz", max_size=7), st.integers(0, 3))
def test_no_word_within_the_edits_is_missed(words, typed, edits):
    near = WordList(dict.fromkeys(words, 1)).near(typed, edits)
    assert {word for word in words if edit_distance(word, typed, most=99) <= edits} <= set(near) <= words
    assert near == sorted(near)


def test_words_far_by_their_letters_or_their_length_are_not_near():
    words = WordList({"cat": 1, "dog": 2, "catalogue": 1})
    assert words.near("cta", 1) == ["cat"]
    assert words.near("xyz", 2) == []


def test_a_word_s_probability_is_its_share():
    words = WordList({"the": 6, "cat": 2})
    assert words.log_prob("the") == pytest.approx(math.log(0.75))
    assert "cat" in words
    assert "dog" not in words


@given(WORDS, WORDS)
def test_nothing_but_the_word_itself_is_free(word, typed):
    assert (Edits().cost(word, typed) == 0) == (word == typed)
    assert Edits().cost(word, typed) >= 0


@given(WORDS, WORDS)
def test_the_cost_is_the_sum_over_the_errors_and_never_below_any_way_of_fewer(word, typed):
    edits = Edits()
    errors = edits.errors(word, typed)
    known = sum(edits.price(*error) for error in errors)
    first_letter = edits.cost(word, typed) - known
    assert first_letter / 2 == pytest.approx(
        round(first_letter / 2)
    )  # two nats each, at the word's beginning
    assert -1e-9 < first_letter < 2 * max(1, len(errors)) + 1e-9
    assert len(errors) >= edit_distance(word, typed, most=99)


@pytest.mark.parametrize(
    ("word", "likely", "unlikely"),
    [
        ("the", "teh", "txe"),  # transposition against substitution
        ("hello", "helo", "heo"),  # one of two equal letters missing, against both
        ("separate", "seperate", "sebarate"),  # vowel for vowel against consonant for consonant
        ("cat", "cst", "cpt"),  # neighbouring key against a distant key
        ("cat", "cath", "acth"),
        ("letter", "lettre", "eltter"),  # inside the word against its first letter
    ],
)
def test_likely_errors_are_cheaper(word, likely, unlikely):
    assert Edits().cost(word, likely) < Edits().cost(word, unlikely)


@pytest.mark.parametrize(
    ("word", "typed", "errors", "cost"),
    [
        ("the", "the", [], 0.0),
        ("the", "teh", [("transposition", "h", "e")], 5.0),
        ("hello", "helo", [("deletion", "l", "l")], 3.5),
        ("separate", "seperat", [("substitution", "a", "e"), ("deletion", "t", "e")], 4.5 + 5.0),
        ("cat", "caat", [("insertion", "a", "a")], 3.5),
        ("cat", "at", [("deletion", "", "c")], 5.0 + 2.0),
        ("at", "bat", [("insertion", "", "b")], 6.5),
        ("is", "si", [("transposition", "i", "s")], 5.0 + 2.0),
        ("bx", "px", [("substitution", "b", "p")], 5.0 + 2.0),
        ("", "a", [("insertion", "", "a")], 5.0),
    ],
)
def test_errors_and_costs_worked_by_hand(word, typed, errors, cost):
    assert Edits().errors(word, typed) == errors
    assert Edits().cost(word, typed) == pytest.approx(cost)


def test_learnt_costs_are_their_formula():
    # -log((n + 20 e^-usual) / (N + 20)). Letters: t 3, h 3, e 2, a 1; pairs: th 2, he 2, ha 1, at 1.
    learnt = Edits.learn([("the", "teh"), ("the", "the"), ("hat", "hit")])

    def price(seen, usual, chances):
        return pytest.approx(-math.log((seen + 20 * math.exp(-usual)) / (chances + 20)))

    assert learnt.price("transposition", "h", "e") == price(1, 5.0, 2)
    assert learnt.price("transposition", "t", "h") == price(0, 5.0, 2)
    assert learnt.price("transposition", "a", "t") == price(0, 5.0, 1)
    assert learnt.price("substitution", "a", "i") == price(1, 4.5, 1)
    assert learnt.price("substitution", "a", "e") == price(0, 4.5, 1)
    assert learnt.price("substitution", "t", "d") == price(0, 5.0, 3)
    assert learnt.price("deletion", "t", "h") == price(0, 5.0, 2)
    assert learnt.price("deletion", "", "t") == price(0, 6.5 - 1.5, 2)  # t is often silent
    assert learnt.price("insertion", "", "q") == price(0, 6.5, 3)  # each word has one beginning
    assert learnt.price("insertion", "t", "t") == price(0, 3.5, 3)
    assert learnt.price("substitution", "q", "z") == pytest.approx(
        8.0
    )  # never possible in the data: the usual cost
    assert learnt.cost("the", "teh") == price(1, 5.0, 2)


def test_errors_that_were_seen_become_cheaper_than_those_that_were_not():
    learnt = Edits.learn([("zebra", "zebxa")] * 30)
    assert learnt.price("substitution", "r", "x") < learnt.price("substitution", "r", "e")
    assert learnt.cost("hero", "hexo") < learnt.cost("hero", "heto") < 30
    assert Edits().cost("hero", "hexo") > Edits().cost("hero", "heto")


def test_an_error_made_every_time_still_costs_something():
    learnt = Edits.learn([("a", "e")] * 5000)
    assert learnt.price("substitution", "a", "e") == pytest.approx(-math.log(0.9))


@pytest.mark.parametrize("pairs", [[], [("the", "the"), ("cat", "cat")]])
def test_learning_from_nothing_gives_the_usual_costs(pairs):
    learnt, usual = Edits.learn(pairs), Edits()
    for word, typed in [("the", "teh"), ("hello", "helo"), ("cat", "bat"), ("separate", "seperat")]:
        assert learnt.cost(word, typed) == usual.cost(word, typed)

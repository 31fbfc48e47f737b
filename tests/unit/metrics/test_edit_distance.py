"""Edit distances against a full matrix and against known values."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recurra.metrics import edit_distance

WORDS = st.one_of(st.text("abc", max_size=7), st.text(max_size=7), st.text("aé\U0001f600", max_size=70))


def full_matrix(a, b):
    """Optimal string alignment: Levenshtein's recursion with adjacent transpositions, without a bound."""
    d = {(i, j): i + j for i in range(len(a) + 1) for j in range(len(b) + 1) if not i or not j}
    for i in range(1, len(a) + 1):
        for j in range(1, len(b) + 1):
            ways = [d[i - 1, j] + 1, d[i, j - 1] + 1, d[i - 1, j - 1] + (a[i - 1] != b[j - 1])]
            if i > 1 and j > 1 and a[i - 2 : i] == b[j - 2 : j][::-1]:
                ways.append(d[i - 2, j - 2] + 1)
            d[i, j] = min(ways)
    return d[len(a), len(b)]


@pytest.mark.parametrize("most", [0, 1, 2, 3, 20])
@given(WORDS, WORDS)
def test_the_distance_is_that_of_the_full_matrix_up_to_the_most(most, word, typed):
    want = min(full_matrix(word, typed), most + 1)
    assert edit_distance(word, typed, most) == want
    assert edit_distance(typed, word, most) == want


@pytest.mark.parametrize(
    ("word", "typed", "distance"),
    [
        ("", "", 0),
        ("", "ab", 2),
        ("the", "teh", 1),
        ("kitten", "sitting", 3),
        ("ca", "abc", 3),
        ("abc", "b", 2),
    ],
)
def test_distances_known_beforehand(word, typed, distance):
    assert edit_distance(word, typed, 9) == distance
    assert full_matrix(word, typed) == distance

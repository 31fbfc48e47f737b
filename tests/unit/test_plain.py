"""Plain values as JSON that every reader accepts."""

import json
import math
import subprocess
from decimal import Decimal
from fractions import Fraction
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recurra.plain import finite, json_line, json_text, listed, one_line, shell

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


class Pair(NamedTuple):
    first: object
    second: object


def refuse(constant):
    raise AssertionError(f"{constant} is no JSON")


@given(VALUES, st.integers(0, 3))
def test_plain_values_come_back_as_they_were(value, indent):
    for text in (json_line(value), json_text(value, indent)):
        text.encode("utf-8")
        assert json.loads(text, parse_constant=refuse) == value
    assert "\n" not in json_line(value)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (math.inf, "null"),
        ([-math.inf, math.nan, 1.5], "[null, null, 1.5]"),
        ({"a": {"b": (math.nan, (1, 2))}}, '{"a": {"b": [null, [1, 2]]}}'),
        (Pair(1, math.inf), "[1, null]"),
        (np.float32(0.5), "0.5"),
        (np.float64("inf"), "null"),
        ([np.float32("nan"), np.int64(3), np.bool_(True), np.array(2.0)], "[null, 3, true, 2.0]"),
        (np.str_("ä"), '"ä"'),
        (Fraction(1, 4), "0.25"),
        ([True, 1, None], "[true, 1, null]"),
        ("ü €", '"ü €"'),
        ("caf\udce9", '"caf\\udce9"'),
    ],
)
def test_what_json_lacks_is_said_otherwise(value, text):
    assert json_line(value) == text
    json.loads(text, parse_constant=refuse)


def test_a_text_is_indented():
    assert json_text({"a": [1]}) == '{\n "a": [\n  1\n ]\n}'
    assert json_text([1, 2], 0) == "[\n1,\n2\n]"


@pytest.mark.parametrize("value", [object(), {1, 2}, b"a", np.zeros(2), Decimal(1)])
def test_values_that_are_not_plain_are_refused(value):
    with pytest.raises(TypeError, match="not JSON serializable"):
        json_line([value])


def test_a_long_list_of_names_is_shortened_to_whole_names():
    assert listed([]) == "none"
    assert listed(["a", "b"]) == "a, b"
    assert listed(range(60)) == f"{', '.join(map(str, range(33)))} and 27 others"
    assert listed(["ab", "cd", "ef"], most=6) == "ab, cd and 1 other"
    assert listed(["abcdef", "g"], most=3) == "abc … and 1 other"
    assert listed(["abcdef"], most=3) == "abc …"


def test_finite_leaves_its_argument_alone():
    value = {"a": [math.inf]}
    assert finite(value) == {"a": [None]}
    assert value == {"a": [math.inf]}


@pytest.mark.parametrize("path", ["runs/my run", "it's", "a;b", "$HOME", "plain/run-1", "-x", "neue Läufe"])
def test_a_path_is_a_word_of_the_shell(path):
    told = subprocess.run(
        ["sh", "-c", f"printf %s {shell(path)}"], capture_output=True, text=True, check=True
    )
    assert told.stdout == path


@given(st.text())
def test_one_line_changes_tabs_and_line_ends_only(text):
    found = one_line(text)
    assert len(found.splitlines()) <= 1
    assert "\t" not in found
    assert "".join(found.split()) == "".join(text.split())
    if text.isprintable():
        assert found == text

"""Public functions check what they are given: one sentence names the function and the argument."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from recurra.arguments import checks_arguments
from recurra.data.misspellings import count_words
from recurra.decoding.transforms import temperature
from recurra.errors import ArgumentTypeError, ConfigError
from recurra.tasks.language_modeling.spelling import SpellingCorrector


@checks_arguments
def given(
    text: str,
    lines: Sequence[str] = (),
    *,
    k: int = 1,
    share: float | None = None,
    flag: bool = False,
    path: str | Path = "",
    table: Mapping[str, int] | None = None,
    other: object = None,
) -> tuple[object, ...]:
    return text, lines, k, share, flag, path, table, other


def test_what_fits_is_taken():
    assert given("a", ["b"], k=2, share=1, flag=True, path=Path("x"), table={}, other=given)[0] == "a"
    assert given("a", ("b", "c"), share=None)[1] == ("b", "c")
    with pytest.raises(TypeError, match="unexpected keyword argument 'z'"):
        given("a", z=1)
    with pytest.raises(TypeError, match="missing 1 required positional argument: 'text'"):
        given()


@pytest.mark.parametrize(
    ("arguments", "options", "told"),
    [
        ((None,), {}, "given: text: got None, expected a text."),
        ((3,), {}, "given: text: got 3, expected a text."),
        (("a", "b"), {}, "given: lines: got 'b', expected a list of texts."),
        (("a", ["b", 1]), {}, "given: lines: got ['b', 1], expected a list of texts."),
        (("a",), {"k": 1.5}, "given: k: got 1.5, expected a whole number."),
        (("a",), {"k": True}, "given: k: got True, expected a whole number."),
        (("a",), {"share": "x"}, "given: share: got 'x', expected a number or None."),
        (("a",), {"flag": 1}, "given: flag: got 1, expected a bool."),
        (("a",), {"path": 3}, "given: path: got 3, expected a text or a path."),
        (("a",), {"table": [1]}, "given: table: got [1], expected a mapping or None."),
    ],
)
def test_what_does_not_fit_is_named(arguments, options, told):
    with pytest.raises(ArgumentTypeError) as error:
        given(*arguments, **options)
    assert str(error.value) == told


def test_a_path_is_not_taken_for_its_letters():
    with pytest.raises(
        ArgumentTypeError, match=r"count_words: chunks: got 'file\.txt', expected a list of texts"
    ):
        count_words("file.txt")
    with pytest.raises(ArgumentTypeError, match="counts: got 3, expected a mapping"):
        SpellingCorrector(3)


def test_a_temperature_at_which_logits_overflow_is_refused():
    with pytest.raises(ConfigError, match="temperature: got 1e-40, expected 0 or a finite number >= 1e-06"):
        temperature(1e-40)

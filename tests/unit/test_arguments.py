"""Public functions check what they are given: one sentence names the function and the argument."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import pytest
import torch

from recurra.arguments import AtLeastOne, EachField, Range, Seed, checks_arguments
from recurra.data.misspellings import count_words
from recurra.decoding.sampling import seeded
from recurra.decoding.transforms import temperature
from recurra.errors import ArgumentTypeError, ConfigError
from recurra.models.adaptation import CacheOptions, DynamicOptions
from recurra.tasks.language_modeling.spelling import SpellingCorrector, SpellingOptions


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
    assert given("a", flag=np.bool_(True))[4]
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
        (("a", ["b", 1]), {}, "given: lines[1]: got 1, expected a text."),
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


@checks_arguments
@dataclass(frozen=True)
class Row:
    words: tuple[str, ...] = ()
    weight: float = 1.0


@checks_arguments
def more(
    count: AtLeastOne = 1,
    *,
    few: Annotated[int, Range(0, 9)] = 0,
    seed: Seed = 0,
    way: Literal["up", "down"] = "up",
    rows: Sequence[Annotated[Row, EachField()]] = (),
    shares: Mapping[str, float] | None = None,
    act: Callable[[], None] = print,
    kind: type[Row] = Row,
    each: Iterable[str] = (),
    array: np.ndarray | str = "",
    pair: tuple[str, int] = ("", 0),
    anything: Any = None,
) -> None:
    pass


def test_further_kinds_that_fit_are_taken():
    more(np.int64(3), few=9, seed=2**64 - 1, way="down", rows=[Row(["a"])], shares={"a": np.float32(1)})
    more(act=lambda: None, kind=type("Part", (Row,), {}), each={"a"}, array=np.zeros(2), pair=("a", 1))
    more(each=np.array(["a", "b"]), rows=np.array([Row()], dtype=object), anything=object())
    more(each=iter([3]))  # elements of an iterator are not read


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"count": 0}, "count: got 0, expected >= 1."),
        ({"count": 2**70}, "count: got 1180591620717411303424, expected a whole number of at most 64 bits."),
        ({"few": 10}, "few: got 10, expected <= 9."),
        ({"way": "left"}, "way: got 'left', expected one of 'up', 'down'."),
        ({"way": 3}, "more: way: got 3, expected one of 'up', 'down'."),
        ({"rows": [Row(), 3]}, "more: rows[1]: got 3, expected a Row."),
        ({"rows": Row()}, "more: rows: got Row(words=(), weight=1.0), expected a list of Row objects."),
        ({"shares": {"a": math.nan}}, "shares['a']: got nan, expected a finite number."),
        ({"shares": {3: 1.0}}, "more: shares key: got 3, expected a text."),
        ({"shares": {"a": 10**400}}, "expected a finite number."),
        ({"act": 3}, "more: act: got 3, expected a function."),
        ({"kind": int}, "more: kind: got <class 'int'>, expected a class of Row."),
        ({"each": "ab"}, "more: each: got 'ab', expected a list of texts."),
        ({"each": np.zeros((1, 2))}, "more: each: got array([[0., 0.]]), expected a list of texts."),
        ({"each": np.array("a")}, "expected a list of texts."),
        ({"array": 3}, "more: array: got 3, expected a numpy array or a text."),
        ({"pair": ("a",)}, "more: pair: got ('a',), expected a tuple of 2."),
        ({"pair": ("a", "b")}, "more: pair[1]: got 'b', expected a whole number."),
    ],
)
def test_further_kinds_that_do_not_fit_are_named(options, told):
    with pytest.raises(ConfigError) as error:
        more(**options)
    assert str(error.value).endswith(told)


def test_the_fields_of_a_dataclass_are_checked():
    with pytest.raises(ArgumentTypeError, match="Row: words: got 'a b', expected a tuple of texts"):
        Row("a b")
    changed = Row()
    object.__setattr__(changed, "weight", "x")
    with pytest.raises(ArgumentTypeError, match=r"more: rows\[0\]\.weight: got 'x', expected a number"):
        more(rows=[changed])


@pytest.mark.parametrize(
    ("options", "wrong"),
    [
        (CacheOptions, {"size": 2.5}),
        (CacheOptions, {"size": "x"}),
        (CacheOptions, {"sharpness": math.nan}),
        (CacheOptions, {"weight": math.nan}),
        (DynamicOptions, {"rate": math.nan}),
        (DynamicOptions, {"decay": math.inf}),
        (DynamicOptions, {"rate": "x"}),
        (DynamicOptions, {"steps": 2.5}),
        (SpellingOptions, {"max_edits": "2"}),
        (SpellingOptions, {"max_edits": 1.5}),
        (SpellingOptions, {"candidates": 2.5}),
        (SpellingOptions, {"caution": math.nan}),
        (SpellingOptions, {"context": math.nan}),
    ],
)
def test_options_of_other_types_and_without_a_value_are_refused(options, wrong):
    ((name, value),) = wrong.items()
    with pytest.raises(ConfigError, match=f"{name}: got {value!r}, expected a"):
        options(**wrong)


@pytest.mark.parametrize("count", [0, -1, math.inf, math.nan, "x"])
def test_a_word_that_does_not_occur_is_not_known(count):
    with pytest.raises(ConfigError, match=r"counts\['hello'\]: got .*, expected (>= 1|a whole number)"):
        SpellingCorrector({"hello": count})


def test_a_path_is_not_taken_for_its_letters():
    with pytest.raises(
        ArgumentTypeError, match=r"count_words: chunks: got 'file\.txt', expected a list of texts"
    ):
        count_words("file.txt")
    with pytest.raises(ArgumentTypeError, match="counts: got 3, expected a mapping"):
        SpellingCorrector(3)


def test_a_seed_of_numpy_is_a_seed():
    numbers = [torch.rand(3, generator=seeded(seed)).tolist() for seed in (np.int64(5), np.int32(5), 5)]
    assert numbers[0] == numbers[1] == numbers[2]


def test_a_temperature_at_which_logits_overflow_is_refused():
    with pytest.raises(ConfigError, match="temperature: got 1e-40, expected 0 or a finite number >= 1e-06"):
        temperature(1e-40)


def test_a_temperature_of_any_size_divides_the_logits():
    assert temperature(2**70)(torch.ones(1, 2)).tolist() == [[2.0**-70, 2.0**-70]]

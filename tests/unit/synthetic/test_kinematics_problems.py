"""The generator's answers against physics computed independently from the text of the problems."""

import itertools
import math
import re
from collections import Counter

import pytest

from recurra.data.synthetic.kinematics import KINDS, corpus, generate, write_corpus
from recurra.data.synthetic.kinematics.kind import article
from recurra.data.synthetic.kinematics.problem import is_clear_cut, stated_digits
from recurra.errors import ConfigError, StorageError

G = 9.8
PROBLEMS = list(generate(5000, seed=11))
NUMBER = re.compile(r"(\d+(?:\.\d)?) (m/s\^2|km/h|m/s|min|km|m|s|degrees)(?![\w/^])")
PRONOUN = re.compile(r"\b(Anna|Clara|Emma|Maria|Ben|David|Leo|Tom)\b.*?\b([Hh]e|[Ss]he|his|her)\b")


def when(reached, late=1000.0):
    """The first time at which `reached`, false before and true after, becomes true."""
    early = 0.0
    for _ in range(100):
        middle = (early + late) / 2
        early, late = (early, middle) if reached(middle) else (middle, late)
    return late


def landing(height, up):
    """The time to fall to 0 from `height`, with initial upward speed `up`."""
    top = max(up, 0) / G
    return top + when(lambda t: height + up * (top + t) - G / 2 * (top + t) ** 2 <= 0)


def height_for(time, up):
    """The height from which the fall lasts `time`: minus the mean velocity, (up + end)/2, times the time."""
    return -(up + (up - G * time)) / 2 * time


def stop(speed, rate):
    """Time and distance of a stop: the mean speed is half the first."""
    time = when(lambda t: speed - rate * t <= 0)
    return time, speed / 2 * time


def speed_after(height, first):
    """By energy per mass: v²/2 = first²/2 + g h."""
    return math.sqrt(2 * (first**2 / 2 + G * height))


def angled(v):
    angle = math.radians(v["degrees"][0])
    return v["m/s"][0] * math.cos(angle), v["m/s"][0] * math.sin(angle)


def ms(v):
    """The one speed of a road problem, in m/s."""
    (speed,) = v["m/s"] or [v["km/h"][0] * 1000 / 3600]
    return speed


def meeting_hours(v):
    return when(lambda t: v["km/h"][0] * t >= v["km"][0] - v["km/h"][1] * t)


def river(v, text):
    """The speed of the current and of the boat through the water, identified by the text."""
    current = float(re.search(r"flows at ([\d.]+)", text)[1])
    (boat,) = set(v["m/s"]) - {current}
    return boat, current


def pursuit(v):
    return when(lambda t: t > 1e-6 and v["m/s^2"][0] * t / 2 >= v["m/s"][0])


# Each function takes the numbers by unit, in text order, and the text; it returns the answer in its unit.
DERIVED = {
    "drop_height": lambda v, _: height_for(v["s"][0], 0),
    "drop_time": lambda v, _: landing(v["m"][0], 0),
    "well": lambda v, _: height_for(v["s"][0], 0),
    "throw_height": lambda v, _: stop(v["m/s"][0], G)[1],
    "throw_time": lambda v, _: landing(0, v["m/s"][0]),
    "throw_down_speed": lambda v, _: speed_after(v["m"][0], v["m/s"][0]),
    "bridge_up": lambda v, _: height_for(v["s"][0], v["m/s"][0]),
    "bridge_down": lambda v, _: height_for(v["s"][0], -v["m/s"][0]),
    "balloon": lambda v, _: landing(v["m"][0], v["m/s"][0]),
    "rest_acceleration": lambda v, _: ms(v) / v["s"][0],
    "rest_distance": lambda v, _: v["m/s^2"][0] * v["s"][0] / 2 * v["s"][0],
    "runway": lambda v, _: stop(v["m/s"][0], v["m/s^2"][0])[1],
    "brake_distance": lambda v, _: stop(ms(v), v["m/s^2"][0])[1],
    "brake_rate": lambda v, _: when(lambda rate: stop(ms(v), rate + 1e-9)[1] <= v["m"][0], 100),
    "reaction": lambda v, _: ms(v) * v["s"][0] + stop(ms(v), v["m/s^2"][0])[1],
    "average_speed": lambda v, _: (
        sum(v["km"]) / sum(leg / speed for leg, speed in zip(v["km"], v["km/h"], strict=True))
    ),
    "meet_time": lambda v, _: meeting_hours(v) * 60,
    "pursuit_time": lambda v, _: pursuit(v),
    "overtake_time": lambda v, _: when(lambda t: max(v["m/s"]) * t >= min(v["m/s"]) * t + v["m"][0]),
    "head_start": lambda v, _: (
        60 * when(lambda t: max(v["km/h"]) * t >= min(v["km/h"]) * (t + v["min"][0] / 60))
    ),
    "river_drift": lambda v, text: v["m"][0] / river(v, text)[0] * river(v, text)[1],
    "cliff_range": lambda v, _: v["m/s"][0] * landing(v["m"][0], 0),
    "projectile_range": lambda v, _: angled(v)[0] * landing(0, angled(v)[1]),
    "projectile_height": lambda v, _: stop(angled(v)[1], G)[1],
}
GRAVITY_KINDS = {
    *(name for name in KINDS if re.match("drop|throw|bridge_|cliff|projectile", name)),
    "well",
    "balloon",
}


def numbers(text):
    found = {unit: [] for unit in ("m", "km", "s", "min", "m/s", "km/h", "m/s^2", "degrees")}
    for digits, unit in NUMBER.findall(text.replace("g = 9.8 m/s^2", "")):
        found[unit].append(float(digits))
    return found


def test_every_kind_is_derived_here():
    assert set(DERIVED) == set(KINDS)
    assert len(KINDS) >= 12


@pytest.mark.parametrize("kind", KINDS)
def test_answer_follows_from_the_text(kind):
    problems = [problem for problem in PROBLEMS if problem.kind == kind]
    assert len(problems) >= 60
    for problem in problems:
        digits, unit = problem.answer_text.split(" ")
        exact = DERIVED[kind](numbers(problem.text), problem.text)
        assert unit == problem.unit
        assert re.fullmatch(r"\d{1,2}\.\d" if exact < 100 else r"\d{3,4}", digits), problem
        assert abs(float(digits) - exact) <= (0.05 if exact < 100 else 0.5), (problem, exact)
        assert float(digits) == problem.answer >= 1


@pytest.mark.parametrize("kind", KINDS)
def test_gravity_is_stated_where_it_is_needed_and_nowhere_else(kind):
    stated = {problem.text.count("g = 9.8 m/s^2") for problem in PROBLEMS if problem.kind == kind}
    assert stated == {1 if kind in GRAVITY_KINDS else 0}


def test_every_given_value_stands_in_the_text_and_no_other():
    for problem in PROBLEMS:
        text = problem.text.replace("g = 9.8 m/s^2", "")
        given = Counter(str(quantity) for quantity in problem.quantities)
        assert Counter(f"{digits} {unit}" for digits, unit in NUMBER.findall(text)) == given
        assert len(re.findall(r"\d+(?:\.\d+)?", re.sub(r"m/s\^2", "", text))) == len(problem.quantities)


def test_values_are_of_this_world():
    limits = {"m/s": 90, "km/h": 120, "m/s^2": 8, "km": 200, "m": 2000, "s": 600, "min": 90, "degrees": 60}
    for problem in PROBLEMS:
        assert all(0 < quantity.value <= limits[quantity.unit] for quantity in problem.quantities), problem
        assert problem.answer <= limits[problem.unit], problem


def test_english():
    for problem in PROBLEMS:
        text = problem.text
        assert text.endswith("?")
        assert text.count("?") == 1
        assert not re.search(r"  |\s[,.?]|[{}\n]|[.?][A-Za-z]|\.\.", text), text
        assert all(sentence[0].isupper() for sentence in re.split(r"(?<=[.?]) ", text) if sentence), text
        for indefinite, after in re.findall(r"\b([Aa]n?) (\S+)", text):
            vowel = after[0] in "aeiou" or re.match(r"8|(?:11|18)(?!\d)", after)
            assert indefinite.lower() == ("an" if vowel else "a"), text
        for name, pronoun in PRONOUN.findall(text):
            assert pronoun.lower() in (("she", "her") if name[-1] == "a" else ("he", "his")), text


@pytest.mark.parametrize(
    "words", ["apple", "express train", "8 m", "80 m", "18 m", "11.5 m", "81 m", "800 m"]
)
def test_an(words):
    assert article(words) == "an"


@pytest.mark.parametrize("words", ["ball", "180 m", "110 m", "5 m", "118 m", "28 m"])
def test_a(words):
    assert article(words) == "a"


def test_problems_differ_and_wording_varies():
    texts = {problem.text for problem in PROBLEMS}
    assert len(texts) >= 0.95 * len(PROBLEMS)
    for kind in KINDS:
        wordings = {re.sub(r"\d+(\.\d)?", "#", problem.text) for problem in PROBLEMS if problem.kind == kind}
        assert len(wordings) >= 8, kind
    assert len({re.sub(r"\d+(\.\d)?", "#", text) for text in texts}) > 1500


def test_small_alphabet_and_vocabulary():
    text = corpus(3000, seed=2)
    assert len(set(text)) <= 64
    assert len(set(re.findall(r"[A-Za-z]+", text))) <= 400
    assert text.isascii()


def test_seed_decides():
    assert corpus(50, seed=3) == corpus(50, seed=3)
    assert len({corpus(5, seed) for seed in (-1, 0, 1, 2)}) == 4
    assert list(generate(20, seed=4)) == list(itertools.islice(generate(200, seed=4), 20))


def test_same_problems_on_every_machine_and_version():
    assert corpus(2, seed=0) == (
        "A ball is thrown upward and leaves the hand at 7.3 m/s. "
        "At what height above the hand does the ball stop rising if g = 9.8 m/s^2?\n"
        "Answer: 2.7 m\n"
        "\n"
        "At 21 m/s, a motorcycle drives straight off the edge of a cliff that is 83 m high. "
        "How far from the base of the cliff does it land if g = 9.8 m/s^2?\n"
        "Answer: 86.4 m\n"
    )


def test_corpus_format(tmp_path):
    write_corpus(tmp_path / "new" / "problems.txt", 40, seed=5)
    text = (tmp_path / "new" / "problems.txt").read_text()
    assert text == corpus(40, seed=5)
    blocks = text.removesuffix("\n").split("\n\n")
    assert len(blocks) == 40
    for block, problem in zip(blocks, generate(40, seed=5), strict=True):
        assert block.split("\n") == [problem.text, f"Answer: {problem.answer_text}"]


def test_faults(tmp_path):
    with pytest.raises(ConfigError, match="got 0, expected >= 1"):
        write_corpus(tmp_path / "none.txt", 0)
    with pytest.raises(ConfigError, match="got -1"):
        generate(-1)
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError):
        write_corpus(tmp_path / "file" / "problems.txt", 3)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file"]


def test_no_answer_stands_between_two_roundings():
    assert [stated_digits(value) for value in (7.849, 99.94, 100.4, 1763.6)] == ["7.8", "99.9", "100", "1764"]
    assert not is_clear_cut(7.85)
    assert not is_clear_cut(120.5)
    assert not is_clear_cut(99.97)
    assert is_clear_cut(7.84)

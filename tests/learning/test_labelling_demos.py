"""In both demos, the baseline fails where it must and the network does not."""

import io
import random

import pytest
from rich.console import Console

from recurra.data.synthetic import dialogues, flights, reviews
from recurra.data.synthetic import names as people
from recurra.demos import names, sentiment, slots
from recurra.errors import RunError


def quiet() -> Console:
    return Console(file=io.StringIO(), width=100)


def test_slots(tmp_path):
    console = quiet()
    found = slots.run(tmp_path / "slots", console=console)
    assert found.baseline < 0.7
    assert found.network > 0.97
    assert found.only_network > 100
    told = console.file.getvalue()
    assert "sentences are right only with the recurrent network" in told
    assert "occlusion" in told
    with pytest.raises(RunError, match="choose another folder"):
        slots.run(tmp_path / "slots", console=console)


def test_sentiment(tmp_path):
    console = quiet()
    found = sentiment.run(tmp_path / "sentiment", console=console)
    assert found.baseline < 0.6
    assert found.network > 0.97
    assert found.famous[1] == "negative"
    assert "mean of vectors" in console.file.getvalue()


def test_names(tmp_path):
    console = quiet()
    found = names.run(tmp_path / "names", console=console)
    with_vectors = found.f1.pop("vectors of plain text")
    assert with_vectors > 0.95
    assert max(found.f1.values()) < 0.65  # a guess between person and company is right half of the time
    assert found.famous["vectors of plain text"] == "B-person"
    assert "nearest to durian" in console.file.getvalue()


def test_nouns_kept_back_stand_in_no_labelled_sentence():
    draw = random.Random(3)
    common, rare = (
        {word for _ in range(500) for word, label in people.make_sentence(draw, rare=kept) if label == "O"}
        for kept in (False, True)
    )
    kept_back = {*people.RARE_FRUITS, *people.RARE_PEOPLE, *people.RARE_COMPANIES}
    assert rare - common == kept_back
    assert common - rare == {*people.FRUITS, *people.PEOPLE, *people.COMPANIES} | {"an"}


def test_one_seed_gives_one_file(tmp_path):
    for corpus in (flights, reviews, people, dialogues):
        for name, seed in (("a", 1), ("b", 1), ("c", 2)):
            corpus.write_corpus(tmp_path / name, 50, seed)
        assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes() != (tmp_path / "c").read_bytes()


def test_neither_kind_of_word_tells_what_a_review_says():
    draw = random.Random(1)
    counts = {("positive", good): 0 for good in (True, False)} | {
        ("negative", good): 0 for good in (True, False)
    }
    for _ in range(4000):
        label, text = reviews.make_review(draw)
        counts[label, any(word in text.split() for word in reviews._GOOD)] += 1
    assert all(900 < count < 1100 for count in counts.values())


def test_the_word_before_a_city_often_tells_nothing():
    draw = random.Random(2)
    before = {"destination": [], "departure": []}
    for _ in range(2000):
        words, intent = flights.make_sentence(draw)
        at = next(i for i, (_, label) in enumerate(words) if label[2:] in before)
        before[words[at][1][2:]].append(words[at - 1][0])
        assert intent == ("arrival" if words[at][1] == "B-destination" else "departure")
    shared = set(before["destination"]) & set(before["departure"])
    share = sum(word in shared for word in before["destination"]) / len(before["destination"])
    assert share > 0.6

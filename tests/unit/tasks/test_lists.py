"""Lists, arrays, series and generators as input: one result per text, equal to that of the text alone."""

import json

import numpy as np
import pytest

import recurra as rc
from recurra.errors import ConfigError

OPTIONS = {"hidden_size": 8, "epochs": 1, "threads": 1}
TEXTS = ["ab3", "ab", "b 12"]


class Series:
    """What a column of a table has in common: a shape, a length, and its values in order."""

    def __init__(self, values):
        self.values, self.shape = values, (len(values),)

    def __len__(self):
        return len(self.values)

    def __getitem__(self, place):
        return self.values[place]

    def __iter__(self):
        return iter(self.values)


SEVERAL = [list, tuple, np.array, Series, iter, lambda texts: (one for one in texts)]


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    folder = tmp_path_factory.mktemp("lists")
    (folder / "pairs.tsv").write_text("source\ttarget\n" + "".join(f"ab{i}\tba{i}\n" for i in range(60)))
    turns = [{"turns": [f"ab{i}", f"ba{i}"]} for i in range(60)]
    (folder / "turns.jsonl").write_text("".join(json.dumps(each) + "\n" for each in turns))
    (folder / "rows.tsv").write_text("text\tlabel\n" + "".join(f"ab{i}\tx\nb {i}\ty\n" for i in range(30)))
    return {
        "translate": rc.Translator.train(folder / "pairs.tsv", out=folder / "a", unit="char", **OPTIONS),
        "chat": rc.ChatBot.train(folder / "turns.jsonl", out=folder / "b", unit="char", **OPTIONS),
        "classify": rc.Classifier.train(folder / "rows.tsv", out=folder / "c", **OPTIONS),
    }


@pytest.mark.parametrize("several", SEVERAL)
def test_many_texts_give_the_results_of_each(models, several):
    model = models["translate"]
    assert model.translate(several(TEXTS)) == [model.translate(text) for text in TEXTS]
    texts = [[one.text for one in found] for found in model.translations(several(TEXTS), 2)]
    assert texts == [[one.text for one in model.translations(text, 2)] for text in TEXTS]
    assert len(model.samples(several(TEXTS), 3, seed=1)) == 3
    bot = models["chat"]
    if several is not tuple:  # the turns of one conversation
        assert bot.reply(several(TEXTS)) == [bot.reply(text) for text in TEXTS]
    said = models["classify"].predict(several(TEXTS))
    assert [one.label for one in said] == [models["classify"].predict(text).label for text in TEXTS]
    assert [type(one.text) for one in said] == [str] * 3


def test_a_tuple_has_the_turns_of_one_conversation(models):
    bot = models["chat"]
    talk = bot.conversation()
    talk.turns = ["ab1", "ba1"]
    assert bot.reply(("ab1", "ba1", "ab2")) == talk.say("ab2")
    several = bot.replies([("ab1",), "ab2"], 2)
    assert [one.text for one in several[1]] == [one.text for one in bot.replies("ab2", 2)]


@pytest.mark.parametrize(
    ("method", "given", "told"),
    [
        ("translate", 3, "translate: text: got 3, expected a text or a list of texts"),
        ("translate", {"a": 1}, "expected a text or a list of texts"),
        ("translate", ["a", float("nan")], r"text\[1\]: got nan, expected a text"),
        ("translate", iter(["a", None]), r"text\[1\]: got None, expected a text"),
        ("translations", np.array([["a"]]), "expected a text or a list of texts"),
    ],
)
def test_what_is_no_text_is_refused(models, method, given, told):
    with pytest.raises(ConfigError, match=told):
        getattr(models["translate"], method)(given)


def test_a_missing_value_in_a_list_is_named(models):
    with pytest.raises(ConfigError, match=r"predict: text\[1\]: got nan, expected a text or recurra.Words"):
        models["classify"].predict(["a", float("nan")])
    with pytest.raises(ConfigError, match=r"replies: turns\[1\]\[0\]: got 3, expected a text"):
        models["chat"].replies(iter(["a", (3,)]))
    with pytest.raises(ConfigError, match=r"replies: turns\[0\]: has no turns"):
        models["chat"].replies(iter([()]))

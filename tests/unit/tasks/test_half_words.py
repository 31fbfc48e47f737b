"""Completions by word models of a text that ends within a word, against sums over the whole vocabulary."""

import math

import pytest
import torch

import recurra
from recurra.errors import ConfigError

TEXT = (
    "the cat sat on the mat\nthe cats said a word\nthe cat said on\na catalogue sat\nthe sad cat sat\n"
    "the café sank\n"
) * 20


@pytest.fixture(scope="module", params=["ngram", "recurrent"])
def model(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("words")
    (folder / "text.txt").write_text(TEXT)
    options = {"model": "ngram", "order": 3}
    if request.param == "recurrent":
        options = {"hidden_size": 12, "epochs": 3, "batch_size": 4, "segment_length": 9, "threads": 1}
    return recurra.LanguageModel.train(
        folder / "text.txt", out=folder / "run", unit="word", min_count=1, **options
    )


def next_probs(model, line):
    """P(word | line) of every symbol."""
    ids = [model.tokenizer.start_id, *model.tokenizer.encode_line(line)]
    logits, _ = model.step(torch.tensor([ids]), None)
    probs = logits[0, -1].double().softmax(0).tolist()
    return dict(zip(model.tokenizer.vocabulary.symbols, probs, strict=True))


def brute_force(model, context, typed, length):
    """All endings of `context` + `typed` with `length` words that are at least begun, and their P."""

    def words_after(line):
        return {w: p for w, p in next_probs(model, line).items() if not w.startswith("<")}

    def continued(line, words, *, closed_at_once):
        closed, open_ = {}, {"": 1.0}
        for _ in range(words):  # an ending with fewer words is closed by the end of the line
            ends = {end: p * next_probs(model, line + end)["<eos>"] for end, p in open_.items()}
            closed |= {end: p for end, p in ends.items() if end or closed_at_once}
            open_ = {
                f"{end} {w}": p * q for end, p in open_.items() for w, q in words_after(line + end).items()
            }
        return closed | open_

    begun = {w: p for w, p in words_after(context).items() if w.startswith(typed)}
    total = math.fsum(begun.values())
    found = {}
    for word, p in begun.items():
        more = length if word == typed else length - 1
        for end, q in continued(f"{context} {word}", more, closed_at_once=word != typed).items():
            found[word[len(typed) :] + end] = p * q / total
    return found


@pytest.mark.parametrize(
    ("context", "typed"), [("the cat", "sa"), ("the", "cat"), ("", "t"), ("a word\nthe", "ca")]
)
@pytest.mark.parametrize("length", [1, 2])
def test_endings_are_those_of_the_words_that_begin_as_typed(model, context, typed, length):
    right = brute_force(model, context.split("\n")[-1], typed, length)
    if "\n" in context:  # the state is carried over lines, so only the words are compared
        found = model.complete(f"{context} {typed}", n_best=1000, length=length)
        assert {ending for ending, _ in found} == right.keys()
        return
    found = model.complete(f"{context} {typed}".strip(), n_best=1000, length=length)
    assert {e.ending: e.probability for e in found} == pytest.approx(right, rel=1e-5)
    assert [e.ending for e in found] == sorted(right, key=lambda end: (-dict(found)[end], end))
    best = model.complete(f"{context} {typed}".strip(), n_best=2, length=length)
    assert best == [(end, pytest.approx(p)) for end, p in found[:2]]


def test_half_a_word_is_ended(model):
    assert {ending for ending, _ in model.complete("the cat sa", n_best=9)} == {"t", "id", "d", "nk"}
    assert math.fsum(p for _, p in model.complete("the cat sa", n_best=9)) == pytest.approx(1)


def test_a_word_without_a_blank_after_it_is_continued_or_followed(model):
    found = dict(model.complete("the cat", n_best=50))
    assert {"s", "alogue"} < found.keys()
    others = {ending for ending in found if ending not in ("s", "alogue")}
    assert all(ending[0] == " " and ending[1:].isalpha() for ending in others)
    probs = next_probs(model, "the")
    begun = probs["cat"] + probs["cats"] + probs["catalogue"]
    assert found["s"] == pytest.approx(probs["cats"] / begun)
    assert found[" sat"] == pytest.approx(probs["cat"] / begun * next_probs(model, "the cat")["sat"])


def test_a_blank_begins_a_new_word(model):
    probs = next_probs(model, "the cat")
    for text in ("the cat ", "the cat  ", "the cat\t"):
        found = dict(model.complete(text, n_best=3))
        assert found == {word: pytest.approx(probs[word]) for word in found}
    assert all(ending.isalpha() for ending, _ in model.complete("", n_best=3))


@pytest.mark.parametrize("text", ["the cat zz", "zz", "the <", "the <unk", "the <eos>", "the CAT"])
def test_nothing_ends_what_no_word_begins_with(model, text):
    assert model.complete(text) == []


def test_a_typed_accent_may_be_a_mark_of_its_own(model):
    assert model.complete("the cafe\u0301", n_best=1) == model.complete("the café", n_best=1)
    assert dict(model.complete("the caf", n_best=1)).keys() == {"é"}


def test_typing_letter_by_letter_gives_the_same_as_a_fresh_model(model):
    fresh = recurra.load(model.run.path)
    text = "the cat said on the m"
    for at in range(len(text) + 1):
        typed = model.complete(text[:at], n_best=4, length=2)
        assert typed == [(e, pytest.approx(p)) for e, p in fresh.complete(text[:at], n_best=4, length=2)]
        fresh = recurra.load(model.run.path)


def test_more_words_than_fit_into_memory_are_refused(model):
    with pytest.raises(ConfigError, match="n_best: got"):
        model.complete("the c", n_best=2**40, length=2)

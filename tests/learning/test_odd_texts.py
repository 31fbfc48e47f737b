"""With unusual texts, each kind of language model gives a sensible result or refuses with one sentence."""

import math

import pytest

import recurra
from recurra.errors import DataError, RecurraError

SMALL = {"hidden_size": 8, "batch_size": 2, "segment_length": 5, "epochs": 1, "max_steps": 60}
MODELS = {
    "recurrent": SMALL,
    "feed-forward": {"model": "feed-forward", "context_size": 2, **SMALL},
    "ngram": {"model": "ngram", "order": 3},
}
TEXTS = {
    "one word again and again": b"word word word word word word word word\n" * 10,
    "one letter": b"a" * 200,
    "one symbol, a newline": b"\n" * 200,
    "empty lines between": b"a cat\n\n\n\na dog\n\n" * 20,
    "a line of 100,000 characters": b"ab cd " * 17_000 + b"\nand a short one\n" * 20,
    "mixed line ends": b"a cat\r\na dog\na cow\r\n" * 20,
    "blanks only": b"   \n  \n" * 60,
    "no end of line": b"the cat sat on the mat " * 20,
    "a byte-order mark": b"\xef\xbb\xbfa cat\na dog\n" * 30,
}


def train(folder, content, unit, model):
    text = folder / "text.txt"
    text.write_bytes(content)
    return recurra.LanguageModel.train(text, out=folder / "run", unit=unit, **MODELS[model])


@pytest.mark.parametrize("unit", ["char", "word"])
@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("name", TEXTS)
def test_an_odd_text_is_learnt_or_refused_in_a_sentence(tmp_path, name, model, unit):
    lm, told = None, ""
    try:
        lm = train(tmp_path, TEXTS[name], unit, model)
    except RecurraError as error:
        told = str(error)
    if lm is None:
        assert 20 < len(told) < 300
        assert not (tmp_path / "run" / "run.toml").exists()
        return
    figures = lm.evaluate()
    assert math.isfinite(figures.perplexity)
    assert figures.perplexity > 0.99
    for line in ("", "a cat", "x" * 1000, "é\0€"):
        assert math.isfinite(lm.log_prob(line)) or model == "ngram"
    assert isinstance(lm.sample(length=20, seed=1), str)
    lm.complete("a", n_best=2)


@pytest.mark.parametrize("model", MODELS)
def test_a_corpus_of_one_word_is_too_short(tmp_path, model):
    with pytest.raises(DataError, match=r"cannot be split|fewer than|nothing"):
        train(tmp_path, b"word", "word", model)


@pytest.mark.parametrize("content", [b"a cat\0sat\n" * 50, b"\xff\xfe\x00a", b""])
def test_no_text_is_refused_before_anything_is_written(tmp_path, content):
    with pytest.raises(DataError):
        train(tmp_path, content, "char", "recurrent")
    assert not (tmp_path / "run").exists()


def test_a_vocabulary_of_one_learns_that_nothing_else_comes(tmp_path):
    lm = train(tmp_path, b"\n" * 200, "char", "recurrent")
    assert lm.evaluate().perplexity < 2.5

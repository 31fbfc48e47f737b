"""Completions by subwords, which may begin and end within a character, against sums over all spellings."""

import math

import pytest
import torch

import recurra
from recurra.text.byte_pieces import bytes_of, split_incomplete

TEXT = "मैं स्कूल जाता हूँ।\nनमस्ते दुनिया कैसे हो।\nवह विद्यालय में पढ़ता है।\nthe cat's — the cat.\n" * 20
AFTER_WORDS = [one for one in (*map(chr, range(128)), "।", "—") if not one.isalnum() and one not in "'-_"]


@pytest.fixture(scope="module")
def train(tmp_path_factory):
    folder = tmp_path_factory.mktemp("completing")
    (folder / "text.txt").write_text(TEXT)
    options = {"unit": "subword", "max_vocabulary_size": 275, "model": "ngram"}
    return lambda order: recurra.LanguageModel.train(
        folder / "text.txt", out=folder / str(order), order=order, **options
    )


@pytest.fixture(scope="module")
def model(train):
    return train(2)


@pytest.fixture(scope="module")
def pieces(model):
    return [bytes_of(symbol) for symbol in model.tokenizer.vocabulary.symbols]


@pytest.fixture(scope="module")
def next_probs(model):
    """P(next | last) of all pairs of symbols."""
    every = torch.arange(model.tokenizer.vocabulary_size)[:, None]
    return torch.cat([model.step(one[None], None)[0][0] for one in every]).double().softmax(1)


def prob_of_beginning(last, text, pieces, next_probs):
    """The probability that the symbols after `last` spell a text that begins with `text`."""
    spelt = [torch.zeros(len(pieces), dtype=torch.float64) for _ in range(len(text) + 1)]
    spelt[0][last] = 1.0
    total = 0.0
    for at in range(len(text)):
        probs, rest = spelt[at] @ next_probs, text[at:]
        for id_, piece in enumerate(pieces):
            if piece.startswith(rest):
                total += float(probs[id_])
            elif rest.startswith(piece):
                spelt[at + len(piece)][id_] += probs[id_]
    return total


def test_the_bytes_of_all_symbols_are_those_of_the_text(model, pieces):
    for line in ("वह विद्यालय", "the cat's — “é”\t\x00\x7f\xa0\xad", "🙂"):
        found = [pieces[id_] for id_ in model.tokenizer.encode_line(line)]
        assert split_incomplete(found) == (line, b"")
    assert sorted(piece for piece in pieces if len(piece) == 1) == [bytes([byte]) for byte in range(256)]
    assert split_incomplete(["a।".encode()[:-1]]) == ("a", "।".encode()[:-1])
    assert sum("\ufffd" in model.tokenizer.decode([id_]) for id_ in range(len(pieces))) > 100


@pytest.mark.parametrize(
    ("text", "typed"),
    [
        ("वह विद्", " विद्"),
        ("वह ", " "),
        ("मैं स्कूल जाता ", " "),
        ("दुनिया", "दुनिया"),
        ("the c", " c"),
        ("वह\n", ""),
    ],
)
def test_the_probability_of_an_ending_is_that_of_all_its_spellings(model, pieces, next_probs, text, typed):
    last = model.prime_ids(text.removesuffix(typed))[-1]
    given = prob_of_beginning(last, typed.encode(), pieces, next_probs) if typed else 1.0
    for ending, probability in model.complete(text, n_best=40)[:4]:
        ways = (
            prob_of_beginning(last, f"{typed}{ending}{after}".encode(), pieces, next_probs)
            for after in AFTER_WORDS
        )
        assert probability == pytest.approx(math.fsum(ways) / given, rel=0.02)


def test_a_word_that_was_begun_is_completed(train):
    model = train(6)
    for text, ending in (("वह विद्", "यालय"), ("वह ", "विद्यालय"), ("मैं स्कूल जाता ह", "ूँ"), ("नमस", "्ते")):
        (found,) = model.complete(text, n_best=1)
        assert found == (ending, pytest.approx(0.9, abs=0.1))
        assert max(model.next_words(text, 20).items(), key=lambda item: item[1])[0] == ending


@pytest.mark.parametrize("text", ["वह विद्", "वह ", "दुन", "the c", "", "मैं स्कूल जाता हूँ"])
@pytest.mark.parametrize("length", [None, 1, 2, 12])
def test_endings_consist_of_complete_characters_of_one_word(model, text, length):
    found = model.complete(text, n_best=30, length=length)
    assert found
    for ending, probability in found:
        assert not set(ending) & {"\ufffd", *AFTER_WORDS}
        assert 0 < probability <= 1
    assert len({ending for ending, _ in found}) == len(found)
    assert not any("\ufffd" in word for word in model.next_words(text, 20))

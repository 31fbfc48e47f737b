"""n-gram models against nltk's, and ARPA files against KenLM."""

import random

import numpy as np
import pytest

from recurra.models import NGramModel, write_arpa
from recurra.models.ngram import smoothing

LETTERS = "abcdef"
START = len(LETTERS)  # occurs only before the text
ORDER = 3


@pytest.fixture(scope="module")
def text():
    maker = random.Random(3)
    return "".join(maker.choices(LETTERS, weights=[9, 5, 3, 2, 1, 1], k=400))


def ours(text, kind, **options):
    ids = np.array([LETTERS.index(letter) for letter in text])
    return NGramModel.fit(ids, START + 1, ORDER, kind, start_id=START, **options)


def theirs(text, model):
    """nltk's model of the same text, preceded by one start symbol."""
    util = pytest.importorskip("nltk.util")
    letters = ["<s>", *text]
    model.fit([util.everygrams(letters, max_len=ORDER)], vocabulary_text=letters)
    return model


def agree(our_model, their_model, contexts):
    for context in contexts:
        probs = our_model.next_probs(np.array([LETTERS.index(letter) for letter in context], dtype=np.int64))
        for number, letter in enumerate(LETTERS):
            assert probs[number] == pytest.approx(their_model.score(letter, list(context)), abs=1e-6)


def contexts_of(text):
    seen = {text[at : at + 2] for at in range(1, len(text) - 2)}
    return sorted(seen)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_kneser_ney_with_one_discount_is_nltks(text, monkeypatch):
    lm = pytest.importorskip("nltk.lm")
    # nltk has one discount for all counts; it does not discount or interpolate unigrams.
    monkeypatch.setattr(
        smoothing,
        "_discounts",
        lambda counts: np.where(counts > 0, 0.75 if len(counts) != START + 1 else 1e-9, 0.0),
    )
    agree(ours(text, "kneser-ney"), theirs(text, lm.KneserNeyInterpolated(ORDER, 0.75)), contexts_of(text))


def test_add_k_and_maximum_likelihood_are_nltks(text):
    lm = pytest.importorskip("nltk.lm")
    agree(ours(text, "maximum-likelihood"), theirs(text, lm.MLE(ORDER)), contexts_of(text))
    for k in (1.0, 0.1):
        model = theirs(text, lm.Lidstone(k, ORDER))
        # nltk counts <UNK> as a symbol; this vocabulary has no such symbol.
        assert len(model.vocab) == START + 2
        ids = np.array([LETTERS.index(letter) for letter in text])
        agree(NGramModel.fit(ids, START + 2, ORDER, "add-k", k=k, start_id=START), model, contexts_of(text))


def test_kenlm_reads_our_arpa_files(text, tmp_path):
    kenlm = pytest.importorskip("kenlm")  # optional; needs a compiler to install
    lines = [text[at : at + 20] for at in range(0, len(text), 20)]
    symbols = [*LETTERS, "<eos>", "<unk>"]
    ids = np.array([i for line in lines for i in (*map(symbols.index, line), 6)])
    starts = np.flatnonzero(ids[:-1] == 6) + 1
    model = NGramModel.fit(ids, len(symbols), ORDER, "kneser-ney", starts=starts, start_id=6)
    write_arpa(tmp_path / "a.arpa", model, symbols)
    read = kenlm.Model(str(tmp_path / "a.arpa"))
    for line in [*lines, "aaaaaa", "fedcba"]:
        own = model.log_probs(np.array([*map(symbols.index, line), 6])).sum() / np.log(10)
        assert read.score(" ".join(line)) == pytest.approx(own, abs=1e-4)

"""Translation scores against sacrebleu's, by length, and the advice on beam errors."""

import unicodedata

import pytest
import sacrebleu

from recurra.metrics.beam_errors import FaultShares
from recurra.metrics.translation import bleu_by_length, count_texts, distinct
from recurra.tasks.seq2seq.beam_errors import Tried, advice

FOUND = ["the cat sat on the mat .", "a dog runs in the park", "hello"]
RIGHT = [["the cat sat on a mat .", "a cat was on the mat"], ["a dog runs in the park"], ["hello there"]]


def test_bleu_and_chrf_are_sacrebleus():
    figures = count_texts(FOUND, RIGHT)
    streams = [[texts[0] for texts in RIGHT], [texts[1] if len(texts) > 1 else None for texts in RIGHT]]
    assert figures.bleu == pytest.approx(sacrebleu.corpus_bleu(FOUND, streams).score)
    assert figures.chrf == pytest.approx(sacrebleu.corpus_chrf(FOUND, streams).score)
    assert figures.bleu_signature.startswith("nrefs:var|case:mixed|eff:no|tok:13a|smooth:exp|version:")
    assert figures.exact == pytest.approx(1 / 3)
    assert count_texts(["a"], [["a"]]).exact == 1.0
    assert count_texts([], []).bleu == 0.0


def test_both_forms_of_an_accent_are_the_same_text():
    right = [["le café est fermé cet été", "café fermé"], ["à la plage"], ["oui"]]
    found = ["le café est fermé à l’été", "la plage", "oui"]
    expected = count_texts(found, right)
    apart = [[unicodedata.normalize("NFD", text) for text in texts] for texts in right]
    assert count_texts(found, apart) == expected
    assert count_texts([unicodedata.normalize("NFD", text) for text in found], right) == expected
    assert count_texts([texts[0] for texts in apart], right).bleu == pytest.approx(100.0)
    assert count_texts(["été", apart[1][0], "e\u0301te\u0301"], [["x"]] * 3).distinct_1 == 0.8


def test_distinct_is_the_share_of_different_ngrams():
    assert distinct(["a b a", "b"], 1) == pytest.approx(2 / 4)
    assert distinct(["a b a b"], 2) == pytest.approx(2 / 3)
    assert distinct(["", "a"], 2) == 0.0


def test_by_length_counts_every_text_once():
    sources = ["w " * n for n in (1, 5, 6, 10, 30, 31)]
    texts = [f"text number {i} is this one" for i in range(6)]
    found = bleu_by_length(sources, texts, [[text] for text in texts])
    assert [(name, count) for name, _, count in found] == [("1 to 5", 2), ("6 to 10", 2), ("26 and more", 2)]
    assert all(bleu == pytest.approx(100.0) for _, bleu, _ in found)
    assert bleu_by_length([], [], []) == []


@pytest.mark.parametrize(
    ("tried", "said"),
    [
        ([Tried(5, 1.0, 30.0, 9.0, 0.1), Tried(10, 1.0, 31.0, 20.0, 0.0)], "Recommended: --beam-width 10"),
        (
            [Tried(5, 1.0, 30.0, 9.0, 0.1), Tried(2, 1.0, 30.0, 4.0, 0.1)],
            "--beam-width 2 --length-penalty 1 is",
        ),
        (
            [Tried(5, 1.0, 30.0, 9.0, 0.1), Tried(10, 1.0, 30.1, 20.0, 0.0)],
            "None of the beams tried is better",
        ),
    ],
)
def test_the_advice_follows_the_figures(tried, said):
    told = advice(FaultShares(10, 30, 60), tried, 5, 1.0)
    assert said in told
    assert "33% of the errors are search errors" in told
    assert "nothing needs to change" in advice(FaultShares(9, 0, 0), tried, 5, 1.0)
    assert "90% of the errors are model errors" in advice(FaultShares(0, 1, 9), tried, 5, 1.0)

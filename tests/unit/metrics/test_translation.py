"""Translation scores against sacrebleu's, by length, and the advice on beam errors."""

import unicodedata
from dataclasses import replace

import pytest
import sacrebleu

from recurra.metrics.beam_errors import FaultShares
from recurra.metrics.translation import count_texts, distinct, score_of_texts, scores_by_length
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
    found = scores_by_length(sources, texts, [[text] for text in texts])
    assert [(one.lengths, one.texts) for one in found] == [("1 to 5", 2), ("6 to 10", 2), ("26 and more", 2)]
    assert all(one.score == pytest.approx(100.0) for one in found)
    assert scores_by_length([], [], []) == []


SHORT = ["5 May 1968", "July 26 1980", "May 68", "one two three four"]


def test_chrf_takes_the_place_of_bleu_for_short_references():
    found = ["5 May 1968", "July 2 1980", "Mai 68", "one two three four"]
    figures, streams = count_texts(found, [[text] for text in SHORT]), [SHORT]
    assert figures.score == score_of_texts(SHORT)
    assert figures.main() == {
        "chrf": pytest.approx(sacrebleu.corpus_chrf(found, streams).score), "exact": 0.5,
    }  # fmt: skip
    assert figures.sentence() == f"chrF {figures.chrf:.2f}, exact 50.00%, 4 texts"
    (note,) = figures.score.notes()
    assert note == "75% of the references have fewer than 4 words, so chrF is reported instead of BLEU"
    assert figures.to_dict()["short_references"] == 0.75
    (alone,) = scores_by_length(["w"] * 4, found, [[text] for text in SHORT])
    assert (alone.score, alone.exact, alone.texts) == (figures.chrf, 0.5, 4)


def test_words_are_counted_as_bleu_counts_them():
    """An ISO date has five of them; half of the references do not decide."""
    assert score_of_texts(["1968-05-05", "2001-12-31"]).figure == "bleu"
    assert score_of_texts(["yes, I do", "a b c"]).short == 0.5
    assert score_of_texts(["yes, I do", "a b c"]).figure == "bleu"
    assert score_of_texts(["a b c", "a b c d", ""]).figure == "chrf"
    assert score_of_texts([]).figure == "bleu"
    figures = count_texts(["1968-05-05"], [["1968-05-05"]])
    assert list(figures.main()) == ["bleu", "exact"]
    assert "short_references" not in figures.to_dict()


def tried(width, bleu, seconds, share, references=("a b c d",)):
    figures = count_texts(references, [[text] for text in references])
    return Tried(width, 1.0, replace(figures, bleu=bleu, chrf=bleu), seconds, share)


@pytest.mark.parametrize(
    ("every", "said"),
    [
        ([tried(5, 30.0, 9.0, 0.1), tried(10, 31.0, 20.0, 0.0)], "Recommended: --beam-width 10"),
        (
            [tried(5, 30.0, 9.0, 0.1), tried(2, 30.0, 4.0, 0.1)],
            "--beam-width 2 --length-penalty 1 is",
        ),
        (
            [tried(5, 30.0, 9.0, 0.1), tried(10, 30.1, 20.0, 0.0)],
            "None of the beams tried is better",
        ),
    ],
)
def test_the_advice_follows_the_figures(every, said):
    told = advice(FaultShares(10, 30, 60), every, 5, 1.0)
    assert said in told
    assert "33% of the errors are search errors" in told
    assert "nothing needs to change" in advice(FaultShares(9, 0, 0), every, 5, 1.0)
    assert "90% of the errors are model errors" in advice(FaultShares(0, 1, 9), every, 5, 1.0)
    short = [tried(5, 30.0, 9.0, 0.1, ["a b"]), tried(10, 31.0, 20.0, 0.0, ["a b"])]
    assert "(chrF 31.00 instead of 30.00" in advice(FaultShares(10, 30, 60), short, 5, 1.0)

"""A word is letters with their combining marks, in every script and in both normal forms."""

import re
import sys
import unicodedata

import pytest

from recurra.data.misspellings import WORD
from recurra.text import EOS, UNK, Vocabulary, WordTokenizer
from recurra.text.word_encoder import WordEncoder, WordForms
from recurra.text.words import composed, composed_chunks, is_in_word, marks, plain_words

WORDS = [
    "नमस्ते",  # Hindi, with vowel signs and a virama
    "வணக்கம்",  # Tamil
    "مُحَمَّد",  # Arabic with vowels
    "שָׁלוֹם",  # Hebrew with points
    "می‌خواهم",  # Persian, with a zero-width non-joiner
    "Tiếng",  # Vietnamese
    unicodedata.normalize("NFD", "naïveté"),
    "l’été",
    "don't",
    "葛\U000e0100城",  # Japanese, with a variation selector
]


@pytest.mark.parametrize("word", WORDS)
def test_a_word_is_never_cut_at_a_mark(word):
    for text in (word, f"({word}, {word}!)"):
        assert [one for one in plain_words(text, "punctuation") if len(one) > 1] == [word] * text.count(word)
        assert WORD.findall(text) == [word] * text.count(word)
    characters = plain_words(word, "characters")
    assert "".join(characters) == word
    assert not any(unicodedata.category(one[0]).startswith("M") for one in characters)


def test_every_mark_belongs_to_its_letter():
    every = "".join(
        chr(code) for code in range(sys.maxunicode + 1) if unicodedata.category(chr(code)).startswith("M")
    )
    assert re.fullmatch(f"[{marks()}]+", every)
    assert plain_words(f"a{every}b", "punctuation") == [f"a{every}b"]
    assert plain_words(f"a{every}b", "characters") == [f"a{every}", "b"]
    assert plain_words("1\ufe0f\u20e3 *\ufe0f\u20e3", "punctuation") == ["1\ufe0f\u20e3", "*\ufe0f\u20e3"]


def test_letters_after_a_number_belong_to_it():
    told = plain_words("3rd 12.5kg a1 10:30pm x_y 5,000. the 1980's (a-b)", "punctuation")
    assert " ".join(told) == "3rd 12.5kg a1 10:30pm x_y 5,000 . the 1980's ( a - b )"
    assert plain_words("5\u0304th 5\u0304", "punctuation") == ["5\u0304th", "5\u0304"]


def test_both_forms_of_an_accent_are_one():
    apart = unicodedata.normalize("NFD", "café")
    assert composed(apart) == "café"
    assert WordForms().of(apart) == WordForms().of("café")


def test_both_forms_of_an_accent_are_one_to_a_word_encoder():
    words = ["été", "Éloge", "cafés", "ete"]
    apart = [unicodedata.normalize("NFD", word) for word in words]
    encoder, other = WordEncoder.count([words]), WordEncoder.count([apart])
    for name in ("words", "characters", "trigrams"):
        assert getattr(other, name) == getattr(encoder, name)
    for word, same in zip(words, apart, strict=True):
        assert encoder.encode(same) == encoder.encode(word)
    assert encoder.encode("ete").characters != encoder.encode("été").characters


def test_both_forms_of_an_accent_are_one_word_of_a_tokenizer():
    line = "un café à l’été cafe"
    apart = unicodedata.normalize("NFD", line)
    tokenizer = WordTokenizer.count([f"{line}\n"])
    assert WordTokenizer.count([f"{apart}\n"]).vocabulary == tokenizer.vocabulary
    assert tokenizer.encode_line(apart) == tokenizer.encode_line(line)
    assert tokenizer.decode(tokenizer.encode_line(apart)) == line
    assert tokenizer.pieces(apart) == apart.split()


def test_a_vocabulary_with_words_in_other_forms_is_searched_in_both():
    apart = unicodedata.normalize("NFD", "été")
    tokenizer = WordTokenizer(Vocabulary([UNK, EOS, apart, "cafe\u0301", "café"]))
    assert tokenizer.encode_line(f"été {apart} café cafe\u0301 ete") == [2, 2, 4, 3, 0]
    assert tokenizer.decode([2]) == apart


def test_chunks_are_composed_wherever_they_end():
    text = unicodedata.normalize("NFD", "un été\n\nà la gare\nété")
    for size in range(1, len(text) + 1):
        chunks = [text[at : at + size] for at in range(0, len(text), size)]
        assert "".join(composed_chunks(chunks)) == composed(text)


def test_what_can_be_inside_a_word():
    assert all(map(is_in_word, ["a", "é", "\u0301", "\u094d", "\u200c", "7"]))
    assert not any(map(is_in_word, ["", " ", ".", "-", "\n"]))

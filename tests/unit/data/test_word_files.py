"""Reading of a text into sentences of word ids."""

import random
from types import SimpleNamespace

import numpy as np
import pytest

from recurra.data import TextSource
from recurra.data.word_files import WordReading, count_words, find_phrases, open_words

TEXT = (
    "Der Fluß fließt\n\n  caf\u0065\u0301 ΟΔΟΣ a\u00a0b\x1cc \r x\n"
    + "w " * 7
    + "\nNew York is New York\nlast line"
)


def in_chunks(text, *, seed):
    """A source that gives a text in chunks of random sizes."""
    cuts = sorted(random.Random(seed).choices(range(len(text) + 1), k=9))
    parts = [text[begin:end] for begin, end in zip([0, *cuts], [*cuts, len(text)], strict=True)]
    return SimpleNamespace(chunks=lambda: iter([part for part in parts if part]))


def sentences_of(text, reading, longest):
    """The sentences, line by line."""
    found = []
    for line in text.split("\n"):
        words = WordReading(reading.split, reading.lowercase).words(line)
        parts = [words[at : at + longest] for at in range(0, len(words), longest)]
        found += [reading.joined(part) for part in parts]
    return found


READINGS = [
    WordReading(),
    WordReading("punctuation", lowercase=True),
    WordReading("characters"),
    WordReading(phrases=(frozenset({("New", "York")}), frozenset({("is", "New_York")}))),
]


@pytest.mark.parametrize("reading", READINGS)
@pytest.mark.parametrize("longest", [2, 3, 1000])
def test_words_do_not_depend_on_the_chunks(tmp_path, reading, longest):
    expected = sentences_of(TEXT, reading, longest)
    counts = {word: sum(each.count(word) for each in expected) for each in expected for word in each}
    vocabulary = sorted(counts)[::2]  # every other word is unknown
    ids = {word: id_ for id_, word in enumerate(vocabulary)}
    known = [[ids[word] for word in each if word in ids] for each in expected]
    (tmp_path / "text.txt").write_text(TEXT, newline="")
    whole = open_words(TextSource(tmp_path / "text.txt"), reading, ids, "symbols", longest)
    tokens = [whole.tokens[a:b].tolist() for a, b in zip(whole.starts, whole.starts[1:], strict=False)]
    assert tokens == [each for each in known if each]
    assert whole.words == sum(counts.values())
    for seed in range(10):
        assert count_words(in_chunks(TEXT, seed=seed), reading, longest) == counts


def test_no_pair_is_a_phrase_across_a_cut_or_a_line():
    text = "new york\n" * 5 + "new\nyork\n" * 5 + "x y z new york z\n" * 5
    how = {"min_count": 1, "threshold": 0.1}
    source = in_chunks(text, seed=1)
    assert ("new", "york") in find_phrases(source, WordReading(), 1000, **how)
    apart = in_chunks("a b c new york\n" * 20, seed=1)
    assert ("new", "york") not in find_phrases(apart, WordReading(), 4, **how)
    assert ("new", "york") in find_phrases(apart, WordReading(), 5, **how)


def test_a_line_larger_than_many_chunks_is_cut(tmp_path):
    path = tmp_path / "line.txt"
    path.write_text("one two three " * 100_000)  # 1.4 MB, one line, no line end
    found = open_words(TextSource(path), WordReading(), {"one": 0, "three": 1}, "x", 1000)
    assert found.words == 300_000
    assert np.diff(found.starts).sum() == 200_000
    assert set(np.diff(found.starts).tolist()) <= {666, 667}

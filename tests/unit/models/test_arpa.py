"""ARPA files: round trips, a worked example, and every error reported with its line."""

import gzip
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recurra.errors import ConfigError, DataError
from recurra.models.ngram import NGramModel, read_arpa, write_arpa

SYMBOLS = ["<eos>", "<unk>", "the", "cat", "sat"]
BY_HAND = """\
made by hand

\\data\\
ngram 1=5
ngram 2=4
ngram 3=1

\\1-grams:
-99\t<s>\t-0.30103
-1\t<unk>
-0.60206\tthe\t-0.4771213
-0.60206\tcat\t-0.30103
-0.90309\t</s>

\\2-grams:
-0.1\t<s> the\t-0.2
-0.2\tthe cat\t0.05
-0.3\tcat </s>
-0.4\tcat the

\\3-grams:
-0.05\t<s> the cat

\\end\\
"""


def stream(lines):
    ids = np.array([token for line in lines for token in (*line, 0)], dtype=np.int64)
    return ids, np.cumsum([0, *[len(line) + 1 for line in lines][:-1]])


lines_of = st.lists(st.lists(st.integers(1, 4), max_size=6), min_size=1, max_size=10)


@settings(deadline=None)
@given(lines_of, st.integers(1, 4), st.sampled_from(["kneser-ney", "witten-bell"]), st.integers(0, 1))
def test_what_is_written_is_read(tmp_path_factory, lines, order, smoothing, cutoff):
    ids, starts = stream(lines)
    model = NGramModel.fit(ids, 5, order, smoothing, starts=starts, start_id=0, cutoffs=[cutoff])
    path = tmp_path_factory.mktemp("arpa") / "model.arpa"
    write_arpa(path, model, SYMBOLS)
    again, symbols = read_arpa(path)
    assert sorted(symbols) == sorted(SYMBOLS)
    assert [len(table) for table in again.tables] == [len(table) for table in model.tables]
    to_read = np.array([symbols.index(symbol) for symbol in SYMBOLS])
    np.testing.assert_allclose(again.log_probs(to_read[ids], starts), model.log_probs(ids, starts), atol=1e-5)
    np.testing.assert_allclose(
        again.next_probs(to_read[[0, 2, 3]])[to_read], model.next_probs([0, 2, 3]), rtol=1e-5, atol=1e-9
    )


@pytest.mark.parametrize("packed", [False, True])
def test_worked_example(tmp_path, packed):
    path = tmp_path / "hand.arpa"
    path.write_bytes(gzip.compress(BY_HAND.encode()) if packed else BY_HAND.encode())
    model, symbols = read_arpa(path)
    assert symbols == ["<eos>", "<unk>", "the", "cat"]
    assert model.order == 3
    ids = [symbols.index(word) for word in ("the", "cat", "the", "<unk>", "<eos>")]
    # the | <s>;  cat | <s> the;  the | the cat: backs off once from "the cat";
    # <unk> | cat the: "cat the" has no back-off, "the" has;  </s> | the <unk>: of nothing seen.
    expected = [-0.1, -0.05, 0.05 - 0.4, -0.4771213 - 1, -0.90309]
    np.testing.assert_allclose(model.log_probs(ids) / math.log(10), expected, atol=1e-6)


def test_symbols_with_spaces_are_escaped(tmp_path):
    symbols = ["\n", " ", "a", "\\*\\*", "\\u000041"]
    ids = np.random.default_rng(0).integers(0, 5, 200)
    model = NGramModel.fit(ids, 5, 3, "kneser-ney", start_id=0)
    write_arpa(tmp_path / "chars.arpa", model, symbols)
    text = (tmp_path / "chars.arpa").read_text()
    assert "\\u00000a" in text
    assert "\t\\*\\*" in text  # under the name that other programs use
    again, read = read_arpa(tmp_path / "chars.arpa")
    assert read == [*symbols, "<unk>"]
    np.testing.assert_allclose(again.log_probs(ids)[2:], model.log_probs(ids)[2:], atol=1e-4)


@pytest.mark.parametrize("blank", ["\u00a0", "\u0085", "\u2028", "\u3000", "\x0c"])
def test_only_blanks_and_tabs_separate_fields(tmp_path, blank):
    path = tmp_path / "blanks.arpa"
    dog = f"10{blank}000"
    text = BY_HAND.replace("cat", blank).replace("ngram 1=5", "ngram 1=6").replace("ngram 2=4", "ngram 2=5")
    text = text.replace("-0.90309\t</s>", f"-0.90309 \t </s>\n-1.5\t{dog}")
    path.write_text(text.replace("-0.4\t", f"-0.5\tthe  {dog} \n-0.4\t"))
    model, symbols = read_arpa(path)
    assert symbols == ["<eos>", "<unk>", "the", blank, dog]
    ids = [symbols.index(word) for word in ("the", blank, "the", dog)]
    expected = [-0.1, -0.05, 0.05 - 0.4, -0.5]
    np.testing.assert_allclose(model.log_probs(ids) / math.log(10), expected, atol=1e-6)
    again = tmp_path / "again.arpa"
    write_arpa(again, model, symbols)
    assert read_arpa(again)[1] == symbols


def test_add_k_has_no_arpa_form(tmp_path):
    model = NGramModel.fit([0, 1], 2, 2, "add-k")
    with pytest.raises(ConfigError, match="does not back off"):
        write_arpa(tmp_path / "no.arpa", model, ["a", "b"])
    assert not (tmp_path / "no.arpa").exists()


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ("\\data\\", "\\date\\", r"ends after line 24, expected \\data\\"),
        ("ngram 1=5", "ngram 2=5", r":4: got 'ngram 2=5', expected `ngram 1=COUNT`"),
        ("ngram 2=4", "ngram 2=5", r":21: got .*3-grams.*, expected log10 P, 2 tokens"),
        ("ngram 2=4", "ngram 2=3", r"expected \\3-grams: \(the header lists fewer"),
        ("-0.2\tthe cat", "x\tthe cat", r":17: got .*, expected a number"),
        ("-0.2\tthe cat", "0.2\tthe cat", r":17: got log10 P 0.2, expected at most 0"),
        ("-0.2\tthe cat", "nan\tthe cat", r":17: got log10 P nan"),
        ("-0.2\tthe cat", "-0.2\tthe dog", r":17: 'dog' is not among the 1-grams"),
        ("-0.2\tthe cat", "-0.1\t<s> the", r":17: the n-gram is listed twice"),
        ("-0.4\tcat the", "-0.4\tcat <s>", r":19: <s> is at position 2 of 2"),
        ("-0.4\tcat the", "-0.4\t</s> the", r":19: </s> is at position 1 of 2"),
        ("<s> the cat", "cat cat cat", r":22: its first 2 tokens are not among the 2-grams"),
        ("-0.60206\tcat", "-0.60206\tthe", r":12: 'the' is listed twice"),
        ("\\end\\\n", "", r"ends after line 23, expected \\end\\; it is truncated"),
        ("\\end\\\n", "-1 a b c\n", r":24: got '-1 a b c', expected \\end\\"),
    ],
)
def test_faults_are_named_with_their_line(tmp_path, old, new, sentence):
    path = tmp_path / "bad.arpa"
    path.write_text(BY_HAND.replace(old, new, 1))
    with pytest.raises(DataError, match=sentence):
        read_arpa(path)


@settings(deadline=None, max_examples=60)
@given(st.integers(0, len(BY_HAND) - 6))
def test_a_file_cut_short_is_refused(tmp_path_factory, end):
    path = tmp_path_factory.mktemp("arpa") / "cut.arpa"
    path.write_text(BY_HAND[:end] or "\n")
    with pytest.raises(DataError, match=r"cut\.arpa"):
        read_arpa(path)


def test_symbols_that_look_like_the_ends_of_lines_are_escaped(tmp_path):
    symbols = ["<eos>", "<unk>", "<s>", "</s>"]
    ids = np.array([0, 2, 3, 1, 0, 3, 2, 0] * 5)
    starts = np.flatnonzero(ids[:-1] == 0) + 1
    model = NGramModel.fit(ids, 4, 2, "witten-bell", starts=starts, start_id=0)
    write_arpa(tmp_path / "a.arpa", model, symbols)
    read, names = read_arpa(tmp_path / "a.arpa")
    assert sorted(names) == sorted(symbols)
    assert read.order == 2
    text = (tmp_path / "a.arpa").read_text()
    assert text.count("\t<s>\t") == 1
    assert "\\u00003cs>" in text
    assert "\\u00003c/s>" in text

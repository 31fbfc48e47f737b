"""The spelling corrector, with each unit of the context model and without one; files, figures, command."""

import json
import re
import time
import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

import recurra
from recurra.cli.main import app
from recurra.data.misspellings import WORD, count_words, learnable, read_misspellings
from recurra.data.prose import words_of_prose
from recurra.errors import ConfigError, DataError
from recurra.metrics import SpellingFigures
from recurra.tasks.language_modeling.spelling import (
    Change,
    Correction,
    SpellingCorrector,
    SpellingOptions,
    evaluate_text,
    evaluate_words,
)

TEXT = (
    "the letter came from the king\nshe came from the town\nhe filled in the form today\n"
    "the form was long\nthey came from the sea\nThe king came from the north\n"
) * 20
TINY_GRU = {"cell": "gru", "hidden_size": 16, "num_layers": 1, "batch_size": 4, "segment_length": 12}
OPTIONS = {
    "char": {"unit": "char", "model": "ngram", "order": 6},
    "word": {"unit": "word", "model": "ngram", "order": 4},
    "gru": {"unit": "word", "epochs": 6, "dropout": 0.0, "learning_rate": 0.03, **TINY_GRU},
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("spelling")
    (path / "text.txt").write_text(TEXT)
    return path


@pytest.fixture(scope="module", params=[*OPTIONS])
def model(request, folder):
    return recurra.LanguageModel.train(
        folder / "text.txt", out=folder / request.param, **OPTIONS[request.param]
    )


@pytest.fixture(scope="module")
def run(folder):
    """A run of a word-level model, for the command line."""
    return recurra.LanguageModel.train(folder / "text.txt", out=folder / "run", **OPTIONS["word"]).run.path


@pytest.fixture(scope="module")
def in_context(model):
    return SpellingCorrector(count_words([TEXT]), model)


@pytest.fixture(scope="module")
def alone():
    """Without a model: each word is corrected separately."""
    return SpellingCorrector(count_words([TEXT]))


def test_a_word_that_is_none_is_mended(in_context, alone):
    for corrector in (in_context, alone):
        found = corrector.correct("Teh king caem from teh town")
        assert found.text == "The king came from the town"
        assert found.changes == (Change("Teh", "The", 0), Change("caem", "came", 9), Change("teh", "the", 19))


@pytest.mark.parametrize(
    ("typed", "right"),
    [
        ("she came form the town", "she came from the town"),
        ("he filled in the from today", "he filled in the form today"),
    ],
)
def test_a_wrong_word_that_is_one_is_mended_only_in_context(in_context, alone, typed, right):
    assert in_context.correct(typed).text == right
    assert in_context.correct(right) == Correction(right, ())
    assert alone.correct(typed) == Correction(typed, ())


def test_caution_holds_back_changes_of_known_words(in_context):
    model, words = in_context.model, count_words([TEXT])
    for options in (SpellingOptions(caution=50.0), SpellingOptions(known_edits=0)):
        careful = SpellingCorrector(words, model, options=options)
        assert careful.correct("she came form teh town").text == "she came form the town"


@pytest.mark.parametrize(
    ("typed", "right"),
    [("teh", "the"), ("Teh", "The"), ("TEH", "THE"), ("Kign", "King"), ("T", "T"), ("", "")],
)
def test_the_case_is_kept(alone, typed, right):
    assert alone.correct_word(typed) == right
    assert alone.correct(typed).text == right


def test_a_word_like_no_other_is_left_alone(in_context, alone):
    for corrector in (in_context, alone):
        assert corrector.correct("the xyzzyx").text == "the xyzzyx"


@pytest.mark.parametrize("line", ["", "   ", "12 %, 7-8!", "\t--\u2014\u00a0"])
def test_a_line_without_words_stays_as_it_is(in_context, alone, line):
    assert in_context.correct(line) == alone.correct(line) == Correction(line, ())


def test_a_literal_end_of_a_line_is_a_word_like_any_other(in_context):
    found = in_context.correct("Teh king <eos> caem from teh town")
    assert found.text == "The king <eos> came from the town"


def test_digits_punctuation_and_blanks_are_kept(in_context, alone):
    line = "  (Teh)  king,\tcame 1,234.5% - from/teh\u00a0town_2 !?  "
    for corrector in (in_context, alone):
        found = corrector.correct(line)
        assert WORD.split(found.text) == WORD.split(line)
        assert line != alone.correct(line).text == line.replace("Teh", "The").replace("teh", "the")


@settings(max_examples=40)
@given(st.text("tehformTEHo 12.,'_-\t(\u00e9", max_size=25))
def test_between_the_words_nothing_changes_and_every_change_is_told(in_context, line):
    found = in_context.correct(line)
    assert WORD.split(found.text) == WORD.split(line)
    text = line
    for change in reversed(found.changes):
        assert change.typed != change.corrected
        assert text[change.start :].startswith(change.typed)
        text = text[: change.start] + change.corrected + text[change.start + len(change.typed) :]
    assert text == found.text


def test_a_line_of_100_000_characters(model, in_context, alone):
    line = ("teh king came form the town " * 3600)[:99_999]
    assert len(line + "x") == 100_000
    assert alone.correct(line + "x").text.count("the king came form") == 3571
    if model.config.unit == "word":
        line = "Teh king came" + " " * 99_000 + "form the town" + "!" * 987
        assert in_context.correct(line).text == line.replace("Teh", "The").replace("form", "from")
    else:
        line = "Teh king" + "?" * 99_992
        assert in_context.correct(line).text == line.replace("Teh", "The")


def test_several_lines_and_a_backward_model_are_refused(alone, folder):
    with pytest.raises(ConfigError, match="several lines"):
        alone.correct("the king\ncame")
    backward = recurra.LanguageModel.train(
        folder / "text.txt", out=folder / "backward", direction="backward", **OPTIONS["word"]
    )
    with pytest.raises(ConfigError, match="the model reads backward"):
        SpellingCorrector({"the": 1}, backward)


@pytest.mark.parametrize("counts", [{}, {"x": 4}])
def test_without_words_there_is_nothing_to_correct_to(counts):
    with pytest.raises(DataError, match="the word list is empty"):
        SpellingCorrector(counts)


@pytest.mark.parametrize(
    "options",
    [
        {"max_edits": 0},
        {"max_edits": 5},
        {"known_edits": 3},
        {"known_edits": -1},
        {"candidates": 0},
        {"width": 0},
        {"caution": -0.1},
        {"context": -1.0},
    ],
)
def test_options_that_cannot_be_are_refused(options):
    with pytest.raises(ConfigError, match="spelling: "):
        SpellingOptions(**options)


def test_words_are_counted_in_small_letters_over_the_ends_of_chunks():
    counts = count_words(["The ca", "t's 2 hats\nthe C", "AT\nHa", "ts"])
    assert counts == {"the": 2, "cat's": 1, "hats": 2, "cat": 1}


def test_misspellings_are_read_in_both_formats(tmp_path):
    path = tmp_path / "pairs.txt"
    path.write_text("the: teh hte\n\ncame : caem\n$a_lot\nalot\na_lott\r\n$king\nkign\nform: from\n")
    assert read_misspellings(path) == [
        ("the", "teh"), ("the", "hte"), ("came", "caem"), ("a lot", "alot"), ("a lot", "a lott"),
        ("king", "kign"), ("form", "from"),
    ]  # fmt: skip
    assert learnable([*read_misspellings(path), ("The", "TEH"), ("king", "kg"), ("king", "xqyz")]) == [
        ("the", "teh"), ("the", "hte"), ("came", "caem"), ("king", "kign"), ("form", "from"),
        ("the", "teh"), ("king", "kg"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("stray\n", r"pairs\.txt:1: got 'stray', expected"),
        ("the: teh\n\nstray\n", r"pairs\.txt:3: got 'stray'"),
        ("$the\nteh\nking: kign\nstray\n", r"pairs\.txt:4: got 'stray'"),
        ("$the\n$king\n", "contains no misspellings"),
        ("the:\n", "contains no misspellings"),
    ],
)
def test_a_file_of_misspellings_that_cannot_be_is_refused(tmp_path, content, told):
    path = tmp_path / "pairs.txt"
    path.write_text(content)
    with pytest.raises(DataError, match=told):
        read_misspellings(path)


def test_figures_of_words_are_those_counted_by_hand(alone):
    # teh, TEH and kign are corrected; "from" is itself a word; no word is near qqqqqq.
    pairs = [("the", "teh"), ("The", "TEH"), ("king", "kign"), ("form", "from"), ("long", "qqqqqq")]
    figures = evaluate_words(alone, pairs)
    assert figures == SpellingFigures(misspelt=5, mended=3, right=0, left_alone=0)
    assert figures.accuracy == 0.6
    assert figures.sentence() == "60.0% of 5 misspelt words corrected"


def test_figures_of_a_text_are_those_counted_by_hand(alone):
    # Three of seven words have misspellings, and one in two words is to be replaced, so all three are. Both
    # "the" are corrected, "long" is not; of the other four, "cam", which is not a word, is changed.
    lines = ["the king cam", "", "12 %", "The form was long!"]
    pairs = [("the", "teh"), ("long", "qqqqqq"), ("long", "long"), ("town", "twon"), ("was", "w as")]
    figures = evaluate_text(alone, lines, pairs, one_in=2, seed=5)
    assert figures == SpellingFigures(misspelt=3, mended=2, right=4, left_alone=3)
    assert figures.to_dict() == {
        "misspelt": 3, "mended": 2, "right": 4, "left_alone": 3, "accuracy": 2 / 3, "specificity": 0.75,
    }  # fmt: skip
    assert (
        figures.sentence() == "66.7% of 3 misspelt words corrected, 75.00% of 4 correct words left unchanged"
    )


def test_one_word_in_so_many_is_replaced_and_one_seed_draws_one_way(alone):
    lines = ["the king came from the town", "the form was long"] * 3
    pairs = [("the", "teh"), ("the", "qqqqqq")]
    figures = [evaluate_text(alone, lines, pairs, one_in=10, seed=seed) for seed in range(12)]
    assert {one.misspelt for one in figures} == {3}
    assert {one.right for one in figures} == {27}
    assert {one.left_alone for one in figures} == {27}
    assert len({one.mended for one in figures}) > 1
    assert figures[4] == evaluate_text(alone, lines, pairs, one_in=10, seed=4)
    assert evaluate_text(alone, lines, pairs, one_in=1).misspelt == 9
    assert evaluate_text(alone, lines, pairs, one_in=31) == SpellingFigures(0, 0, 30, 30)
    assert evaluate_text(alone, [], pairs).to_dict()["accuracy"] == 0


def test_figures_in_context_find_wrong_words_that_are_words(in_context):
    lines = ["she came from the town", "he filled in the form today"]
    pairs = [("from", "form"), ("form", "from")]
    figures = evaluate_text(in_context, lines, pairs, one_in=5)
    assert figures == SpellingFigures(misspelt=2, mended=2, right=9, left_alone=9)


@pytest.fixture
def typed(tmp_path):
    path = tmp_path / "typed.txt"
    path.write_text("Teh king came form the sea.\n\nthe form was long\n")
    return path


@pytest.fixture
def pairs(tmp_path):
    path = tmp_path / "pairs.txt"
    path.write_text("the: teh\nking: kign\nlong: qqqqqq\n")
    return path


def say(*arguments):
    result = CliRunner().invoke(app, [str(one) for one in arguments], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout


def test_the_command_corrects_a_file_and_explains(run, typed):
    assert say("spell", run, typed, "--explain").splitlines() == [
        "The king came from the sea.", "  0: Teh -> The", "  14: form -> from", "", "the form was long",
    ]  # fmt: skip


def test_the_command_prints_json(run, typed):
    records = [json.loads(line) for line in say("spell", run, typed, "--json").splitlines()]
    assert [one["text"] for one in records] == ["The king came from the sea.", "", "the form was long"]
    assert records[0]["changes"][1] == {"typed": "form", "corrected": "from", "start": 14}
    assert records[2]["changes"] == []


def test_the_command_knows_its_options(run, typed, pairs, tmp_path):
    assert say("spell", run, typed, "--no-context").startswith("The king came form the sea.\n")
    assert say("spell", run, typed, "--caution", 40).startswith("The king came form the sea.\n")
    assert say("spell", run, typed, "--errors", pairs).startswith("The king came from the sea.\n")
    words = tmp_path / "words.txt"
    words.write_text("teh king came form the sea was long\n")
    assert say("spell", run, typed, "--words", words, "--no-context") == typed.read_text()


def test_the_command_measures(run, pairs, typed, tmp_path):
    figures = json.loads(say("spell", run, "--evaluate-words", pairs, "--json"))
    assert (figures["misspelt"], figures["mended"]) == (3, 2)
    assert say("spell", run, "--evaluate-words", pairs) == "66.7% of 3 misspelt words corrected\n"
    right = tmp_path / "right.txt"
    right.write_text("the form was long\nthe king came\n")
    told = ("spell", run, "--evaluate-text", right, "--misspellings", pairs, "--one-in", 2, "--no-context")
    assert json.loads(say(*told, "--json"))["misspelt"] == 3
    figures = json.loads(say(*told, "--json", "--lines", 1))
    assert (figures["misspelt"], figures["mended"], figures["right"]) == (2, 1, 2)


def test_a_text_to_measure_on_needs_misspellings(run, typed, recurra):
    done = recurra("spell", run, "--evaluate-text", typed)
    assert done.returncode == 2
    assert done.stdout == ""
    assert re.fullmatch(r"error: [^\n]*--misspellings[^\n]*name both\.\n", done.stderr)


def test_a_known_word_keeps_its_own_capitals():
    corrector = SpellingCorrector(count_words(["McDonald ate iPads\n"]))
    assert corrector.correct("McDonald ate iPads").changes == ()
    assert corrector.correct("MCDONALD Ate").changes == ()


def test_a_letter_whose_small_form_has_a_mark_is_left_as_it_is():
    counts = count_words(["İstanbul is big\n"] * 3)
    assert set(counts) == {"is", "big", "İstanbul".lower()}
    assert SpellingCorrector(counts).correct("İstanbul is bgi").text == "İstanbul is big"
    figures = evaluate_text(SpellingCorrector(counts), ["istanbul is big"] * 3, [("big", "bgi")], one_in=3)
    assert figures.misspelt == 3


def test_accents_in_either_form_are_one_letter():
    corrector = SpellingCorrector(count_words(["un café noir\n"] * 3))
    apart = unicodedata.normalize("NFD", "un café")
    assert corrector.correct(apart).changes == ()
    assert corrector.correct("un cafée").text == "un café"


@pytest.mark.parametrize("unit", ["char", "word"])
def test_context_reads_either_form_of_an_accent(tmp_path, unit):
    text = "il va à la gare\nil a passé un été ici\nelle a passe un ete là\n" * 30
    (tmp_path / "text.txt").write_text(text)
    model = recurra.LanguageModel.train(tmp_path / "text.txt", out=tmp_path / "run", **OPTIONS[unit])
    corrector = SpellingCorrector(count_words([text]), model)
    for line in ("il va à la gare", "il a passé un été ici", "À la gare"):
        for form in ("NFC", "NFD"):
            assert corrector.correct(unicodedata.normalize(form, line)).changes == ()
    apart = unicodedata.normalize("NFD", "il a passé un été iic")
    assert corrector.correct(apart).changes == (Change("iic", "ici", len(apart) - 3),)
    assert corrector.correct(apart).text == apart[:-3] + "ici"


@pytest.mark.parametrize(
    "kept",
    [
        "see https://exmaple.org/bgi?x=bgi",
        "write to bgi@bgi.org",
        "www.bgi.com",
        "@bgi and #bgi",
        "bgi2 and 3bgi",
        "a_bgi",
        "bgi.org/bgi",
        "ba\u0301g2 and 3ba\u0301g",
        "ba\u0301g_ and नमस्तो2",
        "ba\u0301g.org/bgi",
        "#ba\u0301g and &ba\u0301g;",
        "@ba\u0301g.bgi@ba\u0301g.org",
        "bgi@bgi.ba\u0301g",
        "bgi@bgi.org,bgi@bgi.org",
        "WWW.BGI.ORG",
        "bgi.org",
        "file:///bgi/bgi",
        "ssh://bgi",
        "mailto:bgi@localhost",
        "(bgi@localhost)",
        "'/usr/bgi/bgi.txt'",
        "~/bgi ./bgi ../bgi",
        r"C:\bgi\bgi",
        "C:/bgi",
        "bgi.py",
        "--bgi",
        "$bgi and ${bgi}",
        "&bgi; and &bgi_bgi;",
        "bgi's2",
        "bgi\u0301.com/x",
        "&\u0928\u092e\u0938\u094d\u0924\u094b;",
    ],
)
def test_addresses_code_and_what_has_digits_are_left_alone(kept):
    corrector = SpellingCorrector(count_words(["big is see write to and a bag org नमस्ते\n"] * 9))
    assert corrector.correct(f"{kept} bgi").text == f"{kept} big"


@pytest.mark.parametrize("sign", "2_")
def test_a_mark_does_not_end_the_word_of_a_digit(sign):
    corrector = SpellingCorrector(count_words(["नमस्ते cafés\n"] * 9))
    assert corrector.correct("नमस्तो cafe\u0301z").text == "नमस्ते cafés"
    for kept in (f"नमस्तो{sign}", f"{sign}नमस्तो", f"cafe\u0301z{sign}"):
        assert corrector.correct(kept).changes == ()


@pytest.mark.parametrize(
    "line",
    ["(bgi)", "big/bgi", "big.Bgi", "big...bgi", "1.bgi", "bgi-2", "16-bgi", "big,bgi;big:bgi", "$5/bgi"],
)
def test_prose_next_to_signs_is_corrected(line):
    corrector = SpellingCorrector(count_words(["big is see write to and a\n"] * 9))
    assert corrector.correct(line).text == line.replace("bgi", "big").replace("Bgi", "Big")


@pytest.mark.parametrize(
    "piece",
    ["a", "http", "a@", "@a", "a.", "a.A", "&", "&a", "/", "a/", "\\", "$", "#", "\u0301", "a\u0301", "a'",
     "_", "http://a ", "a1 ", "www.a ", "a@b.c ", "&a; ", "'"],
)  # fmt: skip
def test_finding_prose_costs_the_length_of_the_line(piece):
    """Sixteen times the length takes about 16 times as long; it would be 256 times if it were quadratic."""

    def seconds(length: int) -> float:
        line = "a" + piece * (length // len(piece)) + "!"
        begin = time.process_time()
        list(words_of_prose(line))
        return time.process_time() - begin

    short = min(seconds(2000) for _ in range(5))
    assert min(seconds(32_000) for _ in range(5)) < 80 * short + 0.004


def test_a_word_of_40000_letters_is_left_alone():
    corrector = SpellingCorrector(count_words(["the a banana\n"]))
    assert corrector.correct("a" * 40_000).changes == ()


def test_a_misspelling_of_nothing_is_refused(tmp_path):
    file = tmp_path / "errors.txt"
    file.write_text("the: teh\n: abc\n")
    with pytest.raises(DataError, match=r"errors\.txt:2: got ': abc', expected a word before the colon"):
        read_misspellings(file)

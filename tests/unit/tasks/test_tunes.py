"""Tunes: their definition; a model of a few tunes writes tunes; other programs can play them."""

import shutil
import subprocess

import pytest

import recurra
from recurra.data.tunes import is_tune, write_midi
from recurra.errors import ConfigError, DataError, StorageError
from recurra.tasks.language_modeling.tunes import sample_tune

BOOK = """\
X:1
T:The Open Door
M:4/4
L:1/8
K:G
GABc d2B2|c2A2 B2G2|GABc d2g2|f2d2 g4|

X:2
T:The Cold Well
M:4/4
L:1/8
K:D
d2fa f2d2|e2ge c4|d2fa g2f2|e2c2 d4|

X:3
T:A Walk to the Mill
M:3/4
L:1/8
K:C
c2e2g2|f2d2B2|c2e2d2|c6|

X:4
T:The Mill at Noon
M:3/4
L:1/8
K:G
G2B2d2|g2f2e2|d2B2A2|G6|

"""


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tunes")
    (folder / "tunes.abc").write_text(BOOK * 12)
    return recurra.LanguageModel.train(
        folder / "tunes.abc", out=folder / "run", model="ngram", unit="char", order=6, documents="blank"
    )


@pytest.fixture(scope="module")
def tune(model):
    return sample_tune(model, seed=3, temperature=0.5)


@pytest.mark.parametrize(
    "text",
    [
        "X:1\nK:C\nCDE\n\n",
        "X: 12 \nT:Name\n% said by nobody\nM:3/4\nK:Gmaj\ng2a|\n\n",
        'X:1\nK:C\nP:A\n"Am"A2 z2|\nw: la la\n\n',
        *[part + "\n\n" for part in BOOK.strip().split("\n\n")],
    ],
)
def test_these_are_tunes(text):
    assert is_tune(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\n\n",
        "X:1\nK:C\nCDE\n",  # no end
        "X:1\nCDE\n\n",  # no key
        "T:Name\nK:C\nCDE\n\n",  # no number
        "X:one\nK:C\nCDE\n\n",
        "T:Name\nX:1\nK:C\nCDE\n\n",  # the number is not first
        "X:1\nK:C\n\n",  # no notes
        "X:1\nK:C\nz4|z4|\n\n",  # rests only
        'X:1\nK:C\n"Am" z4|\n\n',  # the letters belong to a chord name
        "X:1\nK:C\nT:CDE\n\n",  # the letters belong to a title
        "X:1\nName\nK:C\nCDE\n\n",  # no field before the key
        "X:1\n\nK:C\nCDE\n\n",  # a blank line before the key
    ],
)
def test_these_are_none(text):
    assert not is_tune(text)


def test_a_model_of_tunes_writes_one(model, tune):
    assert tune.startswith("X:")
    assert tune.endswith("\n")
    assert "\n\n" not in tune
    assert is_tune(tune + "\n")
    assert is_tune(sample_tune(model) + "\n")


def test_one_seed_writes_one_tune(model, tune):
    assert tune == sample_tune(model, seed=3, temperature=0.5)
    assert len({sample_tune(model, seed=seed) for seed in range(6)}) > 1


def test_a_tune_goes_on_from_its_prime(model):
    prime = "X:9\nT:The Mill at Noon\nM:3/4\nL:1/8\nK:"
    written = sample_tune(model, prime, seed=1, temperature=0.5)
    assert written.startswith(prime)
    assert is_tune(written + "\n")


def test_a_prime_of_no_tune_is_given_up_after_some_tries(model):
    with pytest.raises(ConfigError, match="none of 20 samples is a complete tune"):
        sample_tune(model, "T:no number\nK:G\n", seed=1)


def test_other_models_are_refused(tmp_path, play):
    words = tmp_path / "words.txt"
    words.write_text(BOOK * 4)
    of_words = recurra.LanguageModel.train(words, out=tmp_path / "words", model="ngram", unit="word")
    of_prose = recurra.LanguageModel.train(play, out=tmp_path / "prose", model="ngram", unit="char")
    for model in (of_words, of_prose):
        with pytest.raises(ConfigError, match="needs a character model trained on tunes"):
            sample_tune(model)


def test_a_tune_is_written_as_midi(tune, tmp_path):
    pytest.importorskip("music21")
    path = tmp_path / "tune.mid"
    write_midi(tune, path)
    content = path.read_bytes()
    assert content.startswith(b"MThd")
    assert content.count(b"MTrk") >= 1
    with pytest.raises(StorageError):
        write_midi(tune, path / "tune.mid")
    with pytest.raises(DataError, match="the tune cannot be converted"):
        write_midi("", tmp_path / "empty.mid")
    assert not (tmp_path / "empty.mid").exists()


def test_another_program_plays_it(tune, tmp_path):
    program = shutil.which("abc2midi")
    if program is None:
        pytest.skip("no abc2midi here")
    source, path = tmp_path / "tune.abc", tmp_path / "tune.mid"
    source.write_text(tune)
    done = subprocess.run(
        [program, source, "-o", path], capture_output=True, text=True, timeout=30, check=False
    )
    assert "Error" not in done.stdout + done.stderr
    assert path.read_bytes().startswith(b"MThd")


@pytest.mark.parametrize("text", ["X:1\nK:C\nCDE\n\nX:2\nK:D\nDEF\n\n", "X:1\nK:C\nCDE\nX:2\nK:D\nDEF\n\n"])
def test_two_tunes_are_not_one(text):
    assert not is_tune(text)


def test_a_tune_without_length_and_metre_has_the_default_length(tmp_path):
    """Eighths, as in the standard: the tune lasts as long as the one that says so."""
    pytest.importorskip("music21")
    from music21 import converter

    lengths = []
    for name, head in (("none", ""), ("eighths", "L:1/8\n"), ("quarters", "L:1/4\n")):
        path = tmp_path / f"{name}.mid"
        write_midi(f"X:1\nT:A scale\n{head}K:C\nCDEF GABc|\n", path)
        lengths.append([float(note.quarterLength) for note in converter.parse(path).flatten().notes])
    assert lengths[0] == lengths[1] == [0.5] * 8
    assert lengths[2] == [1.0] * 8


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ("abcd" * 1001, r"4,004 characters of notes, more than 4,000"),
        ("ab|" * 251, r"251 bar lines, more than 250"),
        ("(a" * 51 + ")" * 51, r"more than 50 slurs that begin before one ends"),
        ("(a" * 51, r"more than 50 slurs"),
        ("a:|" * 5, r"too many repeats"),
    ],
)
def test_a_tune_that_would_take_minutes_is_refused(body, told, tmp_path):
    with pytest.raises(DataError, match=rf"x\.mid: the tune cannot be converted \({told}"):
        write_midi(f"X:1\nL:1/8\nK:C\n{body}\n", tmp_path / "x.mid")


def test_long_titles_and_slurs_that_end_are_no_fault(tmp_path):
    pytest.importorskip("music21")
    write_midi(f"X:1\nT:{'t' * 5000}\nL:1/8\nK:C\n{'(ab) (3abc' * 60}|\n", tmp_path / "x.mid")
    assert (tmp_path / "x.mid").read_bytes().startswith(b"MThd")


@pytest.mark.parametrize("wrong", ["M:41e999/4\nL:1/8\nK:G\nGABc|", "M:4/4\nL:1/8\nK:G\nl:GABc|A21e9992 G4|"])
def test_numbers_of_no_tune_are_refused_before_they_take_minutes(wrong, tmp_path):
    pytest.importorskip("music21")
    with pytest.raises(DataError, match="the tune cannot be converted"):
        write_midi(f"X:1\nT:A tune\n{wrong}\n", tmp_path / "x.mid")

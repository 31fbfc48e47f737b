"""`recurra data make trigger`: with espeak-ng where it is installed, and with a replacement for its sound."""

import math
import shutil
import struct
import wave

import numpy as np
import pytest
from typer.testing import CliRunner

from recurra.cli.main import app, main
from recurra.data.synthetic import trigger

needs_espeak = pytest.mark.skipif(shutil.which("espeak-ng") is None, reason="espeak-ng is not installed")
VOICES = ["en-us", "en-gb+f2", "en-gb+m3"]


def say(*arguments):
    result = CliRunner().invoke(app, ["data", "make", *map(str, arguments)], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout


def refused(monkeypatch, capsys, *arguments):
    monkeypatch.setattr("sys.argv", ["recurra", "data", "make", *map(str, arguments)])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    told = capsys.readouterr().err.strip()
    assert "Traceback" not in told
    assert len(told.splitlines()) == 1
    return told


def samples_of(path):
    with wave.open(str(path)) as file:
        assert (file.getnchannels(), file.getsampwidth(), file.getframerate()) == (1, 2, 16_000)
        return np.frombuffer(file.readframes(file.getnframes()), "<i2")


def index_of(folder):
    lines = (folder / "index.tsv").read_text(encoding="utf-8").splitlines()
    assert lines[0] == "path\tword\tgroup\tsaid\tspeed\tpitch"
    return [line.split("\t") for line in lines[1:]]


def content(folder):
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()
    }


@pytest.fixture
def sine_espeak(monkeypatch):
    """Speech is a sine of 1 kHz, 0.2 s long, between two silences, at 22,050 Hz, as from a pipe."""

    def run(*arguments):
        if arguments[0] == "--voices=en":
            return (
                b"Pty Language\n 2 en-gb --/M Great_Britain gmw/en\n 5 en-us --/M mbrola mb/mb-us2 (en 7)\n"
            )
        if arguments[0] == "--voices=variant":
            return b"Pty Language\n 5 variant --/F female2 !v/f2\n 5 variant --/M male3 !v/m3\n"
        sine = [round(9000 * math.sin(2 * math.pi * 1000 * t / 22050)) for t in range(4410)]
        data = struct.pack("<6410h", *([0] * 1500 + sine + [0] * 500))
        form = struct.pack("<IHHIIHH", 16, 1, 1, 22050, 44100, 2, 16)
        sizes = struct.pack("<I", 0x7FFFF024), struct.pack("<I", 0x7FFFF000)
        header = b"RIFF" + sizes[0] + b"WAVEfmt " + form + b"data" + sizes[1]
        return header + data

    monkeypatch.setattr(trigger, "_run", run)


def test_sound_is_decoded_resampled_trimmed_and_scaled(sine_espeak):
    samples = trigger.speak("hey", "en-gb")
    assert samples.dtype == np.float32
    assert len(samples) / 16_000 == pytest.approx(0.2, abs=0.005)
    assert np.abs(samples).max() == pytest.approx(0.5)
    spectrum = np.abs(np.fft.rfft(samples, 16_000))
    assert np.argmax(spectrum) == pytest.approx(1000, abs=5)


def test_each_phrase_has_a_folder_and_the_index_has_each_file(sine_espeak, tmp_path):
    (tmp_path / "others.txt").write_text("good morning\n\n  what   time is it \nhey robert\n")
    out = tmp_path / "spoken"
    told = say(
        "trigger", "-o", out, "--phrase", "Hey, Robin!", "--phrase", "hey robin", "--phrase", "negative",
        "--count", 2, "--other", tmp_path / "others.txt",
    )  # fmt: skip
    assert told == f"9 recordings in 3 voices: {out}\n"
    rows = index_of(out)
    assert {row[1] for row in rows if row[0].startswith("negative/")} == {""}
    assert {(row[0].split("/")[0], row[3]) for row in rows} == {
        *(("hey-robin", "Hey, Robin!"), ("hey-robin-2", "hey robin"), ("negative-2", "negative")),
        *(("negative", "good morning"), ("negative", "what time is it"), ("negative", "hey robert")),
    }
    assert content(out).keys() == {row[0] for row in rows} | {"index.tsv"}
    assert all(110 <= int(row[4]) <= 220 and 15 <= int(row[5]) <= 85 for row in rows)
    peaks = [np.abs(samples_of(out / row[0])).max() for row in rows]
    assert all(16_000 < peak <= 16_384 for peak in peaks)


def test_no_voice_speaks_twice_before_each_has_spoken(sine_espeak, tmp_path):
    rows = trigger.write_corpus(tmp_path / "a", 6, 1, phrases=["hey robin"], voices=VOICES)
    assert all({row.voice for row in half} == set(VOICES) for half in (rows[:3], rows[3:]))
    assert rows == trigger.write_corpus(tmp_path / "b", 6, 1, phrases=["hey robin"], voices=VOICES)
    assert rows != trigger.write_corpus(tmp_path / "c", 6, 2, phrases=["hey robin"], voices=VOICES)
    assert content(tmp_path / "a") == content(tmp_path / "b")
    (tmp_path / "text").write_text("good morning\n")
    row = trigger.write_corpus(tmp_path / "d", 1, 1, phrases="hey", others=str(tmp_path / "text"))[1]
    assert (row.word, row.said) == ("", "good morning")
    assert trigger.all_voices() == ["en-gb", "en-gb+f2", "en-gb+m3"]


def test_only_own_files_are_overwritten(sine_espeak, tmp_path, monkeypatch, capsys):
    out = tmp_path / "spoken"
    ask = ("trigger", "-o", out, "--phrase", "hey", "--count", 2)
    say(*ask)
    before = content(out)
    assert "already exists" in refused(monkeypatch, capsys, *ask, "--seed", 2)
    (out / "hey" / "mine.wav").write_bytes(b"mine")
    assert "contains hey/mine.wav" in refused(monkeypatch, capsys, *ask, "--seed", 2, "--overwrite")
    (out / "hey" / "mine.wav").unlink()
    assert content(out) == before
    say(*ask, "--count", 3, "--overwrite")
    assert len(index_of(out)) == 3
    assert [path.name for path in tmp_path.iterdir()] == ["spoken"]


def test_a_failure_leaves_nothing(sine_espeak, tmp_path, monkeypatch, capsys):
    run = trigger._run

    def silent_for_one(*arguments):
        said = run(*arguments)
        return said[:44] + bytes(len(said) - 44) if arguments[-1] == "hm" else said

    monkeypatch.setattr(trigger, "_run", silent_for_one)
    told = refused(
        monkeypatch,
        capsys,
        "trigger",
        "-o",
        tmp_path / "x",
        "--phrase",
        "hey",
        "--phrase",
        "hm",
        "--count",
        3,
    )
    assert "espeak-ng says nothing for 'hm'" in told
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("trigger",), "--phrase: is required for trigger"),
        (("trigger", "--phrase", "..."), "phrase: got '...', which has no words"),
        (("trigger", "--phrase", "hey", "--voice", "en-gb+zz"), "'en-gb+zz' has an unknown variant"),
        (("trigger", "--phrase", "hey", "--other", "missing.txt"), "missing.txt: "),
        (("trigger", "--phrase", "hey", "--other", "empty.txt"), "empty.txt: "),
        (("dates", "--phrase", "hey"), "--phrase: applies only to trigger"),
        (("dates", "--voice", "en"), "--voice: applies only to trigger"),
        (("dates", "--other", "empty.txt"), "--other: applies only to trigger"),
    ],
)
def test_bad_input(arguments, told, sine_espeak, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty.txt").write_text("\n")
    assert told in refused(monkeypatch, capsys, *arguments, "-o", "out")
    assert [path.name for path in tmp_path.iterdir()] == ["empty.txt"]


def test_without_espeak_the_command_that_installs_it_is_told(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("PATH", str(tmp_path))
    told = refused(monkeypatch, capsys, "trigger", "--phrase", "hey robin", "-o", tmp_path / "out")
    assert "needs the program espeak-ng; install it with `apt install espeak-ng`" in told
    assert not list(tmp_path.iterdir())


@needs_espeak
def test_espeak_speaks_in_voices_that_differ(tmp_path):
    ask = ("trigger", "--phrase", "hey robin", "--count", 12)
    say(*ask, "-o", tmp_path / "a")
    say(*ask, "-o", tmp_path / "b")
    say(*ask, "-o", tmp_path / "c", "--seed", 2)
    assert content(tmp_path / "a") == content(tmp_path / "b") != content(tmp_path / "c")
    rows = index_of(tmp_path / "a")
    assert len({row[2] for row in rows}) == 12
    sounds = [samples_of(tmp_path / "a" / row[0]) for row in rows]
    assert len({sound.tobytes() for sound in sounds}) == 12
    for sound in sounds:
        assert 0.3 < len(sound) / 16_000 < 2
        assert 16_000 < np.abs(sound).max() <= 16_384
        assert np.sqrt(np.mean(sound.astype(float) ** 2)) > 1000


@needs_espeak
def test_espeak_has_many_voices_and_refuses_unknown_ones(tmp_path, monkeypatch, capsys):
    voices = trigger.all_voices()
    assert len(set(voices)) == len(voices) > 100
    ask = ("trigger", "--phrase", "hallo", "--count", 1, "-o", tmp_path / "de")
    assert "espeak-ng -v klingonese failed" in refused(monkeypatch, capsys, *ask, "--voice", "klingonese")
    say(*ask, "--voice", "de+f2")
    assert index_of(tmp_path / "de")[0][2] == "de+f2"
    slow, fast = (len(trigger.speak("hey robin", "en-us", speed)) for speed in (110, 220))
    assert slow > 1.4 * fast

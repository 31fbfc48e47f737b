"""A detector is trained, listens to streams of any kind, and learns from its false alarms."""

import json
import subprocess
import sys
import wave

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

import recurra as rc
from recurra.audio.files import write_recording
from recurra.cli.main import app
from recurra.data.readers.recordings import read_recordings
from recurra.errors import ConfigError, DataError, RunError, StorageError
from recurra.tasks.detection.scoring import prepare, probabilities

pytest.importorskip("soundfile", reason="soundfile reads the recordings")

RATE = 16_000
OPTIONS = {
    "hidden_size": 24,
    "epochs": 6,
    "updates_per_epoch": 20,
    "batch_size": 8,
    "scene_s": 3.0,
    "learning_rate": 0.01,
    "warmup_steps": 20,
    "threads": 1,
    "device": "cpu",
    "normalization_s": 5.0,
    "quietest_db": -40.0,
}


def beep(*frequencies, seconds=0.12, gap=0.4, draw):
    """Tones one after the other between silences, with a little noise."""
    times = np.arange(round(seconds * RATE)) / RATE
    tones = [np.sin(2 * np.pi * hz * draw.uniform(0.97, 1.03) * times) for hz in frequencies]
    silence = np.zeros(round(gap * RATE))
    samples = np.concatenate([silence, *tones, silence]) * draw.uniform(0.1, 0.6)
    return (samples + draw.normal(0, 1e-3, len(samples))).astype(np.float32)


def write_data(folder, draw, others=((600, 300), (3000, 2000), (1100, 1100), (300, 3000))):
    """The word is a low and then a high tone; other sounds are such tones otherwise."""
    for number in range(24):
        (folder / "updown").mkdir(parents=True, exist_ok=True)
        (folder / "negative").mkdir(exist_ok=True)
        write_recording(folder / "updown" / f"{number}.wav", beep(600, 2000, draw=draw))
        other = others[number % len(others)]
        write_recording(folder / "negative" / f"{number}.wav", beep(*other, draw=draw))


def stream_of(draw, words, other=(1100, 300)):
    """A stream of words and other sounds, and the seconds at which the words end."""
    parts, ends, at = [], [], 0
    for number in range(3 * words):
        is_word = number % 3 == 1
        part = beep(*((600, 2000) if is_word else other), gap=0.6, draw=draw)
        at += len(part)
        if is_word:
            ends.append(at / RATE - 0.6)
        parts.append(part)
    return np.concatenate([*parts, np.zeros(RATE, np.float32)]), ends


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    made = tmp_path_factory.mktemp("detector")
    write_data(made / "data", np.random.default_rng(1))
    return made


@pytest.fixture(scope="module")
def detector(folder):
    return rc.Detector.train(folder / "data", out=folder / "run", **OPTIONS)


@pytest.fixture(scope="module")
def stream(folder):
    samples, ends = stream_of(np.random.default_rng(2), 10)
    write_recording(folder / "stream.wav", samples)
    return samples, ends


def test_it_finds_the_words_of_a_stream_and_nothing_else(detector, folder, stream):
    _, ends = stream
    heard = list(detector.listen(folder / "stream.wav"))
    assert {one.word for one in heard} == {"updown"}
    assert len(heard) == len(ends)
    late = np.array([one.time_s for one in heard]) - np.array(ends)
    assert (late > -0.2).all()
    assert (late < 0.5).all()


def test_a_word_at_the_very_end_of_a_recording_is_heard(detector, tmp_path):
    samples = beep(600, 2000, draw=np.random.default_rng(9))
    write_recording(tmp_path / "cut.wav", samples[: -round(0.4 * RATE)])
    assert [one.word for one in detector.listen(tmp_path / "cut.wav")] == ["updown"]


def test_figures_on_held_out_recordings(detector):
    figures = detector.evaluate()
    told = figures.to_dict()
    assert told["words"] == sum(row.kind == "word" for row in detector.held_out()) > 2
    assert (told["misses"], told["alarms"]) == (0, 0)
    seconds = sum(row.seconds for row in detector.held_out())
    assert told["hours"] == pytest.approx(seconds / 3600, rel=1e-3)
    assert told["alarms_per_hour_bound"] == pytest.approx(-np.log(0.05) / told["hours"])
    deaf = detector.evaluate(threshold=["0.99999"])
    assert deaf.to_dict()["misses"] == told["words"] == len(deaf.alarms)
    assert "missed" in deaf.alarms[0].line()


@pytest.mark.parametrize("piece", [1, 160, 1280, 777])
def test_the_size_of_the_pieces_changes_no_score(detector, stream, piece):
    samples = stream[0][: RATE * (1 if piece == 1 else 8)]
    whole = detector.stream().scores(samples)
    listening = detector.stream()
    pieces = [listening.scores(samples[at : at + piece]) for at in range(0, len(samples), piece)]
    joined = np.concatenate(pieces)
    assert joined.shape == whole.shape
    assert np.abs(joined - whole).max() < 1e-6
    assert listening.seconds == len(samples) / RATE


def test_a_stream_has_the_probabilities_of_the_network(detector, folder):
    rows = read_recordings(folder / "stream.wav", None, words=())
    prepared = prepare(rows, detector.symbols)
    expected = probabilities(detector.network, prepared.inputs)
    steps = detector.stream()
    steps._smoother._steps = 1
    found = steps.scores(np.round(stream_samples(folder) * 32768).astype(np.float32) / 32768)
    assert np.abs(found - expected[: len(found)]).max() < 1e-5


def stream_samples(folder):
    with wave.open(str(folder / "stream.wav")) as file:
        return np.frombuffer(file.readframes(file.getnframes()), "<i2").astype(np.float32) / 32768


def test_a_later_repetition_is_heard_as_the_second_one(detector, stream):
    """The running statistics and the state have settled: the 12th repetition is like the 2nd."""
    samples = stream[0][: len(stream[0]) // 480 * 480]
    listening = detector.stream()
    runs = [(listening.scores(samples), None)[0] for _ in range(12)]
    count = len(samples) // 480
    second, last = runs[1][-count + 8 :], runs[11][-count + 8 :]
    assert len(second) == len(last)
    assert np.abs(second - last).max() < 0.01


def recurra(*arguments, input=None):
    return CliRunner().invoke(app, [str(one) for one in arguments], input=input)


def test_listening_to_files_and_to_standard_input(detector, folder, stream):
    samples, ends = stream
    done = recurra("listen", detector.run.path, folder / "stream.wav")
    assert done.exit_code == 0, done.output
    lines = done.stdout.splitlines()
    assert len(lines) == len(ends)
    assert all("updown" in line for line in lines)
    raw = (np.clip(samples, -1, 1) * 32767).astype("<i2").tobytes()
    code = [sys.executable, "-m", "recurra", "listen", str(detector.run.path), "-", "--json"]
    said = subprocess.run(code, input=raw, capture_output=True, check=True)
    found = [json.loads(line) for line in said.stdout.splitlines()]
    assert [one["word"] for one in found] == ["updown"] * len(ends)
    assert found[0].keys() == {"source", "word", "time_s", "score"}
    assert found[0]["source"] == "standard input"
    assert [one["time_s"] for one in found] == pytest.approx([float(x.split()[0]) for x in lines], abs=0.05)
    two = recurra("listen", detector.run.path, folder / "stream.wav", folder / "stream.wav")
    assert len(two.stdout.splitlines()) == 2 * len(ends)
    assert two.stdout.startswith(str(folder / "stream.wav"))


def test_what_cannot_be_listened_to(detector, folder):
    neither = recurra("listen", detector.run.path)
    assert "expected recordings or --microphone" in str(neither.exception)
    (folder / "text.wav").write_text("this is a text")
    with pytest.raises(DataError, match=r"text\.wav"):
        list(detector.listen(folder / "text.wav"))
    for given, fault in ((["2"], "between 0 and 1"), (["down=0.5"], "got the word 'down', expected one of")):
        with pytest.raises(ConfigError, match=fault):
            detector.stream(threshold=given)
    wrong = recurra("listen", folder / "data", folder / "stream.wav")
    assert isinstance(wrong.exception, RunError)


def test_words_that_training_does_not_have_are_named(folder, tmp_path):
    draw = np.random.default_rng(8)
    (tmp_path / "valid" / "down").mkdir(parents=True)
    write_recording(tmp_path / "valid" / "down" / "1.wav", beep(2000, 600, draw=draw))
    with pytest.raises(DataError, match=r"1\.wav: is a recording of 'down' in the valid data, but the words"):
        rc.Detector.train(folder / "data", valid=tmp_path / "valid", out=tmp_path / "run", **OPTIONS)
    assert not (tmp_path / "run").exists()


def test_evaluate_prints_draws_and_lists(detector, folder, tmp_path):
    options = ["--picture", tmp_path / "curve.png", "--events", "--threshold", "updown=0.99999"]
    done = recurra("evaluate", detector.run.path, "--data", folder / "data", *options)
    assert done.exit_code == 0, done.output
    assert "24 of 24 words missed, 0 false alarms in 0.0" in done.stdout
    assert done.stdout.count(": missed") == 24
    assert (tmp_path / "curve.png").read_bytes().startswith(b"\x89PNG")


def test_mining_lowers_false_alarms_at_equal_misses(folder, tmp_path):
    """A detector that never heard the tones in the other order takes them for the word."""
    draw = np.random.default_rng(3)
    write_data(tmp_path / "data", draw, others=((600, 600), (1200, 1200)))
    bad = rc.Detector.train(tmp_path / "data", out=tmp_path / "bad", **OPTIONS)
    (tmp_path / "radio").mkdir()
    radio = np.concatenate([beep(2000, 600, gap=0.6, draw=draw) for _ in range(30)])
    write_recording(tmp_path / "radio" / "r.wav", radio)
    test = tmp_path / "test"
    write_data(test, np.random.default_rng(5), others=((2000, 600), (2000, 600)))
    before = bad.evaluate(test, threshold=["0.5"]).total
    assert before.alarms >= 5
    found = bad.mine([tmp_path / "radio"], tmp_path / "good", threshold=["0.5"], epochs=6)
    assert len(found.alarms) >= 5
    assert found.table is not None
    clips = list((tmp_path / "good-mined").glob("*.wav"))
    assert len(clips) == len(found.alarms)
    good = rc.Detector.load(tmp_path / "good")
    after = good.evaluate(test, threshold=["0.5"]).total
    assert after.misses <= before.misses
    assert after.alarms <= before.alarms // 3
    with pytest.raises(StorageError, match="already exists"):
        bad.mine([tmp_path / "radio"], tmp_path / "good")
    assert bad.mine([tmp_path / "radio"], tmp_path / "none", threshold=["0.99999"]).table is None
    assert not (tmp_path / "none-mined").exists()


def test_two_words_have_an_output_each(tmp_path):
    draw = np.random.default_rng(6)
    sounds = {"low": (600, 600), "high": (2000, 2000), "negative": (1100, 1100)}
    for name, tones in sounds.items():
        (tmp_path / "data" / name).mkdir(parents=True)
        for number in range(12):
            write_recording(tmp_path / "data" / name / f"{number}.wav", beep(*tones, draw=draw))
    two = rc.Detector.train(tmp_path / "data", out=tmp_path / "run", **OPTIONS)
    assert two.symbols.words == ("high", "low")
    assert two.network.thresholds.shape == (2,)
    order = ["low", "negative", "high", "high", "negative", "low", "high"]
    samples = np.concatenate([beep(*sounds[name], gap=0.6, draw=draw) for name in order])
    write_recording(tmp_path / "stream.wav", samples)
    heard = [one.word for one in two.listen(tmp_path / "stream.wav")]
    assert heard == [name for name in order if name != "negative"]
    assert len(two.evaluate().lines()) == 3


def test_a_run_starts_from_another_with_its_weights_and_statistics(detector, folder, tmp_path):
    start = {"from_run": folder / "run", "epochs": 1, "updates_per_epoch": 1, "learning_rate": 1e-9}
    other = rc.Detector.train(folder / "data", out=tmp_path / "run", **(OPTIONS | start))
    assert np.array_equal(other.symbols.statistics.mean, detector.symbols.statistics.mean)
    for name, weight in detector.network.named_parameters():
        assert torch.allclose(dict(other.network.named_parameters())[name], weight, atol=1e-6)
    with pytest.raises(ConfigError, match="reset_gate: got before, but"):  # the same shapes, another cell
        rc.Detector.train(folder / "data", out=tmp_path / "x", from_run=folder / "run", reset_gate="before")
    with pytest.raises(ConfigError, match="hidden_size: got 8, but"):
        rc.Detector.train(folder / "data", out=tmp_path / "x", from_run=folder / "run", hidden_size=8)
    (folder / "data" / "updown").rename(folder / "data" / "other")
    with pytest.raises(ConfigError, match="are updown, those of the data other"):
        rc.Detector.train(folder / "data", out=tmp_path / "x", from_run=folder / "run", epochs=1)
    (folder / "data" / "other").rename(folder / "data" / "updown")

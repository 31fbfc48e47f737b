"""Recordings: every format gives the samples that were written, every fault a sentence with a remedy."""

import io
import os
import shutil
import struct
import subprocess
import sys
import tracemalloc
import wave
from pathlib import Path

import numpy as np
import pytest
import scipy.io.wavfile
import scipy.signal

from recurra.audio.files import (
    find_recordings,
    length_s,
    read_recording,
    recording_blocks,
    write_recording,
)
from recurra.audio.pipes import raw_blocks
from recurra.audio.resampling import Resampler
from recurra.errors import ConfigError, DataError, MissingExtra, ShapeError

soundfile = pytest.importorskip("soundfile")
pytest.importorskip("soxr")

needs_ffmpeg = pytest.mark.skipif(
    shutil.which("ffmpeg") is None, reason="needs the program ffmpeg (apt-get install ffmpeg)"
)


def sine(hertz: float, seconds: float, rate: int, size: float = 0.5) -> np.ndarray:
    return (size * np.sin(2 * np.pi * hertz * np.arange(round(seconds * rate)) / rate)).astype(np.float32)


def noise(count: int, seed: int = 0) -> np.ndarray:
    return (0.1 * np.random.default_rng(seed).standard_normal(count)).astype(np.float32)


def wav(
    path: Path, data: bytes, *, kind: int = 1, channels: int = 1, rate: int = 16_000, bits: int = 16
) -> Path:
    """A WAV file byte by byte, by the RIFF specification."""
    frame = channels * bits // 8
    form = struct.pack("<HHIIHH", kind, channels, rate, rate * frame, frame, bits)
    chunks = b"fmt " + struct.pack("<I", len(form)) + form + b"data" + struct.pack("<I", len(data)) + data
    path.write_bytes(b"RIFF" + struct.pack("<I", 4 + len(chunks)) + b"WAVE" + chunks)
    return path


def test_sixteen_bits_written_by_hand(tmp_path):
    path = wav(tmp_path / "a.wav", struct.pack("<5h", 0, 1, -1, 32767, -32768))
    got = read_recording(path)
    assert got.dtype == np.float32
    np.testing.assert_array_equal(got, np.array([0, 1, -1, 32767, -32768]) / 32768)


def test_eight_bits_are_unsigned(tmp_path):
    path = wav(tmp_path / "a.wav", bytes([128, 0, 255, 129]), bits=8)
    np.testing.assert_array_equal(read_recording(path), np.array([0, -128, 127, 1]) / 128)


def test_twenty_four_bits_written_by_hand(tmp_path):
    values = [0, 1, -1, 2**23 - 1, -(2**23), 123456]
    data = b"".join((value & 0xFFFFFF).to_bytes(3, "little") for value in values)
    got = read_recording(wav(tmp_path / "a.wav", data, bits=24))
    np.testing.assert_array_equal(got, (np.array(values) / 2**23).astype(np.float32))


@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_floats_beyond_one_are_kept(tmp_path, kind):
    values = np.array([0.25, -1.5, 3.0, -0.125], dtype=kind)
    path = wav(tmp_path / "a.wav", values.tobytes(), kind=3, bits=8 * values.itemsize)
    np.testing.assert_array_equal(read_recording(path), values.astype(np.float32))


def test_six_channels_are_averaged(tmp_path):
    frames = np.random.default_rng(3).integers(-20000, 20000, (500, 6)).astype("<i2")
    got = read_recording(wav(tmp_path / "a.wav", frames.tobytes(), channels=6))
    np.testing.assert_allclose(got, frames.astype(np.float64).mean(axis=1) / 32768, atol=1e-7)


@pytest.mark.parametrize("kind", [np.int16, np.int32, np.float32, np.uint8])
def test_scipy_writes_what_is_read(tmp_path, kind):
    values = (noise(3000) * (127 if kind == np.uint8 else 2**14)).astype(kind)
    if kind == np.float32:
        values = noise(3000)
    scipy.io.wavfile.write(tmp_path / "a.wav", 16_000, values)
    unit = {np.int16: 2**15, np.int32: 2**31, np.float32: 1, np.uint8: 128}[kind]
    expected = (values.astype(np.float64) - (128 if kind == np.uint8 else 0)) / unit
    np.testing.assert_allclose(read_recording(tmp_path / "a.wav"), expected, atol=1e-7)


@pytest.mark.parametrize("rate", [8_000, 11_025, 22_050, 44_100, 48_000])
def test_resampling_matches_scipy_on_a_sine(tmp_path, rate):
    wanted = sine(700, 1.0, rate)
    scipy.io.wavfile.write(tmp_path / "a.wav", rate, wanted)
    got = read_recording(tmp_path / "a.wav")
    assert abs(len(got) - 16_000) <= 1
    divisor = np.gcd(rate, 16_000)
    oracle = scipy.signal.resample_poly(wanted.astype(np.float64), 16_000 // divisor, rate // divisor)
    middle = slice(2000, 14_000)
    np.testing.assert_allclose(got[middle], oracle[middle], atol=2e-3)
    np.testing.assert_allclose(got[middle], sine(700, 1.0, 16_000)[middle], atol=1e-4)


def test_no_alias_passes_the_filter(tmp_path):
    scipy.io.wavfile.write(tmp_path / "a.wav", 44_100, sine(12_000, 1.0, 44_100))
    assert np.abs(read_recording(tmp_path / "a.wav")[1000:-1000]).max() < 1e-4


@pytest.mark.parametrize("piece", [1, 160, 1281, 44_100])
def test_pieces_of_any_size_give_the_same_bits(piece):
    samples = noise(44_100)
    whole = Resampler(44_100, 16_000)
    expected = np.concatenate([whole.push(samples), whole.finish()])
    cut = Resampler(44_100, 16_000)
    got = [cut.push(samples[start : start + piece]) for start in range(0, len(samples), piece)]
    np.testing.assert_array_equal(np.concatenate([*got, cut.finish()]), expected)


def test_equal_rates_change_nothing_and_end(tmp_path):
    resampler = Resampler(16_000, 16_000)
    np.testing.assert_array_equal(resampler.push(noise(7)), noise(7))
    assert len(resampler.finish()) == 0
    with pytest.raises(ConfigError, match="push: the resampler is finished"):
        resampler.push(noise(7))
    with pytest.raises(ShapeError, match=r"\(7, 1\), expected \(N,\)"):
        Resampler(8_000, 16_000).push(noise(7)[:, None])


@pytest.mark.parametrize("ending", ["wav", "flac", "ogg", "mp3"])
def test_block_length_changes_no_bit(tmp_path, ending):
    path = tmp_path / f"a.{ending}"
    soundfile.write(path, np.stack([noise(60_000), noise(60_000, 1)], axis=1), 44_100)
    whole = read_recording(path)
    for block_s in (0.01, 0.37, 100.0):
        blocks = list(recording_blocks(path, block_s=block_s))
        assert all(len(block) == round(block_s * 16_000) for block in blocks[:-1])
        np.testing.assert_array_equal(np.concatenate(blocks), whole)
    assert length_s(path) == pytest.approx(60_000 / 44_100, abs=0.06 if ending == "mp3" else 1e-9)


@pytest.mark.parametrize("ending", ["wav", "flac", "ogg", "mp3", "aiff", "au", "w64", "caf"])
def test_a_part_is_the_part_of_the_whole(tmp_path, ending):
    path = tmp_path / f"a.{ending}"
    soundfile.write(path, noise(48_000), 16_000)
    whole = read_recording(path)
    part = np.concatenate(list(recording_blocks(path, start_s=1.25, stop_s=2.5)))
    np.testing.assert_array_equal(part, whole[20_000:40_000])
    tail = np.concatenate(list(recording_blocks(path, start_s=2.5, stop_s=900)))
    np.testing.assert_array_equal(tail, whole[40_000:])


@pytest.mark.parametrize(
    ("name", "form", "subtype"),
    [
        ("a.flac", None, "PCM_24"), ("a.aiff", None, "PCM_16"), ("a.au", None, "PCM_16"),
        ("a.w64", None, "PCM_16"), ("a.caf", None, "PCM_16"), ("a.sph", "NIST", "PCM_16"),
    ],
)  # fmt: skip
def test_lossless_formats_give_the_samples(tmp_path, name, form, subtype):
    samples = np.round(noise(5000) * 32768) / 32768
    soundfile.write(tmp_path / name, samples, 16_000, format=form, subtype=subtype)
    np.testing.assert_array_equal(read_recording(tmp_path / name), samples)


@pytest.mark.parametrize(("name", "subtype"), [("a.ogg", "VORBIS"), ("a.opus", "OPUS"), ("a.mp3", None)])
def test_lossy_formats_give_the_tone(tmp_path, name, subtype):
    form = "OGG" if name == "a.opus" else None
    soundfile.write(tmp_path / name, sine(440, 2.0, 16_000), 16_000, format=form, subtype=subtype)
    got = read_recording(tmp_path / name)
    assert abs(len(got) - 32_000) < 2400
    spectrum = np.abs(np.fft.rfft(got[8000:24_000]))
    assert spectrum.argmax() == 440
    assert 0.4 < np.abs(got[8000:24_000]).max() < 0.6


def test_silent_and_clipped_recordings_are_read(tmp_path):
    silent = wav(tmp_path / "silent.wav", bytes(2000))
    assert not read_recording(silent).any()
    clipped = wav(tmp_path / "clipped.wav", struct.pack("<2h", 32767, -32768) * 500)
    assert np.abs(read_recording(clipped)).min() > 0.999


def test_written_files_are_read_by_the_standard_library(tmp_path):
    samples = np.array([0, 0.5, -0.5, 1.0, -1.0, 2.0, -3.0, 1.4 / 32768, -1.6 / 32768], dtype=np.float32)
    write_recording(tmp_path / "new" / "a.wav", samples, 8_000)
    with wave.open(str(tmp_path / "new" / "a.wav")) as file:
        assert (file.getframerate(), file.getnchannels(), file.getsampwidth()) == (8_000, 1, 2)
        got = np.frombuffer(file.readframes(99), dtype="<i2")
    assert got.tolist() == [0, 16384, -16384, 32767, -32768, 32767, -32768, 1, -2]
    assert [entry.name for entry in (tmp_path / "new").iterdir()] == ["a.wav"]


def test_what_was_read_is_written_to_the_same_bits(tmp_path):
    values = np.arange(-32768, 32768, 7).astype("<i2")
    samples = read_recording(wav(tmp_path / "a.wav", values.tobytes()))
    write_recording(tmp_path / "b.wav", samples)
    np.testing.assert_array_equal(scipy.io.wavfile.read(tmp_path / "b.wav")[1], values)


@pytest.mark.parametrize(
    ("name", "samples", "error", "message"),
    [
        ("a.wav", [], ConfigError, "samples: got 0, expected 1 to"),
        ("a.wav", [0.0, np.nan], ConfigError, "NaN or infinite"),
        ("a.wav", [[0.0, 1.0]], ShapeError, r"got shape \(1, 2\)"),
        ("a.flac", [0.0], ConfigError, "give a name that ends in .wav"),
    ],
)
def test_what_cannot_be_written_leaves_nothing(tmp_path, name, samples, error, message):
    with pytest.raises(error, match=message):
        write_recording(tmp_path / name, np.array(samples, dtype=np.float32))
    assert not list(tmp_path.iterdir())


def bad_files(folder: Path) -> dict[str, tuple[Path, str]]:
    """One file for each fault, and what the sentence must say."""
    floats = noise(20_000)
    floats[12_345] = np.nan
    infinite = noise(20_000)
    infinite[16_000] = -np.inf
    paths = {name: folder / f"{name}.wav" for name in ("empty", "text", "cut", "folder", "missing")}
    paths["empty"].touch()
    paths["text"].write_text("This is a letter, and no sound at all.\n" * 20)
    paths["folder"].mkdir()
    whole = wav(folder / "whole.wav", bytes(64_000)).read_bytes()
    paths["cut"].write_bytes(whole[: 44 + 16_000])
    soundfile.write(folder / "whole.flac", noise(64_000), 16_000)
    (folder / "cut.flac").write_bytes((folder / "whole.flac").read_bytes()[:50_000])
    (folder / "song.xyz").write_bytes(whole)
    (folder / "song").write_bytes(whole)
    return {
        "empty": (paths["empty"], "is empty; fetch or record it again"),
        "no samples": (wav(folder / "none.wav", b""), "has no samples; record it again"),
        "text": (paths["text"], "is not a sound file that can be decoded"),
        "folder": (paths["folder"], "is a folder; name a recording in it"),
        "missing": (paths["missing"], "there is no such file"),
        "cut": (paths["cut"], "header promises 2.00 s of sound and 0.50 s are there"),
        "cut flac": (folder / "cut.flac", "cut.flac: .*; fetch it again"),
        "ending": (folder / "song.xyz", "has the ending .xyz, which is not known as sound"),
        "no ending": (folder / "song", "has no ending, which is not known as sound"),
        "nan": (
            wav(folder / "nan.wav", floats.tobytes(), kind=3, bits=32),
            r"has NaN at 0.7716 s \(sample 12345\)",
        ),
        "infinite": (
            wav(folder / "infinite.wav", infinite.tobytes(), kind=3, bits=32),
            r"has an infinite value at 1.0000 s \(sample 16000\)",
        ),
        "header alone": (folder / "head.wav", "is not a sound file that can be decoded"),
    }


FAULTS = (
    "empty", "no samples", "text", "folder", "missing", "cut", "cut flac", "ending", "no ending", "nan",
    "infinite", "header alone",
)  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS)
def test_each_fault_is_one_sentence(tmp_path, fault):
    files = bad_files(tmp_path)
    assert set(files) == set(FAULTS)
    (tmp_path / "head.wav").write_bytes((tmp_path / "whole.wav").read_bytes()[:20])
    path, message = files[fault]
    with pytest.raises(DataError, match=message) as raised:
        read_recording(path)
    assert str(raised.value).startswith(str(path))
    assert "\n" not in str(raised.value)


def test_a_wav_written_into_a_pipe_is_whole(tmp_path):
    """ffmpeg and espeak-ng cannot go back to the header of a pipe, and promise the largest length."""
    data = wav(tmp_path / "a.wav", struct.pack("<800h", *range(800))).read_bytes()
    for promise in (0xFFFFFFFF, 0x7FFFF000):
        (tmp_path / "b.wav").write_bytes(data[:40] + struct.pack("<I", promise) + data[44:])
        np.testing.assert_array_equal(read_recording(tmp_path / "b.wav") * 32768, np.arange(800))


def test_bytes_after_the_sound_are_no_fault(tmp_path):
    path = wav(tmp_path / "a.wav", struct.pack("<800h", *range(800)))
    with path.open("ab") as file:
        file.write(b"LIST\x04\x00\x00\x00INFO")
    assert len(read_recording(path)) == 800


def test_a_part_after_the_end_is_refused(tmp_path):
    path = wav(tmp_path / "a.wav", bytes(32_000))
    with pytest.raises(DataError, match=r"a.wav: ends before start_s \(3 s\)"):
        list(recording_blocks(path, start_s=3))
    for wrong in ({"block_s": 0}, {"start_s": -1}, {"start_s": 1, "stop_s": 1}, {"rate": 0}, {"rate": 1.5}):
        with pytest.raises(ConfigError, match=f"{[*wrong][-1]}: got"):
            recording_blocks(path, **wrong)


def test_folders_are_searched_in_order(tmp_path):
    for name in ("b/2.FLAC", "b/1.wav", "a.mp4", "notes.txt", "b/._1.wav"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    assert find_recordings(tmp_path) == [tmp_path / name for name in ("a.mp4", "b/1.wav", "b/2.FLAC")]
    assert find_recordings(tmp_path / "a.mp4") == [tmp_path / "a.mp4"]
    (tmp_path / "none").mkdir()
    with pytest.raises(DataError, match="none: has no recordings"):
        find_recordings(tmp_path / "none")
    with pytest.raises(DataError, match=r"notes.txt: has the ending .txt"):
        find_recordings(tmp_path / "notes.txt")
    with pytest.raises(DataError, match="there is no such file"):
        find_recordings(tmp_path / "nowhere")


def test_a_name_that_is_not_text_is_opened(tmp_path):
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff \xe9.wav"))
    assert len(read_recording(wav(path, bytes(2000)))) == 1000


@pytest.mark.parametrize("package", ["soundfile", "soxr"])
def test_a_missing_package_is_named_with_its_extra(tmp_path, monkeypatch, package):
    path = wav(tmp_path / "a.wav", bytes(2000), rate=8_000)
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(MissingExtra, match=r"pip install 'recurra\[audio\]'"):
        read_recording(path)


def test_an_hour_needs_little_memory(tmp_path):
    """An hour at 8 kHz is 115 MB as float32; its file here is a hole of 58 MB."""
    path = wav(tmp_path / "hour.wav", b"")
    size = 3600 * 8_000 * 2
    head = bytearray(path.read_bytes())
    head[4:8], head[24:28], head[28:32] = (struct.pack("<I", n) for n in (36 + size, 8_000, 16_000))
    head[40:44] = struct.pack("<I", size)
    path.write_bytes(head)
    os.truncate(path, 44 + size)
    assert length_s(path) == 3600
    tracemalloc.start()
    try:
        total = sum(len(block) for block in recording_blocks(path, 8_000))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert total == 3600 * 8_000
    assert peak < 4e6


class Pipe(io.RawIOBase):
    """A stream that gives one piece a read, as a pipe does."""

    def __init__(self, pieces: list[bytes]) -> None:
        self.pieces = pieces

    def readable(self) -> bool:
        return True

    def readinto(self, buffer) -> int:
        piece = self.pieces.pop(0) if self.pieces else b""
        buffer[: len(piece)] = piece
        return len(piece)


@pytest.mark.parametrize(
    ("sample_format", "kind", "unit"),
    [("s16le", "<i2", 2**15), ("s32le", "<i4", 2**31), ("f32le", "<f4", 1), ("u8", "u1", 2**7)],
)
def test_raw_samples_in_odd_pieces(sample_format, kind, unit):
    signal = np.stack([noise(999), noise(999, 1)], axis=1).astype(np.float64)
    values = (signal * unit + (128 if kind == "u1" else 0)).astype(kind)
    data = values.tobytes() + b"\x01"
    pieces = [data[start : start + 17] for start in range(0, len(data), 17)]
    got = np.concatenate(list(raw_blocks(Pipe(pieces), rate=16_000, channels=2, sample_format=sample_format)))
    expected = (values.astype(np.float64) - (128 if kind == "u1" else 0)) / unit
    np.testing.assert_allclose(got, expected.mean(axis=1), atol=1e-7)


def test_raw_samples_come_as_they_arrive():
    pipe = Pipe([bytes(640)] * 3)
    blocks = raw_blocks(io.BufferedReader(pipe), rate=16_000)
    assert len(next(blocks)) == 320
    assert len(pipe.pieces) == 2


def test_raw_samples_are_resampled_as_files_are(tmp_path):
    values = (noise(30_000) * 2**15).astype("<i2")
    stream = io.BytesIO(values.tobytes())
    got = np.concatenate(list(raw_blocks(stream, rate=44_100)))
    np.testing.assert_array_equal(got, read_recording(wav(tmp_path / "a.wav", values.tobytes(), rate=44_100)))


@pytest.mark.parametrize(
    ("data", "options", "message"),
    [
        (b"", {}, "standard input: has no samples; pipe raw samples"),
        (b"\x01", {}, "standard input: has no samples"),
        (b"RIFF\x00\x00", {}, "standard input: is a WAV file, not raw samples"),
        (b"fLaC\x00\x00", {}, "standard input: is a FLAC file"),
        (np.array([0, np.nan], "<f4").tobytes(), {"sample_format": "f32le"}, r"has NaN at 0.0001 s \("),
    ],
)  # fmt: skip
def test_faults_of_raw_samples(data, options, message):
    with pytest.raises(DataError, match=message):
        list(raw_blocks(io.BytesIO(data), rate=16_000, **options))


def test_options_of_raw_samples_are_checked_at_once():
    for wrong in ({"rate": 0}, {"out_rate": -1}, {"channels": 0}, {"sample_format": "mulaw"}):
        with pytest.raises(ConfigError, match=f"{next(iter(wrong))}: got"):
            raw_blocks(io.BytesIO(b""), **({"rate": 16_000} | wrong))


def ffmpeg(*arguments: object) -> None:
    subprocess.run(["ffmpeg", "-v", "error", "-y", *map(str, arguments)], check=True)


@needs_ffmpeg
def test_the_sound_track_of_a_film(tmp_path):
    samples = np.round(noise(50_000) * 32768) / 32768
    soundfile.write(tmp_path / "a.wav", samples, 16_000)
    picture = ("-f", "lavfi", "-i", "color=size=32x32:rate=5:duration=3")
    film = tmp_path / "-a film: of 3 s.mkv"
    ffmpeg(*picture, "-i", tmp_path / "a.wav", "-c:v", "mpeg4", "-c:a", "pcm_s16le", f"file:{film}")
    np.testing.assert_array_equal(read_recording(film), samples)
    part = np.concatenate(list(recording_blocks(film, start_s=1, stop_s=2)))
    np.testing.assert_array_equal(part, samples[16_000:32_000])
    assert length_s(film) == pytest.approx(50_000 / 16_000, abs=0.05)
    next(recording_blocks(film, block_s=0.1)).sum()  # the program ends although the rest is not read


@needs_ffmpeg
def test_all_of_an_mp3_file_is_read_whatever_its_header_says(tmp_path):
    """libsndfile alone takes 12 s of these for 3 s, as the silence at their start has few bits."""
    samples = np.concatenate([sine(440, 6, 16_000), noise(96_000)])
    soundfile.write(tmp_path / "a.wav", samples, 16_000)
    tagged, untagged, joined = (tmp_path / f"{name}.mp3" for name in ("tagged", "untagged", "joined"))
    ffmpeg("-i", tmp_path / "a.wav", "-q:a", 4, tagged)
    ffmpeg("-i", tmp_path / "a.wav", "-q:a", 4, "-write_xing", 0, untagged)
    joined.write_bytes(tagged.read_bytes() * 3)
    for path, seconds in ((tagged, 12), (untagged, 12), (joined, 36)):
        assert len(read_recording(path)) / 16_000 == pytest.approx(seconds, abs=0.3)
        assert length_s(path) == pytest.approx(seconds, abs=0.3)
    cut = tmp_path / "cut.mp3"
    cut.write_bytes(tagged.read_bytes()[:20_000])
    with pytest.raises(DataError, match=r"cut.mp3: is truncated: its header promises 12\.\d\d s"):
        read_recording(cut)


def test_an_mp3_file_without_its_length_names_ffmpeg(tmp_path, monkeypatch):
    soundfile.write(tmp_path / "a.mp3", noise(16_000), 16_000)
    data = (tmp_path / "a.mp3").read_bytes()
    assert b"Info" in data or b"Xing" in data
    (tmp_path / "a.mp3").write_bytes(data.replace(b"Info", b"\0\0\0\0").replace(b"Xing", b"\0\0\0\0"))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(MissingExtra, match="an MP3 file without its length in the header needs the program"):
        read_recording(tmp_path / "a.mp3")


@needs_ffmpeg
def test_faults_of_films(tmp_path):
    ffmpeg("-f", "lavfi", "-i", "color=size=32x32:rate=5:duration=1", "-c:v", "mpeg4", tmp_path / "mute.mp4")
    (tmp_path / "text.mp4").write_text("no film\n" * 90)
    soundfile.write(tmp_path / "a.wav", noise(160_000), 16_000)
    ffmpeg("-i", tmp_path / "a.wav", "-c:a", "pcm_s16le", tmp_path / "whole.mkv")
    ffmpeg("-i", tmp_path / "a.wav", tmp_path / "whole.m4a")
    for name in ("mkv", "m4a"):
        data = (tmp_path / f"whole.{name}").read_bytes()
        (tmp_path / f"cut.{name}").write_bytes(data[: len(data) // 2])
    for name, message in (
        ("mute.mp4", "has no sound track"),
        ("text.mp4", "ffmpeg cannot decode it"),
        ("cut.mkv", "ffmpeg cannot decode it"),
        ("cut.m4a", "ffmpeg cannot decode it"),
    ):
        with pytest.raises(DataError, match=f"{name}: {message}") as raised:
            read_recording(tmp_path / name)
        assert "\n" not in str(raised.value)


def test_a_film_without_ffmpeg_names_the_command(tmp_path, monkeypatch):
    (tmp_path / "a.mp4").write_bytes(b"film")
    monkeypatch.setenv("PATH", str(tmp_path))
    for read in (read_recording, length_s):
        with pytest.raises(MissingExtra, match=r"a.mp4: .mp4 needs .* `sudo apt-get install ffmpeg`"):
            read(tmp_path / "a.mp4")


def test_real_wav_files_match_scipy(data_folder):
    paths = find_recordings(data_folder / "wakeword_athena")
    assert len(paths) == 140
    for path in paths[::7]:
        rate, values = scipy.io.wavfile.read(path)
        assert rate == 16_000
        np.testing.assert_array_equal(read_recording(path), (values / 32768).astype(np.float32))


def test_real_flac_files_have_the_samples_that_their_texts_count(data_folder):
    paths = find_recordings(data_folder / "timit_sample")
    assert len(paths) == 80
    for path in paths[::4]:
        samples = int(path.with_suffix(".txt").read_text().split()[1])
        assert abs(len(read_recording(path)) - samples) <= 1, path
    assert sum(map(length_s, paths)) == pytest.approx(244.7, abs=0.05)


def test_real_folders_have_the_seconds_of_their_indexes(data_folder):
    for folder, seconds in (("an4", 2546), ("negative_audio", 540), ("subtitles_sonnets", 106.2)):
        paths = find_recordings(data_folder / folder)
        assert sum(map(length_s, paths)) == pytest.approx(seconds, abs=0.6)


def test_real_recordings_at_eight_kilohertz_match_scipy(data_folder):
    for path in find_recordings(data_folder / "fsdd")[::500]:
        rate, values = scipy.io.wavfile.read(path)
        assert rate == 8_000
        oracle = scipy.signal.resample_poly(values / 32768, 2, 1, window=("kaiser", 12.0))
        got = read_recording(path)
        assert len(got) == len(oracle)
        # The filters differ near 4 kHz alone: compare below 3 kHz.
        low = scipy.signal.firwin(255, 3_000, fs=16_000)
        error = np.convolve(got - oracle, low, "same")
        assert np.sqrt(np.mean(error**2)) < 0.002 * np.sqrt(np.mean(oracle**2)), path

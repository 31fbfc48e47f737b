"""Recordings of a phrase that espeak-ng speaks in many voices, speeds and pitches, to start a detector with.

The voices are synthetic, and few compared with people: they are a proxy for recordings. What is measured on
them says little about real speakers.
"""

import re
import shutil
import struct
import subprocess
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from recurra.audio.files import RATE, write_recording
from recurra.errors import ConfigError, DataError, MissingExtra, StorageError
from recurra.files import folder_written_whole
from recurra.text_files import read_lines

INDEX = "index.tsv"
HEADER = ("path", "word", "group", "said", "speed", "pitch")
OTHER = "negative"
_VARIANTS = {
    *("m1", "m2", "m3", "m4", "m5", "m6", "m7", "m8", "f1", "f2", "f3", "f4", "f5"),
    *("Alex", "Alicia", "Andrea", "Andy", "Annie", "Jacky", "antonio", "aunty", "belinda", "benjamin"),
    *("boris", "caleb", "david", "ed", "edward", "gene", "grandma", "grandpa", "john", "linda", "michael"),
    *("michel", "miguel", "pablo", "paul", "pedro", "rob", "robert", "steph", "steph2", "steph3", "travis"),
    *("victor", "zac"),
}
_SPEEDS = (110, 220)  # words per minute
_PITCHES = (15, 85)  # of 0 to 99
_PEAK = 0.5
_AUDIBLE = 10 ** (-50 / 20)  # relative to the peak
_PROGRAM = "espeak-ng"


class Recording(NamedTuple):
    """A row of `index.tsv`, which `recurra train detect --data` reads.

    The file in the folder, the word ("" for another phrase), the voice, which is a group of recordings, what
    is said, words per minute, and the pitch (0 to 99).
    """

    path: str
    word: str
    voice: str
    said: str
    speed: int
    pitch: int


def write_corpus(
    path: Path,
    count: int,
    seed: int,
    *,
    phrases: str | Sequence[str],
    others: str | Path | Sequence[str] = (),
    voices: Sequence[str] = (),
) -> list[Recording]:
    """Write a folder of WAV files (16 bits, 16 kHz) in which espeak-ng says phrases, and `index.tsv`.

    Each phrase is spoken `count` times into a folder of its name. `others`, phrases or a text file with one a
    line, are negative examples in the folder `negative`: `count` in all, or one of each if there are more.
    The voices follow each other in a random order, and none is repeated before each has spoken; speed and
    pitch are drawn. Without `voices`, all English ones are used. Silence around the speech is cut off, and
    the largest absolute value is 0.5. The same seed and version of espeak-ng give the same files.

    Raises: MissingExtra if espeak-ng is not installed; ConfigError for a phrase without words or an unknown
    voice; DataError if the file of other phrases cannot be used; StorageError if the folder cannot be written
    or contains files that an earlier call did not write.
    """
    phrases = [phrases] if isinstance(phrases, str) else phrases
    if isinstance(others, str | Path):
        others = _phrases_in(Path(others))
    if count < 1 or not phrases:
        raise ConfigError(
            f"count, phrase: got {count} and {len(phrases)} phrases, expected 1 or more of both."
        )
    plan = _plan(phrases, others, count, seed, _checked(voices))
    _check_own(path)
    with folder_written_whole(path) as folder, ThreadPoolExecutor(4) as pool:
        for name in {row.path.split("/")[0] for row in plan}:
            (folder / name).mkdir()
        for row, samples in zip(plan, pool.map(_speak_row, plan), strict=True):
            write_recording(folder / row.path, samples)
        lines = ["\t".join(HEADER), *("\t".join(map(str, row)) for row in plan)]
        (folder / INDEX).write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return plan


def all_voices() -> list[str]:
    """Return the English voices of espeak-ng that is installed: languages, alone and with variants.

    Raises: MissingExtra if espeak-ng is not installed.
    """
    languages = sorted(_languages())
    variants = sorted(_VARIANTS & _variants())
    return [
        f"{language}{variant}" for language in languages for variant in ("", *(f"+{v}" for v in variants))
    ]


def speak(phrase: str, voice: str, speed: int = 170, pitch: int = 50) -> NDArray[np.float32]:
    """Let espeak-ng speak a phrase. Shape: (N,) at 16 kHz, without silence around, of peak 0.5.

    Raises: MissingExtra if espeak-ng is not installed; ConfigError if it cannot speak the phrase so.
    """
    said = _run("-v", voice, "-s", str(speed), "-p", str(pitch), "--stdout", "--", phrase)
    samples = _resampled(*_decoded(said))
    peak = float(np.abs(samples).max(initial=0))
    audible = np.flatnonzero(np.abs(samples) > max(peak * _AUDIBLE, 1e-4))
    if not len(audible):
        raise ConfigError(f"phrase: espeak-ng says nothing for {phrase!r}; write it in words.")
    return np.asarray(samples[audible[0] : audible[-1] + 1] * (_PEAK / peak), np.float32)


def _phrases_in(path: Path) -> list[str]:
    phrases = [line for line in read_lines(path) if line.strip()]
    if not phrases:
        raise DataError(f"{path}: has no phrases; write one per line.")
    return phrases


def _plan(
    phrases: Sequence[str], others: Sequence[str], count: int, seed: int, voices: Sequence[str]
) -> list[Recording]:
    """Draw who says what, how fast and how high."""
    draw = np.random.default_rng(seed)
    plan: list[Recording] = []

    def add(name: str, said: Iterable[str], total: int) -> None:
        digits = max(4, len(str(total)))
        order = _endless(voices, draw)
        for number, phrase in enumerate(said, 1):
            speed, pitch = (int(draw.integers(low, high + 1)) for low, high in (_SPEEDS, _PITCHES))
            file = f"{name}/{number:0{digits}}.wav"
            word = "" if name == OTHER else phrase
            plan.append(Recording(file, word, next(order), phrase, speed, pitch))

    taken = {OTHER}
    for phrase in dict.fromkeys(map(_one_line, phrases)):
        name = _folder_name(phrase, taken)
        taken.add(name)
        add(name, [phrase] * count, count)
    if others:
        total = max(count, len(others))
        rows = [_one_line(others[number % len(others)]) for number in range(total)]
        add(OTHER, rows, total)
    return plan


def _endless(voices: Sequence[str], draw: np.random.Generator) -> Iterator[str]:
    while True:
        yield from (voices[place] for place in draw.permutation(len(voices)))


def _one_line(phrase: str) -> str:
    joined = " ".join(phrase.split())
    if not re.search(r"\w", joined):
        raise ConfigError(f"phrase: got {phrase!r}, which has no words; write words such as 'hey robin'.")
    return joined


def _folder_name(phrase: str, taken: set[str]) -> str:
    name = re.sub(r"\W+", "-", phrase.lower()).strip("-")[:40]
    number, free = 1, name
    while free in taken:
        number += 1
        free = f"{name}-{number}"
    return free


def _checked(voices: Sequence[str]) -> Sequence[str]:
    """Return voices that exist: espeak-ng speaks with the plain language if a variant does not."""
    if not voices:
        return all_voices()
    variants = _variants()
    for voice in voices:
        language, _, variant = voice.partition("+")
        if variant and variant not in variants:
            raise ConfigError(
                f"voice: {voice!r} has an unknown variant; list them with `espeak-ng --voices=variant`."
            )
        speak("one", language)
    return voices


def _listed(what: str) -> Iterator[list[str]]:
    """The columns of `espeak-ng --voices`: priority, language, age and gender, name, file."""
    for line in _run(f"--voices={what}").decode("utf-8", "replace").splitlines()[1:]:
        columns = line.split()
        if len(columns) >= 5:
            yield columns


def _languages() -> set[str]:
    """The English voices, without those of MBROLA, which have data of their own."""
    return {columns[1] for columns in _listed("en") if columns[4].startswith("gmw/")}


def _variants() -> set[str]:
    return {columns[4].removeprefix("!v/") for columns in _listed("variant") if columns[4].startswith("!v/")}


def _run(*arguments: str) -> bytes:
    program = shutil.which(_PROGRAM)
    if program is None:
        raise MissingExtra(
            "trigger: needs the program espeak-ng; install it with `apt install espeak-ng`, or record people."
        )
    try:
        done = subprocess.run([program, *arguments], capture_output=True, timeout=120, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ConfigError(f"trigger: espeak-ng did not run ({error}); try it in a terminal.") from error
    if done.returncode:
        told = " ".join(done.stderr.decode("utf-8", "replace").split()) or f"exit code {done.returncode}"
        raise ConfigError(
            f"trigger: espeak-ng {' '.join(arguments[:2])} failed ({told.rstrip('.')}); see --voice."
        )
    return done.stdout


def _speak_row(row: Recording) -> NDArray[np.float32]:
    return speak(row.said, row.voice, row.speed, row.pitch)


def _decoded(wav: bytes) -> tuple[NDArray[np.float64], int]:
    """Read WAV written to a pipe: 44 bytes of header, whose sizes are not yet known, then 16-bit samples."""
    if len(wav) < 44 or wav[:4] != b"RIFF":
        raise ConfigError("trigger: espeak-ng wrote no sound; try it in a terminal.")
    (rate,) = struct.unpack_from("<I", wav, 24)
    return np.frombuffer(wav, "<i2", (len(wav) - 44) // 2, 44) / 32768, rate


def _resampled(samples: NDArray[np.float64], rate: int) -> NDArray[np.float64]:
    from scipy.signal import resample_poly

    divisor = int(np.gcd(RATE, rate))
    return np.asarray(resample_poly(samples, RATE // divisor, rate // divisor))


def _check_own(path: Path) -> None:
    """Check that an existing folder has nothing but what an earlier call wrote: it will be replaced."""
    if not path.is_dir():
        return
    own = {INDEX}
    if (path / INDEX).is_file():
        own |= {line.split("\t")[0] for line in read_lines(path / INDEX)}
    for file in sorted(path.rglob("*")):
        name = file.relative_to(path).as_posix()
        if not file.is_dir() and name not in own:
            raise StorageError(f"{path}: contains {name}, which is not of {INDEX}; name another folder.")

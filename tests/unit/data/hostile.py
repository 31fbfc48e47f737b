"""Good files of every format, ways to damage them, and a child process that reads the damaged ones.

    python tests/unit/data/hostile.py --inputs 50000 [--seed 1] [--format NAME]

reads that many damaged files and prints what went wrong: an exception that is not the package's own, a read
of more than five seconds, or more than 500 MB of memory beyond what the process had.
"""

import argparse
import atexit
import gzip
import io
import json
import os
import random
import re
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import tomllib
import traceback
import zipfile
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

import recurra
from recurra.config import PairFilesPart, ReaderPart, build_config
from recurra.data.examples import BadRows
from recurra.data.misspellings import read_misspellings
from recurra.data.readers import read_examples, read_unlabelled
from recurra.data.readers.pairs import read_pairs
from recurra.data.readers.pictures import read_captions, read_pictures
from recurra.data.sources import TextSource
from recurra.data.tunes import write_midi
from recurra.data.vector_files import read_vectors
from recurra.errors import RecurraError
from recurra.models.ngram.arpa import read_arpa
from recurra.runs import RunFolder
from recurra.tasks.language_modeling.config import LanguageModelConfig
from recurra.text import Vocabulary
from recurra.text.tokenizers import SubwordTokenizer

SECONDS = 5
MEGABYTES = 500
_ROWS = 12


class Format(NamedTuple):
    """A kind of file: its name, its good bytes, and what reads it."""

    name: str
    good: bytes
    read: Callable[[Path], Any]


def _rows(name: str = "auto", *, skip: bool = False, **options: Any) -> Callable[[Path], Any]:
    config = ReaderPart(format=name, skip_bad=skip, **options)

    def read(path: Path) -> Any:
        found = read_examples(path, config, BadRows(skip))
        return found, read_unlabelled(path, config, BadRows(skip))

    return read


def _pairs(name: str, memory_turns: int = 0) -> Callable[[Path], Any]:
    config = PairFilesPart(format=name)
    return lambda path: read_pairs(path, None, config, BadRows(True), memory_turns=memory_turns)


def _subwords() -> bytes:
    model = SubwordTokenizer.learn(["the cats sat on the mats\n"] * 3, max_size=270)
    return model.model.to_str().encode()


def _captions(path: Path) -> Any:
    pictures = path.with_name("pictures.npy")
    if not pictures.exists():
        np.save(pictures, np.ones((_ROWS, 3), np.float32))
    return read_captions(read_pictures(pictures), path, BadRows(True))


def _npz(**arrays: Any) -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    return buffer.getvalue()


def _npy(array: Any) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()


def _picture(kind: str) -> bytes:
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(np.arange(192, dtype=np.uint8).reshape(8, 8, 3)).save(buffer, kind)
    return buffer.getvalue()


def _frames(path: Path) -> Any:
    return read_pictures(path.parent)


@cache
def _a_run() -> Path:
    """A small run, trained by a process of its own, whose run.toml may be edited."""
    folder = Path(tempfile.mkdtemp(prefix="hostile-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    (folder / "text.txt").write_text("".join(f"the {i} cats sat on {i % 3} mats\n" for i in range(60)))
    options = ["--epochs=1", "--hidden-size=4", "--batch-size=4", "--threads=1"]
    command = [sys.executable, "-m", "recurra", "train", "lm", "--data", "text.txt", "-o", "run", *options]
    subprocess.run(command, cwd=folder, check=True, capture_output=True)
    settings = folder / "run" / "run.toml"
    settings.write_bytes(re.sub(rb"(?m)^# sha256 \w+ ", b"# sha256 accepted ", settings.read_bytes()))
    return folder / "run"


def _of_run(pattern: str) -> "Format":
    """A file of a run, damaged within the run."""
    (inner,) = (path.relative_to(_a_run()) for path in _a_run().glob(pattern))
    good = (_a_run() / inner).read_bytes()

    def read(path: Path) -> Any:
        run = path.parent / "run"
        if not run.exists():
            shutil.copytree(_a_run(), run)
        (run / inner).write_bytes(path.read_bytes())
        try:
            opened = RunFolder.open(run)
            return recurra.load(run), opened.read_metrics(), opened.checkpoints.load()
        finally:
            (run / inner).write_bytes(good)

    return Format(f"run {inner}".replace("/", " "), good, read)


def of_runs() -> list["Format"]:
    """The files of a run, each damaged within the run."""
    files = ("run.toml", "model.safetensors", "metrics.jsonl", "vocabulary.json", "checkpoint/LATEST")
    inner = ("checkpoint/step-*/*.json", "checkpoint/step-*/*.safetensors")
    return [_of_run(name) for name in (*files, *inner)]


def _text(line: Callable[[int], str]) -> bytes:
    return "".join(line(i) for i in range(_ROWS)).encode()


VECTORS = np.linspace(-1, 1, 4 * 5, dtype=np.float32).reshape(4, 5)
WORD2VEC = b"4 5\n" + b"".join(b"word%d " % i + VECTORS[i].tobytes() + b"\n" for i in range(4))
GLOVE = "".join(f"word{i} {' '.join(map(str, VECTORS[i]))}\n" for i in range(4)).encode()
ARPA = (
    b"\\data\\\nngram 1=4\nngram 2=2\n\n\\1-grams:\n-1 <unk>\n-99 <s> -0.3\n-0.5 a -0.2\n-0.6 </s>\n\n"
    b"\\2-grams:\n-0.1 <s> a\n-0.2 a </s>\n\n\\end\\\n"
)
TUNE = b"X:1\nT:A tune\nM:4/4\nL:1/8\nQ:1/4=120\nK:G\n|:GABc dedB|dedB dedB|c2ec B2dB|A2F2 G4:|\n"
TABLE = _text(lambda i: f'good "row",{i},x\n' if i else "text,label,conversation\n").replace(b'"row"', b"row")
SENTENCES = np.random.default_rng(0).normal(size=(10, 3)).astype(np.float32)

FORMATS = [
    Format("x.conll", _text(lambda i: f"word{i} O\nnext B-PER\n\n"), _rows()),
    Format("x.iob", _text(lambda i: f"BOS go {i} EOS\tO O B-number intent\n"), _rows("atis")),
    Format("x.txt", _text(lambda i: f"label{i % 2} some words {i}\n"), _rows("label-text")),
    Format("auto.txt", _text(lambda i: f"label{i % 2}\tsome words {i}\n"), _rows()),
    Format("trees.txt", b"(3 (2 It) (4 (2 works) (3 well)))\n" * _ROWS, _rows("trees")),
    Format("x.csv", TABLE, _rows()),
    Format("skipped.csv", TABLE, _rows(skip=True)),
    Format("x.tsv", TABLE.replace(b",", b"\t"), _rows()),
    Format(
        "x.jsonl",
        _text(lambda i: json.dumps({"text": f"a b {i}", "label": "x", "labels": ["O"] * 3}) + "\n"),
        _rows(),
    ),
    Format("x.npz", _npz(vectors=SENTENCES, lengths=np.array([4, 6]), labels=np.array(["a", "b"])), _rows()),
    Format("pairs.tsv", _text(lambda i: f"source {i}\ttarget {i}\n"), _pairs("tsv")),
    Format(
        "pairs.jsonl",
        _text(lambda i: json.dumps({"source": f"s {i}", "target": [f"t {i}"]}) + "\n"),
        _pairs("jsonl"),
    ),
    Format("dialogues.txt", b"hello\nhi\n\nhow are you\nfine\n" * 4, _pairs("dialogues", 2)),
    Format(
        "dialogues.jsonl",
        _text(lambda i: json.dumps({"turns": ["a", f"b {i}"]}) + "\n"),
        _pairs("dialogues", 2),
    ),
    Format(
        "captions.jsonl",
        _text(lambda i: json.dumps({"image": str(i), "caption": f"a {i}"}) + "\n"),
        _captions,
    ),
    Format(
        "pictures.npz",
        _npz(features=np.ones((3, 4), np.float32), names=np.array(["a", "b", "c"])),
        read_pictures,
    ),
    Format("features.npy", _npy(np.ones((3, 4), np.float32)), read_pictures),
    Format("frame.png", _picture("PNG"), _frames),
    Format("frame.jpg", _picture("JPEG"), _frames),
    Format("frame.bmp", _picture("BMP"), _frames),
    Format("frame.gif", _picture("GIF"), _frames),
    Format("glove.txt", GLOVE, lambda path: read_vectors(path, BadRows(True))),
    Format("word2vec.txt", b"4 5\n" + GLOVE, lambda path: read_vectors(path, BadRows())),
    Format("word2vec.bin", WORD2VEC, lambda path: read_vectors(path, BadRows())),
    Format("model.arpa", ARPA, read_arpa),
    Format(
        "tune.abc", TUNE, lambda path: write_midi(path.read_text(errors="replace"), path.with_suffix(".mid"))
    ),
    Format(
        "vocabulary.json",
        b'{"kind": "recurra.vocabulary", "unit": "word", "symbols": ["<unk>", "<eos>", "a"]}',
        Vocabulary.load,
    ),
    Format("tokenizer.json", _subwords(), SubwordTokenizer.load),
    Format("misspellings.txt", b"right: rihgt rigth\n$word\nwrod\nwodr\n", read_misspellings),
    Format(
        "text.txt",
        "some text\nwith lines, é and ü\n\n".encode() * 4,
        lambda path: list(TextSource(path).chunks()),
    ),
    Format(
        "text.gz", gzip.compress(b"some text\nwith lines\n" * 9), lambda path: list(TextSource(path).chunks())
    ),
    Format("rows.csv.gz", gzip.compress(TABLE), _rows("csv")),
    Format("vectors.gz", gzip.compress(GLOVE), lambda path: read_vectors(path, BadRows())),
    Format("vectors.bin.gz", gzip.compress(WORD2VEC), lambda path: read_vectors(path, BadRows())),
    Format(
        "options.toml",
        b'hidden_size = 3\nunit = "char"\ndata = "x"\n',
        lambda path: build_config(LanguageModelConfig, [path]),
    ),
]

_BITS = [
    *(
        b"\0",
        b"\r",
        b"\n",
        b"\t",
        b'"',
        b"'",
        b",",
        b";",
        b"|",
        b"\\",
        b"(" * 2000,
        b"[" * 2000,
        b'{"a":' * 2000,
    ),
    *(
        b"9" * 5000,
        b"1e999",
        b"-1",
        b"nan",
        b"1000000000",
        b"99999999999999999999",
        b"0x10",
        b"\xff",
        b"\xef\xbb\xbf",
    ),
    *(
        "\u2028".encode(),
        "é".encode(),
        b"\xed\xa0\x80",
        b"e" * 300,
        b" " * 500,
        b"..",
        b"/",
        b"NaN",
        b"true",
        b"null",
    ),
]


def damaged(good: bytes, draw: random.Random) -> bytes:
    """The bytes with one to four kinds of damage."""
    data = bytearray(good)
    for _ in range(draw.choice((1, 1, 2, 4))):
        at = draw.randrange(len(data) + 1)
        length = min(len(data) - at, draw.choice((1, 1, 2, 5, 20, 100)))
        match draw.randrange(8):
            case 0 if data:
                data[min(at, len(data) - 1)] = draw.randrange(256)
            case 1:
                del data[at : at + length]
            case 2:
                data[at:at] = data[at : at + length] * draw.choice((1, 2, 30))
            case 3:
                data[at:at] = draw.choice(_BITS)
            case 4:
                del data[at:]
            case 5:
                data[at : at + length] = draw.choice(_BITS)
            case 6:
                data[at:at] = draw.randbytes(length)
            case _ if data:
                data[min(at, len(data) - 1)] ^= 1 << draw.randrange(8)
    return bytes(data)


def bombs(folder: Path) -> Iterator[tuple[Format, Path]]:
    """Files that are small and say that they are large, or whose reading never ends."""
    by_name = {one.name: one for one in FORMATS}
    header = (
        b"\x93NUMPY\x01\x00v\x00" + b"{'descr': '<f4', 'fortran_order': False, 'shape': (1000000000, 3), }"
    )
    files = {
        "word2vec.txt": [b"1000000000 0\n", b"1000000000 5\n" + GLOVE, b"4 1000000000\nword0 1 2\n"],
        "word2vec.bin": [b"1000000000 5\n" + WORD2VEC[4:], b"4 1000000000\n" + WORD2VEC[4:]],
        "model.arpa": [
            ARPA.replace(b"ngram 1=4", b"ngram 1=4000000000"),
            ARPA.replace(b"ngram 2=2", b"ngram 2=" + b"9" * 5000),
        ],
        "features.npy": [header.ljust(128) + b"\n"],
        "x.jsonl": [
            b"[" * 100_000 + b"\n",
            b'{"text": ' + b"9" * 10_000 + b"}\n",
            b'{"text": "a", "label": {"a": 1}}\n',
        ],
        "trees.txt": [b"(1 " * 20_000 + b"a" + b")" * 20_000 + b"\n"],
        "options.toml": [b"a = " + b"[" * 5000, b"hidden_size = " + b"9" * 10_000],
        "x.npz": [_packed(), _packed_npy()],
        "text.txt": [b"x" * (1 << 24)],
        "text.gz": [gzip.compress(b"x" * (1 << 24))],
    }
    for name, contents in files.items():
        for content in contents:
            path = folder / name
            path.write_bytes(content)
            yield by_name[name], path


def _packed() -> bytes:
    """An archive with the arrays of a good one, and one member more that is large."""
    buffer = io.BytesIO(_npz(vectors=SENTENCES, lengths=np.array([4, 6]), labels=np.array(["a", "b"])))
    with (
        zipfile.ZipFile(buffer, "a", zipfile.ZIP_DEFLATED) as archive,
        archive.open("other.npy", "w") as member,
    ):
        for _ in range(40):
            member.write(bytes(1 << 24))
    return buffer.getvalue()


def _packed_npy() -> bytes:
    header = (
        b"\x93NUMPY\x01\x00v\x00" + b"{'descr': '<f4', 'fortran_order': False, 'shape': (1000000000, 3), }"
    )
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("vectors.npy", header.ljust(128) + b"\n" + b"\0" * (1 << 20))
    return buffer.getvalue()


class _TooLong(BaseException):
    pass


def _stop(*_: Any) -> None:
    raise _TooLong


def fault_of(kind: Format, path: Path) -> str | None:
    """What is wrong with the reading of a file; None where it is read, or refused in one short sentence."""
    signal.alarm(SECONDS)
    try:
        kind.read(path)
    except RecurraError as error:
        told = str(error).replace(str(path.parent), "")
        if not told or len(told) > 1500 or "[Errno" in told:
            return f"a message of {len(told)} characters: {told[:300]}"
    except _TooLong:
        return f"longer than {SECONDS} s"
    except MemoryError:
        return f"more than {MEGABYTES} MB"
    except BaseException:
        return traceback.format_exc()
    finally:
        signal.alarm(0)
    return None


def faults(inputs: int, seed: int, only: str | None = None) -> list[str]:
    """Read damaged files in a child process; a description of each fault, the file kept in it by its seed."""
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        status = 1
        try:
            os.close(read)
            found = list(_faults(inputs, seed, only))
            os.write(write, json.dumps([len(found), *(one[-900:] for one in found[:40])]).encode())
            status = 0
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(status)
    os.close(write)
    with os.fdopen(read, "rb") as pipe:
        told = pipe.read()
    _, code = os.waitpid(child, 0)
    _, *found = json.loads(told) if told else [0]
    return found if code == 0 else [*found, f"the process ended with {code}"]


def _faults(inputs: int, seed: int, only: str | None) -> Iterator[str]:
    files, every = tempfile.TemporaryDirectory(), [*FORMATS, *of_runs()]
    recurra.load(_a_run())  # what it imports is there before memory is limited
    small_but_large = list(bombs(_made(Path(files.name))))
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + (MEGABYTES << 20), resource.RLIM_INFINITY))
    signal.signal(signal.SIGALRM, _stop)
    kinds = [one for one in every if only is None or one.name.startswith(only)]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for kind in kinds:
            path = _written(folder, kind, kind.good)
            if (fault := fault_of(kind, path)) is not None:
                yield f"{kind.name}, undamaged: {fault}"
        for kind, path in small_but_large:
            if (only is None or kind.name.startswith(only)) and (fault := fault_of(kind, path)) is not None:
                yield f"{kind.name}, {path.stat().st_size:,} bytes {path.read_bytes()[:40]!r}: {fault}"
        for number in range(inputs):
            draw = random.Random(f"{seed} {number}")
            kind = draw.choice(kinds)
            path = _written(folder, kind, damaged(kind.good, draw))
            if (fault := fault_of(kind, path)) is not None:
                yield f"{kind.name}, input {number} of seed {seed}, {path.read_bytes()[:200]!r}: {fault}"


def _made(folder: Path) -> Path:
    folder.mkdir(exist_ok=True)
    return folder


def _written(folder: Path, kind: Format, content: bytes) -> Path:
    """The file in a folder of its own: some readers look at what stands beside it."""
    path = _made(folder / kind.name.replace(".", "-")) / kind.name
    path.write_bytes(content)
    return path


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    arguments.add_argument("--inputs", type=int, default=5000)
    arguments.add_argument("--seed", type=int, default=1)
    arguments.add_argument("--format")
    given = arguments.parse_args()
    assert tomllib  # what reads TOML is loaded before memory is limited
    told = faults(given.inputs, given.seed, given.format)
    print("\n\n".join(told))
    print(f"{len(told)} faults")
    raise SystemExit(bool(told))

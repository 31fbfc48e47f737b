"""Every task with small data files, for `test_every_task.py`."""

import json
import wave
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import letters_task
import numpy as np

import recurra as rc
from recurra.tasks import registry

registry.add(letters_task.Letters)
SMALL = {"hidden_size": 8, "epochs": 2, "batch_size": 8, "threads": 1, "device": "cpu", "log_every": 2}


@dataclass(frozen=True)
class Case:
    """One task.

    `write(folder, n)` writes files of n rows and returns the options that name them; `ask` is input for
    `predict`, as lines or as a file that `write` wrote; `other` are the options of a second training.
    """

    task: str
    facade: Any
    write: Callable[[Path, int], dict[str, Path]]
    options: dict[str, Any] = field(default_factory=dict)
    ask: str = "a line\n"
    other: dict[str, Any] = field(default_factory=lambda: {"hidden_size": 6})
    beside: str | None = None  # the option of `evaluate` that names a second file
    has_seeds: bool = True
    empty: str = "\n"  # a line without content

    @property
    def all_options(self) -> dict[str, Any]:
        both = SMALL | self.options if self.has_seeds else self.options
        return {name: value for name, value in both.items() if value is not None}


def text(folder: Path, n: int) -> dict[str, Path]:
    lines = [f"the {('cat', 'dog', 'cow')[i % 3]} sat on the {('mat', 'log')[i % 2]}\n" for i in range(n)]
    (folder / "text.txt").write_text("".join(lines))
    return {"data": folder / "text.txt"}


def tagged(folder: Path, n: int) -> dict[str, Path]:
    rows = [
        f"BOS go to {('oslo', 'rome')[i % 2]} EOS\tO O O B-to {('go', 'stay')[i % 2]}\n" for i in range(n)
    ]
    (folder / "rows.iob").write_text("".join(rows))
    return {"data": folder / "rows.iob"}


def labelled(folder: Path, n: int) -> dict[str, Path]:
    rows = [f"{('good', 'bad')[i % 2]} film {i % 7}\t{('yes', 'no')[i % 2]}\n" for i in range(n)]
    (folder / "rows.tsv").write_text("text\tlabel\n" + "".join(rows))
    return {"data": folder / "rows.tsv"}


def paired(folder: Path, n: int) -> dict[str, Path]:
    rows = [f"good {i % 5}\t{('good', 'bad')[i % 2]} {i % 5}\t{('yes', 'no')[i % 2]}\n" for i in range(n)]
    (folder / "rows.tsv").write_text("text\ttext2\tlabel\n" + "".join(rows))
    return {"data": folder / "rows.tsv"}


def translated(folder: Path, n: int) -> dict[str, Path]:
    (folder / "a.txt").write_text("".join(f"ab {i}\n" for i in range(n)))
    (folder / "b.txt").write_text("".join(f"{i} ba\n" for i in range(n)))
    return {"data": folder / "a.txt", "target": folder / "b.txt"}


def talked(folder: Path, n: int) -> dict[str, Path]:
    turns = [{"turns": [f"how are you {i}", f"well {i}", "good"]} for i in range(n)]
    (folder / "rows.jsonl").write_text("".join(json.dumps(each) + "\n" for each in turns))
    return {"data": folder / "rows.jsonl"}


def pictured(folder: Path, n: int) -> dict[str, Path]:
    numbers = np.random.default_rng(n).normal(size=(n, 5)).astype(np.float32)
    np.savez(folder / "pictures.npz", features=numbers, names=[f"p{i}" for i in range(n)])
    captions = [{"image": f"p{i}", "caption": f"a cat {i % 4}"} for i in range(n)]
    (folder / "captions.jsonl").write_text("".join(json.dumps(each) + "\n" for each in captions))
    return {"data": folder / "pictures.npz", "captions": folder / "captions.jsonl"}


def lettered(folder: Path, n: int) -> dict[str, Path]:
    lines = ["".join("ab"[(i >> k) & 1] for k in range(5)) for i in range(n)]
    (folder / "rows.tsv").write_text("".join(f"{line}\t{line.count('a')}\n" for line in lines))
    return {"data": folder / "rows.tsv"}


def recorded(folder: Path, n: int) -> dict[str, Path]:
    draw, rows = np.random.default_rng(n), ["path\tword"]
    for i in range(n):
        tone = np.sin(2 * np.pi * 900 * np.arange(3200) / 16_000) * (i % 2 == 0)
        samples = np.concatenate([np.zeros(1600), tone, np.zeros(1600)]) + draw.normal(0, 0.05, 6400)
        with wave.open(str(folder / f"{i}.wav"), "wb") as file:
            file.setparams((1, 2, 16_000, 0, "NONE", ""))
            file.writeframes((samples * 8000).astype("<i2").tobytes())
        rows.append(f"{i}.wav\t{'' if i % 2 else 'beep'}")
    (folder / "rows.tsv").write_text("".join(f"{row}\n" for row in rows))
    return {"data": folder / "rows.tsv"}


CASES = {
    "lm": Case("lm", rc.LanguageModel, text, {"batch_size": 4, "segment_length": 12}, "the c\n"),
    "ngram": Case(
        "lm",
        rc.LanguageModel,
        text,
        {"model": "ngram", "order": 3, "chunk_size": 100, "log_every": 2},
        "the c\n",
        {"order": 2},
        has_seeds=False,
    ),
    "vectors": Case(
        "vectors",
        rc.WordVectors,
        text,
        {"min_count": 1, "embedding_size": 8, "chunk_size": 100}
        | dict.fromkeys(("hidden_size", "batch_size", "device")),  # it has no such options
        "cat\n",
        {"embedding_size": 6},
    ),
    "tag": Case("tag", rc.Tagger, tagged, ask="go to oslo\n"),
    "classify": Case("classify", rc.Classifier, labelled, ask="good film\n"),
    "pair": Case("pair", rc.PairClassifier, paired, ask="good 1\tbad 1\n", empty="\t\n"),
    "translate": Case(
        "translate", rc.Translator, translated, {"unit": "char", "vocabulary": "separate"}, "ab 1\n",
        {"vocabulary": "joint", "hidden_size": 6}, beside="target",
    ),
    "chat": Case("chat", rc.ChatBot, talked, {"unit": "word"}, "how are you\n"),
    "caption": Case("caption", rc.Captioner, pictured, {"unit": "char"}, "pictures.npz", beside="captions"),
    "detect": Case("detect", rc.Detector, recorded, {"scene_s": 0.6, "updates_per_epoch": 4}, "rows.tsv"),
    "letters": Case("letters", letters_task.LetterCounter, lettered, ask="abab\n"),
}  # fmt: skip

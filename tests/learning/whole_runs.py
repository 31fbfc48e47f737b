"""Small trainings of several kinds, the results of commands on a run, and the comparison of two runs."""

import html
import io
import os
import shutil
import signal
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple

import pytest

import recurra as rc
from recurra.cli.main import main
from recurra.errors import Interrupted
from recurra.runs import RunFolder
from recurra.tasks import registry
from recurra.training import Listener, Trainer

CLOCK = ("elapsed_s", "tokens_per_s", "metrics_size")
SMALL = {
    "hidden_size": 4, "epochs": 2, "max_steps": 9, "batch_size": 8, "validate_every": 3, "log_every": 2,
    "checkpoint_every_s": 1e-9, "threads": 1, "device": "cpu",
}  # fmt: skip


def text(folder: Path, n: int, name: str) -> dict[str, Path]:
    lines = [f"the {('cat', 'dog', 'cow')[i % 3]} sat on the {('mat', 'log')[i % 2]}\n" for i in range(n)]
    (folder / f"{name}.txt").write_text("".join(lines))
    return {"data": folder / f"{name}.txt"}


def tagged(folder: Path, n: int, name: str) -> dict[str, Path]:
    rows = [
        f"BOS go to {('oslo', 'rome')[i % 2]} EOS\tO O O B-to {('go', 'stay')[i % 2]}\n" for i in range(n)
    ]
    (folder / f"{name}.iob").write_text("".join(rows))
    return {"data": folder / f"{name}.iob"}


def translated(folder: Path, n: int, name: str) -> dict[str, Path]:
    (folder / f"{name}.a").write_text("".join(f"ab {i % 7}\n" for i in range(n)))
    (folder / f"{name}.b").write_text("".join(f"{i % 7} ba\n" for i in range(n)))
    return {"data": folder / f"{name}.a", "target": folder / f"{name}.b"}


# Options of a second training that differs from the first.
OTHER = {"hidden_size": 5, "max_steps": 2, "validate_every": 2}


@dataclass(frozen=True)
class Kind:
    """One kind of run.

    `write(folder, n, name)` writes n rows and returns the options that name them; `uses` are commands of this
    task only. A run with `stops` is stopped after that many steps, with 0 before the first step; a `copied`
    run has no checkpoint.
    """

    task: str
    write: Callable[[Path, int, str], dict[str, Path]]
    options: dict[str, Any]
    typed: str = "the c\n"
    uses: dict[str, list[object]] = field(default_factory=dict)
    stops: int | None = None
    copied: bool = False
    other: dict[str, Any] = field(default_factory=lambda: OTHER)


LM = Kind(
    "lm",
    text,
    SMALL | {"segment_length": 12},
    uses={"sample": ["--prime", "the c", "--length", 20, "--seed", 3], "score": []},
)
TAG = Kind("tag", tagged, SMALL | {"embedding_size": 5}, "go to oslo\nstay\n")
KINDS = {
    "lm": LM,
    "tag": TAG,
    "translate": Kind(
        "translate",
        translated,
        SMALL | {"unit": "char", "vocabulary": "separate"},
        "ab 3\n",
        {"translate": []},
    ),
    "stopped lm": replace(LM, stops=4),
    "begun tag": replace(TAG, stops=0),
    "copied tag": replace(TAG, copied=True),
    "ngram": Kind("lm", text, {"model": "ngram", "order": 3}, uses=LM.uses, other={"order": 2}),
}


class Said(NamedTuple):
    """Exit code, standard output and standard error."""

    code: int
    out: str
    err: str


class Held(io.StringIO):
    """Collects the output of a command; rich must not wrap it to a terminal."""

    def isatty(self) -> bool:
        return False


def recurra(*arguments: object, typed: str = "") -> Said:
    """The command line in this process, with errors as a user sees them."""
    out, err = Held(), Held()
    with pytest.MonkeyPatch.context() as patches:
        patches.setattr(sys, "argv", ["recurra", *map(str, arguments)])
        patches.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(typed.encode())))
        patches.setattr(sys, "stdout", out)
        patches.setattr(sys, "stderr", err)
        try:
            main()
            code = 0
        except SystemExit as ended:
            code = ended.code or 0
        except BaseException:
            code = 1
            err.write(traceback.format_exc())
    return Said(code, out.getvalue(), err.getvalue())


def flags(options: dict[str, Any]) -> list[str]:
    return [part for name, value in options.items() for part in (f"--{name.replace('_', '-')}", str(value))]


def refusal(said: Said) -> str:
    """The sentence with which a command was refused: one line, after any regular output."""
    assert said.code == 2, said
    assert "Traceback" not in said.err, said.err
    *before, sentence = said.err.splitlines()
    assert sentence.startswith("error: "), said.err
    assert sentence.endswith("."), said.err
    assert not any(line.startswith("error") for line in before), said.err
    return sentence


def plain(tensors: dict[str, Any]) -> dict[str, Any]:
    """Convert tensors so that `==` compares them bit for bit."""
    return {name: (str(one.dtype), tuple(one.shape), one.numpy().tobytes()) for name, one in tensors.items()}


def without_clock(record: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in record.items() if name not in CLOCK}


def result_of(run: Path) -> dict[str, Any]:
    """Everything that two equal trainings have in common: weights, checkpoint, metrics and artefacts."""
    folder = RunFolder(run)
    state, tensors = folder.checkpoints.load() if folder.checkpoints.exists() else ({"place": {}}, {})
    settings = folder.read_settings()
    return {
        "weights": plain(folder.read_weights()),
        "tensors": plain(tensors),
        "state": {**state, "place": without_clock(state["place"])},
        "metrics": [without_clock(record) for record in folder.metrics.read()],
        "settings": settings,
        "artefacts": {name: (run / name).read_bytes() for name in settings["artefacts"]},
    }


def files_of(run: Path) -> dict[str, bytes | None]:
    """The content of each file below a folder, by name; None for folders."""
    return {
        file.relative_to(run).as_posix(): None if file.is_dir() else file.read_bytes()
        for file in sorted(run.rglob("*"))
    }


def names_of(run: Path) -> set[str]:
    """The names of all files except those of TensorBoard, which contain the time."""
    return {name for name in files_of(run) if not name.startswith("events/")}


class _Stop(Listener):
    """Sends a signal after some steps."""

    def __init__(self, step: int) -> None:
        self._step = step

    def on_step(self, report):
        if report.step == self._step:
            os.kill(os.getpid(), signal.SIGINT)


def stop_at_once(*_: object, **__: object) -> None:
    raise Interrupted("stopped", signal.SIGINT)


@dataclass(frozen=True)
class Runs:
    """Data of one kind and a run trained on it.

    `whole` is the run, never changed; its copies always have the path `run`, so that messages are the same.
    """

    kind: Kind
    folder: Path
    data: dict[str, Path]
    other_data: dict[str, Path]

    @property
    def whole(self) -> Path:
        return self.folder / "whole"

    @property
    def run(self) -> Path:
        return self.folder / "run"

    def copy(self) -> Path:
        """Replace `run` with a copy of the intact run."""
        if self.run.is_dir():
            shutil.rmtree(self.run)
        shutil.copytree(self.whole, self.run)
        return self.run

    def overwrite(self) -> list[object]:
        """The command that starts a second training over a run."""
        return self.train(None, "--overwrite", **self.kind.other)

    def train(self, out: Path | None = None, *more: object, **options: Any) -> list[object]:
        """The command that trains."""
        asked = self.kind.options | self.data | options
        return ["train", self.kind.task, "-o", out or self.run, *flags(asked), *more]

    def uses(self) -> dict[str, list[object]]:
        """Every command that reads the run, by name."""
        own = {verb: [verb, self.run, *options] for verb, options in self.kind.uses.items()}
        return {
            "evaluate": ["evaluate", self.run, "--json"],
            "evaluate --data": ["evaluate", self.run, "--json", *flags(self.other_data)],
            "predict": ["predict", self.run, "--json"],
            **own,
            "load": ["load", self.run],
            "report": ["report", self.run],
            "resume": ["train", "--resume", self.run],
        }

    def use(self, name: str) -> tuple[Said, Any]:
        """A command's output and its result, without times."""
        if name == "load":
            return self._load()
        said = recurra(*self.uses()[name], typed=self.kind.typed)
        made: Any = None
        if said.code == 0 and name == "report":
            made = (self.run / "report.html").read_bytes()
        if said.code == 0 and name == "resume":
            made = result_of(self.run)
            said = said._replace(
                out="".join(line for line in said.out.splitlines(True) if " s; " not in line)
            )
        return said, made

    def _load(self) -> tuple[Said, Any]:
        """The model loaded in Python, or the error text as the command line would print it."""
        try:
            model = rc.load(self.run)
        except rc.errors.RecurraError as error:
            return Said(error.exit_code, "", f"error: {error}\n"), None
        return Said(0, repr(model), ""), plain(dict(model.network.state_dict()))


def make_runs(folder: Path, kind: Kind, data: dict[str, Path] | None = None) -> Runs:
    """Write the data, if not given, and train a run on them."""
    folder.mkdir(exist_ok=True)
    runs = Runs(kind, folder, data or kind.write(folder, 40, "rows"), kind.write(folder, 20, "other"))
    facade, asked = registry.get(kind.task).model, kind.options | runs.data
    if kind.stops == 0:
        with patched(Trainer, "fit", stop_at_once), pytest.raises(Interrupted):
            facade.train(out=runs.whole, **asked)
    elif kind.stops is not None:
        with pytest.raises(Interrupted):
            facade.train(out=runs.whole, listeners=[_Stop(kind.stops)], **asked)
    elif kind.copied:
        facade.train(out=folder / "trained", **asked).save(runs.whole)
    else:
        said = recurra(*runs.train(runs.whole))
        assert said.code == 0, said
    return runs


@contextmanager
def patched(owner: object, name: str, value: object) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patches:
        patches.setattr(owner, name, value)
        yield


@contextmanager
def quick_pictures() -> Iterator[None]:
    """Replace pictures with the numbers that they show, because drawing takes most of the time."""

    def told(draw: Callable[..., Any], *given: Any, **named: Any) -> str:
        return f"<svg>{html.escape(repr((given, named)))}</svg>"

    with pytest.MonkeyPatch.context() as patches:
        for module in ("recurra.reports.curves", "recurra.tasks.seq2seq.report"):
            patches.setattr(f"{module}.as_svg", told)
        yield

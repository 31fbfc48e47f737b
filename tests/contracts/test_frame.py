"""The shared code depends on no task: tasks are named only in their own folders and in the registry."""

import re
import subprocess
import sys
from pathlib import Path

import letters_task
import pytest

from recurra.config import RunPart, TaskConfig
from recurra.errors import ConfigError, RunError
from recurra.runs import RunFolder
from recurra.tasks import registry
from recurra.tasks.model import Model

ROOT = Path(__file__).resolve().parents[2]
SOURCE = ROOT / "src" / "recurra"
HERE = Path(__file__).resolve().parent
SHARED = [
    *(
        SOURCE / "cli" / f"{name}.py"
        for name in ("main", "train", "evaluate", "predict", "report", "options")
    ),
    *(file for room in ("config", "runs", "reports", "training") for file in (SOURCE / room).rglob("*.*")),
    *(file for file in (SOURCE / "tasks").glob("*.py") if file.name != "registry.py"),
]
NAMES = "|".join(registry.names())
OPTIONS = {name for config in registry.configs().values() for name in config.model_fields}
QUOTED = "|".join(name for name in registry.names() if name not in OPTIONS)  # else it may be the option
FAMILY = re.compile(
    rf"""language_modeling|labelling|seq2seq|LanguageModel|Labeller|PairModel|Tagger|Classifier|Translator
    |ChatBot|Captioner|\b(?:language\ model|translator|chat-bot|captioner|tagger|classifier)s?\b
    |["'](?:{QUOTED})["'](?!:\ f)|train\ (?:{NAMES})\b""",
    re.VERBOSE,
)


@pytest.mark.parametrize("file", [f for f in SHARED if f.suffix in (".py", ".html")], ids=lambda f: f.name)
def test_what_serves_all_tasks_names_none(file):
    lines = file.read_text(encoding="utf-8").splitlines()
    named = [
        f"{file}:{number}: {line.strip()}"
        for number, line in enumerate(lines, start=1)
        if FAMILY.search(line) and "Source: " not in line  # titles of papers
    ]
    assert not named


def test_the_check_finds_a_family():
    for text in ('task = "lm"', "from recurra.tasks.labelling import x", "is a Tagger", "of language models"):
        assert FAMILY.search(text)


def test_a_task_is_found_by_its_name():
    for name in ("lm", "tag", "caption"):
        task = registry.get(name)
        assert (task.name, task.config, task.model.task) == (name, registry.config_of(name), name)
    with pytest.raises(ConfigError, match="task: got 'juggle', expected one of lm, tag"):
        registry.get("juggle")


def test_another_task_of_the_same_name_is_refused():
    with pytest.raises(ConfigError, match="a task with the name 'lm' exists already"):
        registry.add(type("Mine", (type(registry.get("tag")),), {"name": "lm"}))


def test_a_run_of_a_task_that_is_not_known_here_says_what_to_do(tmp_path):
    with RunFolder.claimed(tmp_path / "run") as run:
        run.begin("juggle", {}, {}, lambda folder: None)
    with pytest.raises(
        RunError, match="belongs to the task 'juggle', which is unknown here; upgrade Recurra"
    ):
        registry.task_of(RunFolder.open(tmp_path / "run"))


def test_a_task_that_is_not_whole_is_refused_before_any_work():
    letters = letters_task.Letters
    mute = type("Mute", (Model,), {"task": "half"})
    half = type("Half", (letters,), {"name": "half", "model": mute})
    with pytest.raises(ConfigError, match="incomplete: Mute has no read_file, Mute has no predictions"):
        registry.add(half)
    other = type("Other", (letters,), {"name": "other"})
    with pytest.raises(ConfigError, match=r"'other' is incomplete: LetterCounter\.task is 'letters'"):
        registry.add(other)
    without = type("Bare", (RunPart, TaskConfig), {"__module__": __name__})
    bare = type("Bare", (letters,), {"name": "letters", "config": without})
    registry._added.pop("letters", None)
    with pytest.raises(ConfigError, match="no option batch_size, Bare has no option validation_fraction"):
        registry.add(bare)
    registry.add(letters)


def test_a_large_loss_that_is_no_likelihood_is_no_divergence(tmp_path):
    registry.add(letters_task.Letters)
    (tmp_path / "rows.tsv").write_text("".join(f"{'ab' * 3}\t{100 + i}\n" for i in range(40)))
    options = {"epochs": 1, "threads": 1, "hidden_size": 4}
    model = letters_task.LetterCounter.train(tmp_path / "rows.tsv", out=tmp_path / "run", **options)
    assert model.evaluate().squared_error > 700
    assert "loss (squared error per row)" in model.report().read_text(encoding="utf-8")


def installed(folder: Path, entry: str = "letters_task:LettersConfig") -> Path:
    """A folder for `sys.path` with an installed package that defines a task."""
    (folder / "letters-1.0.dist-info").mkdir(parents=True)
    (folder / "letters-1.0.dist-info" / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: letters\nVersion: 1\n"
    )
    entry = f"[{registry.ENTRY_POINTS}]\nletters = {entry}\n"
    (folder / "letters-1.0.dist-info" / "entry_points.txt").write_text(entry)
    (folder / "letters_task.py").write_text((HERE / "letters_task.py").read_text(encoding="utf-8"))
    return folder


def test_a_package_that_cannot_be_loaded_is_named_and_left_out(tmp_path):
    path = str(installed(tmp_path / "site", "nothing_here:LettersConfig"))
    for arguments, code, told in (
        (["--help"], 0, ""),
        (
            ["train", "--help"],
            0,
            "left out: task: 'letters' cannot be loaded from nothing_here:",
        ),
        (["train", "letters", "-o", "run"], 2, "error: task: 'letters' cannot be loaded from"),
    ):
        run = f"import sys; sys.path.append({path!r}); from recurra.cli.main import main; main()"
        done = subprocess.run(
            [sys.executable, "-c", run, *arguments], cwd=tmp_path, capture_output=True, text=True, check=False
        )
        assert (done.returncode, "Traceback" in done.stderr) == (code, False), done.stderr
        assert told in done.stderr


def test_a_task_of_an_installed_package_has_every_verb(tmp_path):
    rows = [f"{'ab' * (i % 4)}a\t{i % 4 + 1}\n" for i in range(40)]
    (tmp_path / "rows.tsv").write_text("".join(rows))
    path = str(installed(tmp_path / "site"))
    code = f"import sys; sys.path.append({path!r}); from recurra.cli.main import main; main()"

    def recurra(*arguments: str, typed: str = "") -> str:
        command = [sys.executable, "-c", code, *arguments]
        done = subprocess.run(command, cwd=tmp_path, input=typed, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    assert "Train a network that counts a letter." in recurra("train", "--help")
    recurra("train", "letters", "--data", "rows.tsv", "-o", "run", "--epochs", "1", "--threads", "1")
    assert "squared error" in recurra("evaluate", "run")
    assert len(recurra("predict", "run", typed="aba\n").splitlines()) == 1

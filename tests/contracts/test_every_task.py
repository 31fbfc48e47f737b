"""Contracts of every task, including one defined outside the package: see `every_task.py`."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import torch
from every_task import CASES, Case
from typer.testing import CliRunner

from recurra.cli.main import app, main
from recurra.data.inputs import Input, Share
from recurra.errors import DataError, Interrupted, RunError
from recurra.runs import RunFolder
from recurra.tasks import driver, registry, repeats, rows
from recurra.training import Listener

HERE = Path(__file__).resolve().parent
ROWS = 60
CLOCK = ("elapsed_s", "tokens_per_s")


def flags(options: dict[str, Any]) -> list[str]:
    return [part for name, value in options.items() for part in (f"--{name.replace('_', '-')}", str(value))]


def recurra(*arguments: object, input: str | None = None) -> Any:
    return CliRunner().invoke(app, [str(one) for one in arguments], input=input)


def told(*arguments: object, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch):
    """Exit code, standard output and standard error of the command line, as a user sees them."""
    monkeypatch.setattr(sys, "argv", ["recurra", *map(str, arguments)])
    with pytest.raises(SystemExit) as ended:
        main()
    out, error = capsys.readouterr()
    return ended.value.code, out, error


def train(case: Case, out: Path, files: dict[str, Path], *more: object, **options: Any) -> Any:
    options = case.all_options | options
    return recurra("train", case.task, *flags(files), "-o", out, *flags(options), *more)


def result_of(run: Path) -> tuple[dict[str, torch.Tensor], list[dict[str, Any]]]:
    """Weights, and metrics without times."""
    folder = RunFolder(run)
    records = [{k: v for k, v in record.items() if k not in CLOCK} for record in folder.metrics.read()]
    return folder.read_weights(), records


def assert_same(run: Path, other: Path) -> None:
    (weights, records), (others, expected) = result_of(run), result_of(other)
    assert weights.keys() == others.keys()
    assert all(torch.equal(weights[name], others[name]) for name in weights)
    assert records == expected


class Trained(NamedTuple):
    case: Case
    folder: Path
    files: dict[str, Path]
    run: Path
    said: str


@pytest.fixture(scope="module", params=sorted(CASES))
def trained(request, tmp_path_factory):
    """A run trained by the command line; tests must not change it."""
    case, folder = CASES[request.param], tmp_path_factory.mktemp(request.param)
    files = case.write(folder, ROWS)
    done = train(case, folder / "run", files)
    assert done.exit_code == 0, done.output
    return Trained(case, folder, files, folder / "run", done.output)


@pytest.fixture
def copied(trained, tmp_path):
    """A copy of the run that a test may change, with a copy of its data."""
    shutil.copytree(trained.run, tmp_path / "run")
    return tmp_path / "run"


def asked(case: Case, folder: Path) -> tuple[object, str | None]:
    """The input of `predict`: a file, or "-" and lines."""
    return (folder / case.ask, None) if "\n" not in case.ask else ("-", case.ask * 3)


def test_every_task_of_the_registry_is_held_to_this():
    assert {case.task for case in CASES.values()} == set(registry.names())


def test_training_ends_with_figures_and_commands_to_go_on_with(trained):
    assert "validation: " in trained.said
    assert f"report: {trained.run / 'report.html'}" in trained.said
    assert "next:  recurra " in trained.said
    assert not re.search(r"recurra predict \S+ (?!FILE\b)", trained.said)


def test_the_report_begins_with_what_was_changed_and_says_nothing_twice(trained):
    page = (trained.run / "report.html").read_text()
    first, rest = page.split("<details>")
    changed, config = re.findall(r"<tr><td>(\w+)</td>", first), registry.config_of(trained.case.task)
    assert set(changed) >= {"data"} | {
        name for name, value in trained.case.all_options.items() if value != config.default_of(name)
    }
    folded = re.findall(r"<tr><td>(\w+)</td>", rest.split("<h3>")[0])
    assert not set(changed) & set(folded)
    assert set(changed) | set(folded) <= set(RunFolder.open(trained.run).read_settings()["config"])
    # Options without a use are not listed: those of other models and tasks, and of another schedule.
    without_use = {
        "lm": ("optimizer",) if "order" in trained.case.options else ("order",),
        "tag": ("tie_weights", "vectors_limit"),
        "classify": ("scheme", "adaptive_softmax"),
        "translate": ("diversity", "captions"),
        "caption": ("target", "bridge"),
    }
    assert not {*without_use.get(trained.case.task, ("decay",))} & {*changed, *folded}
    assert "seed" in {*changed, *folded} or "order" in trained.case.options
    titles = re.findall(r"<(?:h1|h2|dt)>(.+?)</(?:h1|h2|dt)>", page)
    assert len(set(titles)) == len(titles) > 3
    assert all(title[0].isupper() for title in titles)


def test_python_trains_to_the_same(trained, tmp_path):
    case = trained.case
    model = case.facade.train(out=tmp_path / "python", **trained.files, **case.all_options)
    assert_same(tmp_path / "python", trained.run)
    validation = recurra("evaluate", trained.run, "--json")
    assert validation.exit_code == 0, validation.output
    assert json.loads(validation.stdout) == json.loads(json.dumps(model.evaluate().to_dict()))


class Noted(Listener):
    """Records the events that it receives; optionally sends a signal at a given step."""

    def __init__(self, stop_at: int | None = None) -> None:
        self.events: list[str] = []
        self._stop_at = stop_at

    def on_start(self, step, total_steps):
        self.events.append("start")

    def on_step(self, report):
        self.events.append("step")
        if report.step == self._stop_at:
            os.kill(os.getpid(), signal.SIGINT)

    def on_log(self, record):
        self.events.append("log")

    def on_validation(self, record, *, best):
        self.events.append("validation")
        assert record["loss"] >= 0

    def on_end(self):
        self.events.append("end")


def test_listeners_are_told(trained, tmp_path):
    noted, case = Noted(), trained.case
    case.facade.train(out=tmp_path / "run", listeners=[noted], **trained.files, **case.all_options)
    assert (noted.events[0], noted.events[-1]) == ("start", "end")
    assert {"step", "log", "validation"} <= set(noted.events)


def test_a_stopped_run_goes_on_to_the_same_bits(trained, tmp_path):
    case, run = trained.case, tmp_path / "run"
    with pytest.raises(Interrupted, match="recurra train --resume"):
        case.facade.train(out=run, listeners=[Noted(3)], **trained.files, **case.all_options)
    case.facade.resume(run)
    assert_same(run, trained.run)


KILLED = """
import os, signal, sys
sys.path.insert(0, {here!r})
from every_task import CASES
from recurra.training import Listener
class Kill(Listener):
    def on_step(self, report):
        if report.step == 5:
            os.kill(os.getpid(), signal.SIGKILL)
case = CASES[{name!r}]
case.facade.train(out={run!r}, listeners=[Kill()], checkpoint_every_s=1e-9, **{files!r}, **case.all_options)
"""


def test_a_killed_run_goes_on_to_the_same_bits(trained, tmp_path):
    case, run = trained.case, tmp_path / "run"
    name = next(name for name, one in CASES.items() if one is case)
    files = {option: str(file) for option, file in trained.files.items()}
    code = KILLED.format(here=str(HERE), name=name, run=str(run), files=files)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert recurra("train", "--resume", run).exit_code == 0
    weights, others = RunFolder(run).read_weights(), RunFolder(trained.run).read_weights()
    assert all(torch.equal(weights[part], others[part]) for part in others)


def test_a_run_stopped_before_its_first_checkpoint_begins_once_more(trained, tmp_path):
    case = trained.case
    task = registry.get(case.task)
    config = task.config.build(options=trained.files | case.all_options)

    def stop(trainer, corpus):
        raise RuntimeError("stopped here")

    with pytest.raises(RuntimeError, match="stopped here"):
        driver.train(task, config, tmp_path / "run", on_ready=stop)
    assert RunFolder(tmp_path / "run").begun_only
    done = recurra("train", "--resume", tmp_path / "run")
    assert done.exit_code == 0, done.output
    assert_same(tmp_path / "run", trained.run)
    assert train(case, tmp_path / "run", trained.files, "--overwrite").exit_code == 0
    assert_same(tmp_path / "run", trained.run)


def test_a_run_stopped_before_its_first_checkpoint_does_not_begin_on_other_data(tmp_path):
    case = CASES["letters"]
    files = case.write(tmp_path, ROWS)
    task = registry.get(case.task)

    def stop(trainer, corpus):
        raise RuntimeError("stopped here")

    config = task.config.build(options=files | case.all_options)
    with pytest.raises(RuntimeError, match="stopped here"):
        driver.train(task, config, tmp_path / "run", on_ready=stop)
    lines = files["data"].read_text().splitlines(keepends=True)
    files["data"].write_text("".join(reversed(lines)))  # contains the same symbols
    refused = recurra("train", "--resume", tmp_path / "run")
    assert "have changed since it began; restore them" in str(refused.exception)
    files["data"].write_text("".join(lines))
    assert recurra("train", "--resume", tmp_path / "run").exit_code == 0


def test_a_run_that_is_overwritten_just_before_the_lock_is_not_gone_on_with(tmp_path, monkeypatch):
    case, run = CASES["letters"], tmp_path / "run"
    files = case.write(tmp_path, ROWS)
    assert train(case, run, files).exit_code == 0
    locked = RunFolder.locked

    def too_late(self):
        monkeypatch.setattr(RunFolder, "locked", locked)
        assert train(case, run, files, "--overwrite", **case.other).exit_code == 0
        return locked(self)

    monkeypatch.setattr(RunFolder, "locked", too_late)
    refused = recurra("train", "--resume", run)
    assert "another process has just overwritten this run; try again" in str(refused.exception)


def test_held_out_rows_are_those_that_the_run_kept(trained, copied, monkeypatch):
    def refuse(*arguments):
        raise AssertionError("the rows are split anew")

    before = recurra("evaluate", trained.run, "--json").stdout
    monkeypatch.setattr(rows, "_cut", refuse)
    assert recurra("evaluate", copied, "--json").stdout == before
    done = recurra("train", "--resume", copied)
    assert done.exit_code == 0, done.output


def test_a_run_finds_its_data_from_any_folder(trained, tmp_path, monkeypatch):
    case = trained.case
    monkeypatch.chdir(trained.folder)
    relative = {option: file.relative_to(trained.folder) for option, file in trained.files.items()}
    assert train(case, tmp_path / "run", relative).exit_code == 0
    monkeypatch.chdir(tmp_path)
    done = recurra("evaluate", tmp_path / "run", "--json")
    assert done.exit_code == 0, done.output
    assert done.stdout == recurra("evaluate", trained.run, "--json").stdout


def test_the_figures_of_the_end_are_those_of_evaluate(trained):
    final = next(record for record in RunFolder(trained.run).metrics.read() if record["kind"] == "final")
    evaluated = json.loads(recurra("evaluate", trained.run, "--json").stdout)
    shared = [name for name, value in final.items() if isinstance(value, float) and name in evaluated]
    assert shared
    assert all(final[name] == pytest.approx(evaluated[name], rel=1e-5) for name in shared)


def test_going_on_with_a_finished_run_changes_nothing(trained, copied):
    done = recurra("train", "--resume", copied)
    assert done.exit_code == 0, done.output
    assert_same(copied, trained.run)


def test_overwritten_it_is_as_if_it_were_new(trained, copied, tmp_path):
    case = trained.case
    refused = train(case, copied, trained.files, **case.other)
    assert isinstance(refused.exception, RunError)
    assert_same(copied, trained.run)
    (copied / "mine.txt").write_text("a person's own")
    assert train(case, copied, trained.files, "--overwrite", **case.other).exit_code == 0
    assert train(case, tmp_path / "new", trained.files, **case.other).exit_code == 0
    assert_same(copied, tmp_path / "new")
    names = [
        {str(file.relative_to(run)) for file in run.rglob("*") if "events" not in file.parts}
        for run in (copied, tmp_path / "new")
    ]
    assert names[0] == names[1] | {"mine.txt"}


def test_without_its_data_a_run_is_used_all_the_same(trained, tmp_path):
    case, home, away = trained.case, tmp_path / "home", tmp_path / "away"
    home.mkdir()
    files = case.write(home, ROWS)
    assert train(case, home / "run", files).exit_code == 0
    before = recurra("evaluate", home / "run", "--json").stdout
    shutil.copytree(home / "run", away / "run")
    shutil.rmtree(home)
    gone = recurra("evaluate", away / "run")
    assert str(files["data"]) in str(gone.exception), gone.output
    assert "restore it, or name another file with --data" in str(gone.exception)
    gone = recurra("train", "--resume", away / "run")
    assert f"data of {away / 'run'} are read from it; restore it" in str(gone.exception)
    other = tmp_path / "other"
    other.mkdir()
    others = case.write(other, ROWS - 10)
    beside = ["--target", others[case.beside]] if case.beside else []
    there = recurra("evaluate", away / "run", "--data", others["data"], *beside, "--json")
    assert there.exit_code == 0, there.output
    assert json.loads(there.stdout).keys() == json.loads(before).keys()
    file, lines = asked(case, other)
    assert recurra("predict", away / "run", file, input=lines).exit_code == 0
    assert recurra("report", away / "run").exit_code == 0


def test_a_second_file_that_is_gone_is_named(trained, tmp_path):
    case = trained.case
    if case.beside is None:
        return
    files = case.write(tmp_path, ROWS)
    assert train(case, tmp_path / "run", files).exit_code == 0
    files[case.beside].unlink()
    for command in (["evaluate"], ["train", "--resume"]):
        gone = str(recurra(*command, tmp_path / "run").exception)
        assert gone.startswith(f"{files[case.beside]}: does not exist"), gone
        assert f"data of {tmp_path / 'run'} are read from it; restore it" in gone


def test_fewer_folds_over_more_leave_nothing_of_those(tmp_path):
    case, out = CASES["classify"], tmp_path / "runs"
    files = case.write(tmp_path, ROWS)
    more = train(case, out, files, epochs=1, folds=3, seeds=2)
    assert more.exit_code == 0, more.output
    (out / "mine").mkdir()
    (out / "fold-3-seed-1" / "mine.txt").write_text("keep")
    shutil.copytree(out / "fold-3-seed-1", out / "mine" / "fold-3")
    refused = train(case, out, files, epochs=1, folds=2)
    assert refused.exit_code == 0, refused.output  # other names, so there is no conflict
    assert (out / "fold-3-seed-2").exists()
    refused = train(case, out, files, epochs=2, folds=2)
    assert "holds a run with other options" in str(refused.exception)
    done = train(case, out, files, "--overwrite", epochs=1, folds=2, hidden_size=6)
    assert done.exit_code == 0, done.output
    assert sorted(file.name for file in out.iterdir()) == [
        "fold-1",
        "fold-2",
        "fold-3-seed-1",
        "mine",
        "summary.json",
    ]
    assert [file.name for file in (out / "fold-3-seed-1").iterdir()] == ["mine.txt"]
    assert (out / "mine" / "fold-3" / "run.toml").exists()
    assert json.loads((out / "summary.json").read_text())["runs"] == ["fold-1", "fold-2"]


def test_a_summary_of_runs_that_are_gone_goes_with_the_first(tmp_path):
    case, out = CASES["classify"], tmp_path / "runs"
    files = case.write(tmp_path, ROWS)
    task = registry.get(case.task)
    options = files | case.all_options | {"epochs": 1, "seeds": 2}
    repeats.train_repeatedly(task, task.config.build(options=options), out)
    unusable = task.config.build(options=options | {"data": tmp_path / "missing"})
    with pytest.raises(DataError):
        repeats.train_repeatedly(task, unusable, out, overwrite=True)
    assert (out / "summary.json").exists()  # nothing was overwritten yet
    with pytest.raises(Interrupted, match="continue it and the remaining runs with the same command without"):
        repeats.train_repeatedly(
            task, task.config.build(options=options), out, overwrite=True, listeners=lambda: [Noted(3)]
        )
    assert not (out / "summary.json").exists()


def strict(text: str) -> Any:
    def refuse(name: str) -> None:
        raise AssertionError(f"{name} is not JSON")

    return json.loads(text, parse_constant=refuse)


def test_json_is_strict_and_of_one_shape(trained):
    file, lines = asked(trained.case, trained.folder)
    between = None if lines is None else lines.splitlines(keepends=True)[0] + trained.case.empty + lines
    said = recurra("predict", trained.run, file, "--json", input=between)
    assert said.exit_code == 0, said.output
    answers = [strict(line) for line in said.stdout.splitlines()]
    assert len(answers) == (5 if lines else ROWS)
    assert all(isinstance(one, dict) and one.keys() == answers[0].keys() for one in answers)
    assert isinstance(strict(recurra("evaluate", trained.run, "--json").stdout), dict)
    for line in (trained.run / "metrics.jsonl").read_text().splitlines():
        assert isinstance(strict(line), dict)


def test_lines_are_answered_in_step(trained):
    file, lines = asked(trained.case, trained.folder)
    said = recurra("predict", trained.run, file, input=lines)
    assert said.exit_code == 0, said.output
    assert len(said.stdout.splitlines()) == (3 if lines else ROWS)


def test_shares_of_the_inputs_are_answered_as_the_whole(trained, tmp_path):
    """What `predict --workers` relies on: `inputs` are those of `predictions`, and numbers go on."""
    model, lines = trained.case.facade.load(trained.run), asked(trained.case, trained.folder)[1]
    (tmp_path / "lines.txt").write_text(lines or "")
    source = Input(str(tmp_path / "lines.txt" if lines else trained.folder / trained.case.ask))
    options = type(model.config).prediction()
    whole = [one.line() for one in model.predictions(source, options)]
    inputs = [one for group in model.inputs(source, options) for one in group]
    assert len(inputs) == len(whole)
    shares = [Share(source.name, inputs[at : at + 2], at) for at in range(0, len(inputs), 2)]
    assert [one.line() for share in shares for one in model.predictions(share, options)] == whole
    assert not list(model.predictions(Share(source.name, [], 0), options))


def test_a_saved_copy_answers_the_same(trained, tmp_path):
    model = trained.case.facade.load(trained.run)
    model.save(tmp_path / "copy")
    assert not (tmp_path / "copy" / "checkpoint").exists()
    file, lines = asked(trained.case, trained.folder)
    answers = [recurra("predict", run, file, input=lines).stdout for run in (trained.run, tmp_path / "copy")]
    assert answers[0] == answers[1]
    with pytest.raises(RunError, match="holds a run already"):
        model.save(tmp_path / "copy")


def test_a_loaded_model_does_not_take_another_runs_rows_for_its_own(trained, copied):
    model = trained.case.facade.load(copied)
    assert train(trained.case, copied, trained.files, "--overwrite", **trained.case.other).exit_code == 0
    with pytest.raises(RunError, match="was overwritten after this model was loaded; load it again"):
        model.evaluate()


def bad_files(folder: Path, good: dict[str, Path]) -> dict[str, list[Any]]:
    (folder / "empty").write_text("")
    (folder / "binary").write_bytes(bytes(range(256)) * 40)
    return {
        "missing": [folder / "missing"],
        "empty": [folder / "empty"],
        "binary": [folder / "binary"],
        "a folder": [folder / "nothing"],
    }


@pytest.mark.parametrize("kind", ["missing", "empty", "binary", "a folder"])
def test_bad_input_is_one_sentence(trained, kind, tmp_path, capsys, monkeypatch):
    case = trained.case
    (tmp_path / "nothing").mkdir()
    (bad,) = bad_files(tmp_path, trained.files)[kind]
    files = trained.files | {"data": bad}
    code, out, error = told(
        *("train", case.task, *flags(files), "-o", tmp_path / "run", *flags(case.all_options)),
        capsys=capsys,
        monkeypatch=monkeypatch,
    )
    assert (code, out) == (2, ""), error
    assert error.startswith("error: "), error
    assert len(error.splitlines()) == 1, error
    assert str(bad) in error
    assert not (tmp_path / "run").exists()
    if case.has_seeds:
        repeated = train(case, tmp_path / "runs", files, seeds=2)
        assert str(bad) in str(repeated.exception)
        assert not (tmp_path / "runs").exists()
    beside = ["--target", trained.files[case.beside]] if case.beside else []
    code, _, error = told(
        "evaluate", trained.run, "--data", bad, *beside, capsys=capsys, monkeypatch=monkeypatch
    )
    assert (code, error.startswith("error: "), len(error.splitlines())) == (2, True, 1), error
    assert str(bad) in error


def test_an_option_that_the_task_does_not_have_is_named(trained, capsys, monkeypatch):
    case = trained.case
    others = {
        option
        for name in registry.names()
        for option in registry.config_of(name).evaluation.model_fields
        if option not in registry.config_of(case.task).evaluation.model_fields
    }
    option = next(iter(sorted(others & {"mistakes", "streams", "beam_width"})))
    code, out, error = told(
        *("evaluate", trained.run, f"--{option.replace('_', '-')}", 3), capsys=capsys, monkeypatch=monkeypatch
    )
    assert (code, out) == (2, "")
    assert f"--{option.replace('_', '-')}: applies to runs of" in error


def test_the_wrong_facade_is_refused(trained):
    other = CASES["tag" if trained.case.task != "tag" else "lm"].facade
    with pytest.raises(RunError, match=f"is a run of task {trained.case.task!r}, expected"):
        other.load(trained.run)


def test_no_file_of_the_package_names_the_task_of_the_tests():
    source = HERE.parents[1] / "src" / "recurra"
    assert not [file for file in source.rglob("*.py") if "letters_task" in file.read_text(encoding="utf-8")]

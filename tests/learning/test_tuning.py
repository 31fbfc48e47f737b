"""Searches over options: every task, resuming, pruning, failures, folds and seeds."""

import csv
import json
import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import torch
from typer.testing import CliRunner

import recurra as rc
from recurra.cli.main import app
from recurra.errors import ConfigError, DataError, Interrupted, MissingExtra, RunError, TrainingDiverged
from recurra.runs import RunFolder
from recurra.runs.split_file import read_split
from recurra.tasks import opening, registry
from recurra.tasks.tuning import Given, Plan, Watcher
from recurra.tasks.tuning.search import Search
from recurra.tasks.tuning.study import Study
from recurra.training import Listener, Trainer

SPACE = {"hidden_size": [4, 6, 8], "learning_rate": {"low": 0.001, "high": 0.05, "log": True}}
SMALL: dict[str, Any] = {"epochs": 3, "batch_size": 8, "threads": 1, "device": "cpu", "embedding_size": 6}
CLOCK = ("seconds",)


def rows(folder: Path, n: int = 60) -> Path:
    lines = [f"{('good', 'bad', 'fine')[i % 3]} film {i % 7}\t{('yes', 'no')[i % 2]}\n" for i in range(n)]
    (folder / "rows.tsv").write_text("text\tlabel\n" + "".join(lines))
    return folder / "rows.tsv"


def tuned(folder: Path, name: str = "search", **more: Any) -> Any:
    data = folder / "rows.tsv" if (folder / "rows.tsv").exists() else rows(folder)
    asked = {"data": data, "out": folder / name, "space": SPACE, "trials": 4, "pruner": "none"} | SMALL | more
    return rc.tune("classify", **{name: value for name, value in asked.items() if value is not None})


def without_clock(trials: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{name: value for name, value in row.items() if name not in CLOCK} for row in trials]


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    """Do not draw, which takes most of the time of a small search; `whole` has pictures."""
    monkeypatch.setattr("recurra.tasks.tuning.result.as_svg", lambda *_, **__: "")
    monkeypatch.setattr("recurra.tasks.tuning.result.write_png", lambda *_, **__: None)
    monkeypatch.setattr("recurra.reports.curves.as_svg", lambda *_, **__: "")


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A search that was never stopped; tests must not change it."""
    folder = tmp_path_factory.mktemp("whole")
    return tuned(folder)


def test_a_search_ends_with_a_table_a_picture_and_the_best_run(whole):
    folder = whole.folder.path
    assert sorted(path.name for path in folder.iterdir()) == [
        *(".recurra", "best", "report.html", "study.db", "trials.csv", "tune.png", "tune.toml"),
    ]
    best, *others = whole.trials
    assert all(best["criterion"] <= row["criterion"] for row in others)
    table = list(csv.DictReader((folder / "trials.csv").read_text().splitlines()))
    assert [row["trial"] for row in table] == ["0", "1", "2", "3"]
    assert table[best["trial"]]["accuracy"] == str(best["accuracy"])
    assert "<svg" in whole.report.read_text()
    assert isinstance(whole.best, rc.Classifier)
    assert whole.best.config.hidden_size == best["hidden_size"]
    assert whole.best.evaluate().main()["accuracy"] == best["accuracy"]
    assert repr(whole).startswith(
        f"TuningResult({str(folder)!r}: best of 4 trials is trial {best['trial']}, "
    )


def test_the_first_trial_has_the_defaults_if_they_are_in_the_space(tmp_path):
    space = {"hidden_size": [8, 100], "dropout": {"low": 0.0, "high": 0.6, "step": 0.1}}
    found = tuned(tmp_path, space=space, trials=2, epochs=1)
    first = next(row for row in found.trials if row["trial"] == 0)
    assert (first["hidden_size"], first["dropout"]) == (100, 0.5)
    assert found.changed(first) == "defaults"
    assert any(sentence.startswith("defaults: trial 0, accuracy ") for sentence in found.sentences())


def test_what_is_reported_was_held_out_before_the_search(whole, tmp_path):
    """The same rows as a training with the same share holds out; only the best model is evaluated on them."""
    run = RunFolder(whole.result.run)
    split = read_split(run)
    assert (len(split["test"]), len(split["valid"])) == (6, 5)
    assert not set(split["test"]) & set(split["valid"])
    kinds = [record["kind"] for record in run.read_metrics() if record["kind"] != "training"]
    assert kinds == ["validation"] * 3 + ["final", "test"]
    data = whole.folder.path.parent / "rows.tsv"
    options = SMALL | whole.options | {"test_fraction": 0.1}
    trained = rc.Classifier.train(data, out=tmp_path / "run", **options)
    assert read_split(trained.run) == split
    weights, others = trained.run.read_weights(), run.read_weights()
    assert all(torch.equal(weights[name], others[name]) for name in others)


def test_no_trial_is_evaluated_on_the_test_data(tmp_path):
    found = tuned(tmp_path, trials=2, epochs=1, keep_runs=True)
    best = found.trials[0]["trial"]
    for number in (0, 1):
        kinds = {
            record["kind"] for record in RunFolder(tmp_path / "search" / f"trial-{number}").read_metrics()
        }
        assert ("test" in kinds) == (number == best)
    assert rc.load(tmp_path / "search" / "trial-0").evaluate()


def test_a_validation_file_alone_gives_an_optimistic_figure(tmp_path):
    (tmp_path / "valid").mkdir()
    found = tuned(tmp_path, trials=1, epochs=1, valid=rows(tmp_path / "valid", 12))
    assert found.result.test is None
    assert "so this figure is optimistic; name a test file with --test." in found.sentences()[-1]


class Stop(Watcher, Listener):
    """Sends a signal at an update of a trial."""

    def __init__(self, trial: int, step: int) -> None:
        self._at, self._trial, self._step = trial, -1, step

    def on_trial(self, number, values):
        self._trial = number

    def listeners(self):
        return [self]

    def on_step(self, report):
        if self._trial == self._at and report.step == self._step:
            os.kill(os.getpid(), signal.SIGINT)


def test_a_stopped_search_goes_on_to_the_same_trials_and_the_same_bits(whole, tmp_path):
    for trial in (0, 2):
        with pytest.raises(Interrupted, match=f"stopped in trial {trial}, saved; continue with the same"):
            tuned(tmp_path, watcher=Stop(trial, 9))
        assert RunFolder(tmp_path / "search" / f"trial-{trial}").checkpoints.exists()
    found = tuned(tmp_path)
    assert without_clock(found.trials) == without_clock(whole.trials)
    weights, others = (one.best.run.read_weights() for one in (found, whole))
    assert all(torch.equal(weights[name], others[name]) for name in others)


@pytest.mark.slow
def test_more_trials_continue_a_search_that_had_ended(whole, tmp_path):
    first = tuned(tmp_path, trials=1)
    assert len(first.trials) == 1
    assert without_clock(tuned(tmp_path).trials) == without_clock(whole.trials)
    assert without_clock(tuned(tmp_path, trials=2).trials) == without_clock(whole.trials)
    assert len(tuned(tmp_path, trials=9, minutes=1e-6).trials) == 4


KILLED = """
import os, signal, sys
from pathlib import Path
sys.path.insert(0, {here!r})
from test_tuning import tuned, Stop
import recurra.runs.folder
class Kill(Stop):
    def on_step(self, report):
        if self._trial == self._at and report.step == self._step:
            os.kill(os.getpid(), signal.SIGKILL)
tuned(Path({folder!r}), watcher=Kill({trial}, {step}), checkpoint_every_s=1e-9)
"""


@pytest.mark.slow
@pytest.mark.parametrize(("trial", "step"), [(0, 1), (1, 9), (3, 18)])
def test_a_killed_search_goes_on_to_the_same_trials(whole, tmp_path, trial, step):
    rows(tmp_path)
    code = KILLED.format(here=str(Path(__file__).parent), folder=str(tmp_path), trial=trial, step=step)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr
    found = tuned(tmp_path, checkpoint_every_s=1e-9)
    assert without_clock(found.trials) == without_clock(whole.trials)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"epochs": 4}, r"other options \(epochs\)"),
        ({"space": {"hidden_size": [4]}}, r"\(hidden_size, learning_rate\)"),
        ({"pruner": "median"}, r"\(pruner\)"),
        ({"seed": 3}, r"\(seed\)"),
    ],
)
def test_another_search_in_the_same_folder_is_refused(whole, change, told):
    with pytest.raises(RunError, match=told):
        tuned(whole.folder.path.parent, **change)


def test_changed_data_and_other_folders_are_refused(tmp_path):
    tuned(tmp_path, trials=1, epochs=1)
    rows(tmp_path, 63)
    with pytest.raises(DataError, match="has changed since the search began"):
        tuned(tmp_path, trials=2, epochs=1)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("x")
    with pytest.raises(RunError, match="exists and is not a search; choose another output folder"):
        tuned(tmp_path, "mine")


def test_an_error_that_concerns_every_trial_stops_at_once_and_leaves_no_folder(tmp_path):
    with pytest.raises(DataError, match="there is no such file"):
        tuned(tmp_path, data=tmp_path / "none.tsv")
    with pytest.raises(ConfigError, match="hidden_size: got 0, expected >= 1"):
        tuned(tmp_path, space={"hidden_size": [0]})
    with pytest.raises(ConfigError, match="minutes: got -1"):
        tuned(tmp_path, minutes=-1)
    assert not (tmp_path / "search").exists()


def test_a_trial_that_diverges_is_failed_and_the_search_goes_on(tmp_path, monkeypatch):
    real = Trainer.fit

    def fit(self, *, resume=False):
        if self.config.learning_rate > 1:
            raise TrainingDiverged(
                "training diverged: the loss is NaN; model.safetensors has the best weights."
            )
        return real(self, resume=resume)

    monkeypatch.setattr(Trainer, "fit", fit)
    space = {"learning_rate": [0.002, 5.0], "hidden_size": [4, 6]}
    found = tuned(tmp_path, space=space, epochs=1, trials=4, hidden_size=None)
    states = {row["learning_rate"]: (row["state"].split(",")[0], row["reason"]) for row in found.trials}
    assert states == {0.002: ("complete", None), 5.0: ("failed", "training diverged: the loss is NaN")}
    with pytest.raises(RunError, match="no trial is complete: training diverged"):
        tuned(tmp_path, "all", space={"learning_rate": [5.0, 6.0]}, epochs=1, trials=2)


def test_the_same_options_are_not_trained_twice(tmp_path):
    found = tuned(tmp_path, space={"hidden_size": [4, 6]}, epochs=1, trials=6)
    assert sum("as trial" in row["state"] for row in found.trials) == 4
    assert len({(row["hidden_size"], row["criterion"]) for row in found.trials}) == 2


def test_a_trial_that_is_worse_is_pruned(tmp_path, monkeypatch):
    monkeypatch.setattr(Study, "report", lambda self, trial, value, step: trial.number > 0)
    found = tuned(tmp_path, trials=3)
    assert [row["state"] for row in found.trials] == ["complete", "pruned", "pruned"]
    assert found.trials[1]["criterion"] is None
    assert not list((tmp_path / "search").glob("trial-*"))
    alone = tuned(tmp_path, "alone", trials=2, epochs=1)
    assert not [row for row in alone.trials if row["state"] == "pruned"]  # nothing would be saved at the end


def test_values_that_contradict_each_other_fail_and_the_search_goes_on(tmp_path):
    (tmp_path / "text.txt").write_text("the cat sat on the mat\n" * 40)
    options = {"segment_length": 10, "epochs": 1, "batch_size": 4, "threads": 1, "hidden_size": 4}
    space = {"update_every": [5, 7]}
    found = rc.tune("lm", tmp_path / "text.txt", out=tmp_path / "out", space=space, trials=8, **options)
    reasons = {row["update_every"]: row["reason"] for row in found.trials}
    assert reasons[5] is None
    assert reasons[7].startswith("update_every: got 7, expected a divisor of segment_length, 10")


@pytest.mark.slow
@pytest.mark.parametrize("pruner", ["median", "halving"])
def test_pruners_stop_some_of_many_trials(tmp_path, pruner):
    space = {"learning_rate": {"low": 1e-6, "high": 0.05, "log": True}}
    found = tuned(tmp_path, space=space, trials=10, pruner=pruner, epochs=5, hidden_size=4)
    states = [row["state"] for row in found.trials]
    assert states[0] == "complete"
    assert "pruned" in states


def test_folds_are_averaged_and_the_best_model_is_trained_on_all_of_them(tmp_path):
    found = tuned(tmp_path, trials=2, epochs=1, folds=3, keep_runs=True)
    folds = tmp_path / "search" / f"trial-{found.trials[0]['trial']}"
    test = read_split(RunFolder(found.result.run))["test"]
    values = []
    for fold in (1, 2, 3):
        run = RunFolder(folds / f"fold-{fold}")
        split = read_split(run)
        assert split["reserved"] == test
        assert not set(split["test"]) & set(test)
        values += [record["accuracy"] for record in run.read_metrics() if record["kind"] == "test"]
    assert found.trials[0]["accuracy"] == pytest.approx(sum(values) / 3)
    assert found.result.run.name == "best"
    assert found.best.config.folds is None


@pytest.mark.slow
def test_seeds_are_averaged_and_the_first_one_is_kept(tmp_path):
    found = tuned(tmp_path, trials=2, epochs=1, seeds=2)
    assert (found.best.config.seed, found.best.config.seeds) == (1, 1)
    assert not list((tmp_path / "search").glob("trial-*"))


def test_without_optuna_the_command_to_install_it_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(
        MissingExtra, match=r"needs the package optuna; install it with `pip install 'recurra\[tune\]'`"
    ):
        tuned(tmp_path)


@pytest.mark.slow
def test_two_searches_do_not_write_to_one_folder(tmp_path, monkeypatch):
    real = Search.run

    def run(self, *arguments):
        monkeypatch.setattr(Search, "run", real)
        with ThreadPoolExecutor() as pool, pytest.raises(RunError, match="another process"):
            pool.submit(tuned, tmp_path, trials=1, epochs=1).result()
        return real(self, *arguments)

    monkeypatch.setattr(Search, "run", run)
    tuned(tmp_path, trials=1, epochs=1)


def test_the_command_prints_the_table_the_figures_and_the_next_commands(tmp_path):
    rows(tmp_path)
    (tmp_path / "space.toml").write_text("hidden_size = [4, 6]\n")
    options = [
        part
        for name, value in (SMALL | {"epochs": 1}).items()
        for part in (f"--{name.replace('_', '-')}", str(value))
    ]
    command = [
        "tune",
        "classify",
        "--data",
        str(tmp_path / "rows.tsv"),
        "-o",
        str(tmp_path / "out"),
        *options,
    ]
    command += ["--space", str(tmp_path / "space.toml"), "--trials", "2"]
    said = CliRunner().invoke(app, command, catch_exceptions=False)
    assert said.exit_code == 0
    for told in (
        "trials, best first",
        "2 trials (",
        "validation: accuracy",
        "test, not searched on: accuracy",
        "next:  ",
    ):
        assert told in said.stdout
    assert said.stderr.count("trial ") >= 2
    again = CliRunner().invoke(app, [*command, "--json"], catch_exceptions=False)
    found = json.loads(again.stdout)
    assert found["best"]["run"] == str(tmp_path / "out" / "best")
    assert len(found["trials"]) == 2
    assert found["test"]["accuracy"] >= 0
    printed = CliRunner().invoke(app, ["tune", "classify", "--print-space"], catch_exceptions=False)
    assert "hidden_size = [50, 100, 200]" in printed.stdout


@pytest.fixture(scope="module")
def sources(tmp_path_factory):
    """Runs to start from: a classifier, a translator and a language model."""
    folder = tmp_path_factory.mktemp("sources")
    small = {"hidden_size": 8, "max_steps": 1, "batch_size": 8, "threads": 1, "device": "cpu"}
    rc.Classifier.train(rows(folder), out=folder / "classifier", cell="gru", embedding_size=6, **small)
    (folder / "a.x").write_text("".join(f"ab {i % 7}\n" for i in range(40)))
    (folder / "a.y").write_text("".join(f"{i % 7} good film\n" for i in range(40)))
    sides = {"data": folder / "a.x", "target": folder / "a.y", "unit": "word", "embedding_size": 6}
    rc.Translator.train(out=folder / "translator", validation_rows=0, **sides, **small)
    text = folder / "text.txt"
    text.write_text("the good film is so bad\nno film is okay\n" * 20)
    rc.LanguageModel.train(text, out=folder / "lm", unit="word", embedding_size=6, **small)
    return folder


def planned(sources, task, run, space=None, **options):
    given = Given(registry.config_of(task), {"data": "rows.tsv", "from_run": str(sources / run), **options})
    return Plan.of(registry.get(task), given, space, Path("search/best"))


@pytest.mark.parametrize(("task", "run"), [("classify", "classifier"), ("translate", "translator")])
def test_what_trials_take_from_another_run_is_not_searched(sources, task, run):
    plan = planned(sources, task, run)
    assert {"learning_rate", "dropout"} <= plan.space.keys()
    assert not {"hidden_size", "num_layers", "pooling", "attention"} & plan.space.keys()
    assert plan.trial({}).hidden_size == plan.best({}).hidden_size == 8
    assert "hidden_size" not in plan.trial({}).given()
    space = {"hidden_size": [8, 16], "dropout": [2.0], "learning_rate": [0.01]}
    with pytest.raises(ConfigError) as refused:
        planned(sources, task, run, space)
    path = sources / run
    assert str(refused.value).splitlines() == [
        f"space: hidden_size: must be as in {path}, the run to start from; remove it from the space.",
        "space: dropout: got 2.0, expected < 1.0.",
    ]
    with pytest.raises(ConfigError, match=f"hidden_size: got 9, but {sources / run} has 8; remove it."):
        planned(sources, task, run, hidden_size=9)
    with pytest.raises(RunError, match="none"):
        planned(sources, task, "none")


def test_a_space_is_checked_with_the_options_of_the_run_to_start_from(sources):
    with pytest.raises(ConfigError, match="space: forget_bias: applies only with cell lstm"):
        planned(sources, "classify", "classifier", {"forget_bias": [0.5, 1.0]})
    with pytest.raises(ConfigError, match=r"^forget_bias: applies only with cell lstm"):
        planned(sources, "classify", "classifier", {"dropout": [0.1]}, forget_bias=0.5)


def test_what_trials_take_from_a_run_of_another_task_can_be_searched_on_request(sources):
    assert not {"hidden_size", "embedding_size"} & planned(sources, "classify", "lm").space.keys()
    space = {"hidden_size": [8, 16]}
    plan = planned(sources, "classify", "lm", space)
    assert plan.defaults() == {"hidden_size": 8}
    assert plan.trial({"hidden_size": 16}).hidden_size == 16


def test_a_search_starts_its_trials_from_a_run_and_prints_the_space(sources, tmp_path):
    start = ["--data", str(rows(tmp_path)), "--from", str(sources / "classifier")]
    command = ["tune", "classify", *start, "-o", str(tmp_path / "out"), "--trials", "2", "--epochs", "1"]
    said = CliRunner().invoke(app, [*command, "--threads", "1", "--json"], catch_exceptions=False)
    assert said.exit_code == 0
    found = json.loads(said.stdout)
    assert {row["state"] for row in found["trials"]} == {"complete"}
    config = rc.load(found["best"]["run"]).config
    assert (config.hidden_size, config.cell, config.threads) == (8, "gru", 1)
    printed = CliRunner().invoke(app, ["tune", "classify", *start, "--print-space"], catch_exceptions=False)
    assert "learning_rate = " in printed.stdout
    assert "hidden_size" not in printed.stdout


def test_a_best_model_of_folds_that_is_finished_is_not_trained_again(sources, tmp_path):
    asked = {"from_run": sources / "classifier", "embedding_size": None, "folds": 2, "epochs": 1}
    asked |= {"trials": 1, "space": {"dropout": [0.1]}}
    first = tuned(tmp_path, **asked)
    written = {name: (first.result.run / name).stat().st_ino for name in ("run.toml", "model.safetensors")}
    again = tuned(tmp_path, **asked)
    assert {name: (again.result.run / name).stat().st_ino for name in written} == written
    # What the run to start from has set need not be given; what is given must be the same.
    given = SMALL | {"epochs": 1, "dropout": 0.1, "test_fraction": 0.1, "from_run": sources / "classifier"}
    given |= {"data": tmp_path / "rows.tsv", "embedding_size": 6}
    build = registry.config_of("classify").build
    assert opening.holds_same(RunFolder(first.result.run), build(options=given))
    assert opening.holds_same(RunFolder(first.result.run), build(options=given | {"hidden_size": 8}))
    for other in ({"hidden_size": 9}, {"dropout": 0.2}):
        assert not opening.holds_same(RunFolder(first.result.run), build(options=given | other))


def test_folds_are_counted_whatever_gives_them(tmp_path):
    (tmp_path / "training.toml").write_text('folds = 3\ntest = "test.tsv"\n')
    given = Given(registry.config_of("classify"), {"data": "rows.tsv"}, toml=tmp_path / "training.toml")
    plan = Plan.of(registry.get("classify"), given, None, tmp_path / "best")
    assert plan.has_folds
    assert (plan.trial({}).test, plan.best({}).test, plan.best({}).folds) == (None, "test.tsv", None)


def test_folds_are_compared_by_the_metric_of_the_best_checkpoint(tmp_path):
    found = tuned(tmp_path, trials=1, epochs=1, folds=2, keep_best="f1:yes", keep_runs=True)
    values = []
    for fold in (1, 2):
        model = rc.load(tmp_path / "search" / "trial-0" / f"fold-{fold}")
        rows_of_fold = model.held_out("test")
        figures = registry.get("classify").measure(model.network, model.symbols, model.config, rows_of_fold)
        values.append(figures.tables()["labels"]["yes"].f1)
    assert found.trials[0]["criterion"] == pytest.approx(1 - sum(values) / 2)


def test_a_metric_that_a_fold_cannot_give_is_refused_before_any_fold_is_trained(tmp_path):
    data = rows(tmp_path)
    data.write_text(data.read_text() + "odd film\tmaybe\n")
    with pytest.raises(ConfigError, match=r"fold-[123]: keep_best: got 'f1:maybe'"):
        tuned(tmp_path, trials=1, folds=3, keep_best="f1:maybe")
    assert not (tmp_path / "search").exists()


def test_data_in_memory_are_searched_like_the_same_rows_of_a_file(whole, tmp_path):
    table = list(csv.reader(rows(tmp_path).read_text().splitlines()[1:], delimiter="\t"))
    pairs = [(text, label) for text, label in table]
    found = tuned(tmp_path, data=pairs, trials=1)
    first = next(row for row in whole.trials if row["trial"] == 0)
    assert found.trials[0]["accuracy"] == first["accuracy"]
    (written,) = (tmp_path / "search-rows").iterdir()
    again = tuned(tmp_path, data=iter(pairs), trials=2)
    assert len(again.trials) == 2
    with pytest.raises(RunError, match=r"other options \(data\)"):
        tuned(tmp_path, data=pairs[:-1], trials=2)
    assert list((tmp_path / "search-rows").iterdir()) == [written]
    with pytest.raises(ConfigError, match=r"data: has no rows; give at least two\."):
        tuned(tmp_path, "none", data=[])


def test_every_trial_has_the_word_lists_and_threads_that_are_given(tmp_path):
    (tmp_path / "praise.txt").write_text("good\nfine\n")
    found = tuned(tmp_path, trials=2, epochs=1, gazetteer={"praise": tmp_path / "praise.txt"}, keep_runs=True)
    for trial in (0, 1):
        model = rc.load(tmp_path / "search" / f"trial-{trial}")
        assert model.symbols.gazetteer.types == ["praise"]
        assert model.config.threads == 1
    (tmp_path / "praise.txt").unlink()
    assert found.best.predict("good film").label in ("yes", "no")


def test_the_metric_that_trials_are_compared_by_is_shown_and_a_changed_best_run_is_refused(tmp_path):
    options = {"keep_best": "f1:no", "trials": 3}
    found = tuned(tmp_path, **options)
    assert found.figures == ["accuracy", "f1:no"]
    assert found.columns()[1:4] == ["accuracy", "F1 of no", "criterion"]
    best = [row["f1:no"] for row in found.trials]
    assert best == sorted(best, reverse=True)
    rc.Classifier.resume(found.folder.best, epochs=4)
    with pytest.raises(RunError, match="best: was trained further after the search, so its figures are not"):
        tuned(tmp_path, **options)

"""A run that goes on with more epochs: the same bits as in one training, and sentences for what cannot be."""

import random
import shutil
from dataclasses import replace

import pytest
import torch
from interruptions import calls_of, in_child, killed_at
from whole_runs import KINDS, SMALL, make_runs, names_of, quick_pictures, recurra, refusal, result_of

import recurra as rc
from recurra.errors import ArgumentTypeError, ConfigError, RunError
from recurra.runs import RunFolder

SHORT = {"max_steps": 6}
MORE = ["--max-steps", 9]


@pytest.fixture(scope="module")
def begun(tmp_path_factory):
    """Runs of two kinds that were trained for 6 updates."""
    made = {}
    with quick_pictures():
        for name in ("lm", "tag"):
            folder = tmp_path_factory.mktemp(name)
            made[name] = make_runs(folder, replace(KINDS[name], options=KINDS[name].options | SHORT))
        yield made


def go_on(runs, *more):
    return recurra("train", "--resume", runs.run, *more)


def without_history(result):
    """The result without the training records, which a last update always has, and without run.toml."""
    place = {name: value for name, value in result["state"]["place"].items() if "window" not in name}
    records = [record for record in result["metrics"] if record["kind"] != "training"]
    return result | {"metrics": records, "state": result["state"] | {"place": place}, "settings": None}


@pytest.mark.parametrize("name", ["lm", pytest.param("tag", marks=pytest.mark.slow)])
def test_with_a_constant_rate_it_is_as_if_trained_at_once(name, tmp_path):
    kind = KINDS[name]
    for folder, options in (("short", SHORT), ("long", {})):
        (tmp_path / folder).mkdir()
        asked = kind.options | {"schedule": "constant"} | options
        made = make_runs(tmp_path / folder, replace(kind, options=asked))
        made.copy()
        if options:
            said = go_on(made, *MORE)
            assert said.code == 0, said
            short = without_history(result_of(made.run))
    assert short == without_history(result_of(made.run))


def test_the_records_of_the_earlier_end_are_replaced_and_the_change_is_recorded(begun):
    runs = begun["tag"]
    runs.copy()
    said = go_on(runs, "--max-steps", 8, "--learning-rate", 0.5)
    assert said.code == 0, said
    assert "going on at update 6 (epoch 2), until update 8 (epoch 2)" in said.err
    assert (
        "the schedule linear is computed for 8 updates from here on; the next update uses 0.125" in said.err
    )
    folder = RunFolder(runs.run)
    records = folder.metrics.read()
    assert [record["kind"] for record in records].count("final") == 1
    assert records[-1]["kind"] == "final"
    assert [record["step"] for record in records if record["kind"] == "validation"] == [3, 6, 8]
    settings = folder.read_settings()
    (entry,) = settings["continued"]
    assert (entry["step"], entry["epoch"]) == (6, 1)
    assert entry["before"] == {"max_steps": 6, "learning_rate": 0.002}
    assert entry["options"] == {"max_steps": 8, "learning_rate": 0.5}
    assert settings["config"]["max_steps"] == 8
    assert go_on(runs).code == 0  # finished: only evaluated
    assert RunFolder(runs.run).metrics.read() == records
    rc.load(runs.run).save(runs.folder / "copied")
    copied = RunFolder(runs.folder / "copied")
    assert copied.read_settings()["continued"] == [entry]
    assert "has no checkpoint to resume from" in refusal(
        recurra("train", "--resume", copied.path, "--max-steps", 9)
    )


def test_a_run_stopped_half_way_takes_more_epochs(begun):
    runs = begun["lm"]
    runs.copy()
    assert go_on(runs, "--max-steps", 9).code == 0
    wanted = result_of(runs.run)
    stopped = make_runs(runs.folder / "stopped", replace(runs.kind, stops=4), runs.data)
    shutil.rmtree(runs.run)
    shutil.copytree(stopped.whole, runs.run)
    assert go_on(runs, "--max-steps", 9, "--epochs", 3).code == 0
    found = result_of(runs.run)
    assert [record["step"] for record in found["metrics"] if record["kind"] == "validation"] == [3, 6, 9]
    assert found["settings"]["continued"][0]["step"] == 4
    # Updates 5 and 6 had other rates, as the cosine was computed for 6 updates.
    assert found["weights"] != wanted["weights"]


@pytest.mark.skipif(torch.cuda.is_available(), reason="a process that has used a GPU cannot be forked")
@pytest.mark.parametrize("every", [5, pytest.param(1, marks=pytest.mark.slow)])
def test_killed_while_it_goes_on_it_ends_with_the_same_bits(begun, every):
    runs = begun["tag"]
    command = ["train", "--resume", runs.run, *MORE]
    runs.copy()
    assert recurra(*command).code == 0
    wanted, names = result_of(runs.run), names_of(runs.run)
    runs.copy()
    old = RunFolder(runs.run).read_settings()["config"]
    count = calls_of(runs.run, lambda: recurra(*command))
    changed = 0
    later = sorted(random.Random(7).sample(range(24, count), 10 // every))
    for number in [*range(3, 24, every), *later]:
        runs.copy()
        assert killed_at(number, runs.run, lambda: recurra(*command)).was_killed
        if RunFolder(runs.run).read_settings()["config"] == old:
            assert result_of(runs.run)["metrics"][-1]["kind"] == "final"
            again = command
        else:
            changed += 1
            again = command[:3]
        said = in_child(lambda again=again: recurra(*again))
        assert said.code == 0, (number, said)
        assert result_of(runs.run) == wanted, number
        assert names_of(runs.run) == names
    assert changed > 3


@pytest.mark.parametrize(
    ("more", "told"),
    [
        (["--epochs", 1], "epochs: got 1, but {run} has done 1 epoch, 6 updates; give a larger number of"),
        (["--epochs", 9], "max_steps: is 6, but {run} has done 1 epoch, 6 updates; give a larger number of"),
        (["--max-steps", 5], "max_steps: got 5, but {run} has done"),
        (["--patience", 2], "max_steps: is 6, but {run} has done"),
        (["--learning-rate", 0], "learning_rate: got 0.0, expected > 0.0."),
        (["--dropout", 0.1], "--dropout: cannot change when a run is resumed, only epochs, max_steps, "),
        (["--no-bidirectional"], "--no-bidirectional: cannot change when a run is resumed, only epochs, "),
    ],
)
def test_what_cannot_go_on_is_refused(begun, more, told):
    runs = begun["tag"]
    before = result_of(runs.copy())
    assert f"error: {told.format(run=runs.run)}" in refusal(go_on(runs, *more))
    assert result_of(runs.run) == before


@pytest.mark.parametrize("name", ["epochs", "patience", "max_steps"])
def test_python_says_the_same(begun, name):
    run = begun["tag"].copy()
    for value in (0, True, "3", 2.5):
        with pytest.raises((ConfigError, ArgumentTypeError), match=name):
            rc.Tagger.resume(run, **{name: value})
    model = rc.Tagger.resume(run, max_steps=9, patience=5)
    assert (model.config.max_steps, model.config.patience) == (9, 5)


def test_a_run_stopped_by_its_patience_needs_a_larger_one(tmp_path):
    kind = KINDS["tag"]
    options = SMALL | {"embedding_size": 5, "patience": 1, "learning_rate": 1e-30, "max_steps": 30}
    runs = make_runs(tmp_path, replace(kind, options=options | {"epochs": 5}))
    runs.copy()
    assert RunFolder(runs.run).metrics.read()[-1]["step"] == 3
    told = refusal(go_on(runs, "--epochs", 9))
    assert told.endswith(
        f"patience: is 1, but the last 1 validations of {runs.run} brought no improvement, so it would stop "
        "at once; give a larger patience."
    )
    assert go_on(runs, "--patience", 3).code == 0
    records = RunFolder(runs.run).metrics.read()
    assert [record["step"] for record in records if record["kind"] == "validation"] == [3, 6, 9, 12]


def test_counts_have_no_epochs_and_repeats_are_several_runs(tmp_path):
    runs = make_runs(tmp_path, KINDS["ngram"])
    told = refusal(recurra("train", "--resume", runs.whole, "--epochs", 3))
    assert "its model is counted, not trained in epochs, so epochs cannot change; remove it, or" in told
    with pytest.raises(RunError, match="not trained in epochs"):
        rc.LanguageModel.resume(runs.whole, max_steps=3)
    (tmp_path / "many" / "seed-1").mkdir(parents=True)
    shutil.copytree(runs.whole, tmp_path / "many" / "seed-1", dirs_exist_ok=True)
    told = refusal(recurra("train", "--resume", tmp_path / "many", "--epochs", 3))
    assert "many: is not a run, but contains runs; name one of them, such as " in told


@pytest.mark.parametrize(
    ("command", "told"),
    [
        ("--epochs 3", "needs --resume RUN or a task; add one of them"),
        ("--max-steps 3 tag --data x -o y", "belongs after the task; move it there"),
        ("--resume x tag --data x -o y", "continues a run with its own options; remove the task"),
    ],
)
def test_options_of_a_task_stand_after_it(command, told):
    said = recurra("train", *command.split())
    assert said.code == 2
    assert told in said.err

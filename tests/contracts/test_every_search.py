"""A search over options ends with a usable best model for every task."""

import json

import pytest
from every_task import CASES
from typer.testing import CliRunner

import recurra as rc
from recurra.cli.main import app
from recurra.runs import RunFolder

OFTEN = ("letters", "lm", "translate")  # one of each kind of data; the others are checked less often
OPTIONS = ("hidden_size", "batch_size")


@pytest.mark.parametrize(
    "name", [name if name in OFTEN else pytest.param(name, marks=pytest.mark.slow) for name in sorted(CASES)]
)
def test_a_search_ends_with_a_usable_model(tmp_path, monkeypatch, name):
    for module in ("tasks.tuning.result", "reports.curves", "tasks.seq2seq.report"):
        monkeypatch.setattr(f"recurra.{module}.as_svg", lambda *_, **__: "")
    monkeypatch.setattr("recurra.tasks.tuning.result.write_png", lambda *_, **__: None)
    case = CASES[name]
    options = {key: value for key, value in case.all_options.items() if key not in OPTIONS}
    options |= {"epochs": 1} if case.has_seeds else {}
    space = {"batch_size": [4, 8]} if case.has_seeds else {"smoothing": ["kneser-ney", "witten-bell"]}
    if "batch_size" in case.options and case.options["batch_size"] is None:  # it has no such option
        space = {"learning_rate": [0.01, 0.02]}
    files = case.write(tmp_path, 60)
    found = rc.tune(case.task, out=tmp_path / "search", space=space, trials=2, **files, **options)
    assert isinstance(found.best, case.facade)
    assert all(row["state"].startswith("complete") for row in found.trials)
    assert found.trials[0]["criterion"] <= found.trials[1]["criterion"]
    assert found.result.test is not None
    facts = RunFolder(found.result.run).read_settings()["data"]
    assert facts["test"]["path"] == facts["train"]["path"]
    measured = found.best.held_out("test")
    task, run = found.task, found.best
    assert task.measure(run.network, run.symbols, run.config, measured).main() == pytest.approx(
        found.result.test.main(), rel=1e-5
    )
    evaluated = CliRunner().invoke(app, ["evaluate", str(found.result.run), "--json"], catch_exceptions=False)
    assert json.loads(evaluated.stdout)

"""The demo of the README on a small scale: from problems to samples and a report."""

import io

from rich.console import Console

from recurra.demos import kinematics
from recurra.runs import RunFolder


def test_it_trains_samples_compares_and_reports(tmp_path, monkeypatch):
    monkeypatch.setattr(kinematics, "PROBLEMS", 60)
    told = io.StringIO()
    options = {"hidden_size": 8, "max_steps": 4, "batch_size": 4, "validate_every": 2, "threads": 1}
    kinematics.run(tmp_path / "run", console=Console(file=told, width=120), **options)
    for sentence in (
        "60 physically correct kinematics problems",
        "after 25% of the training",
        "at the end, sample 1",
        "validation perplexity",
    ):
        assert sentence in told.getvalue()
    assert "Learning to write kinematics problems" in (tmp_path / "run" / "report.html").read_text()
    assert RunFolder(tmp_path / "run").has_ended

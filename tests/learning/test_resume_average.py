"""A run stopped while it averages its weights can be resumed to the same bits."""

import os
import signal

import pytest
import torch

from recurra.config import build_config
from recurra.errors import Interrupted
from recurra.runs import RunFolder
from recurra.tasks.driver import resume, train
from recurra.tasks.language_modeling.config import LanguageModelConfig
from recurra.tasks.language_modeling.task import LanguageModeling
from recurra.training import Listener

OPTIONS = {
    "hidden_size": 8,
    "batch_size": 4,
    "segment_length": 10,
    "max_steps": 60,
    "validate_every": 3,
    "optimizer": "sgd",
    "learning_rate": 8.0,
    "schedule": "constant",
    "warmup_steps": 0,
    "averaging": "non-monotone",
    "averaging_after": 1,
}


class Stop(Listener):
    """Sends SIGINT some steps after averaging began."""

    def __init__(self):
        self.since = None

    def on_log(self, record):
        if "averaged_steps" in record and record["averaged_steps"] >= 4 and self.since is None:
            self.since = record["step"]
            os.kill(os.getpid(), signal.SIGINT)


def test_an_average_goes_on(play, tmp_path):
    task = LanguageModeling()
    config = build_config(LanguageModelConfig, overrides=OPTIONS | {"data": str(play)})
    train(task, config, tmp_path / "whole")
    stop = Stop()
    with pytest.raises(Interrupted):
        train(task, config, tmp_path / "stopped", listeners=[stop])
    assert stop.since is not None
    resume(tmp_path / "stopped")
    whole, again = (RunFolder(tmp_path / name) for name in ("whole", "stopped"))
    for tensors, others in zip(
        (whole.read_weights(), whole.checkpoints.load()[1]),
        (again.read_weights(), again.checkpoints.load()[1]),
        strict=True,
    ):
        assert tensors.keys() == others.keys()
        assert any(name.startswith("average.") for name in whole.checkpoints.load()[1])
        for name, tensor in tensors.items():
            assert torch.equal(tensor, others[name]), name

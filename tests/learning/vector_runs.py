"""Small texts of four topics, and trainings of word vectors on them."""

import random
from pathlib import Path

import torch
from typer.testing import CliRunner

from recurra.cli.main import app
from recurra.runs import RunFolder

TOPICS = [[f"{topic}{number}" for number in range(6)] for topic in ("ship", "bird", "king", "corn")]
SMALL = {"min_count": 1, "embedding_size": 16, "threads": 1, "subsample": 0, "log_every": 5}
GLOVE = {"objective": "glove", "min_count": 1, "embedding_size": 16, "threads": 1}
SOFTMAX = SMALL | {"objective": "softmax", "epochs": 2, "learning_rate": 0.02, "device": "cpu"}


def lines_of(count, *, seed=1, topics=TOPICS):
    drawn = random.Random(seed)
    return [" ".join(drawn.choices(drawn.choice(topics), k=8)) for _ in range(count)]


def write(path: Path, lines) -> Path:
    path.write_text("".join(f"{line}\n" for line in lines))
    return path


def recurra(*arguments, input=None):
    return CliRunner().invoke(app, [str(one) for one in arguments], input=input, catch_exceptions=False)


def same(run, other):
    weights, others = RunFolder(Path(run)).read_weights(), RunFolder(Path(other)).read_weights()
    assert weights.keys() == others.keys()
    return all(torch.equal(weights[name], others[name]) for name in weights)

"""Training speed of a word language model: recurra's network compared with the same model in torch.nn.

    python benchmarks/language_model.py [--cells lstm gru] [--threads 1 2] [--json FILE]

Two layers of 200 units, 20 streams, segments of 35 words, a vocabulary of 10,000, no dropout. The data is the
Penn Treebank in $RECURRA_DATA/ptb if it exists, else random words. Both models start from equal weights and
are trained by the same loop, alternating after each segment: forward, mean loss, backward, clipping by norm,
SGD. Then the parts of a segment are timed separately, forward and backward. Memory is what 10 segments need
in addition to the model itself, gradients included; each model runs in a separate process.
"""

import argparse
import os
import subprocess
import sys
from collections.abc import Iterator
from itertools import cycle
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from memory import memory_mib
from timing import Call, Row, Run, agree, parser
from torch import Tensor, nn

from recurra.config import RecurrentNetworkConfig
from recurra.layers import LSTMState, detach_state, linear_cross_entropy
from recurra.models.language_model import LanguageModelNetwork

V, H, LAYERS = 10_000, 200, 2
STREAMS, STEPS = 20, 35
RATE, CLIP = 1.0, 5.0
MEMORY_SEGMENTS = 10
MODELS = ("recurra", "torch.nn")


class TorchNetwork(nn.Module):
    """The same model in torch.nn, with the same parameter names."""

    def __init__(self, cell: str) -> None:
        super().__init__()
        self.embedding = nn.Embedding(V, H)
        kind = {"lstm": nn.LSTM, "gru": nn.GRU}[cell]
        self.recurrent = kind(H, H, LAYERS, batch_first=True)
        self.output = nn.Linear(H, V)

    def mean_loss(self, inputs: Tensor, targets: Tensor, state: Any) -> tuple[Tensor, Any]:
        hidden, state = self.recurrent(self.embedding(inputs), state)
        return F.cross_entropy(self.output(hidden).flatten(0, 1), targets.flatten()), state


class RecurraNetwork(LanguageModelNetwork):
    """recurra's network; the loss is the sum over the segment, divided by its length, as in training."""

    def __init__(self, cell: str) -> None:
        super().__init__(V, RecurrentNetworkConfig(cell=cell, hidden_size=H, num_layers=LAYERS, dropout=0.0))

    def mean_loss(self, inputs: Tensor, targets: Tensor, state: Any) -> tuple[Tensor, Any]:
        found = self.total_loss(inputs, targets, state)
        return found.total / targets.numel(), found.state


def build(model: str, cell: str) -> Any:
    torch.manual_seed(0)
    return {"recurra": RecurraNetwork, "torch.nn": TorchNetwork}[model](cell)


def corpus() -> tuple[Tensor, str]:
    """Word ids and the name of their source."""
    root = Path(os.environ.get("RECURRA_DATA", Path(__file__).resolve().parents[2] / "shared" / "data"))
    try:
        text = (root / "ptb" / "ptb.train.txt").read_text(encoding="utf-8")
    except OSError:
        return torch.randint(V, (STREAMS * STEPS * 100 + STREAMS,)), "random ids, as $RECURRA_DATA has no ptb"
    words = text.replace("\n", " <eos> ").split()
    numbers: dict[str, int] = {}
    ids = [numbers.setdefault(word, len(numbers)) for word in words]
    assert len(numbers) == V, f"the Penn Treebank has {V} words, this file {len(numbers)}"
    return torch.tensor(ids), "Penn Treebank"


def segments(ids: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
    """Inputs and targets, (STREAMS, STEPS) each, repeated endlessly."""
    length = (len(ids) - 1) // STREAMS
    inputs = ids[: length * STREAMS].view(STREAMS, length)
    targets = ids[1 : length * STREAMS + 1].view(STREAMS, length)
    starts = cycle(range(0, length - STEPS + 1, STEPS))
    return ((inputs[:, t : t + STEPS].contiguous(), targets[:, t : t + STEPS].contiguous()) for t in starts)


class Training:
    """A model in training: each call trains on one segment."""

    def __init__(self, network: Any, ids: Tensor) -> None:
        self.network, self.segments, self.state = network, segments(ids), None
        self.parameters = list(network.parameters())
        self.optimizer = torch.optim.SGD(self.parameters, RATE)

    def __call__(self) -> Tensor:
        inputs, targets = next(self.segments)
        loss, state = self.network.mean_loss(inputs, targets, self.state)
        self.optimizer.zero_grad()
        loss.backward()
        self.update()
        self.state = detach_state(LSTMState(*state) if isinstance(state, tuple) else state)
        return loss.detach()

    def update(self) -> None:
        nn.utils.clip_grad_norm_(self.parameters, CLIP)
        self.optimizer.step()


def parts_of(training: Training) -> dict[str, Call]:
    """The parts of a segment, forward and backward; their input tensors are created beforehand."""
    network = training.network
    inputs, targets = next(training.segments)
    embedded, hidden = (torch.randn(STREAMS, STEPS, H, requires_grad=True) for _ in range(2))
    grad = torch.randn(STREAMS, STEPS, H)
    recurrent = [embedded, *network.recurrent.parameters()]
    output = [hidden, *network.output.parameters()]

    def output_layer() -> object:
        if isinstance(network, RecurraNetwork):
            weights = network.output.weight, network.output.bias
            loss = linear_cross_entropy(hidden, *weights, targets, reduction="sum") / targets.numel()
        else:
            loss = F.cross_entropy(network.output(hidden).flatten(0, 1), targets.flatten())
        return torch.autograd.grad(loss, output)

    return {
        "embedding": lambda: torch.autograd.grad(network.embedding(inputs), network.embedding.weight, grad),
        "recurrence": lambda: torch.autograd.grad(network.recurrent(embedded)[0], recurrent, grad),
        "output layer": output_layer,
        "optimiser": training.update,
    }


def measure(run: Run, cell: str, threads: int, ids: Tensor) -> None:
    """Add the rows of one cell and number of threads."""
    torch.set_num_threads(threads)
    trainings = {model: Training(build(model, cell), ids) for model in MODELS}
    ours, theirs = trainings["recurra"].network, trainings["torch.nn"].network
    theirs.load_state_dict(ours.state_dict())
    losses = [torch.stack([training() for _ in range(3)]) for training in trainings.values()]
    agree(f"{cell}, losses", losses[1:], losses[:1])
    run.status(f"{cell}  threads {threads}          ")
    run.peak.measure(threads)
    whole = run.interleaved(trainings)
    parts = {model: parts_of(training) for model, training in trainings.items()}
    split: dict[str, dict[str, float]] = {model: {} for model in MODELS}
    for part in parts["recurra"]:
        calls = {model: parts[model][part] for model in MODELS}
        for model, timing in run.interleaved(calls, part=0.2).items():
            split[model][part] = float(f"{timing.median_ms:.4g}")
    for model, timing in whole.items():
        rest = timing.median_ms - sum(split[model].values())
        row: Row = {"cell": cell, "threads": threads, "model": model}
        row |= {"tokens_per_s": round(STREAMS * STEPS / timing.median_ms * 1e3)} | timing.as_json()
        row["ratio"] = round(timing.median_ms / whole["recurra"].median_ms, 2)
        row["parts_ms"] = split[model] | {"rest": float(f"{rest:.4g}")}
        row["memory_mib"] = memory_of(model, cell, threads)
        run.rows.append(row)


def memory_of(model: str, cell: str, threads: int) -> float:
    """Measure memory in a separate process, in MiB."""
    command = [sys.executable, __file__, "--memory", model, "--cells", cell, "--threads", str(threads)]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def print_memory(model: str, cell: str, threads: int) -> None:
    """Print the peak memory of some segments in addition to that of the model, in MiB."""
    torch.set_num_threads(threads)
    training = Training(build(model, cell), torch.randint(V, (STREAMS * STEPS * 4 + 1,)))
    before = memory_mib()
    for _ in range(MEMORY_SEGMENTS):
        training()
    print(round(memory_mib(highest=True) - before, 1))


def main() -> None:
    arguments = parser(__doc__, seconds=10.0)
    arguments.add_argument("--cells", nargs="+", choices=("lstm", "gru"), default=["lstm", "gru"])
    arguments.add_argument("--memory", choices=MODELS, help=argparse.SUPPRESS)
    options = arguments.parse_args()
    if options.memory:
        return print_memory(options.memory, options.cells[0], options.threads[0])
    run = Run("language_model", options)
    ids, source = corpus()
    run.facts["corpus"] = source
    for cell in options.cells:
        for threads in options.threads:
            measure(run, cell, threads, ids)

    def cells(row: Row) -> list[str]:
        parts = [f"{ms:.1f}" for ms in row["parts_ms"].values()]
        head = [row["cell"], str(row["threads"]), row["model"], f"{row['tokens_per_s']:,}"]
        return [*head, f"{row['ratio']:.2f}", f"{row['ms']:.1f}", *parts, f"{row['memory_mib']:.0f}"]

    columns = ["cell|", "threads", "model|", "words/s", "ratio", "ms per segment"]
    columns += [f"{part} ms" for part in run.rows[0]["parts_ms"]]
    return run.finish("word language model, 2 x 200, medians", [*columns, "memory MiB"], cells)


if __name__ == "__main__":
    main()

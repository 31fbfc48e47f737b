"""A small third-party task: count the letters `a` in a line, from rows `line TAB number`."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

import torch
from torch import nn

import recurra as rc
from recurra.config import BatchPart, RunPart, TaskConfig, option
from recurra.errors import DataError
from recurra.models.evaluating import evaluating
from recurra.tasks.model import Model
from recurra.tasks.rows import RowTask
from recurra.tasks.task import Setup
from recurra.text import build_tokenizer, load_tokenizer
from recurra.text_files import read_lines
from recurra.training.rows import RowFeed, RowObjective


class LettersConfig(RunPart, BatchPart, TaskConfig):
    task: ClassVar[str] = "letters_task:Letters"
    title: ClassVar[str] = "Counter of letters"
    summary: ClassVar[str] = "Train a network that counts a letter."
    example: ClassVar[str] = "recurra train letters --data rows.tsv -o runs/letters"

    hidden_size: int = option(8, "units", ge=1)


def rows_of(path):
    for number, line in enumerate(read_lines(Path(path)), start=1):
        text, tab, count = line.partition("\t")
        if not tab or not count.isdecimal():
            raise DataError(f"{path}:{number}: has no number after a tab; put one there.")
        yield text, float(count)


@dataclass
class Batch:
    ids: torch.Tensor
    lengths: torch.Tensor
    targets: torch.Tensor
    count: int
    weight: float = 1.0

    def to(self, device):
        return replace(self, ids=self.ids.to(device), targets=self.targets.to(device))  # not lengths


class Rows:
    def __init__(self, rows, tokenizer):
        self._ids = [tokenizer.encode_line(text) for text, _ in rows]
        self._targets = [count for _, count in rows]
        self.lengths = [len(ids) for ids in self._ids]

    def targets(self, chosen):
        return len(chosen)

    def batch(self, chosen, *, count=None):
        ids = nn.utils.rnn.pad_sequence([torch.tensor(self._ids[i]).long() for i in chosen], batch_first=True)
        lengths = torch.tensor([self.lengths[i] for i in chosen])
        return Batch(ids, lengths, torch.tensor([self._targets[i] for i in chosen]), count or len(chosen))

    def blank(self, batch):
        return replace(batch, weight=0.0)


class LettersNetwork(nn.Module):
    def __init__(self, vocabulary_size, hidden_size):
        super().__init__()
        self.embedding = nn.Embedding(vocabulary_size, 4)
        self.recurrent = rc.GRU(4, hidden_size, batch_first=True)
        self.output = nn.Linear(hidden_size, 1)

    def forward(self, ids, lengths):
        _, last = self.recurrent(self.embedding(ids), lengths=lengths)
        return self.output(last[-1]).squeeze(1)

    def total_loss(self, batch):
        return batch.weight * (self(batch.ids, batch.lengths) - batch.targets).square().sum()


@dataclass(frozen=True)
class ErrorFigures:
    rows: int
    squared_error: float

    def main(self):
        return {"squared_error": self.squared_error}

    def sentence(self):
        return f"squared error {self.squared_error:.4f} over {self.rows:,} rows"

    def to_dict(self):
        return {"rows": self.rows, **self.main()}


@dataclass(frozen=True)
class Count:
    text: str
    count: float

    def line(self):
        return f"{self.count:.2f}"

    def to_dict(self):
        return vars(self)


class LetterCounter(Model):
    task = "letters"

    def read_file(self, data):
        return list(rows_of(data))

    def predictions(self, source, options, *, as_json=False, tell=None):
        for text in source.lines():
            batch = Rows([(text, 0.0)], self.symbols).batch([0]).to(self.network.output.weight.device)
            with torch.no_grad():
                yield Count(text, float(self.network(batch.ids, batch.lengths)))


class Letters(RowTask):
    name, config, model = "letters", LettersConfig, LetterCounter
    loss_unit = "squared error"

    def read_rows(self, config, part, bad):
        path = getattr(config, part)
        return None if path is None else list(rows_of(path))

    def learn_symbols(self, config, train):
        return build_tokenizer("char", (f"{text}\n" for text, _ in train), min_count=1, max_size=None)

    def save_symbols(self, symbols, folder):
        symbols.save(folder)

    def load_symbols(self, folder, facts):
        return load_tokenizer(folder)

    def build(self, config, symbols, corpus=None):
        return LettersNetwork(symbols.vocabulary_size, config.hidden_size)

    def setup(self, config, corpus, network, rank, processes):
        rows, share = Rows(corpus.train, corpus.symbols), {"rank": rank, "processes": processes}
        feed = RowFeed(rows, config.batch_size, config.seed, **share)
        return Setup(RowObjective(network, Rows(corpus.valid, corpus.symbols), config.batch_size), feed)

    def measure(self, network, symbols, config, part):
        with evaluating(network):
            found = RowObjective(network, Rows(part, symbols), config.batch_size).validate(network)
        return ErrorFigures(len(part), found["loss"])

    def criterion(self, config, figures):
        return figures.squared_error

    def unit(self, config):
        return "row"

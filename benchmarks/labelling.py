"""Training and inference speed of a tagger: recurra compared with the same model in plain torch.nn.

    python benchmarks/labelling.py [--threads 1 2] [--json FILE]

Embeddings of size 100, a bidirectional LSTM with 100 units per direction, softmax or a CRF over 20 labels,
batches of 32 sentences of 5 to 40 words, Adam. The plain model packs sequences and computes its CRF as a loop
of logsumexp over (batch, labels, labels). Both start from equal weights; their losses are compared before
they are timed. Then the time to label one sentence of 12 words, from text to labels, is measured.
"""

import argparse
from typing import Any

import torch
import torch.nn.functional as F
from timing import Call, Row, Run, agree, parser
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from recurra.config import EncoderConfig, build_config
from recurra.data.batches import SequenceBatch, WordBatch
from recurra.models.tagger import TaggerNetwork
from recurra.models.word_input import InputSizes
from recurra.tasks.labelling.config import TagConfig
from recurra.tasks.labelling.facade import Tagger
from recurra.text import Vocabulary
from recurra.text.label_symbols import Symbols
from recurra.text.word_encoder import WordEncoder

VOCABULARY, SIZE, HIDDEN, LABELS, BATCH = 5_000, 100, 100, 20, 32
SHORTEST, LONGEST, SENTENCE = 5, 40, 12
OPTIONS = {
    "hidden_size": HIDDEN,
    "embedding_size": SIZE,
    "num_layers": 1,
    "dropout": 0.0,
    "input_dropout": 0.0,
}


class PlainTagger(nn.Module):
    """The same model in torch.nn."""

    def __init__(self, crf: bool) -> None:
        super().__init__()
        self.embedding = nn.Embedding(VOCABULARY, SIZE)
        self.recurrent = nn.LSTM(SIZE, HIDDEN, batch_first=True, bidirectional=True)
        self.output = nn.Linear(2 * HIDDEN, LABELS)
        self.crf = crf
        self.transitions = nn.Parameter(torch.zeros(LABELS, LABELS))
        self.first, self.last = nn.Parameter(torch.zeros(LABELS)), nn.Parameter(torch.zeros(LABELS))

    def emissions(self, ids: Tensor, lengths: Tensor) -> Tensor:
        packed = pack_padded_sequence(self.embedding(ids), lengths, batch_first=True, enforce_sorted=False)
        output, _ = pad_packed_sequence(
            self.recurrent(packed)[0], batch_first=True, total_length=ids.shape[1]
        )
        return self.output(output)

    def loss(self, ids: Tensor, lengths: Tensor, labels: Tensor) -> Tensor:
        emissions = self.emissions(ids, lengths)
        if not self.crf:
            return F.cross_entropy(
                emissions.flatten(0, 1), labels.flatten(), ignore_index=-1, reduction="sum"
            )
        real = torch.arange(ids.shape[1]) < lengths.unsqueeze(1)
        gold = labels.clamp(min=0)
        scores = self.first + emissions[:, 0]
        for t in range(1, ids.shape[1]):
            step = (scores.unsqueeze(2) + self.transitions + emissions[:, t].unsqueeze(1)).logsumexp(1)
            scores = torch.where(real[:, t].unsqueeze(1), step, scores)
        total = (scores + self.last).logsumexp(1)
        of_steps = emissions.gather(2, gold.unsqueeze(2)).squeeze(2) * real
        between = self.transitions[gold[:, :-1], gold[:, 1:]] * real[:, 1:]
        ends = self.last[gold.gather(1, (lengths - 1).unsqueeze(1)).squeeze(1)]
        return (total - self.first[gold[:, 0]] - of_steps.sum(1) - between.sum(1) - ends).sum()


class Training:
    """A model in training: each call trains on one batch."""

    def __init__(self, network: Any, batches: list[Any]) -> None:
        self.network, self.batches, self.at = network, batches, 0
        self.optimizer = torch.optim.Adam(network.parameters(), 1e-3, fused=True)

    def __call__(self) -> Tensor:
        batch = self.batches[self.at % len(self.batches)]
        self.at += 1
        if isinstance(batch, SequenceBatch):
            loss = self.network.total_loss(batch).total
        else:
            loss = self.network.loss(*batch)
        self.optimizer.zero_grad()
        (loss / BATCH).backward()
        self.optimizer.step()
        return loss.detach()


def make_batches(count: int) -> tuple[list[SequenceBatch], list[tuple[Tensor, Tensor, Tensor]]]:
    """The same batches in the form of each model."""
    ours, plain = [], []
    for _ in range(count):
        lengths = torch.randint(SHORTEST, LONGEST + 1, (BATCH,))
        T = int(lengths.max())
        real = torch.arange(T) < lengths.unsqueeze(1)
        ids = torch.randint(1, VOCABULARY, (BATCH, T)) * real
        labels = torch.randint(LABELS, (BATCH, T)).masked_fill(~real, -1)
        nothing = torch.zeros(1, 1, dtype=torch.int64)
        words = WordBatch(ids, torch.zeros_like(ids), nothing, nothing[0], nothing, nothing[0], lengths)
        ours.append(SequenceBatch(words, None, lengths, labels=labels))
        plain.append((ids, lengths, labels))
    return ours, plain


def build(crf: bool) -> tuple[TaggerNetwork, PlainTagger]:
    """Both models, with equal weights."""
    torch.manual_seed(0)
    config = build_config(EncoderConfig, overrides=OPTIONS)
    sizes = InputSizes(VOCABULARY, 1, 1)
    ours = TaggerNetwork(config, LABELS, decoder="crf" if crf else "softmax", sizes=sizes)
    plain = PlainTagger(crf)
    plain.embedding.load_state_dict(ours.reader.words.words.state_dict())
    plain.recurrent.load_state_dict(ours.reader.encoder.recurrent.state_dict())
    plain.output.load_state_dict(ours.output.state_dict())
    return ours, plain


def measure_training(run: Run, decoder: str, threads: int) -> None:
    """Add the training rows of one decoder."""
    torch.set_num_threads(threads)
    ours, plain = build(decoder == "crf")
    batches = make_batches(20)
    trainings: dict[str, Call] = {
        "recurra": Training(ours, batches[0]),
        "torch.nn": Training(plain, batches[1]),
    }
    losses = [torch.stack([training() for _ in range(3)]) for training in trainings.values()]
    agree(f"{decoder}, losses", losses[1:], losses[:1])
    run.status(f"{decoder}  threads {threads}          ")
    whole = run.interleaved(trainings)
    for model, timing in whole.items():
        row: Row = {"task": f"training, {decoder}", "threads": threads, "model": model}
        row |= {"sentences_per_s": round(BATCH / timing.median_ms * 1e3)} | timing.as_json()
        row["ratio"] = round(timing.median_ms / whole["recurra"].median_ms, 2)
        run.rows.append(row)


def measure_answers(run: Run, decoder: str) -> None:
    """Add the rows for one sentence, from text to labels, on one thread."""
    torch.set_num_threads(1)
    words = [f"word{i}" for i in range(VOCABULARY - 1)]
    encoder = WordEncoder.count([words])
    symbols = Symbols(encoder, Vocabulary([f"label{i}" for i in range(LABELS)]), None)
    config = build_config(TagConfig, overrides=OPTIONS | {"data": "none", "decoder": decoder})
    ours, plain = build(decoder == "crf")
    tagger = Tagger(ours, symbols, config)
    text = " ".join(words[i * 37] for i in range(SENTENCE))

    def answer_plainly() -> Tensor:
        with torch.no_grad():
            ids = torch.tensor([[encoder.encode(word).id for word in text.split()]])
            return plain.emissions(ids, torch.tensor([SENTENCE])).argmax(2)

    plain.eval()
    calls: dict[str, Call] = {"recurra": lambda: tagger.predict(text)}
    if decoder == "softmax":  # the plain model has no Viterbi decoder
        calls["torch.nn"] = answer_plainly
    whole = run.interleaved(calls)
    for model, timing in whole.items():
        row: Row = {"task": f"one sentence, {decoder}", "threads": 1, "model": model}
        row |= {"sentences_per_s": round(1e3 / timing.median_ms)} | timing.as_json()
        row["ratio"] = round(timing.median_ms / whole["recurra"].median_ms, 2)
        run.rows.append(row)


def main() -> None:
    """Measure and print the table."""
    arguments: argparse.ArgumentParser = parser(__doc__, seconds=5.0)
    options = arguments.parse_args()
    run = Run("labelling", options)
    for decoder in ("softmax", "crf"):
        for threads in options.threads:
            measure_training(run, decoder, threads)
        measure_answers(run, decoder)

    def cells(row: Row) -> list[str]:
        head = [row["task"], str(row["threads"]), row["model"], f"{row['sentences_per_s']:,}"]
        return [*head, f"{row['ratio']:.2f}", f"{row['ms']:.2f}"]

    columns = ["task|", "threads", "model|", "sentences/s", "ratio", "ms"]
    return run.finish("bidirectional LSTM tagger, medians", columns, cells)


if __name__ == "__main__":
    main()

"""Training and beam search of an encoder-decoder: recurra compared with the same model in plain torch.nn.

    python benchmarks/translation.py [--threads 1 2] [--run RUN] [--json FILE]

Sources and targets of 8 to 24 symbols, a vocabulary of 6,000, embeddings of size 256, a bidirectional GRU
encoder with 256 units per direction, a GRU decoder with general attention and input feeding, batches of 64
pairs, Adam. The plain model packs its sources and runs torch.nn.GRUCell over its targets. Its beam of width 5
searches 32 sentences at once or one at a time, with the same stopping rule, and is checked to find the same
results. Both models start from equal weights; their losses are compared before they are timed.

With untrained weights, which never predict the end, outputs have 20 symbols. With --run (a GRU, one layer),
the held-out sources of the run are also translated: 32 of medium length at once, and 256 of all lengths as a
file, sorted by length on both sides, in the batches of `recurra translate` and for the plain model in batches
of 16, 32 and 64.
"""

from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from timing import Call, Row, Run, agree, parser
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from recurra.data.batches import PairBatch
from recurra.decoding import BeamOptions, LengthPenalty, SearchedModel, beam_search
from recurra.models.seq2seq import Seq2SeqNetwork, SourceKind
from recurra.models.source import EncoderDecoderConfig
from recurra.tasks.seq2seq.facade import Translator
from recurra.tasks.seq2seq.feeds import EncodedPairs
from recurra.tasks.seq2seq.searching import search

VOCABULARY, SIZE, BATCH, END = 6_000, 256, 64, 0
SHORTEST, LONGEST, WIDTH, AT_ONCE, WRITTEN, IN_FILE = 8, 24, 5, 32, 20, 256


class PlainState(NamedTuple):
    """State of the plain decoder, with one row per hypothesis."""

    values: Tensor
    keys: Tensor
    real: Tensor
    hidden: Tensor
    feed: Tensor


class PlainNetwork(nn.Module):
    """The same model in torch.nn."""

    def __init__(self, symbols: int, size: int, hidden: int) -> None:
        super().__init__()
        self.source = nn.Embedding(symbols, size)
        self.target = nn.Embedding(symbols, size)
        self.encoder = nn.GRU(size, hidden, batch_first=True, bidirectional=True)
        self.bridge = nn.Linear(2 * hidden, hidden)
        self.keys = nn.Linear(2 * hidden, hidden, bias=False)
        self.output = nn.Linear(size, symbols)
        self.combine = nn.Linear(3 * hidden, size)
        self.cell = nn.GRUCell(2 * size, hidden)

    def read(self, source: Tensor, lengths: Tensor) -> PlainState:
        packed = pack_padded_sequence(self.source(source), lengths, batch_first=True, enforce_sorted=False)
        steps, last = self.encoder(packed)
        values, _ = pad_packed_sequence(steps, batch_first=True, total_length=source.shape[1])
        real = torch.arange(source.shape[1]) < lengths.unsqueeze(1)
        hidden = torch.tanh(self.bridge(torch.cat([last[0], last[1]], dim=1)))
        feed = hidden.new_zeros(len(source), self.combine.out_features)
        return PlainState(values, self.keys(values), real, hidden, feed)

    def step(self, x: Tensor, state: PlainState) -> PlainState:
        hidden = self.cell(torch.cat([x, state.feed], dim=1), state.hidden)
        scores = torch.bmm(state.keys, hidden.unsqueeze(2)).squeeze(2)
        weights = scores.masked_fill(~state.real, -torch.inf).softmax(1)
        context = torch.bmm(weights.unsqueeze(1), state.values).squeeze(1)
        feed = torch.tanh(self.combine(torch.cat([hidden, context], dim=1)))
        return state._replace(hidden=hidden, feed=feed)

    def loss(self, source: Tensor, lengths: Tensor, inputs: Tensor, wanted: Tensor) -> Tensor:
        state = self.read(source, lengths)
        fed = []
        for x in self.target(inputs).unbind(1):
            state = self.step(x, state)
            fed.append(state.feed)
        logits = self.output(torch.stack(fed, dim=1))
        return F.cross_entropy(logits.flatten(0, 1), wanted.flatten(), ignore_index=-100, reduction="sum")

    @torch.no_grad()
    def search(
        self, source: Tensor, lengths: Tensor, longest: list[int], alpha: float, end: int
    ) -> list[list[int]]:
        """The best hypothesis per source; all rows of the beam continue until all sources are finished."""
        B, width = len(source), WIDTH
        state = PlainState(*(part.repeat_interleave(width, 0) for part in self.read(source, lengths)))
        scores = torch.full((B, width), -torch.inf)
        scores[:, 0] = 0.0
        symbols = torch.zeros(B, width, 0, dtype=torch.int64)
        last = torch.full((B * width,), end)
        found: list[list[tuple[float, list[int]]]] = [[] for _ in range(B)]
        done = [False] * B
        while not all(done):
            state = self.step(self.target(last), state)
            log_probs = self.output(state.feed).log_softmax(1).view(B, width, -1)
            totals = (scores.unsqueeze(2) + log_probs).flatten(1)
            scores, chosen = totals.topk(width, dim=1)
            V = log_probs.shape[2]
            parents, following = chosen // V, chosen % V
            symbols = torch.cat(
                [symbols.gather(1, parents.unsqueeze(2).expand_as(symbols)), following.unsqueeze(2)], dim=2
            )
            rows = (torch.arange(B).unsqueeze(1) * width + parents).flatten()
            state = PlainState(*(part[rows] for part in state))
            last, t = following.flatten(), symbols.shape[2]
            ended = following == end
            for b in range(B):
                for w in range(width):
                    if not done[b] and scores[b, w] > -torch.inf and (ended[b, w] or t >= longest[b]):
                        found[b].append((float(scores[b, w]) / t**alpha, symbols[b, w].tolist()))
            scores = scores.masked_fill(ended, -torch.inf)
            for b in range(B):
                bound = float(scores[b].max()) / longest[b] ** alpha
                best = max((score for score, _ in found[b]), default=-torch.inf)
                done[b] = done[b] or t >= longest[b] or best >= bound
        return [max(of_one)[1] for of_one in found]


class Training:
    """A model in training: each call trains on one batch."""

    def __init__(self, network: Any, batches: list[Any]) -> None:
        self.network, self.batches, self.at = network, batches, 0
        self.optimizer = torch.optim.Adam(network.parameters(), 1e-3, fused=True)

    def __call__(self) -> Tensor:
        batch = self.batches[self.at % len(self.batches)]
        self.at += 1
        ours = isinstance(batch, PairBatch)
        loss = self.network.total_loss(batch) if ours else self.network.loss(*batch)
        self.optimizer.zero_grad()
        (loss / BATCH).backward()
        self.optimizer.step()
        return loss.detach()


def make_batches(count: int) -> tuple[list[PairBatch], list[tuple[Tensor, ...]], float]:
    """The same batches in the form of each model, and the mean number of target symbols per batch."""
    ours, plain = [], []
    for _ in range(count):
        sides = []
        for _ in range(2):
            lengths = torch.randint(SHORTEST, LONGEST + 1, (BATCH,))
            real = torch.arange(int(lengths.max())) < lengths.unsqueeze(1)
            sides.append((torch.randint(1, VOCABULARY, real.shape) * real, lengths))
        (source, source_lengths), (target, target_lengths) = sides
        batch = PairBatch(source, source_lengths, target, target_lengths, END)
        ours.append(batch)
        plain.append((source, source_lengths, *batch.steps(END)))
    symbols = sum(int(batch.target_lengths.sum()) + BATCH for batch in ours) / count
    return ours, plain, symbols


def plain_twin(ours: Seq2SeqNetwork) -> PlainNetwork:
    """A plain network with the weights of recurra's network."""
    attentive = ours.attentive
    assert attentive is not None, "the benchmark needs a model with attention"
    hidden, size = attentive.recurrent.hidden_size, ours.embedding.embedding_dim
    plain = PlainNetwork(ours.embedding.num_embeddings, size, hidden)
    pairs = [
        (plain.source, ours.encoder.embedding),
        (plain.target, ours.embedding),
        (plain.encoder, ours.encoder.recurrent),
        (plain.bridge, ours.bridge.maps[0]),
        (plain.keys, attentive.attention.value),
        (plain.output, ours.output),
        (plain.combine, attentive.combine),
    ]
    for mine, theirs in pairs:
        mine.load_state_dict({name: each.clone() for name, each in theirs.state_dict().items()})
    cell = {name.removesuffix("_l0"): each.clone() for name, each in attentive.recurrent.state_dict().items()}
    plain.cell.load_state_dict(cell)
    return plain


def untrained() -> Seq2SeqNetwork:
    """recurra's network before training."""
    torch.manual_seed(0)
    config = EncoderDecoderConfig(
        cell="gru", hidden_size=SIZE, embedding_size=SIZE, num_layers=1, dropout=0.0, input_dropout=0.0
    )
    return Seq2SeqNetwork(config, SourceKind(VOCABULARY), VOCABULARY, END)


def add_rows(run: Run, task: str, threads: int, calls: dict[str, Call], count: float) -> None:
    """Time the calls and add their rows; `count` is the number of units per call."""
    run.status(f"{task}  threads {threads}          ")
    whole = run.interleaved(calls)
    for model, timing in whole.items():
        row: Row = {"task": task, "threads": threads, "model": model}
        row |= {"per_s": round(count / timing.median_ms * 1e3)} | timing.as_json()
        row["ratio"] = round(timing.median_ms / whole["recurra"].median_ms, 2)
        run.rows.append(row)


def measure_training(run: Run, threads: int) -> None:
    """Add the rows for training, in target symbols per second."""
    torch.set_num_threads(threads)
    ours = untrained()
    plain = plain_twin(ours)
    batches, as_tensors, symbols = make_batches(10)
    calls: dict[str, Call] = {"recurra": Training(ours, batches), "torch.nn": Training(plain, as_tensors)}
    losses = [torch.stack([training() for _ in range(3)]) for training in calls.values()]
    agree("losses", losses[1:], losses[:1])
    add_rows(run, "training, target symbols", threads, calls, symbols)


def measure_search(run: Run, threads: int, folder: Path | None) -> None:
    """Add the rows for a beam of width 5, in sentences per second."""
    torch.set_num_threads(threads)
    if folder is None:
        ours = untrained().eval()
        length = torch.randint(SHORTEST, LONGEST + 1, (AT_ONCE,))
        real = torch.arange(int(length.max())) < length.unsqueeze(1)
        source = torch.randint(1, VOCABULARY, real.shape) * real
        longest, alpha, batch = [WRITTEN] * AT_ONCE, 1.0, None
    else:
        model = Translator.load(folder)
        ours, alpha = model.network, model.config.length_penalty
        encoded = EncodedPairs(model.pairs_of(), model.symbols)
        order = sorted(range(len(encoded.pairs)), key=lambda i: len(encoded.sources[i]))
        middle = len(order) // 2
        batch = encoded.sources_of(order[middle : middle + AT_ONCE])
        assert batch.source is not None, "a translator needs text as source"
        source, length = batch.source, batch.source_lengths
        longest = [3 * int(each) // 2 + 10 for each in length]
    end = END if batch is None else batch.end
    plain = plain_twin(ours).eval()
    given = PairBatch(source, length, source[:, :0], length * 0, end)
    options = BeamOptions(WIDTH, length_penalty=LengthPenalty(alpha))
    searched = SearchedModel(ours.step, ours.rows, end, end)

    def ours_at_once() -> list[list[int]]:
        with torch.no_grad():
            state = ours.read(given)[1]
        found = beam_search(searched, state, len(source), options, max_lengths=longest)
        return [[*one[0].symbols, *([end] if one[0].ended else [])] for one in found]

    calls: dict[str, Call] = {
        "recurra": ours_at_once,
        "torch.nn": lambda: plain.search(source, length, longest, alpha, end),
        "torch.nn, one by one": lambda: [
            plain.search(source[i : i + 1], length[i : i + 1], longest[i : i + 1], alpha, end)[0]
            for i in range(len(source))
        ],
    }
    for peer in list(calls)[1:]:
        same = sum(a == b for a, b in zip(ours_at_once(), calls[peer](), strict=True))
        # Rounding in single precision may change the order of two nearly equal hypotheses.
        assert same >= len(source) - 1, f"{peer}: {same} of {len(source)} sentences are the same"
    task = "beam of 5, sentences" + ("" if folder is None else ", trained")
    add_rows(run, task, threads, calls, len(source))


def measure_file(run: Run, threads: int, folder: Path) -> None:
    """Add the rows for a file with a beam of width 5, in sentences per second."""
    torch.set_num_threads(threads)
    model = Translator.load(folder)
    pairs = model.pairs_of()
    encoded = EncodedPairs(pairs[:: max(1, len(pairs) // IN_FILE)][:IN_FILE], model.symbols)
    plain, alpha = plain_twin(model.network).eval(), model.config.length_penalty
    order = sorted(range(len(encoded.pairs)), key=lambda i: -len(encoded.sources[i]))

    def ours() -> list[list[int]]:
        found = search(model.network, encoded, model.config)
        return [[*one[0].symbols, *([model.symbols.end] if one[0].ended else [])] for one in found]

    def theirs(at_once: int) -> list[list[int]]:
        found: dict[int, list[int]] = {}
        for at in range(0, len(order), at_once):
            chosen = order[at : at + at_once]
            batch = encoded.sources_of(chosen)
            assert batch.source is not None, "a translator needs text as source"
            longest = [3 * int(each) // 2 + 10 for each in batch.source_lengths]
            texts = plain.search(batch.source, batch.source_lengths, longest, alpha, batch.end)
            found.update(zip(chosen, texts, strict=True))
        return [found[i] for i in range(len(order))]

    same = sum(a == b for a, b in zip(ours(), theirs(AT_ONCE), strict=True))
    assert same >= 0.98 * len(order), f"{same} of {len(order)} sentences are the same"
    calls: dict[str, Call] = {"recurra": ours}
    for size in (AT_ONCE // 2, AT_ONCE, 2 * AT_ONCE):
        calls[f"torch.nn, {size} at once"] = partial(theirs, size)
    add_rows(run, "beam of 5, sentences of a file", threads, calls, len(order))


def main() -> None:
    """Measure and print the table."""
    arguments = parser(__doc__, seconds=5.0)
    arguments.add_argument("--run", type=Path, help="run folder of a trained translator")
    options = arguments.parse_args()
    run = Run("translation", options)
    for threads in options.threads:
        measure_training(run, threads)
        measure_search(run, threads, None)
        if options.run is not None:
            measure_search(run, threads, options.run)
            measure_file(run, threads, options.run)

    def cells(row: Row) -> list[str]:
        head = [row["task"], str(row["threads"]), row["model"], f"{row['per_s']:,}"]
        return [*head, f"{row['ratio']:.2f}", f"{row['ms']:.1f}"]

    columns = ["task|", "threads", "model|", "per second", "ratio", "ms"]
    return run.finish("GRU encoder-decoder with attention, medians", columns, cells)


if __name__ == "__main__":
    main()

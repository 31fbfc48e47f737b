"""Speed of language models in use, compared with other libraries: counting, sampling, scoring.

    python benchmarks/uses.py [--words 100000] [--json FILE]

Counting: an interpolated Kneser-Ney trigram model of the first words of the Penn Treebank, compared with
nltk's (which has one discount; recurra estimates three per n-gram length). Sampling and scoring: a 2 x 256
character LSTM with random weights, compared with a loop over torch.nn.LSTM with the same weights. Sampling
runs one row and one step at a time; scoring reads 200 lines of 60 characters, which torch reads one after the
other.
"""

import random
from typing import Any

import numpy as np
import torch
from language_model import corpus
from timing import Run, parser
from torch import nn

import recurra
from recurra.config import RecurrentNetworkConfig
from recurra.decoding import sample_ids
from recurra.models import LanguageModelNetwork, NGramModel
from recurra.tasks.language_modeling.config import LanguageModelConfig
from recurra.text import CharTokenizer

LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ .,;:!?'-\n"
DRAWN = 400
LINES, LENGTH = 200, 60


class TorchModel(nn.Module):
    """The same network in torch.nn."""

    def __init__(self, network: LanguageModelNetwork) -> None:
        super().__init__()
        self.embedding, self.output = network.embedding, network.output
        own = network.recurrent
        self.lstm = nn.LSTM(own.input_size, own.hidden_size, own.num_layers, batch_first=True)
        self.lstm.load_state_dict(own.state_dict())

    def forward(self, ids: torch.Tensor, state: Any = None) -> tuple[torch.Tensor, Any]:
        hidden, state = self.lstm(self.embedding(ids), state)
        return self.output(hidden), state


def counting(run: Run) -> None:
    """Add the row for counting."""
    ids, _ = corpus()
    words = ids[: run.options.words].numpy()
    texts = [str(word) for word in words]
    vocabulary_size = int(words.max()) + 1

    def theirs() -> None:
        from nltk.lm import KneserNeyInterpolated
        from nltk.util import everygrams

        KneserNeyInterpolated(3).fit([everygrams(texts, max_len=3)], vocabulary_text=texts)

    timings = run.interleaved(
        {
            "recurra": lambda: NGramModel.fit(words, vocabulary_size, 3, "kneser-ney"),
            "nltk": theirs,
        }
    )
    add(run, f"count 3-grams of {len(words):,} words", "words", len(words), timings)


def sampling_and_scoring(run: Run) -> None:
    """Add the rows for sampling and scoring."""
    tokenizer = CharTokenizer.count([LETTERS])
    config = LanguageModelConfig(hidden_size=256, num_layers=2, embedding_size=64, dropout=0.0)
    network = LanguageModelNetwork(
        tokenizer.vocabulary_size,
        RecurrentNetworkConfig(hidden_size=256, num_layers=2, embedding_size=64, dropout=0.0),
    ).eval()
    model = recurra.LanguageModel(network, tokenizer, config)
    theirs = TorchModel(network).eval()

    def loop() -> None:
        generator = torch.Generator().manual_seed(1)
        for _ in sample_ids(theirs, [0], length=DRAWN, transform=lambda x: x, generator=generator):
            pass

    timings = run.interleaved({"recurra": lambda: model.sample(length=DRAWN, seed=1), "torch.nn": loop})
    add(run, f"sample {DRAWN} characters", "characters", DRAWN, timings)
    maker = random.Random(1)
    lines = ["".join(maker.choices(LETTERS[:-1], k=LENGTH)) for _ in range(LINES)]

    @torch.no_grad()
    def scores() -> list[float]:
        found = []
        for line in lines:
            ids = torch.tensor([[tokenizer.start_id, *tokenizer.encode_line(line), tokenizer.end_id]])
            logits, _ = theirs(ids[:, :-1])
            found.append(float(-nn.functional.cross_entropy(logits[0], ids[0, 1:], reduction="sum")))
        return found

    own = [one.log_prob for one in model.score(lines)]
    if not np.allclose(own, scores(), rtol=1e-4):
        raise ValueError("scores: recurra's differ from torch.nn's.")
    timings = run.interleaved({"recurra": lambda: model.score(lines), "torch.nn": scores})
    add(run, f"score {LINES} lines", "characters", LINES * (LENGTH + 1), timings)


def add(run: Run, name: str, unit: str, count: int, timings: Any) -> None:
    """Add one row; `count` is the number of units per call."""
    ours = timings["recurra"]
    ((peer, other),) = ((name, timing) for name, timing in timings.items() if name != "recurra")
    run.rows.append(
        {
            "use": name,
            "unit": unit,
            "count": count,
            "recurra": ours.as_json(),
            "peer": peer,
            "peer_timing": other.as_json(),
            "ratio": round(other.median_ms / ours.median_ms, 2),
        }
    )


def main() -> None:
    """Measure counting, sampling and scoring."""
    arguments = parser(__doc__, seconds=5.0, threads=(1,))
    arguments.add_argument(
        "--words", type=int, default=100_000, help="number of words to count (default: %(default)s)"
    )
    options = arguments.parse_args()
    torch.set_num_threads(1)
    run = Run("uses", options)
    counting(run)
    sampling_and_scoring(run)

    def cells(row: dict[str, Any]) -> list[str]:
        rates = [row["count"] / one["ms"] * 1e3 for one in (row["recurra"], row["peer_timing"])]
        return [
            row["use"],
            row["unit"],
            f"{rates[0]:,.0f}",
            row["peer"],
            f"{rates[1]:,.0f}",
            f"{row['ratio']:.1f}x",
        ]

    run.finish(
        "language models in use, one core",
        ["use|", "unit|", "recurra per second", "peer|", "peer per second", "ratio"],
        cells,
    )


if __name__ == "__main__":
    main()

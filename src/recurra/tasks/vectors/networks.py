"""The two matrices of word vectors, and how a configuration trains them."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from recurra.errors import ConfigError
from recurra.kernels.word_vectors import WordContexts, WordOutputs, WordTrainer, padded_rows
from recurra.kernels.word_vectors_checks import LANES
from recurra.layers.output import linear_cross_entropy
from recurra.models.word_vectors.subwords import Subwords
from recurra.models.word_vectors.tables import AliasTable, HuffmanTree, keep_probabilities
from recurra.tasks.vectors.config import VectorsConfig
from recurra.tasks.vectors.corpus import WordSymbols

_CONTEXTS: dict[str, tuple[Any, Any]] = {
    "skip-gram": ("each", "window"),
    "cbow": ("mean", "window"),
    "previous-average": ("mean", "previous"),
    "previous-concatenated": ("concatenated", "previous"),
    "previous-word": ("mean", "previous"),
    "nearby-word": ("each", "nearby"),
}
Parts = tuple[NDArray[np.int64], NDArray[np.int32]]


class VectorNetwork(nn.Module):
    """The vectors e of context words (`input`) and θ of predicted words or inner nodes (`output`).

    With subwords, `input` has a row for each word and then one for each bucket of n-grams. GloVe also has a
    bias for each row. `calibration` has the scale and the bias with which scores become probabilities, if the
    objective leaves them free.

    Shapes: input (rows, D); output (rows, D), or (rows, window · D) if the context is concatenated; biases
    (V,); calibration (2,).
    """

    calibration: Tensor

    def __init__(self, input: Tensor, output: Tensor, *, biases: bool = False) -> None:
        super().__init__()
        self.input = nn.Parameter(input, requires_grad=False)
        self.output = nn.Parameter(output, requires_grad=False)
        self.register_buffer("calibration", torch.tensor([1.0, 0.0]))
        if biases:
            self.input_bias = nn.Parameter(torch.zeros(len(input)), requires_grad=False)
            self.output_bias = nn.Parameter(torch.zeros(len(output)), requires_grad=False)

    def total_loss(self, contexts: Tensor, targets: Tensor) -> Tensor:
        """Return Σ -log softmax(θ h) of the targets; h is the mean of the context's vectors, or all of them.

        Shapes: contexts (n, C) ids, -1 for none; targets (n,) ids or -100; result a scalar.
        """
        there = (contexts >= 0).unsqueeze(2)
        rows = nn.functional.embedding(contexts.clamp(min=0), self.input) * there
        if self.output.shape[1] != self.input.shape[1]:
            hidden = rows.flatten(1)
        else:
            hidden = rows.sum(1) / there.sum(1).clamp(min=1)
        return linear_cross_entropy(hidden, self.output, None, targets, -100, "sum")


def build_network(config: VectorsConfig, symbols: WordSymbols) -> VectorNetwork:
    """Build the matrices: input rows uniform in ±1/(2 D), output rows zero; GloVe: both uniform, with biases.

    Raises: ConfigError if the concatenated context does not fit the kernels' rows.
    """
    words, size = len(symbols.vocabulary), config.embedding_size
    concatenated = config.context == "previous-concatenated" and config.objective != "glove"
    if concatenated and size % LANES and config.objective != "softmax":
        raise ConfigError(
            f"embedding_size: got {size}, expected a multiple of {LANES} with context previous-concatenated."
        )
    rows = words + (config.buckets if config.subwords else 0)
    tree = config.objective == "hierarchical-softmax"
    # The kernels of word vectors need padded rows; the full softmax has kernels of its own.
    made = torch.zeros if config.objective == "softmax" else padded_rows
    input = made(rows, size)
    output = made(words - 1 if tree else words, size * (config.window if concatenated else 1))
    input.uniform_(-0.5 / size, 0.5 / size)
    if config.objective == "glove":
        output.uniform_(-0.5 / size, 0.5 / size)
    network = VectorNetwork(input, output, biases=config.objective == "glove")
    if config.objective == "softmax":
        network.requires_grad_(True)
    return network


def contexts_of(config: VectorsConfig) -> WordContexts:
    """Return what a word is predicted from."""
    hidden, reach = _CONTEXTS[config.context]
    shrinks = config.shrink_window and reach != "previous" and config.window > 1
    return WordContexts(hidden, reach, config.window, shrinks)


def parts_of(config: VectorsConfig, symbols: WordSymbols) -> Parts | None:
    """Return the rows of `input` that make up each word's vector; None without subwords."""
    if not config.subwords:
        return None
    return Subwords(config.min_ngram, config.max_ngram, config.buckets).table(symbols.words)


@dataclass(frozen=True)
class Tables:
    """What the kernels read besides text and vectors."""

    contexts: WordContexts
    outputs: WordOutputs
    keep: NDArray[np.float32] | None
    parts: Parts | None

    @classmethod
    def of(cls, config: VectorsConfig, symbols: WordSymbols) -> "Tables":
        """Compute the tables of a configuration."""
        if config.objective == "hierarchical-softmax":
            tree = HuffmanTree.of(symbols.counts)
            outputs = WordOutputs(path_starts=tree.starts, path_nodes=tree.nodes, path_labels=tree.labels)
        else:
            drawn = AliasTable.of(symbols.counts.astype(np.float64) ** config.negative_exponent)
            outputs = WordOutputs(config.negatives, drawn.share, drawn.alias)
        keep = keep_probabilities(symbols.counts, config.subsample) if config.subsample else None
        return cls(contexts_of(config), outputs, keep, parts_of(config, symbols))


def make_trainer(
    config: VectorsConfig,
    symbols: WordSymbols,
    network: VectorNetwork,
    tables: Tables,
    *,
    held_out: bool = False,
) -> WordTrainer:
    """Return the trainer of a network; for held-out text no occurrence is dropped."""
    return WordTrainer(
        network.input.data,
        network.output.data,
        tables.contexts,
        tables.outputs,
        vocabulary_size=len(symbols.vocabulary),
        keep=None if held_out else tables.keep,
        parts=tables.parts,
        whole_error=config.whole_error,
        seed=config.seed,
        threads=config.threads or torch.get_num_threads(),
        reproducible=config.reproducible,
    )


def word_rows(network: VectorNetwork, parts: Parts | None) -> Tensor:
    """Return the context vector e of each word: its row, or the mean of its row and its n-grams' rows.

    Shapes: result (V, D).
    """
    if parts is None:
        return network.input.data
    starts, rows = parts
    return torch.nn.functional.embedding_bag(
        torch.from_numpy(rows.astype(np.int64)),
        network.input.data,
        torch.from_numpy(starts[:-1]),
        mode="mean",
    )


def chosen_vectors(network: VectorNetwork, config: VectorsConfig, symbols: WordSymbols) -> Tensor:
    """Return the vectors that the model gives its words, as --vectors says. Shapes: result (V, D)."""
    rows, output = word_rows(network, parts_of(config, symbols)), network.output.data
    if config.vectors in ("input", "output"):
        return rows if config.vectors == "input" else output
    total = rows + output
    return total / 2 if config.vectors == "mean" else total

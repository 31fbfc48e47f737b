"""Log-probabilities of lines, by which a language model ranks them."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch

from recurra.errors import ConfigError
from recurra.metrics import exp_or_infinite, mixture_losses
from recurra.models.evaluating import evaluating
from recurra.models.next_symbol import NextSymbolNetwork
from recurra.models.ngram import NGramNetwork
from recurra.results import Result, shortened
from recurra.text import Tokenizer


@dataclass(frozen=True, repr=False)
class LineScore(Result):
    """log P of one line, including its end, and of each of its symbols, in nats.

    `unknown` is the number of unknown symbols, which are scored as `<unk>`.
    """

    line: str
    symbols: tuple[str, ...]
    log_probs: tuple[float, ...]
    unknown: int

    def told(self) -> str:
        """The line, its log-probability and its perplexity."""
        return f"{shortened(self.line)}, log_prob {self.log_prob:.4f}, perplexity {self.perplexity:.4g}"

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, for JSON."""
        found = {"line": self.line, "log_prob": self.log_prob, "perplexity": self.perplexity}
        return found | {"unknown": self.unknown}

    @property
    def log_prob(self) -> float:
        """log P(line): the sum over its symbols."""
        return math.fsum(self.log_probs)

    @property
    def perplexity(self) -> float:
        """exp of the mean -log P over the line's symbols; NaN for a score without symbols."""
        if self.log_probs and not self.symbols:
            return math.nan
        return exp_or_infinite(-self.log_prob / max(1, len(self.log_probs)))


def score_lines(
    network: NextSymbolNetwork | NGramNetwork,
    tokenizer: Tokenizer,
    lines: Sequence[str],
    *,
    backward: bool = False,
    batch_size: int = 32,
) -> Iterator[LineScore]:
    """Score each line independently, from the start symbol to its end (if the model has one).

    For a model that reads `backward`, lines are scored from the last symbol to the first, and symbols are in
    that order. Results are in the order of the lines.
    """
    for first in range(0, len(lines), batch_size):
        yield from _score_batch(network, tokenizer, lines[first : first + batch_size], backward)


def _score_batch(
    network: NextSymbolNetwork | NGramNetwork, tokenizer: Tokenizer, lines: Sequence[str], backward: bool
) -> list[LineScore]:
    """Scores of some lines, computed together."""
    end = [] if tokenizer.end_id is None else [tokenizer.end_id]
    encoded = [tokenizer.encode_line(line)[:: -1 if backward else 1] + end for line in lines]
    width = max(1, max(map(len, encoded)))
    device = network.device
    targets = torch.zeros((len(lines), width), dtype=torch.int64)
    inputs = torch.full((len(lines), width), tokenizer.start_id)
    for row, ids in enumerate(encoded):
        targets[row, : len(ids)] = torch.tensor(ids, dtype=torch.int64)
        inputs[row, 1 : len(ids)] = targets[row, : len(ids) - 1] if ids else targets[row, :0]
    lengths = torch.tensor([len(ids) for ids in encoded])
    with evaluating(network):
        losses, _ = network.token_losses(inputs.to(device), targets.to(device), lengths=lengths)
    unk = tokenizer.vocabulary.unk_id
    return [
        LineScore(
            line=line,
            symbols=tuple(tokenizer.decode([id_]) for id_ in ids),
            log_probs=tuple((-loss[: len(ids)]).double().tolist()),
            unknown=sum(id_ == unk for id_ in ids),
        )
        for line, ids, loss in zip(lines, encoded, losses.cpu(), strict=True)
    ]


def mixed_scores(
    scores: Sequence[Sequence[LineScore]], weights: Sequence[float], *, same_symbols: bool
) -> list[LineScore]:
    """Combine the scores of several models, line by line.

    Models with the same symbols are interpolated symbol by symbol, P = Σ_k w_k P_k; others by whole lines,
    log P = Σ_k w_k log P_k, up to a constant. The latter ranks lines but is not a probability, and its scores
    have no symbols.

    Raises: ConfigError if there is not one positive weight per model.
    """
    if len(weights) != len(scores) or not all(0 < weight < 1e100 for weight in weights):
        count = "1 model" if len(scores) == 1 else f"{len(scores)} models"
        raise ConfigError(
            f"weights: got {', '.join(f'{w:g}' for w in weights)} for {count}, expected one "
            "positive weight per model."
        )
    shares = np.array(weights) / sum(weights)
    mixed = []
    for lines in zip(*scores, strict=True):
        first = lines[0]
        if same_symbols:
            losses = -np.array([one.log_probs for one in lines])
            log_probs = tuple((-mixture_losses(losses, shares)).tolist())
            mixed.append(replace(first, log_probs=log_probs))
        else:
            total = float(sum(share * one.log_prob for share, one in zip(shares, lines, strict=True)))
            mixed.append(LineScore(first.line, (), (total,), max(one.unknown for one in lines)))
    return mixed

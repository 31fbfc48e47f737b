"""Attention: a weighted mean of the encoder's steps, with new weights at each decoder step."""

from typing import Literal, NamedTuple

import torch
from torch import Tensor, nn

from recurra.cells import shape_error
from recurra.errors import ConfigError
from recurra.layers.pooling import real_steps

Scoring = Literal["additive", "dot", "general"]


class Memory(NamedTuple):
    """The values to attend to and the keys of their scores, computed once for all steps of a decoder.

    Shapes: values (B, S, V); keys (B, S, K); real (B, S) bool, false in the padding.
    """

    values: Tensor
    keys: Tensor
    real: Tensor


class Attended(NamedTuple):
    """The weighted mean and the weights. Shapes: context (B, T, V); weights (B, T, S)."""

    context: Tensor
    weights: Tensor


class Attention(nn.Module):
    """c_t = Σ_s w_ts v_s with w_t = softmax over s of score(q_t, v_s):

        additive   score = uᵀ tanh(W_q q_t + W_v v_s + b)
        dot        score = q_tᵀ v_s
        general    score = q_tᵀ W v_s

    Padding has weight 0; a row without steps gives zeros. With `coverage`, additive scores also depend on the
    attention that a source step received before, κ_ts = Σ_{τ<t} w_τs: + w_c κ_ts inside the tanh.

    Shapes: queries (B, T, Q); values (B, S, V); result context (B, T, V), weights (B, T, S).
    Raises: ConfigError for invalid sizes or options; ShapeError for shapes that do not fit.
    Source: D. Bahdanau et al., Neural machine translation by jointly learning to align and translate (2015);
    M.-T. Luong et al., Effective approaches to attention-based neural machine translation (2015); Z. Tu et
    al., Modeling coverage for neural machine translation (2016).
    """

    def __init__(
        self,
        query_size: int,
        value_size: int,
        scoring: Scoring = "additive",
        *,
        size: int | None = None,
        coverage: bool = False,
    ) -> None:
        super().__init__()
        if scoring == "dot" and query_size != value_size:
            raise ConfigError(
                f"scoring: dot needs queries and values of the same size, got {query_size} and {value_size}; "
                "use general."
            )
        if coverage and scoring != "additive":
            raise ConfigError(f"coverage: applies to additive scores only, got {scoring}; remove it.")
        self.query_size, self.value_size, self.scoring = query_size, value_size, scoring
        self.has_coverage = coverage
        self.covered: nn.Linear | None = None
        size = query_size if size is None else size
        if scoring == "additive":
            self.query = nn.Linear(query_size, size, bias=False)
            self.value = nn.Linear(value_size, size)
            self.score = nn.Linear(size, 1, bias=False)
            if coverage:
                self.covered = nn.Linear(1, size, bias=False)
        elif scoring == "general":
            self.value = nn.Linear(value_size, query_size, bias=False)

    def extra_repr(self) -> str:
        """Return the options in torch.nn's format."""
        return f"{self.query_size}, {self.value_size}, {self.scoring}"

    def remember(self, values: Tensor, lengths: Tensor | None) -> Memory:
        """Return the memory for all steps of a decoder. Shapes: values (B, S, V); lengths (B,)."""
        if values.dim() != 3 or values.shape[-1] != self.value_size:
            wanted = f"(batch, steps, {self.value_size})"
            raise shape_error("values", f"shape {tuple(values.shape)}", wanted, "pass an encoder's steps")
        keys = values if self.scoring == "dot" else self.value(values)
        return Memory(values, keys, real_steps(values, lengths))

    def forward(self, queries: Tensor, memory: Memory, covered: Tensor | None = None) -> Attended:
        """Return the context and weights of each query; `covered` is the sum of the weights of earlier ones.

        Shapes: queries (B, T, Q); covered (B, T, S).
        """
        if queries.dim() != 3 or queries.shape[-1] != self.query_size:
            wanted = f"(batch, steps, {self.query_size})"
            raise shape_error("queries", f"shape {tuple(queries.shape)}", wanted, "pass a decoder's states")
        scores = self._scores(queries, memory.keys, covered)
        real = memory.real.unsqueeze(1)
        # Minus infinity would give NaN in a row without steps; its weights are set to zero afterwards.
        weights = scores.masked_fill(~real, torch.finfo(scores.dtype).min).softmax(2) * real
        return Attended(weights @ memory.values, weights)

    def _scores(self, queries: Tensor, keys: Tensor, covered: Tensor | None) -> Tensor:
        if self.scoring != "additive":
            return queries @ keys.transpose(1, 2)
        together = self.query(queries).unsqueeze(2) + keys.unsqueeze(1)
        if self.covered is not None:
            assert covered is not None, "coverage needs the sum of the earlier weights"
            together = together + self.covered(covered.unsqueeze(3))
        scores: Tensor = self.score(torch.tanh(together)).squeeze(3)
        return scores

"""Bengio's language model: the concatenated vectors of a window of symbols, and one hidden layer."""

import torch
from torch import Tensor, nn

from recurra.config import ContextPart, RecurrentPart
from recurra.errors import ConfigError
from recurra.layers import State
from recurra.layers.lengths import checked_lengths
from recurra.models.next_symbol import Features, NextSymbolNetwork, initialise, output_layer
from recurra.models.windows import NONE, last_windows, no_symbols, state_before, windows


class WindowNetwork(NextSymbolNetwork):
    """P(next symbol | the last W symbols):

        x_t = [E[w_{t-W+1}]; …; E[w_t]];   logits_t = U dropout(tanh(H x_t + d)) + b  (+ M x_t)

    The vectors E are shared by all positions of the window; before the start of the text they are zero. M is
    used only with `direct`. With `tie_weights`, U is E.

    The state is the last W symbols read, the newest last; -1 if there were fewer.
    Shapes: inputs (B, T) ids; logits (B, T, V); state (1, B, W) int64.
    Raises: ConfigError if tied weights do not fit.
    Source: Y. Bengio et al., A neural probabilistic language model (JMLR 3, 2003).
    """

    def __init__(self, vocabulary_size: int, network: RecurrentPart, context: ContextPart) -> None:
        super().__init__()
        size = network.embedding_size or network.hidden_size
        if network.tie_weights and (context.direct or size != network.hidden_size):
            raise ConfigError(
                f"tie_weights: got embedding_size {size}, direct {context.direct}, expected hidden_size "
                f"{network.hidden_size} and no direct connections."
            )
        self.context_size, self.direct = context.context_size, context.direct
        joined = self.context_size * size
        self.embedding = nn.Embedding(vocabulary_size, size)
        self.input_dropout = nn.Dropout(network.input_dropout)
        self.hidden = nn.Linear(joined, network.hidden_size)
        self.dropout = nn.Dropout(network.dropout)
        width = network.hidden_size + (joined if self.direct else 0)
        self.output = output_layer(width, vocabulary_size, adaptive=network.adaptive_softmax)
        initialise(self, network)

    def initial_state(self, batch_size: int) -> Tensor:
        """Return the state before the first symbol: (1, batch_size, W)."""
        return no_symbols(batch_size, self.context_size, self.device)

    def features(
        self, inputs: Tensor, state: State | None, lengths: Tensor | None, resets: Tensor | None
    ) -> tuple[Features, State]:
        """Return the input of the output layer, (B, T, H), or (B, T, H + W*E) with direct connections."""
        before = state_before(state, inputs, self.context_size)
        checked_lengths(lengths, inputs.shape[1], len(inputs))
        found = windows(inputs, before, resets)
        there = (found != NONE).unsqueeze(-1)
        vectors = self.input_dropout(self.embedding(found.clamp(min=0))) * there
        joined = vectors.flatten(2)
        hidden = self.dropout(torch.tanh(self.hidden(joined)))
        features = torch.cat([hidden, joined], dim=-1) if self.direct else hidden
        return Features(features, features), last_windows(found, before, lengths)

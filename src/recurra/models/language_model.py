"""The recurrent language model: symbols in, logits over the next symbol out."""

import torch
from torch import Tensor, nn

from recurra.config import RecurrentPart
from recurra.errors import ConfigError
from recurra.layers import GRU, LSTM, RNN, RecurrentLayer, State, linear_cross_entropy, run_with_resets

_IGNORED = -100


def build_recurrent(config: RecurrentPart, input_size: int) -> RecurrentLayer:
    """The recurrent stack that a configuration names, batch first."""
    sizes = (input_size, config.hidden_size, config.num_layers)
    dropout = config.dropout if config.num_layers > 1 else 0.0
    match config.cell:
        case "lstm":
            return LSTM(*sizes, batch_first=True, dropout=dropout, backend=config.backend)
        case "gru":
            return GRU(*sizes, batch_first=True, dropout=dropout, backend=config.backend)
        case "rnn":
            return RNN(
                *sizes,
                nonlinearity=config.nonlinearity,
                batch_first=True,
                dropout=dropout,
                backend=config.backend,
            )


class LanguageModelNetwork(nn.Module):
    """P(next symbol | all before it):

        e_t = E[x_t];   h_t = recurrent(dropout(e_t), h_{t-1});   logits_t = W dropout(h_t) + b

    With `tie_weights`, W is E (Press & Wolf 2017; Inan et al. 2017).

    Shapes: inputs (B, T) ids; logits (B, T, V); state as the recurrent layer's, (L, B, H).
    Raises: ConfigError where tied weights cannot fit.
    """

    def __init__(self, vocabulary_size: int, config: RecurrentPart) -> None:
        super().__init__()
        embedding_size = config.embedding_size or config.hidden_size
        if config.tie_weights and embedding_size != config.hidden_size:
            raise ConfigError(
                f"tie_weights: embedding_size is {embedding_size}, expected {config.hidden_size}."
            )
        self.embedding = nn.Embedding(vocabulary_size, embedding_size)
        self.input_dropout = nn.Dropout(config.input_dropout)
        self.recurrent = build_recurrent(config, embedding_size)
        self.dropout = nn.Dropout(config.dropout)
        self.output = nn.Linear(config.hidden_size, vocabulary_size)
        self._initialise(config)

    def _initialise(self, config: RecurrentPart) -> None:
        if config.tie_weights:
            self.output.weight = self.embedding.weight
            # Small enough that the first logits are near zero, whichever role the matrix plays.
            nn.init.normal_(self.embedding.weight, std=self.embedding.embedding_dim**-0.5)
        if config.init_scale is not None:
            for parameter in self.parameters():
                nn.init.uniform_(parameter, -config.init_scale, config.init_scale)

    @property
    def vocabulary_size(self) -> int:
        """V."""
        return self.embedding.num_embeddings

    @property
    def device(self) -> torch.device:
        """Where the weights are, and inputs belong."""
        return self.embedding.weight.device

    def initial_state(self, batch_size: int) -> State:
        """The state before anything is read, all zero: (L, batch_size, H)."""
        return self.recurrent.initial_state(batch_size)

    def forward(
        self,
        inputs: Tensor,
        state: State | None = None,
        lengths: Tensor | None = None,
        resets: Tensor | None = None,
    ) -> tuple[Tensor, State]:
        """Logits of each next symbol, and the state after the last.

        Shapes: inputs (B, T) int64; lengths (B,), from 0 to T; resets (B, T) bool, True where the
        state is set to zero before that step; logits (B, T, V).
        """
        hidden, state = self._hidden(inputs, state, lengths, resets)
        logits: Tensor = self.output(hidden)
        return logits, state

    def _hidden(
        self, inputs: Tensor, state: State | None, lengths: Tensor | None, resets: Tensor | None
    ) -> tuple[Tensor, State]:
        """What the output layer reads, (B, T, H), and the state after the last step."""
        embedded = self.input_dropout(self.embedding(inputs))
        if resets is None:
            output, state = self.recurrent(embedded, state, lengths=lengths)
        else:
            output, state = run_with_resets(self.recurrent, embedded, state, resets, lengths=lengths)
        return self.dropout(output), state

    def token_losses(
        self,
        inputs: Tensor,
        targets: Tensor,
        state: State | None = None,
        lengths: Tensor | None = None,
        resets: Tensor | None = None,
    ) -> tuple[Tensor, State]:
        """-log P of each target, zero in padding, and the state after the last.

        Shapes: inputs, targets (B, T); losses (B, T), in nats.
        """
        hidden, state = self._hidden(inputs, state, lengths, resets)
        return self._losses(hidden, _without_padding(targets, lengths), "none"), state

    def _losses(self, hidden: Tensor, targets: Tensor, reduction: str) -> Tensor:
        return linear_cross_entropy(
            hidden, self.output.weight, self.output.bias, targets, ignore_index=_IGNORED, reduction=reduction
        )

    def total_loss(
        self,
        inputs: Tensor,
        targets: Tensor,
        state: State | None = None,
        lengths: Tensor | None = None,
        resets: Tensor | None = None,
        context: int = 0,
    ) -> tuple[Tensor, State]:
        """The sum of `token_losses` but for the first `context` steps, a scalar, and the state after
        the last step. Shapes as `token_losses`."""
        hidden, state = self._hidden(inputs, state, lengths, resets)
        counted = _without_padding(targets, lengths)
        total = self._losses(hidden[:, context:], counted[:, context:], "sum")
        if lengths is not None and not lengths.any():
            # No row takes a step: zero gradients all the same, as other processes wait for them.
            total = total + 0.0 * sum(parameter.sum() for parameter in self.parameters())
        return total, state


def _without_padding(targets: Tensor, lengths: Tensor | None) -> Tensor:
    """Targets with those past the ends of their rows ignored."""
    if lengths is None:
        return targets
    steps = torch.arange(targets.shape[1], device=targets.device)
    return targets.masked_fill(steps >= lengths.to(targets.device)[:, None], _IGNORED)

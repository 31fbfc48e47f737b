"""The recurrent language model: symbols in, logits over the next symbol out."""

from torch import Tensor, nn

from recurra.config import RecurrentPart
from recurra.errors import ConfigError
from recurra.layers import GRU, LSTM, RNN, RecurrentLayer, State, run_with_resets
from recurra.models.next_symbol import NextSymbolNetwork


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


class LanguageModelNetwork(NextSymbolNetwork):
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

    def initial_state(self, batch_size: int) -> State:
        """The state before anything is read, all zero: (L, batch_size, H)."""
        return self.recurrent.initial_state(batch_size)

    def features(
        self, inputs: Tensor, state: State | None, lengths: Tensor | None, resets: Tensor | None
    ) -> tuple[Tensor, State]:
        """What the output layer reads, (B, T, H), and the state after the last step."""
        embedded = self.input_dropout(self.embedding(inputs))
        if resets is None:
            output, state = self.recurrent(embedded, state, lengths=lengths)
        else:
            output, state = run_with_resets(self.recurrent, embedded, state, resets, lengths=lengths)
        return self.dropout(output), state

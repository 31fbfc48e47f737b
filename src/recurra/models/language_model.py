"""The recurrent language model: symbols in, logits over the next symbol out."""

from typing import NamedTuple

from torch import Tensor, nn

from recurra.config import RecurrentNetworkConfig
from recurra.errors import ConfigError, NotATensorError
from recurra.layers import RecurrentLayer, SequenceDropout, State, embed_with_dropout, run_with_resets
from recurra.models.next_symbol import (
    Features,
    NetworkState,
    NextSymbolNetwork,
    initialise,
    output_layer,
)
from recurra.models.recurrent import build_recurrent


class TaperedState(NamedTuple):
    """The state of a stack with a last layer of another size.

    Shapes: layers (L-1, B, H) and last (1, B, E), pairs of them for the LSTM.
    """

    layers: State
    last: State


class LanguageModelNetwork(NextSymbolNetwork):
    """P(next symbol | all before it):

        e_t = E[x_t];   h_t = recurrent(dropout(e_t), h_{t-1});   logits_t = W dropout(h_t) + b

    With `tie_weights`, W is E (Press & Wolf 2017; Inan et al. 2017); if the embedding size differs from the
    hidden size, the last layer has the embedding size (Merity et al. 2018). With several layers it is then
    `last`, and the state is a TaperedState.

    Shapes: inputs (B, T) ids; logits (B, T, V); state as the recurrent layer's, (L, B, H), or a TaperedState.
    Raises: ConfigError if tied weights do not fit, or if `skip` has no layers to join.
    Source of the penalties on activations: S. Merity et al., Regularizing and optimizing LSTM language models
    (2018).
    """

    def __init__(self, vocabulary_size: int, config: RecurrentNetworkConfig) -> None:
        super().__init__()
        embedding_size = config.embedding_size or config.hidden_size
        tapered = config.tie_weights and embedding_size != config.hidden_size
        once = config.dropout_mask == "segment"
        self._config = config
        self.embedding = nn.Embedding(vocabulary_size, embedding_size)
        self.input_dropout = SequenceDropout(config.input_dropout, once=once)
        self.last: RecurrentLayer | None = None
        if tapered and config.num_layers == 2 and config.skip != "none":
            raise ConfigError(
                "skip: applies only between layers of one size; with tie_weights the second layer has the "
                f"embedding size, {embedding_size}; set embedding_size to {config.hidden_size}, "
                "set num_layers to 3 or more, or remove skip"
            )
        if tapered and config.num_layers > 1:
            self.recurrent = build_recurrent(
                config, embedding_size, config.hidden_size, config.num_layers - 1
            )
            between = config.dropout if config.layer_dropout is None else config.layer_dropout
            self.last_dropout = SequenceDropout(between, once=once)
            alone = config.model_copy(update={"skip": "none"})
            self.last = build_recurrent(alone, self.recurrent.output_size, embedding_size, 1)
        else:
            hidden_size = embedding_size if tapered else config.hidden_size
            self.recurrent = build_recurrent(config, embedding_size, hidden_size, config.num_layers)
        self.dropout = SequenceDropout(config.dropout, once=once)
        width = (self.last or self.recurrent).output_size
        self.output = output_layer(width, vocabulary_size, adaptive=config.adaptive_softmax)
        initialise(self, config)

    def initial_state(self, batch_size: int) -> NetworkState:
        """Return the state before the first symbol: (L, batch_size, H), zero unless it is learnt."""
        first = self.recurrent.initial_state(batch_size)
        return first if self.last is None else TaperedState(first, self.last.initial_state(batch_size))

    def features(
        self, inputs: Tensor, state: NetworkState | None, lengths: Tensor | None, resets: Tensor | None
    ) -> tuple[Features, NetworkState]:
        """Return the input of the output layer, (B, T, H), and the state after the last step."""
        vectors = embed_with_dropout(self.embedding, inputs, self._config.embedding_dropout)
        x = self.input_dropout(vectors)
        after: NetworkState
        if self.last is None:
            output, after = _run(self.recurrent, x, state, lengths, resets)
        else:
            first, last = (None, None) if state is None else _tapered(state)
            output, first = _run(self.recurrent, x, first, lengths, resets)
            output, last = _run(self.last, self.last_dropout(output), last, lengths, resets)
            after = TaperedState(first, last)
        return Features(self.dropout(output), output), after

    def penalty(self, features: Features) -> Tensor | None:
        """α·mean(dropout(h)²) + β·mean((h_t - h_{t-1})²), a scalar; None if there is no term.

        Shapes: features (B, T, H).
        """
        alpha = self._config.activation_regularization
        beta = self._config.temporal_activation_regularization
        terms = []
        if alpha:
            terms.append(alpha * features.read.square().mean())
        if beta and features.raw.shape[1] > 1:
            terms.append(beta * features.raw.diff(dim=1).square().mean())
        return sum(terms[1:], terms[0]) if terms else None


def _tapered(state: NetworkState) -> TaperedState:
    if not isinstance(state, tuple | list) or len(state) != 2:
        got, remedy = f"a {type(state).__name__}", "pass the state of an earlier call"
        raise NotATensorError(f"state: got {got}, expected a TaperedState; {remedy}")
    return TaperedState(*state)


def _run(
    layer: RecurrentLayer,
    x: Tensor,
    state: NetworkState | None,
    lengths: Tensor | None,
    resets: Tensor | None,
) -> tuple[Tensor, State]:
    if resets is None:
        output, after = layer(x, state, lengths=lengths)
    else:
        output, after = run_with_resets(layer, x, state, resets, lengths=lengths)
    return output, after

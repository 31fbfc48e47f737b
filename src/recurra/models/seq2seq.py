"""The encoder-decoder: reads a source and writes symbol by symbol, with or without attention."""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from recurra.cells import State, map_state
from recurra.data.batches import PairBatch
from recurra.errors import ConfigError
from recurra.layers import RecurrentLayer, SequenceDropout, SoftmaxOutput, rows_of_state
from recurra.layers.attention import Attention, Memory
from recurra.layers.attentive import AttentiveLayer, AttentiveState
from recurra.layers.output import OutputScores
from recurra.models.recurrent import build_recurrent
from recurra.models.source import Bridge, EncoderDecoderConfig, ReadSource, SymbolSource, VectorSource

IGNORED = -100


class SourceKind(NamedTuple):
    """Kind of source: vocabulary size and whether the target shares it, or the shape of a picture.

    `unknown` is the symbol for unknown ones, None if there are none.
    """

    symbols: int = 0
    is_joint: bool = False
    vector_shape: tuple[int, ...] = ()
    unknown: int | None = None


class DecoderState(NamedTuple):
    """State of a decoder before its next symbol; R = kB rows, the first k of them for the first source.

    `below` is the state of the layers below the attentive layer, `top` that of the attentive layer; without
    attention `below` is the state of all layers.

    Shapes: below (L, R, H); source (B, S), for copying.
    """

    memory: Memory
    source: Tensor | None
    below: State | None
    top: AttentiveState | None


class Written(NamedTuple):
    """The input of the output layer at each step, the attention weights, and the state after the last step.

    Shapes: features (R, T, F); weights (R, T, S), None without attention.
    """

    features: Tensor
    weights: Tensor | None
    state: DecoderState


class Seq2SeqNetwork(nn.Module):
    """P(y | x) = Π_t P(y_t | y_<t, x):

        v_1 … v_S, ends = encoder(x);    s_0 = bridge(ends)
        without attention   f_t, s_t = recurrent(E[y_{t-1}], s_{t-1})
        with attention      f_t, s_t = attentive(recurrent(E[y_{t-1}]), v, s_{t-1})
        P(y_t | …) = softmax(W dropout(f_t) + b)

    With `copying` P = g·softmax + (1 - g)·Σ_{s: x_s = y} w_ts, with g = σ(u·f_t + b) (See et al. 2017). Ids
    V + s stand for the symbol at step s of the source if the vocabulary lacks it: it is read as the unknown
    symbol, has no share in the softmax, and can only be copied.

    `tie_weights`: W is E; `share_vectors`: E is also the embedding of the source's symbols.

    Shapes: see PairBatch and DecoderState.
    Raises: ConfigError if options do not fit the source.
    Source: I. Sutskever et al., Sequence to sequence learning with neural networks (2014); K. Cho et al.
    (2014); for the ties, O. Press & L. Wolf, Using the output embedding to improve language models (2017).
    """

    def __init__(
        self, config: EncoderDecoderConfig, source: SourceKind, num_symbols: int, start: int
    ) -> None:
        super().__init__()
        self._config, self.start = config, start
        self._unknown = source.unknown if config.copying else None
        H, embedding_size = config.hidden_size, config.embedding_size or config.hidden_size
        once = config.dropout_mask == "segment"
        layers = config.decoder_layers or config.num_layers
        self.embedding = nn.Embedding(num_symbols, embedding_size)
        self.encoder: SymbolSource | VectorSource = self._build_encoder(source)
        if config.bridge == "copy" and (
            source.vector_shape or config.bidirectional or layers != config.num_layers
        ):
            raise ConfigError(
                "bridge: copy needs a text encoder with as many layers as the decoder, forwards only "
                "(--no-bidirectional); use linear."
            )
        parts = 2 if config.cell == "lstm" else 1
        self.bridge = Bridge(config.bridge, self.encoder.ends_size, H, layers, parts)
        self.input_dropout = SequenceDropout(config.input_dropout, once=once)
        self.below: RecurrentLayer | None = None
        self.attentive: AttentiveLayer | None = None
        self.readout: nn.Linear | None = None
        width = embedding_size if config.tie_weights else H
        # The bridge computes the decoder's initial state.
        stack = config.model_copy(update={"learn_initial_state": False})
        if config.attention == "none":
            self._build_plain(stack, layers, width)
        else:
            self._build_attentive(stack, layers, width)
        self.copy_gate = nn.Linear(width, 1) if config.copying else None
        self.dropout = SequenceDropout(config.dropout, once=once)
        self.output = SoftmaxOutput(width, num_symbols)
        self._draw(config)

    @property
    def source_embedding(self) -> nn.Embedding:
        """The embedding of the source's symbols."""
        assert isinstance(self.encoder, SymbolSource), "the source has symbols"
        return self.encoder.embedding

    def _build_encoder(self, source: SourceKind) -> SymbolSource | VectorSource:
        config, needing_text = self._config, ("copying", "share_vectors")
        if source.vector_shape:
            self._refuse(needing_text, "applies to text sources only")
            return VectorSource(config, source.vector_shape)
        if not source.is_joint:
            self._refuse(needing_text, "needs a joint vocabulary")
        vectors = nn.Embedding(source.symbols, self.embedding.embedding_dim)
        return SymbolSource(config, self.embedding if config.share_vectors else vectors)

    def _build_plain(self, stack: EncoderDecoderConfig, layers: int, width: int) -> None:
        """Build the decoder's layers without attention; `width` is the input size of the output layer."""
        self._refuse(("coverage", "copying"), "needs attention")
        skip = stack.skip if layers > 1 else "none"
        own = stack.model_copy(update={"skip": skip})
        self.below = build_recurrent(own, self.embedding.embedding_dim, stack.hidden_size, layers)
        if self.below.output_size != width:
            self.readout = nn.Linear(self.below.output_size, width)

    def _build_attentive(self, stack: EncoderDecoderConfig, layers: int, width: int) -> None:
        """Build the attentive layer, with output size `width`, and the layers below it."""
        assert stack.attention != "none", "a decoder without attention is plain"
        H, under = stack.hidden_size, self.embedding.embedding_dim
        alone = stack.model_copy(update={"skip": "none"})  # a single layer has nothing to skip
        if layers > 1:
            self.below = build_recurrent(stack if layers > 2 else alone, under, H, layers - 1)
            between = stack.dropout if stack.layer_dropout is None else stack.layer_dropout
            self.between = SequenceDropout(between, once=stack.dropout_mask == "segment")
            under = self.below.output_size
        if stack.attention == "dot" and self.encoder.output_size != H:
            raise ConfigError(
                f"attention: dot needs an encoder with the decoder's hidden size as output size, {H}, "
                f"got {self.encoder.output_size}; use general, or --no-bidirectional."
            )
        attention = Attention(H, self.encoder.output_size, stack.attention, size=H, coverage=stack.coverage)
        self.attentive = AttentiveLayer(
            build_recurrent(alone, under + width, H, 1), attention, width, backend=stack.decoder_backend
        )

    def _refuse(self, names: tuple[str, ...], why: str) -> None:
        for name in names:
            if getattr(self._config, name):
                raise ConfigError(f"{name}: {why}; remove it.")

    def _draw(self, config: EncoderDecoderConfig) -> None:
        """Tie weights, and draw the initial weights for which torch.nn's defaults do not fit."""
        if config.tie_weights:
            self.output.weight = self.embedding.weight
        vectors = [self.embedding]
        if isinstance(self.encoder, SymbolSource):
            vectors.append(self.encoder.embedding)
        for embedding in vectors:
            nn.init.normal_(embedding.weight, std=embedding.embedding_dim**-0.5)
        if config.init_scale is not None:
            for parameter in self.parameters():
                nn.init.uniform_(parameter, -config.init_scale, config.init_scale)

    @property
    def device(self) -> torch.device:
        """Device of the weights, on which inputs must be."""
        return self.embedding.weight.device

    def forward(self, given: Tensor, lengths: Tensor | None, inputs: Tensor) -> tuple[Tensor, DecoderState]:
        """Return the logits of the symbol after each of the decoder's `inputs`, and the state after the last;
        with copying, log P instead of logits.

        Shapes: given (B, S) ids, or the numbers of pictures; lengths (B,), None where all rows have S steps;
        inputs (B, T); logits (B, T, V), with copying of unknown symbols (B, T, V + S).
        """
        written = self.write(inputs, self.read(given, lengths)[1])
        if self.copy_gate is not None:
            return self.log_probs(written), written.state
        logits: Tensor = self.output(written.features)
        return logits, written.state

    def read(self, given: Tensor, lengths: Tensor | None) -> tuple[ReadSource, DecoderState]:
        """Encode sources; return the encodings and the decoder's initial state. Shapes: as `forward`."""
        source: ReadSource = self.encoder(self._known(given), lengths)
        first = self.bridge(source)
        symbols = given if self.copy_gate is not None else None
        if self.attentive is None:
            return source, DecoderState(_unread(source), symbols, first, None)
        memory = self.attentive.attention.remember(source.steps, source.lengths)
        under = None if self.below is None else map_state(lambda part: part[:-1], first)
        top = self.attentive.initial_state(map_state(lambda part: part[-1:], first), memory)
        return source, DecoderState(memory, symbols, under, top)

    def _known(self, symbols: Tensor) -> Tensor:
        """Return symbols with the unknown symbol for those above the vocabulary."""
        if self._unknown is None:
            return symbols
        return symbols.masked_fill(symbols >= self.output.out_features, self._unknown)

    def write(self, inputs: Tensor, state: DecoderState, shared: Tensor | None = None) -> Written:
        """Run the decoder on more input symbols; with `shared` row r reads inputs[shared[r]].

        Shapes: inputs (R, T), or with shared (R,) any number of rows.
        """
        x = self.input_dropout(self.embedding(self._known(inputs)))
        if shared is not None and (self.attentive is None or self.below is not None):
            x, shared = x.index_select(0, shared), None
        below = state.below
        if self.below is not None:
            x, below = self.below(x, below)
        if self.attentive is None:
            read = x if self.readout is None else self.readout(x)
            return Written(self.dropout(read), None, state._replace(below=below))
        if self.below is not None:
            x = self.between(x)
        assert state.top is not None, "an attentive decoder has a state of its own"
        output, weights, top = self.attentive(x, state.memory, state.top, shared)
        return Written(self.dropout(output), weights, state._replace(below=below, top=top))

    def step(self, symbols: Tensor, state: DecoderState) -> tuple[Tensor | OutputScores, DecoderState]:
        """Read one symbol and return scores of each next symbol; their log-softmax is log P.

        Shapes: symbols (R,); scores (R, V).
        """
        # Many hypotheses end with the same symbol; in training each has its own dropout.
        distinct, shared = (symbols, None) if self.training else symbols.unique(return_inverse=True)
        written = self.write(distinct.unsqueeze(1), state, shared)
        if self.copy_gate is not None:
            return self.log_probs(written)[:, 0], written.state
        return OutputScores(self.output, written.features[:, 0]), written.state

    def log_probs(self, written: Written) -> Tensor:
        """Return log P of each symbol at each step. Shapes: result (R, T, V); with copying of unknown symbols
        (R, T, V + S)."""
        log_probs = OutputScores(self.output, written.features).all().log_softmax(2)
        if self.copy_gate is None:
            return log_probs
        gate = self.copy_gate(written.features)
        source, weights = _copied_from(written)
        B, k = len(source), len(weights) // max(1, len(source))
        places = source.unsqueeze(1).expand(B, k, -1).flatten(0, 1).unsqueeze(1).expand_as(weights)
        if self._unknown is not None:
            log_probs = nn.functional.pad(log_probs, (0, source.shape[1]), value=-torch.inf)
        copied = torch.zeros_like(log_probs).scatter_add_(2, places, weights.to(log_probs.dtype))
        from_source = nn.functional.logsigmoid(-gate) + copied.clamp(min=1e-30).log()
        mixed = torch.logaddexp(nn.functional.logsigmoid(gate) + log_probs, from_source)
        # Of the ids above the vocabulary only those of the source's unknown symbols stand for something.
        return mixed.masked_fill((log_probs == -torch.inf) & (copied == 0), -torch.inf)

    def rows(self, state: DecoderState, rows: Tensor) -> DecoderState:
        """Return the state of some rows, grouped by source. Shapes: rows (B', k')."""
        B = len(state.memory.real)
        kept, chosen = rows[:, 0] // max(1, self._rows_of(state) // max(1, B)), rows.reshape(-1)
        memory, source = state.memory, state.source
        if len(rows) < B:  # sources are in order: with B groups all are kept
            memory = Memory(*(part[kept] for part in memory))
            source = None if source is None else source[kept]
        return DecoderState(
            memory,
            source,
            None if state.below is None else rows_of_state(state.below, chosen),
            None if state.top is None else state.top.rows(chosen),
        )

    def unattended(self, state: DecoderState) -> Tensor:
        """Return Σ_s log min(κ_s, 1) over a source's steps, with κ_s the attention to step s so far.

        Shapes: result (R,).
        """
        assert state.top is not None, "only called with attention"
        covered = state.top.covered
        B, S = state.memory.real.shape
        logs = covered.clamp(1e-10, 1.0).log().view(B, len(covered) // max(1, B), S)
        return (logs * state.memory.real.unsqueeze(1)).sum(2).flatten()

    @staticmethod
    def _rows_of(state: DecoderState) -> int:
        if state.top is not None:
            return len(state.top.feed)
        below = state.below
        assert below is not None, "a decoder has a state"
        return (below if isinstance(below, Tensor) else below.hidden).shape[1]

    def token_losses(self, batch: PairBatch, inputs: Tensor | None = None) -> Tensor:
        """Return -log P of each symbol of the targets and of their ends, zero in padding.

        `inputs` are the decoder's inputs; by default the targets (teacher forcing).

        Shapes: inputs and result (B, T + 1).
        """
        written, targets = self._written(batch, inputs)
        return self._losses(written, targets)

    def losses_and_state(self, batch: PairBatch) -> tuple[Tensor, DecoderState]:
        """Return `token_losses` of the targets, and the state after the last step, padding included.

        Shapes: losses (B, T + 1).
        """
        written, targets = self._written(batch, None)
        return self._losses(written, targets), written.state

    def total_loss(self, batch: PairBatch, sampled: float = 0.0, smoothing: float = 0.0) -> Tensor:
        """Return the sum of `token_losses`; the share `smoothing` of each target is spread over all symbols.

        `sampled` is the probability that an input is the decoder's own symbol (scheduled sampling, Bengio et
        al. 2015). The inputs are drawn first, step by step and without gradients, so that all steps can then
        run at once; dropout is drawn again.

        Shapes: scalar.
        """
        written, targets = self._written(batch, self.sampled_inputs(batch, sampled) if sampled else None)
        total = self._losses(written, targets, "sum")
        if smoothing:
            total = total + smoothing * self._smoothing(written.features, targets)
        return total

    def _written(self, batch: PairBatch, inputs: Tensor | None) -> tuple[Written, Tensor]:
        forced, targets = batch.steps(self.start)
        _, state = self.read(*batch.inputs)
        return self.write(forced if inputs is None else inputs, state), targets

    def _losses(self, written: Written, targets: Tensor, reduction: str = "none") -> Tensor:
        if self.copy_gate is None:
            return self.output.losses(written.features, targets, IGNORED, reduction)
        beyond = targets >= self.output.out_features  # only with copying of unknown symbols
        of_symbols = self.output.losses(written.features, targets.masked_fill(beyond, IGNORED), IGNORED)
        of_symbols = of_symbols.masked_fill(beyond, torch.inf)
        gate = self.copy_gate(written.features).squeeze(2)
        source, weights = _copied_from(written)
        same = source.unsqueeze(1) == targets.unsqueeze(2)
        copied = (weights * same).sum(2).clamp(min=1e-30).log()
        logsigmoid = nn.functional.logsigmoid
        losses = -torch.logaddexp(logsigmoid(gate) - of_symbols, logsigmoid(-gate) + copied)
        losses = losses.masked_fill(targets == IGNORED, 0.0)
        return losses.sum() if reduction == "sum" else losses

    def _smoothing(self, features: Tensor, targets: Tensor) -> Tensor:
        """The label smoothing term, without computing logits: Σ_t (z_t,y - mean over V of z_t), z = W f + b.

        As -(1 - ε) log P(y) - ε/V Σ_v log P(v) = -log P(y) + ε (z_y - mean z).

        Shapes: features (B, T, F); targets (B, T); scalar.
        """
        real = targets != IGNORED
        read, y = features[real], targets[real]
        weight, bias = self.output.weight, self.output.bias
        differences = nn.functional.embedding(y, weight) - weight.mean(0)
        return (read * differences).sum() + (bias[y] - bias.mean()).sum()

    @torch.no_grad()
    def sampled_inputs(self, batch: PairBatch, chance: float) -> Tensor:
        """Return inputs of which each after the first is the decoder's own symbol with probability `chance`.

        Shapes: result (B, T + 1).
        """
        inputs, _ = batch.steps(self.start)
        inputs = inputs.clone()
        _, state = self.read(*batch.inputs)
        for t in range(1, inputs.shape[1]):
            written = self.write(inputs[:, t - 1 : t], state)
            state = written.state
            own = self.log_probs(written)[:, 0].exp().multinomial(1).squeeze(1)
            takes = torch.rand(len(own), device=own.device) < chance
            inputs[:, t] = torch.where(takes, own, inputs[:, t])
        return inputs


def _copied_from(written: Written) -> tuple[Tensor, Tensor]:
    """Return the source's symbols and their attention weights. Shapes: (B, S); (R, T, S)."""
    source, weights = written.state.source, written.weights
    assert source is not None, "copying keeps the source's symbols"
    assert weights is not None, "copying needs attention"
    return source, weights


def _unread(source: ReadSource) -> Memory:
    """Return a memory without steps, for a decoder without attention."""
    B = source.steps.shape[0]
    nothing = source.steps.new_zeros(B, 0, 0)
    return Memory(nothing, nothing, torch.zeros(B, 0, dtype=torch.bool, device=nothing.device))

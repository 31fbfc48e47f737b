"""The encoder-decoder: reads a source, writes symbol after symbol, with or without attention."""

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
    """What is read: so many symbols, the target's own or others, or numbers of a shape."""

    symbols: int = 0
    is_joint: bool = False
    vector_shape: tuple[int, ...] = ()


class DecoderState(NamedTuple):
    """What a decoder knows before its next symbol; R = kB rows, the first k of them of the first source.

    `below` is the state of the layers under the one that attends, `top` that one's; without attention
    `below` is that of all layers.

    Shapes: below (L, R, H); source (B, S), for copying.
    """

    memory: Memory
    source: Tensor | None
    below: State | None
    top: AttentiveState | None


class Written(NamedTuple):
    """What the output layer reads at each step, and where the decoder looked.

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

    With `copying` P = g·softmax + (1 - g)·Σ_{s: x_s = y} w_ts, with g = σ(u·f_t + b) (See et al. 2017).

    `tie_weights`: W is E; `share_vectors`: the source's symbols have E's vectors, too.

    Shapes: see PairBatch and DecoderState.
    Raises: ConfigError where options do not fit what is read.
    Source: I. Sutskever et al., Sequence to sequence learning with neural networks (2014); K. Cho et al.
    (2014); for the ties, O. Press & L. Wolf, Using the output embedding to improve language models (2017).
    """

    def __init__(
        self, config: EncoderDecoderConfig, source: SourceKind, num_symbols: int, start: int
    ) -> None:
        super().__init__()
        self._config, self.start = config, start
        H, embedding_size = config.hidden_size, config.embedding_size or config.hidden_size
        once = config.dropout_mask == "segment"
        layers = config.decoder_layers or config.num_layers
        self.embedding = nn.Embedding(num_symbols, embedding_size)
        self.encoder: SymbolSource | VectorSource = self._build_encoder(source)
        if config.bridge == "copy" and (
            source.vector_shape or config.bidirectional or layers != config.num_layers
        ):
            raise ConfigError(
                "bridge: copy needs an encoder of text with as many layers as the decoder, forwards alone "
                "(--no-bidirectional); use linear."
            )
        parts = 2 if config.cell == "lstm" else 1
        self.bridge = Bridge(config.bridge, self.encoder.ends_size, H, layers, parts)
        self.input_dropout = SequenceDropout(config.input_dropout, once=once)
        self.below: RecurrentLayer | None = None
        self.attentive: AttentiveLayer | None = None
        self.readout: nn.Linear | None = None
        width = embedding_size if config.tie_weights else H
        # What a decoder begins with is the bridge's.
        stack = config.model_copy(update={"learn_initial_state": False})
        if config.attention == "none":
            self._build_plain(stack, layers, width)
        else:
            self._build_attentive(stack, layers, width)
        self.copy_gate = nn.Linear(width, 1) if config.copying else None
        self.dropout = SequenceDropout(config.dropout, once=once)
        self.output = SoftmaxOutput(width, num_symbols)
        self._draw(config)

    def _build_encoder(self, source: SourceKind) -> SymbolSource | VectorSource:
        config, needing_text = self._config, ("copying", "share_vectors")
        if source.vector_shape:
            self._refuse(needing_text, "is of sources that are text")
            return VectorSource(config, source.vector_shape)
        if not source.is_joint:
            self._refuse(needing_text, "needs one vocabulary for both sides")
        vectors = nn.Embedding(source.symbols, self.embedding.embedding_dim)
        return SymbolSource(config, self.embedding if config.share_vectors else vectors)

    def _build_plain(self, stack: EncoderDecoderConfig, layers: int, width: int) -> None:
        """The decoder's layers where none attends; what the output layer reads has this width."""
        self._refuse(("coverage", "copying"), "needs attention")
        skip = stack.skip if layers > 1 else "none"
        own = stack.model_copy(update={"skip": skip})
        self.below = build_recurrent(own, self.embedding.embedding_dim, stack.hidden_size, layers)
        if self.below.output_size != width:
            self.readout = nn.Linear(self.below.output_size, width)

    def _build_attentive(self, stack: EncoderDecoderConfig, layers: int, width: int) -> None:
        """The layer that attends, whose output has this width, and those below it."""
        assert stack.attention != "none", "one that attends to nothing is plain"
        H, under = stack.hidden_size, self.embedding.embedding_dim
        alone = stack.model_copy(update={"skip": "none"})  # a layer alone passes by no other
        if layers > 1:
            self.below = build_recurrent(stack if layers > 2 else alone, under, H, layers - 1)
            between = stack.dropout if stack.layer_dropout is None else stack.layer_dropout
            self.between = SequenceDropout(between, once=stack.dropout_mask == "segment")
            under = self.below.output_size
        if stack.attention == "dot" and self.encoder.output_size != H:
            raise ConfigError(
                f"attention: dot needs an encoder whose steps are as wide as the decoder's state, {H}, "
                f"not {self.encoder.output_size}; use general, or --no-bidirectional."
            )
        attention = Attention(H, self.encoder.output_size, stack.attention, size=H, coverage=stack.coverage)
        self.attentive = AttentiveLayer(
            build_recurrent(alone, under + width, H, 1), attention, width, backend=stack.decoder_backend
        )

    def _refuse(self, names: tuple[str, ...], why: str) -> None:
        for name in names:
            if getattr(self._config, name):
                raise ConfigError(f"{name}: {why}; leave it out.")

    def _draw(self, config: EncoderDecoderConfig) -> None:
        """Tie weights, and draw first ones that torch.nn draws too large or from other than asked."""
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
        """Where the weights are, and inputs belong."""
        return self.embedding.weight.device

    def forward(self, given: Tensor, lengths: Tensor | None, inputs: Tensor) -> tuple[Tensor, DecoderState]:
        """Logits of the symbol after each of `inputs`, which the decoder is fed, and the state after the
        last; with copying log P in place of logits.

        Shapes: given (B, S) ids, or numbers as the source has them; lengths (B,), None where all rows have
        S steps; inputs (B, T); logits (B, T, V).
        """
        written = self.write(inputs, self.read(given, lengths)[1])
        if self.copy_gate is not None:
            return self.log_probs(written), written.state
        logits: Tensor = self.output(written.features)
        return logits, written.state

    def read(self, given: Tensor, lengths: Tensor | None) -> tuple[ReadSource, DecoderState]:
        """Read sources; with what was read, the state before the first symbol. Shapes: as `forward`."""
        source: ReadSource = self.encoder(given, lengths)
        first = self.bridge(source)
        symbols = given if self.copy_gate is not None else None
        if self.attentive is None:
            return source, DecoderState(_unread(source), symbols, first, None)
        memory = self.attentive.attention.remember(source.steps, source.lengths)
        under = None if self.below is None else map_state(lambda part: part[:-1], first)
        top = self.attentive.initial_state(map_state(lambda part: part[-1:], first), memory)
        return source, DecoderState(memory, symbols, under, top)

    def write(self, inputs: Tensor, state: DecoderState, shared: Tensor | None = None) -> Written:
        """Go on with some symbols as read; with `shared` row r reads inputs[shared[r]].

        Shapes: inputs (R, T), of any number of rows with shared (R,).
        """
        x = self.input_dropout(self.embedding(inputs))
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
        """Scores of each next symbol after one more, whose log-softmax is log P.

        Shapes: symbols (R,); scores (R, V).
        """
        # Hypotheses that end alike are many; in training each has a dropout of its own.
        distinct, shared = (symbols, None) if self.training else symbols.unique(return_inverse=True)
        written = self.write(distinct.unsqueeze(1), state, shared)
        if self.copy_gate is not None:
            return self.log_probs(written)[:, 0], written.state
        return OutputScores(self.output, written.features[:, 0]), written.state

    def log_probs(self, written: Written) -> Tensor:
        """log P of each symbol at each step. Shapes: result (R, T, V)."""
        log_probs = OutputScores(self.output, written.features).all().log_softmax(2)
        if self.copy_gate is None:
            return log_probs
        gate = self.copy_gate(written.features)
        source, weights = _copied_from(written)
        B, k = len(source), len(weights) // max(1, len(source))
        places = source.unsqueeze(1).expand(B, k, -1).flatten(0, 1).unsqueeze(1).expand_as(weights)
        copied = torch.zeros_like(log_probs).scatter_add_(2, places, weights.to(log_probs.dtype))
        from_source = nn.functional.logsigmoid(-gate) + copied.clamp(min=1e-30).log()
        return torch.logaddexp(nn.functional.logsigmoid(gate) + log_probs, from_source)

    def rows(self, state: DecoderState, rows: Tensor) -> DecoderState:
        """The state of some rows, those of a source together. Shapes: rows (B', k')."""
        B = len(state.memory.real)
        kept, chosen = rows[:, 0] // max(1, self._rows_of(state) // max(1, B)), rows.reshape(-1)
        memory, source = state.memory, state.source
        if len(rows) < B:  # sources come in order, so that of all none is missing
            memory = Memory(*(part[kept] for part in memory))
            source = None if source is None else source[kept]
        return DecoderState(
            memory,
            source,
            None if state.below is None else rows_of_state(state.below, chosen),
            None if state.top is None else state.top.rows(chosen),
        )

    def unattended(self, state: DecoderState) -> Tensor:
        """Σ_s log min(κ_s, 1) over a source's steps, κ_s how much of each was attended to so far.

        Shapes: result (R,).
        """
        assert state.top is not None, "asked for with attention"
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
        """-log P of each symbol of the targets and of their ends, zero in padding.

        `inputs` are what the decoder is fed, where that is not the targets (teacher forcing).

        Shapes: inputs and result (B, T + 1).
        """
        written, targets = self._written(batch, inputs)
        return self._losses(written, targets)

    def losses_and_state(self, batch: PairBatch) -> tuple[Tensor, DecoderState]:
        """`token_losses` of the targets, and the state after the last step, of padding too.

        Shapes: losses (B, T + 1).
        """
        written, targets = self._written(batch, None)
        return self._losses(written, targets), written.state

    def total_loss(self, batch: PairBatch, sampled: float = 0.0, smoothing: float = 0.0) -> Tensor:
        """The sum of `token_losses`; a share of each target smoothed over all symbols.

        `sampled`: the chance that the decoder is fed its own symbol (scheduled sampling, Bengio et al. 2015).
        What it is fed is drawn first, step by step and without gradients, so that all steps can then run at
        once; dropout is drawn again.

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
        of_symbols = self.output.losses(written.features, targets, IGNORED)
        gate = self.copy_gate(written.features).squeeze(2)
        source, weights = _copied_from(written)
        same = source.unsqueeze(1) == targets.unsqueeze(2)
        copied = (weights * same).sum(2).clamp(min=1e-30).log()
        logsigmoid = nn.functional.logsigmoid
        losses = -torch.logaddexp(logsigmoid(gate) - of_symbols, logsigmoid(-gate) + copied)
        losses = losses.masked_fill(targets == IGNORED, 0.0)
        return losses.sum() if reduction == "sum" else losses

    def _smoothing(self, features: Tensor, targets: Tensor) -> Tensor:
        """What label smoothing adds, without any logits: Σ_t (z_t,y - mean over V of z_t), z = W f + b.

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
        """What the decoder is fed if each symbol after the first is with some chance one of its own.

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
    """The symbols that were read, and how much each was attended to. Shapes: (B, S); (R, T, S)."""
    source, weights = written.state.source, written.weights
    assert source is not None, "what is copied was read"
    assert weights is not None, "and attended to"
    return source, weights


def _unread(source: ReadSource) -> Memory:
    """A memory of no steps, of a decoder that attends to nothing."""
    B = source.steps.shape[0]
    nothing = source.steps.new_zeros(B, 0, 0)
    return Memory(nothing, nothing, torch.zeros(B, 0, dtype=torch.bool, device=nothing.device))

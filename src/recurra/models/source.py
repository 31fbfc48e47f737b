"""The encoders of an encoder-decoder, for symbols or pictures, and the bridge to its decoder."""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from recurra.cells import State, map_state, state_from
from recurra.config import EncoderDecoderPart, RecurrentNetworkConfig
from recurra.layers import SequenceDropout, ends_of_state
from recurra.models.recurrent import build_recurrent
from recurra.models.sequence_encoder import FrameInput


class ReadSource(NamedTuple):
    """An encoded source: a vector at each step for attention, and the input of the bridge.

    `ends` has one vector per tensor of a decoder's state: for symbols the final state of the encoder's last
    layer in each direction, for pictures one vector of the whole.
    `state` is the final state of all its layers, or None if it has no recurrent layers.

    Shapes: steps (B, S, V); lengths (B,), on the CPU, or None where all rows have S steps;
    each of ends (B, E); state (L*D, B, H).
    """

    steps: Tensor
    lengths: Tensor | None
    ends: tuple[Tensor, ...]
    state: State | None


class EncoderDecoderConfig(RecurrentNetworkConfig, EncoderDecoderPart):
    """The options that define an encoder-decoder."""


class SymbolSource(nn.Module):
    """Encodes symbols with an embedding and a recurrent stack, in one or both directions.

    Shapes: symbols (B, S) ids; lengths (B,); steps (B, S, output_size).
    """

    def __init__(self, config: EncoderDecoderConfig, embedding: nn.Embedding) -> None:
        super().__init__()
        once = config.dropout_mask == "segment"
        self.embedding = embedding
        self.input_dropout = SequenceDropout(config.input_dropout, once=once)
        self.recurrent = build_recurrent(
            config,
            embedding.embedding_dim,
            config.hidden_size,
            config.num_layers,
            bidirectional=config.bidirectional,
        )
        self.dropout = SequenceDropout(config.dropout, once=once)
        self.output_size = self.recurrent.output_size
        # With skip="graves" the output joins all layers, but the ends are those of the last layer.
        self.ends_size = config.hidden_size * self.recurrent.num_directions

    def forward(self, symbols: Tensor, lengths: Tensor | None) -> ReadSource:
        """Encode a batch. Shapes: symbols (B, S); lengths (B,)."""
        x = self.input_dropout(self.embedding(symbols))
        steps, state = self.recurrent(x, lengths=lengths)
        both = self.recurrent.bidirectional
        parts = (state,) if isinstance(state, Tensor) else tuple(state)
        ends = tuple(ends_of_state(part, bidirectional=both) for part in parts)
        return ReadSource(self.dropout(steps), lengths, ends, state)


class VectorSource(nn.Module):
    """Encodes a picture: one vector (F,), regions with one vector each (R, F), or pixels (C, H, W).

        vector    v = tanh(W x + b)
        regions   v_r = tanh(W x_r + b + p_r), p_r learnt for each position;   ends: their mean
        pixels    three convolutions to a grid of regions;   ends: tanh(layer_norm(U grid)), which without
                  attention is also the only step

    The grid has one position per 4 x 4 pixels. With the third convolution a position sees 15 x 15 pixels
    instead of 7 x 7, as outlines are rarely that small.

    Shapes: vectors (B, *shape); steps (B, S, H), S = 1, R, or the grid's.
    """

    def __init__(self, config: EncoderDecoderConfig, shape: tuple[int, ...]) -> None:
        super().__init__()
        self.shape = shape
        self.frames: FrameInput | None = None
        self.around: nn.Conv2d | None = None
        self.norm: nn.LayerNorm | None = None
        self.inner: nn.Linear | None = None
        self.place: nn.Parameter | None = None
        size = config.hidden_size
        regions = shape[0] if len(shape) == 2 else 0
        width = shape[-1]
        if len(shape) == 3:
            self.frames = FrameInput(shape, size)
            width, height, across = self.frames.grid_shape
            regions = height * across
            self.around = nn.Conv2d(width, width, 3, padding=1)
            nn.init.kaiming_normal_(self.around.weight, nonlinearity="relu")
            self.norm = nn.LayerNorm(size)
        if self.frames is None or config.attention != "none":
            self.inner = nn.Linear(width, size)
            if regions:
                self.place = nn.Parameter(torch.randn(regions, size) * 0.1)
        self.dropout = SequenceDropout(config.dropout)
        self.output_size = self.ends_size = size
        self._parts = 2 if config.cell == "lstm" else 1

    def forward(self, vectors: Tensor, lengths: Tensor | None) -> ReadSource:
        """Encode a batch. Shapes: vectors (B, *shape); lengths is unused, as all pictures have one size."""
        grid = end = None
        if self.frames is not None and self.around is not None and self.norm is not None:
            grid = torch.relu(self.around(self.frames.grid(vectors)))
            # A linear map of that many non-negative numbers saturates unless it is normalised.
            end = torch.tanh(self.norm(self.frames.joined(grid.flatten(1))))
        if self.inner is None:
            assert end is not None, "pixels without attention"
            steps = end.unsqueeze(1)
        else:
            regions = vectors if vectors.dim() == 3 else vectors.unsqueeze(1)
            inner = self.inner(regions if grid is None else grid.flatten(2).transpose(1, 2))
            steps = torch.tanh(inner if self.place is None else inner + self.place)
        end = steps.mean(1) if end is None else end
        return ReadSource(self.dropout(steps), None, (end,) * self._parts, None)


class Bridge(nn.Module):
    """Computes the decoder's initial state from the encoded source:

        linear   s^n = tanh(W_n e + b_n), with e the encoder's ends, [→h_S; ←h_1]; also for an LSTM's cell
        copy     the encoder's state, layer by layer
        zeros    zeros

    Shapes: ends (B, E); result (L, B, H), a pair of them for the LSTM.
    """

    def __init__(self, kind: str, ends_size: int, hidden_size: int, num_layers: int, parts: int) -> None:
        super().__init__()
        self.kind, self.num_layers, self.hidden_size = kind, num_layers, hidden_size
        width = num_layers * hidden_size
        maps = [nn.Linear(ends_size, width) for _ in range(parts if kind == "linear" else 0)]
        self.maps = nn.ModuleList(maps)

    def forward(self, source: ReadSource) -> State:
        """Return the decoder's initial state. Shapes: result (L, B, H)."""
        if self.kind == "copy":
            assert source.state is not None, "an encoder with layers has a state"
            return source.state
        ends = source.ends
        L, B, H = self.num_layers, len(ends[0]), self.hidden_size
        if self.kind == "zeros":
            return state_from([end.new_zeros(L, B, H) for end in ends])
        made = [torch.tanh(layer(end)) for layer, end in zip(self.maps, ends, strict=True)]
        return map_state(lambda part: part.view(B, L, H).transpose(0, 1).contiguous(), state_from(made))

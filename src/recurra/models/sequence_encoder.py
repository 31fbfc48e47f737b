"""Encoders from a batch of sequences to a vector at each step, shared by taggers and classifiers."""

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn

from recurra.config import EncoderConfig
from recurra.data.batches import WordBatch
from recurra.layers import SequenceDropout, State
from recurra.layers.pooling import real_steps
from recurra.models.recurrent import build_recurrent
from recurra.models.word_input import InputSizes, WordInput


class Encoded(NamedTuple):
    """The output of an encoder for a batch, and its final state.

    Shapes: steps (B, T, F); lengths (B,), on the CPU, or None where all rows have T steps.
    """

    steps: Tensor
    lengths: Tensor | None
    state: State | None


class RecurrentEncoder(nn.Module):
    """A recurrent stack in one or both directions.

    Shapes: x (B, T, I); lengths (B,); result (B, T, output_size) and the final state.
    """

    def __init__(self, config: EncoderConfig, input_size: int) -> None:
        super().__init__()
        sizes = (input_size, config.hidden_size, config.num_layers)
        self.recurrent = build_recurrent(config, *sizes, bidirectional=config.bidirectional)
        self.output_size = self.recurrent.output_size

    def forward(self, x: Tensor, lengths: Tensor | None, state: State | None) -> tuple[Tensor, State | None]:
        """Run the stack. Shapes: x (B, T, I); lengths (B,)."""
        output, after = self.recurrent(x, state, lengths=lengths)
        return output, after


class WindowEncoder(nn.Module):
    """A hidden layer over a window of steps around each step; steps outside the sequence are zeros.

        h_t = tanh(W [x_{t-w}; …; x_{t+w}] + b)

    Shapes: x (B, T, I); lengths (B,); result (B, T, H) and no state.
    """

    def __init__(self, config: EncoderConfig, input_size: int) -> None:
        super().__init__()
        self.window = config.window
        self.hidden = nn.Linear((2 * config.window + 1) * input_size, config.hidden_size)
        self.output_size = config.hidden_size

    def forward(self, x: Tensor, lengths: Tensor | None, state: State | None) -> tuple[Tensor, State | None]:
        """The hidden layer at each step. Shapes: x (B, T, I); lengths (B,)."""
        if x.shape[1] == 0:
            return x.new_zeros(len(x), 0, self.output_size), None
        real = x.masked_fill(~real_steps(x, lengths).unsqueeze(2), 0.0)
        around = nn.functional.pad(real, (0, 0, self.window, self.window))
        windows = around.unfold(1, 2 * self.window + 1, 1).transpose(2, 3).flatten(2)
        return torch.tanh(self.hidden(windows)), None


class NoEncoder(nn.Module):
    """Returns its input unchanged, regardless of the order of steps. Shapes: x (B, T, I) in and out."""

    def __init__(self, input_size: int) -> None:
        super().__init__()
        self.output_size = input_size

    def forward(self, x: Tensor, lengths: Tensor | None, state: State | None) -> tuple[Tensor, State | None]:
        """Return x. Shapes: x (B, T, I); lengths (B,)."""
        return x, None


class SequenceReader(nn.Module):
    """Input, dropout, encoder, dropout: a vector at each step of a batch of words, vectors or pictures.

    Shapes: the result's steps (B, T, output_size).
    """

    def __init__(
        self, config: EncoderConfig, kind: str, sizes: InputSizes | None, vector_shape: tuple[int, ...]
    ) -> None:
        super().__init__()
        self.words: WordInput | None = None
        self.frames: FrameInput | None = None
        if sizes is not None:
            self.words = WordInput(sizes, config)
            width = self.words.output_size
        elif len(vector_shape) == 1:
            width = vector_shape[0]
        else:
            self.frames = FrameInput(vector_shape, config.hidden_size)
            width = self.frames.output_size
        once = config.dropout_mask == "segment"
        self.input_dropout = SequenceDropout(config.input_dropout, once=once)
        self.encoder: RecurrentEncoder | WindowEncoder | NoEncoder
        match kind:
            case "recurrent":
                self.encoder = RecurrentEncoder(config, width)
            case "window":
                self.encoder = WindowEncoder(config, width)
            case _:
                self.encoder = NoEncoder(width)
        self.dropout = SequenceDropout(config.dropout, once=once)
        self.output_size = self.encoder.output_size

    def vectors(self, given: Tensor | WordBatch) -> Tensor:
        """Return the input vectors of the encoder at each step.

        Shapes: given: ids (B, T) of words, or a WordBatch; vectors (B, T, F) or pictures (B, T, C, H, W);
        result (B, T, I).
        """
        if self.words is not None:
            of_words: Tensor = self.words(given)
            return of_words
        assert isinstance(given, Tensor), "a network of vectors reads vectors"
        return given if self.frames is None else self.frames(given)

    def forward(
        self, given: Tensor | WordBatch, lengths: Tensor | None = None, state: State | None = None
    ) -> Encoded:
        """Encode a batch. Shapes: given, see `vectors`; lengths (B,), or None where all rows have T steps."""
        return self.encode(self.vectors(given), lengths, state)

    def encode(self, x: Tensor, lengths: Tensor | None, state: State | None = None) -> Encoded:
        """Encode the result of `vectors`. Shapes: x (B, T, I); lengths (B,)."""
        output, after = self.encoder(self.input_dropout(x), lengths, state)
        return Encoded(self.dropout(output), lengths, after)


class FrameInput(nn.Module):
    """A vector for each picture by two convolutions with stride 2 and a linear map of their output.

    The initial weights have variance 2/fan-in, as torch.nn's smaller defaults attenuate the picture too much.

    Shapes: pictures (B, T, C, H, W) of numbers 0 … 255; result (B, T, output_size).
    """

    def __init__(self, shape: tuple[int, ...], output_size: int, filters: int = 16) -> None:
        super().__init__()
        channels, height, width = shape
        self.first = nn.Conv2d(channels, filters, 3, stride=2, padding=1)
        self.second = nn.Conv2d(filters, 2 * filters, 3, stride=2, padding=1)
        self.grid_shape = (2 * filters, -(-height // 4), -(-width // 4))
        self.joined = nn.Linear(math.prod(self.grid_shape), output_size)
        self.output_size = output_size
        for layer in (self.first, self.second, self.joined):
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")

    def grid(self, pictures: Tensor) -> Tensor:
        """Return the output of the convolutions. Shapes: pictures (N, C, H, W); result (N, *grid_shape)."""
        x = pictures.float() / 255.0
        return torch.relu(self.second(torch.relu(self.first(x))))

    def join(self, grid: Tensor) -> Tensor:
        """Return one vector per grid. Shapes: grid (N, *grid_shape); result (N, output_size)."""
        return torch.relu(self.joined(grid.flatten(1)))

    def forward(self, pictures: Tensor) -> Tensor:
        """Return the vectors of pictures. Shapes: pictures (B, T, C, H, W); result (B, T, output_size)."""
        B, T = pictures.shape[:2]
        return self.join(self.grid(pictures.flatten(0, 1))).view(B, T, -1)

"""The layer of a Jordan network: its output is fed back as its state."""

from functools import partial
from typing import Any, Unpack

import torch
from torch import Tensor
from torch.nn.utils.rnn import PackedSequence

from recurra.cells import (
    JordanEquation,
    SetsNonlinearity,
    autocasts,
    check_tensor,
    shape_error,
    size_faults,
)
from recurra.layers.batch import with_rows
from recurra.layers.lengths import checked_lengths
from recurra.layers.options import LayerOptions, takes_layer_options
from recurra.layers.parameters import Device
from recurra.layers.recurrent import Lengths, RecurrentLayer


class JordanRNN(SetsNonlinearity, RecurrentLayer):
    """A Jordan network over time: one layer; its state is its own output y.

        h_t = g(W_ih x_t + b_ih + W_hh y_{t-1} + b_hh);   y_t = g2(W_ho h_t + b_ho)

    g: tanh, relu, leaky_relu, sigmoid, hardtanh; g2, `output_activation`: identity, tanh, sigmoid, softmax.
    Call: `output, y = layer(input, hx=None, lengths=None)` feeds its own output back. `targets=` turns on
    teacher forcing: y_{t-1} is the target of t-1, so there is no recurrence and all steps run together.
    Lengths, the other options and backends are described in RecurrentLayer.
    Source: Jordan 1986, Serial order: a parallel distributed processing approach.
    Shapes: input (T, B, I), or (B, T, I) with batch_first, or (T, I), or a PackedSequence; hx and y
    (1, B, O); output (T, B, O).
    Raises: ConfigError that lists all invalid options.
    """

    @takes_layer_options
    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        output_size: int,
        nonlinearity: str = "tanh",
        output_activation: str = "identity",
        bias: bool = True,
        batch_first: bool = False,
        device: Device = None,
        dtype: torch.dtype | None = None,
        **options: Unpack[LayerOptions],
    ) -> None:
        faults = size_faults("output_size", output_size)
        if options.get("skip", "none") in ("residual", "graves"):
            faults.append(f"skip: got {options['skip']!r}, expected 'none': a Jordan network has one layer")
        super().__init__(
            partial(JordanEquation, nonlinearity, output_activation),
            input_size,
            hidden_size,
            bias=bias,
            batch_first=batch_first,
            device=device,
            dtype=dtype,
            proj_size=output_size,
            faults=faults,
            **options,
        )

    # `targets` has always been the fourth argument, so the order differs from that of other layers.
    def forward(  # type: ignore[override]
        self,
        input: Tensor | PackedSequence,
        hx: Any = None,
        lengths: Lengths = None,
        targets: Tensor | None = None,
        every_state: bool = False,
    ) -> tuple[Any, ...]:
        """Run a batch of sequences; return the output at each step and the last output.

        With `targets` (teacher forcing) the returned state is the last target, from which the next segment
        starts. There is then no recurrence for a backend to run: the cell's equation computes all steps
        ("reference"), and zoneout has no effect.
        Shapes: input (T, B, I), or (B, T, I) with batch_first, or (T, I) for one row, or a PackedSequence; hx
        (1, B, O), or (1, O) for one row; lengths (B,); targets like the output, (T, B, O).
        Raises: ShapeError where shapes, dtypes, devices or lengths do not fit.
        """
        if targets is None:
            return super().forward(input, hx, lengths, every_state=every_state)
        if isinstance(input, PackedSequence):
            remedy = "pass both padded, with lengths"
            raise shape_error("targets", "targets with a PackedSequence", "a padded input", remedy)
        self.check_input(input)
        batched = input.dim() == 3
        shape = (*input.shape[:-1], self.output_size)
        check_tensor("targets", targets)
        if targets.shape != shape or (targets.dtype != input.dtype and not autocasts(input)):
            got = f"{targets.dtype} of shape {tuple(targets.shape)}"
            raise shape_error("targets", got, f"{input.dtype} of shape {shape}", "pass one vector per step")
        swap = batched and self.batch_first
        x, y = (self._steps_first(tensor, batched, swap) for tensor in (input, targets))
        steps = checked_lengths(lengths, *x.shape[:2])
        start: Tensor = self.entry_state(hx, x, x.shape[1], batched)  # type: ignore[assignment]
        output, final = self._teacher_forced(x, y, start, steps)
        self.keep_state(final)
        every = output.unsqueeze(0)
        if not batched:
            output, final, every = output.squeeze(1), final.squeeze(1), every.squeeze(2)
        output = output.transpose(0, 1) if swap else output
        return (output, final, every) if every_state else (output, final)

    def extra_repr(self) -> str:
        """Return the sizes and the options that differ from their defaults."""
        return super().extra_repr().replace(f"proj_size={self.proj_size}", str(self.proj_size), 1)

    def _steps_first(self, tensor: Tensor, batched: bool, swap: bool) -> Tensor:
        if not batched:
            return tensor.unsqueeze(1)
        return tensor.transpose(0, 1) if swap else tensor

    def _teacher_forced(
        self, x: Tensor, targets: Tensor, start: Tensor, lengths: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        """Run all steps as one batch of T*B rows; each row's state is the target of the previous step."""
        T, B = x.shape[:2]
        if T == 0 or B == 0 or (lengths is not None and not lengths.any()):
            ran = self._no_steps(x, start, every_state=False)
            return ran.output, start
        if self.backend_used != "reference" and not torch.compiler.is_compiling():
            self.backend_used = "reference"
        real = None
        if lengths is not None:
            real = (torch.arange(T, device="cpu").unsqueeze(1) < lengths).to(x.device).unsqueeze(-1)
            x, targets = torch.where(real, x, 0.0), torch.where(real, targets, 0.0)
        before = torch.cat([start.to(targets.dtype), targets[:-1]])
        weights = self.weights_of_call()[0][0]
        output: Tensor = self.equation.step(x.flatten(0, 1), before.flatten(0, 1), weights).unflatten(
            0, (T, B)
        )
        if lengths is None or real is None:
            return output, targets[-1:]
        rows = lengths.nonzero().squeeze(1)
        last = targets[(lengths[rows] - 1).to(x.device), rows.to(x.device)]
        return torch.where(real, output, 0.0), with_rows(start, rows, last.unsqueeze(0))

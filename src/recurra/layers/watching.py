"""Recording the states and gates of recurrent layers at each step of a normal run of a network.

Only the inputs of a layer are recorded while it runs; states and gates are computed from them on demand with
the cell's equation, so the fast path does not change.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import cached_property, partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence, pad_packed_sequence

from recurra.arguments import checks_arguments
from recurra.cells import State, map_state
from recurra.errors import ConfigError
from recurra.layers.jordan import JordanRNN
from recurra.layers.lengths import checked_lengths
from recurra.layers.recurrent import RecurrentLayer
from recurra.layers.resets import run_marked
from recurra.layers.stack import inputs_of_layers


class Watched:
    """One recorded call of a layer. The axis L*D is ordered layer by layer; padding is zero.

    Shapes: x (T, B, I); start (L*D, B, H), a pair of them for the LSTM; lengths (B,); resets (T, B) bool.
    """

    def __init__(
        self, layer: RecurrentLayer, x: Tensor, start: State, lengths: Tensor | None, resets: Tensor | None
    ) -> None:
        T, B = x.shape[:2]
        self.layer, self.x, self.start = layer, x, start
        self.lengths = torch.full((B,), T) if lengths is None else lengths
        self.resets = torch.zeros(T, B, dtype=torch.bool) if resets is None else resets.cpu()

    def __repr__(self) -> str:
        return f"Watched({type(self.layer).__name__}, x {tuple(self.x.shape)})"

    @cached_property
    def states(self) -> State:
        """The state after each step.

        Shapes: (L*D, T, B, H), a pair of them for the LSTM.
        """
        with torch.no_grad():
            ran = run_marked(self.layer, self.x, self.start, self.resets, self.lengths, True)
        assert ran.every is not None, "every state was requested"
        return ran.every

    @cached_property
    def states_before(self) -> State:
        """The state before each step. Shapes: as `states`."""
        steps = torch.arange(len(self.x)).unsqueeze(1)
        first, last = steps == 0, steps == self.lengths - 1
        initial = self.layer.initial_state(self.x.shape[1])

        def before(after: Tensor, start: Tensor, fresh: Tensor) -> Tensor:
            found = []
            for place, own in enumerate(after):
                if self.layer.bidirectional and place % 2 == 1:
                    found.append(torch.where(_like(last, own), start[place], own.roll(-1, 0)))
                else:
                    entered = torch.where(_like(first, own), start[place], own.roll(1, 0))
                    found.append(torch.where(_like(self.resets, own), fresh[place].to(own.dtype), entered))
            return torch.stack(found) * _like(steps < self.lengths, after[0])

        return map_state(before, self.states, self.start, initial)

    @cached_property
    def inputs(self) -> list[Tensor]:
        """The input of each layer. Shapes: (T, B, I) for the first layer, (T, B, W) for others of width W."""
        hidden = self.states if isinstance(self.states, Tensor) else self.states.hidden
        return inputs_of_layers(self.layer.stack(), self.x, hidden)

    @cached_property
    def gates(self) -> Mapping[str, Tensor]:
        """The gate activations and the candidate at each step, by name.

        LSTM: forget_gate, input_gate, candidate, output_gate (relevance_gate). GRU: reset_gate, update_gate,
        candidate. RNN and Jordan: candidate. Shapes: (L*D, T, B, H).
        """
        T, B = self.x.shape[:2]
        real = torch.arange(T).unsqueeze(1) < self.lengths
        found: dict[str, list[Tensor]] = {}
        place = 0
        with torch.no_grad():
            for x, weights in zip(self.inputs, self.layer.weights(), strict=True):
                for own in weights:
                    before = map_state(partial(_rows_at, place), self.states_before)
                    for name, gate in self.layer.equation.gates_of(x.flatten(0, 1), before, own).items():
                        steps = gate.unflatten(0, (T, B))
                        found.setdefault(name, []).append(steps * _like(real, steps))
                    place += 1
        return {name: torch.stack(gates) for name, gates in found.items()}


def _rows_at(place: int, part: Tensor) -> Tensor:
    return part[place].flatten(0, 1)


def _like(marks: Tensor, tensor: Tensor) -> Tensor:
    """Return marks of each step and row with an axis for features: (T, B) to (T, B, 1), on its device."""
    return marks.to(tensor.device).unsqueeze(-1)


@checks_arguments
@contextmanager
def watch(network: nn.Module) -> Iterator[dict[str, list[Watched]]]:
    """Record each call of every recurrent layer of a network, by the layer's name in the network.

        with watch(model.network) as seen:
            model.evaluate()
        seen["recurrent"][0].gates["forget_gate"]       # (L*D, T, B, H)

    Each recorded call keeps its inputs in memory, so record a few calls, not a whole corpus.
    Raises: ConfigError if the network has no recurrent layer, or one is called in training mode with dropout
    or zoneout, which are random in each run.
    """
    layers = {name: layer for name, layer in network.named_modules() if isinstance(layer, RecurrentLayer)}
    if not layers:
        raise ConfigError("watch: the network has no recurrent layer.")
    seen: dict[str, list[Watched]] = {name: [] for name in layers}
    with ExitStack() as stack:
        for name, layer in layers.items():
            note = partial(_note, seen[name], layer)
            hook = layer.register_forward_pre_hook(partial(_before_forward, note), with_kwargs=True)
            stack.callback(hook.remove)
            layer.watchers.append(note)
            stack.callback(layer.watchers.remove, note)
        yield seen


def _note(
    calls: list[Watched],
    layer: RecurrentLayer,
    x: Tensor,
    start: State,
    lengths: Tensor | None,
    resets: Tensor | None,
) -> None:
    if layer.training and layer.draws:
        raise ConfigError("watch: dropout and zoneout are random in each run; call network.eval() first.")
    calls.append(Watched(layer, x.detach(), map_state(Tensor.detach, start), lengths, resets))


def _before_forward(
    note: Callable[..., None], layer: RecurrentLayer, given: tuple[Any, ...], named: Mapping[str, Any]
) -> None:
    """Record a call of `forward` with an input of any accepted form."""
    arguments = dict(zip(("input", "hx", "lengths"), given, strict=False)) | dict(named)
    x, hx, lengths = arguments["input"], arguments.get("hx"), arguments.get("lengths")
    if arguments.get("targets") is not None or (len(given) > 3 and isinstance(layer, JordanRNN)):
        raise ConfigError("watch: a Jordan layer cannot be watched with targets; call it without targets.")
    if isinstance(x, PackedSequence):
        x, lengths = pad_packed_sequence(x)
    elif x.dim() == 2:
        x = x.unsqueeze(1)
    elif layer.batch_first:
        x = x.transpose(0, 1)
    batched = not isinstance(arguments["input"], Tensor) or arguments["input"].dim() == 3
    start = layer.entry_state(hx, x, x.shape[1], batched)
    note(x, start, checked_lengths(lengths, *x.shape[:2]), None)

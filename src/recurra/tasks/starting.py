"""Starting a training with the weights and symbols of another run, by tensor names and maps of rows.

    open_start → options of the source → read the data, join the symbols → build → take the weights

A task defines `Task.start_from`, which returns a `Start` for the runs that it can start from. A task whose
runs others can start from defines `Task.offer`. `Start.pieces` maps the name of a tensor of the new network
to a tensor of the source, with a map of ids where an axis has one entry per symbol or label.
"""

import re
from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from recurra.config import TaskConfig
from recurra.config.building import taking
from recurra.errors import ConfigError, RunError
from recurra.files import sha256_of
from recurra.plain import counted, listed
from recurra.runs import RunFolder
from recurra.tasks.opening import symbols_of, task_and_config
from recurra.text import Tokenizer

if TYPE_CHECKING:
    from recurra.tasks.task import Task

FRESH = -1
"""The entry of a map of ids for a symbol that the source does not have."""
_OF_LAYER = re.compile(r"(?P<weight>.*)_l(?P<layer>\d+)(?P<reverse>_reverse)?")


@dataclass(frozen=True)
class Source:
    """The run that a training starts from."""

    run: RunFolder
    task: "Task"
    config: Any
    symbols: Any
    weights: Mapping[str, Tensor]
    fingerprint: str

    @property
    def path(self) -> Path:
        """The folder of the run."""
        return self.run.path

    @property
    def offer(self) -> "Offer | None":
        """What the run offers to runs of other tasks."""
        return self.task.offer(self.config, self.symbols, self.weights)

    def refusal(self, task: "Task", tasks: Sequence[str]) -> ConfigError:
        """Return the error for a task that can only start from runs of other `tasks`."""
        if self.task.name in tasks:
            return ConfigError(
                f"from_run: {self.path} has no network whose weights a run of {task.name!r} could take; name "
                "another run."
            )
        return ConfigError(
            f"from_run: {self.path} is a run of task {self.task.name!r}, with which a run of {task.name!r} "
            f"cannot start; name a run of {' or '.join(tasks)}."
        )


@dataclass(frozen=True)
class Offer:
    """What a run offers to runs of any other task.

    `vectors` has one row per symbol; `unknown` is the symbol for unknown ones, `special` are symbols that no
    text contains. `recurrent` has the weights of recurrent layers by their names in a layer, such as
    `weight_ih_l0`, which read in `direction`; `output` has the `weight` and `bias` of an output layer with
    one row per symbol. `options` are those of a network that the weights fit.

    Shapes: vectors (V, E); output weight (V, H), bias (V,).
    """

    unit: str
    symbols: Sequence[str]
    vectors: Tensor
    options: Mapping[str, Any]
    unknown: str | None = None
    special: Collection[str] = ()
    tokenizer: Tokenizer | None = None
    recurrent: Mapping[str, Tensor] = field(default_factory=dict)
    output: Mapping[str, Tensor] = field(default_factory=dict)
    direction: str = "forward"

    def ids(self, symbols: Sequence[str]) -> Tensor:
        """Return the id of each symbol here, or FRESH. Shapes: result (N,)."""
        return id_map(symbols, self.symbols)


@dataclass(frozen=True)
class Piece:
    """A tensor of the source for a tensor of the new network.

    `maps` has, for the first axes, the index in the source for each index in the new tensor, or None if they
    are the same; `noun` is what the map of the first axis counts.
    """

    tensor: Tensor
    maps: Sequence[Tensor | None] = ()
    noun: str = ""

    def fits(self, target: Tensor) -> bool:
        """Whether the shapes fit, and the source has any row of the target."""
        if target.dim() != self.tensor.dim():
            return False
        maps = [*self.maps, *[None] * (target.dim() - len(self.maps))]
        sizes = zip(maps, target.shape, self.tensor.shape, strict=True)
        return all(
            new == old if each is None else len(each) == new and -1 < int(each.max()) < old
            for each, new, old in sizes
        )

    def copy_to(self, target: Tensor) -> None:
        """Copy the source's values into a tensor that `fits`; other rows and columns keep theirs."""
        _copy(target, self.tensor.to(target), list(self.maps))


class Start(ABC):
    """How a run starts from a source: options, symbols and weights.

    `options` are taken from the source if they are not given; those in `required` must then not contradict.
    """

    options: Mapping[str, Any]
    required: Collection[str] = ()
    # The name in messages of the tensors whose names begin with a prefix; the longest prefix counts.
    names: Mapping[str, str]

    def __init__(self, source: Source) -> None:
        self.source = source

    @abstractmethod
    def join(self, own: Any) -> Any:
        """Return the symbols of the new run from those learnt from its data: the source's come first.

        Raises: ConfigError if they do not fit.
        """

    @abstractmethod
    def told(self, symbols: Any) -> str:
        """Return what `join` did: "4,812 words, 312 new words appended"."""

    @abstractmethod
    def pieces(self, network: nn.Module, symbols: Any) -> Mapping[str, Piece]:
        """Return the pieces of the source by the names of the new network's tensors."""

    def configured(self, config: Any) -> Any:
        """Return a configuration with the options of the source that were not given.

        Raises: ConfigError naming both values of an option that must be as in the source.
        """
        given, path = config.given(), self.source.path
        faults = [
            f"{config.place_of(name)}{name}: got {given[name]}, but {path} has {value}; remove it."
            for name, value in self.options.items()
            if name in self.required and name in given and given[name] != value
        ]
        if faults:
            raise ConfigError("\n".join(faults))
        return taking(config, {name: value for name, value in self.options.items() if name not in given})

    @property
    def facts(self) -> dict[str, Any]:
        """What run.toml stores about the source."""
        return {"from_run": {"task": self.source.task.name, "fingerprint": self.source.fingerprint}}

    def take(self, network: nn.Module, symbols: Any) -> Sequence[str]:
        """Copy the source's weights into a network; return sentences on what was taken.

        A part of the network, such as a layer, is taken as a whole or not at all.

        Raises: ConfigError if nothing fits.
        """
        pieces = self.pieces(network, symbols)
        own = {**dict(network.named_parameters()), **dict(network.named_buffers())}
        by_part: dict[str, list[str]] = {}
        for name in own:
            both = name.endswith("_reverse") or f"{name}_reverse" in own
            by_part.setdefault(part_of(name, self.names, both_directions=both), []).append(name)
        taken, fresh = [], []
        with torch.no_grad():
            for part, tensors in by_part.items():
                if all(name in pieces and pieces[name].fits(own[name]) for name in tensors):
                    for name in tensors:
                        pieces[name].copy_to(own[name])
                    taken.append(part + _share(pieces[tensors[0]]))
                else:
                    fresh.append(part)
        if not taken:
            raise ConfigError(
                f"from_run: none of the weights of {self.source.path} fit this network ({listed(fresh)}); "
                "choose the same sizes, or another run."
            )
        return (
            f"from {self.source.path}: {self.told(symbols)}",
            f"taken: {', '.join(taken)}; fresh: {', '.join(fresh) or 'none'}",
        )


def open_start(task: "Task", config: TaskConfig, out: Path) -> Start | None:
    """Return how a run in `out` starts from another one; None if the configuration names none.

    Raises: RunError if there is no such run or it is damaged; ConfigError if the task cannot start with it.
    """
    if config.from_run is None:
        return None
    path = Path(config.from_run)
    if path.absolute() == out.absolute():
        raise ConfigError(
            f"from_run: {path} is also the folder of the new run; choose another one, or resume the run with "
            "more epochs."
        )
    run = RunFolder.open(path)
    source_task, source_config = task_and_config(run)
    source = Source(
        run,
        source_task,
        source_config,
        symbols_of(source_task, run),
        run.read_weights(),
        sha256_of(run.weights),
    )
    return task.start_from(config, source)


def open_again(task: "Task", config: TaskConfig, run: RunFolder) -> Start | None:
    """Return the start of a run that was stopped before its first checkpoint.

    Raises: RunError if the run that it starts from is missing.
    """
    try:
        return open_start(task, config, run.path)
    except RunError as error:
        raise RunError(
            f"{run.path}: was stopped before its first checkpoint, and the run that it starts from cannot be "
            f"read ({str(error).rstrip('.')})."
        ) from error


def id_map(symbols: Sequence[str], of_source: Sequence[str]) -> Tensor:
    """Return the index in `of_source` of each symbol, or FRESH. Shapes: result (N,)."""
    ids = {symbol: id_ for id_, symbol in enumerate(of_source)}
    return torch.tensor([ids.get(symbol, FRESH) for symbol in symbols])


def told_new(count: int, new: int, noun: str) -> str:
    """Return the size of a vocabulary and the number of its new symbols: "8 words, 2 new words appended"."""
    more = f", {counted(new, f'new {noun}')} appended" if new else ""
    return counted(count, noun) + more


def part_of(name: str, names: Mapping[str, str], *, both_directions: bool = False) -> str:
    """Return the name in messages of the part of a network that a tensor belongs to."""
    prefix = max((each for each in names if name.startswith(each)), key=len, default="")
    part = names[prefix] if prefix else name.split(".")[0].replace("_", " ")
    layer = _OF_LAYER.fullmatch(name)
    if layer is None:
        return f"{part}, initial state" if name.rsplit(".", 1)[-1].startswith("initial_") else part
    direction = (" backward" if layer["reverse"] else " forward") if both_directions else ""
    return f"{part} {int(layer['layer']) + 1}{direction}"


def _share(piece: Piece) -> str:
    """Return how many rows of a piece the source has, if not all: " (4,012 of 5,300 words)"."""
    rows = piece.maps[0] if piece.maps else None
    if rows is None or not piece.noun or bool((rows >= 0).all()):
        return ""
    return f" ({int((rows >= 0).sum()):,} of {counted(len(rows), piece.noun)})"


def _copy(target: Tensor, values: Tensor, maps: list[Tensor | None]) -> None:
    axis = next((axis for axis, each in enumerate(maps) if each is not None), None)
    if axis is None:
        target.copy_(values)
        return
    each = maps[axis]
    assert each is not None, "it was found"
    new = torch.nonzero(each >= 0).squeeze(1).to(target.device)
    inner = target.index_select(axis, new)
    old = each[each >= 0].to(target.device)
    _copy(inner, values.index_select(axis, old), [*maps[:axis], None, *maps[axis + 1 :]])
    target.index_copy_(axis, new, inner)

"""The size of a network: the number of values in each parameter."""

from dataclasses import dataclass

from torch import nn

from recurra.arguments import checks_arguments


@dataclass(frozen=True)
class ParameterRow:
    """One parameter: its name in the module, its shape and its number of values."""

    name: str
    shape: tuple[int, ...]
    count: int


@dataclass(frozen=True)
class ParameterSummary:
    """The parameters of a module; a tied parameter is counted once."""

    rows: tuple[ParameterRow, ...]

    @property
    def total(self) -> int:
        """The total number of values in all parameters."""
        return sum(row.count for row in self.rows)

    def table(self) -> str:
        """Return the rows and the total as a text table with three columns."""
        lines = [
            (row.name, " x ".join(f"{size:,}" for size in row.shape), f"{row.count:,}") for row in self.rows
        ]
        lines = [("parameter", "shape", "count"), *lines, ("total", "", f"{self.total:,}")]
        first, second, third = (max(map(len, column)) for column in zip(*lines, strict=True))
        return "\n".join(f"{a:<{first}}  {b:>{second}}  {c:>{third}}" for a, b, c in lines)

    def __str__(self) -> str:
        return self.table()


@checks_arguments
def parameter_summary(module: nn.Module) -> ParameterSummary:
    """Return the name, shape and count of every parameter of a module."""
    return ParameterSummary(
        tuple(
            ParameterRow(name, tuple(parameter.shape), parameter.numel())
            for name, parameter in module.named_parameters()
        )
    )

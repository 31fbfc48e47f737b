"""What a person sees of any training: the bar, and how it ended."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from recurra.training import Outcome


def progress_bar(unit: str, *, perplexity: bool = True) -> Any:
    """The bar on standard error."""
    from rich.console import Console

    from recurra.training import ProgressBar

    return ProgressBar(Console(stderr=True), unit, perplexity=perplexity)


def ending(outcome: "Outcome") -> str:
    """How a training of rows or pairs ended, as a line."""
    early = ", stopped early" if outcome.stopped_early else ""
    return (
        f"trained {outcome.steps:,} steps, {outcome.epochs:,} epochs in {outcome.elapsed_s:,.0f} s{early}; "
        f"best weights of step {outcome.best_step:,}"
    )

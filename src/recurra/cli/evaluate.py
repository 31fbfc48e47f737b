"""`recurra evaluate RUN`."""

import json
import math
from pathlib import Path
from typing import Annotated

import typer


def evaluate(
    run: Annotated[Path, typer.Argument(help="Folder of a trained run.")],
    data: Annotated[
        Path | None, typer.Option(help="Text to evaluate on; without it, the part held out in training.")
    ] = None,
    streams: Annotated[
        int,
        typer.Option(min=1, help="Parallel streams: 1 carries the state over all the text, more are faster."),
    ] = 1,
    cache_size: Annotated[
        int | None,
        typer.Option(min=1, help="Neural cache: remember so many symbols.", rich_help_panel="While reading"),
    ] = None,
    cache_weight: Annotated[
        float, typer.Option(help="Share of the cache in the mixture.", rich_help_panel="While reading")
    ] = 0.1,
    cache_sharpness: Annotated[
        float,
        typer.Option(help="How much likeness of states counts in it.", rich_help_panel="While reading"),
    ] = 0.3,
    dynamic_rate: Annotated[
        float | None,
        typer.Option(
            help="Dynamic evaluation: learn from what was read at this rate (1e-4, say).",
            rich_help_panel="While reading",
        ),
    ] = None,
    dynamic_decay: Annotated[
        float, typer.Option(help="Its pull back to the trained weights.", rich_help_panel="While reading")
    ] = 1e-3,
    dynamic_steps: Annotated[
        int, typer.Option(min=1, help="Symbols between its steps.", rich_help_panel="While reading")
    ] = 5,
    as_json: Annotated[bool, typer.Option("--json", help="Print the figures as JSON.")] = False,
) -> None:
    """How well a run's model predicts a text: every symbol counted, ends of lines too."""
    from recurra.tasks.language_modeling.adaptation import CacheOptions, DynamicOptions
    from recurra.tasks.loading import load

    cache = None if cache_size is None else CacheOptions(cache_size, cache_sharpness, cache_weight)
    dynamic = None if dynamic_rate is None else DynamicOptions(dynamic_rate, dynamic_decay, dynamic_steps)
    figures = load(run).evaluate(data, streams=streams, cache=cache, dynamic=dynamic)
    values = {name: None if value == math.inf else value for name, value in figures.to_dict().items()}
    typer.echo(json.dumps(values, allow_nan=False) if as_json else figures.sentence())

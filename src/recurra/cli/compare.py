"""`recurra compare RUN…`."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from recurra.plain import json_line
from recurra.tasks import registry

if TYPE_CHECKING:
    from recurra.tasks.language_modeling.comparison import Comparison

_TRAINING = "Training a vanilla RNN, a GRU and an LSTM first"
_Preset = Annotated[
    str | None,
    typer.Option(
        metavar="|".join(registry.config_of("lm").preset_names()),
        help="Named set of options; --config overrides it.",
        rich_help_panel=_TRAINING,
    ),
]


def compare(
    runs: Annotated[list[Path] | None, typer.Argument(help="Folders of the runs.")] = None,
    data: Annotated[
        Path | None,
        typer.Option(help="Text to compare on (if not given, the held-out data of the first run)."),
    ] = None,
    page: Annotated[
        Path | None, typer.Option("--page", help="Write the table and the learning curves to this HTML file.")
    ] = None,
    equal_parameters: Annotated[
        bool,
        typer.Option(
            "--equal-parameters",
            help="First train a vanilla RNN, a GRU and an LSTM with equal numbers of parameters.",
            rich_help_panel=_TRAINING,
        ),
    ] = False,
    train_data: Annotated[Path | None, typer.Option(help="Training data.", rich_help_panel=_TRAINING)] = None,
    valid: Annotated[Path | None, typer.Option(help="Validation data.", rich_help_panel=_TRAINING)] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", help="Folder for the three runs.", rich_help_panel=_TRAINING),
    ] = None,
    preset: _Preset = None,
    config: Annotated[
        Path | None, typer.Option(help="TOML file of options.", rich_help_panel=_TRAINING)
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the metrics as JSON.")] = False,
) -> None:
    """Compare language models on the same text, and evaluate their interpolation.

    Unknown symbols are treated alike for all models.

    recurra compare runs/kneser-ney runs/lstm --data held-out.txt

    recurra compare --equal-parameters --train-data ptb.train.txt --preset small -o runs/equal
    """
    from recurra.errors import ConfigError

    training = {"--train-data": train_data, "--out": out, "--valid": valid}
    _check_training(training | {"--preset": preset, "--config": config}, trains=equal_parameters)
    chosen = list(runs or [])
    if train_data is not None and out is not None:
        chosen = [*_train_equal(train_data, valid, out, preset, config), *chosen]
    if not chosen:
        raise ConfigError("compare: no runs to compare; name some, or train three with --equal-parameters.")
    from recurra.tasks.language_modeling.comparison import compare as compare_runs

    found = compare_runs(
        chosen, data, page=page, on_model=lambda name: typer.echo(f"evaluating {name}", err=True)
    )
    if as_json:
        typer.echo(json_line(found.to_dict()))
    else:
        _print(found, page)


def _check_training(given: Mapping[str, Path | str | None], *, trains: bool) -> None:
    """Check the options of the training.

    Raises: ConfigError if one is missing, or if one is given without --equal-parameters.
    """
    from recurra.errors import ConfigError

    if trains:
        missing = [name for name in ("--train-data", "--out") if given[name] is None]
        if missing:
            raise ConfigError(f"--equal-parameters: also needs {' and '.join(missing)}.")
        return
    for name, value in given.items():
        if value is not None:
            raise ConfigError(f"{name}: applies only with --equal-parameters; give that, or remove {name}.")


def _train_equal(
    data: Path, valid: Path | None, out: Path, preset: str | None, toml: Path | None
) -> list[Path]:
    """Train the three models, or resume or reuse existing runs, and return their folders."""
    from recurra.cli.train import progress_bar
    from recurra.tasks.language_modeling.comparison import equal_configs_of, train_equal
    from recurra.tasks.language_modeling.config import LanguageModelConfig
    from recurra.tasks.language_modeling.task import LanguageModeling

    texts = {"data": data} | ({} if valid is None else {"valid": valid})
    config = LanguageModelConfig.build(preset, toml, texts)
    configs, task = equal_configs_of(config), LanguageModeling()
    for cell, own in configs.items():
        typer.echo(f"{out / cell}: {own.num_layers} x {own.hidden_size} units", err=True)
    return train_equal(configs, out, listeners=lambda: [progress_bar(task, config)])


def _print(found: "Comparison", page: Path | None) -> None:
    from rich.console import Console
    from rich.table import Table

    from recurra.tasks.language_modeling.comparison_page import FIGURES, mixed_told, table_rows

    table = Table(title=f"on {found.text}")
    for name in ("run", "model"):
        table.add_column(name)
    for name in FIGURES:
        table.add_column(name, justify="right")
    for row in table_rows(found):
        table.add_row(*row)
    width = None if Console().is_terminal else 200
    Console(width=width).print(table)
    for mixture in found.mixtures:
        typer.echo(f"interpolated: {mixed_told(mixture)}")
    if page is not None:
        typer.echo(f"page: {page}")

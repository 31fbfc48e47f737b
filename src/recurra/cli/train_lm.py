"""`recurra train lm`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from recurra.cli.options import Out, Overwrite, Toml, config_options
from recurra.cli.watching import progress_bar
from recurra.tasks.language_modeling.config import LanguageModelConfig
from recurra.tasks.language_modeling.presets import build_from, preset_names

if TYPE_CHECKING:
    from recurra.tasks.language_modeling.outcome import TrainingResult

app = typer.Typer(add_completion=False)


@app.command("lm")
@config_options(LanguageModelConfig)
def language_model(
    out: Out,
    config: Toml = None,
    preset: Annotated[
        str | None,
        typer.Option(
            metavar="|".join(preset_names()),
            help="Options with a name; a TOML file and the command line win over them.",
        ),
    ] = None,
    overwrite: Overwrite = False,
    *,
    options: dict[str, Any],
) -> None:
    """Train a language model of characters, words or subwords: a recurrent network, or counts of n-grams.

    recurra train lm --data shakespeare.txt -o runs/shakespeare
    """
    built = build_from(preset, config, options)
    from recurra.tasks.language_modeling import training

    result = training.train(
        built, out, overwrite=overwrite, listeners=[progress_bar(built.unit)], on_ready=_introduce
    )
    _report_end(result, built)


def go_on(run: Path) -> None:
    """Go on with a language model's run."""
    from recurra.runs import RunFolder
    from recurra.tasks.language_modeling import training

    typer.echo(f"{run}: going on", err=True)
    config = training.config_of(RunFolder.open(run))
    _report_end(training.resume(run, listeners=[progress_bar(config.unit)]), config)


def _introduce(trainer: Any, corpus: Any) -> None:
    """What is about to be trained on what."""
    from recurra.layers import parameter_summary

    unit = corpus.tokenizer.unit
    unseen = corpus.tokenizer.vocabulary.unk_id
    typer.echo(
        f"{corpus.training_text.source.path.name}: {len(corpus.training_text.tokens):,} {unit}s to train on, "
        f"{len(corpus.valid.tokens):,} to validate on, vocabulary {corpus.tokenizer.vocabulary_size:,}"
        + (" (encoded before)" if corpus.training_text.tokens.from_cache else ""),
        err=True,
    )
    if unseen is not None and unit == "word" and not corpus.training_text.tokens.count(unseen):
        typer.echo("no <unk> is seen in training, so none is learnt; --min-count 2 would make some", err=True)
    typer.echo(parameter_summary(trainer.network).table(), err=True)
    typer.echo(
        f"{trainer.total_steps:,} steps on {trainer.fabric.device}; loss: {trainer.config.loss_reduction} "
        f"over a segment's {unit}s; Ctrl-C saves",
        err=True,
    )


def _report_end(result: "TrainingResult", config: LanguageModelConfig) -> None:
    """The metric, and the commands to go on with."""
    if not result.is_main_process:
        return
    from recurra.cli.report import make_report

    run, outcome = result.run, result.outcome
    page = make_report(run)
    early = ", stopped early" if outcome.stopped_early else ""
    if config.arpa is not None:
        typer.echo(f"read {config.arpa} in {outcome.elapsed_s:,.1f} s")
    elif config.model == "ngram":
        typer.echo(f"counted {outcome.tokens:,} symbols in {outcome.elapsed_s:,.1f} s")
    else:
        typer.echo(
            f"trained {outcome.steps:,} steps, {outcome.tokens:,} symbols "
            f"in {outcome.elapsed_s:,.0f} s{early}; "
            f"best weights of step {outcome.best_step:,}"
        )
    typer.echo(f"validation: {result.validation.sentence()}")
    if result.test is not None:
        typer.echo(f"test: {result.test.sentence()}")
    typer.echo(f"report: {page}")
    first = (
        f"recurra fill FORWARD --backward {run}"
        if config.direction == "backward"
        else f"recurra sample {run}"
    )
    typer.echo(f"go on with:  {first}   recurra evaluate {run} --data FILE   recurra score {run} FILE")

"""`recurra train tag`, `recurra train classify`, `recurra train pair`."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from recurra.cli.label_tables import left_out
from recurra.cli.options import Out, Overwrite, Toml, config_options
from recurra.cli.watching import ending, progress_bar
from recurra.tasks.labelling.config import CONFIGS, ClassifyConfig, PairConfig, TagConfig

if TYPE_CHECKING:
    from recurra.tasks.labelling.training import LabellingResult

tag = typer.Typer(add_completion=False)
classify = typer.Typer(add_completion=False)
pair = typer.Typer(add_completion=False)


@tag.command("tag")
@config_options(TagConfig)
def train_tagger(
    out: Out, config: Toml = None, overwrite: Overwrite = False, *, options: dict[str, Any]
) -> None:
    """Train a tagger: a label for each word, such as slots, entities, parts of speech.

    recurra train tag --data atis.train.iob --test atis.dev.iob -o runs/atis
    """
    _train("tag", out, config, overwrite, options)


@classify.command("classify")
@config_options(ClassifyConfig)
def train_classifier(
    out: Out, config: Toml = None, overwrite: Overwrite = False, *, options: dict[str, Any]
) -> None:
    """Train a classifier: a label for a text, or for a sequence of vectors or pictures.

    recurra train classify --data reviews.csv -o runs/reviews
    """
    _train("classify", out, config, overwrite, options)


@pair.command("pair")
@config_options(PairConfig)
def train_pairs(
    out: Out, config: Toml = None, overwrite: Overwrite = False, *, options: dict[str, Any]
) -> None:
    """Train a classifier of two texts: whether one says what the other says, say.

    recurra train pair --data paraphrases.tsv -o runs/pairs
    """
    _train("pair", out, config, overwrite, options)


def _train(task: str, out: Path, toml: Path | None, overwrite: bool, options: dict[str, Any]) -> None:
    from recurra.config import build_config

    built = build_config(CONFIGS[task], [toml] if toml else [], options)
    from recurra.tasks.labelling import repeats, training

    if repeats.is_repeated(built):
        found = repeats.train_repeatedly(
            task,
            built,
            out,
            overwrite=overwrite,
            listeners=lambda: [_progress_bar(task)],
            on_part=_report_part,
        )
        if found.results[0].is_main_process:
            typer.echo(found.sentence())
            typer.echo(f"all of it: {out / 'summary.json'}")
        return
    result = training.train(
        task, built, out, overwrite=overwrite, listeners=[_progress_bar(task)], on_ready=_introduce
    )
    _report_end(result)


def go_on(run: Path) -> None:
    """Go on with a run of one of these tasks."""
    from recurra.runs import RunFolder
    from recurra.tasks.labelling import training

    typer.echo(f"{run}: going on", err=True)
    task, _ = training.config_of(RunFolder.open(run))
    _report_end(training.resume(run, listeners=[_progress_bar(task)]))


def _progress_bar(task: str) -> Any:
    return progress_bar("word" if task == "tag" else "row", perplexity=False)


def _introduce(trainer: Any, corpus: Any) -> None:
    """What is about to be trained on what."""
    from recurra.layers import parameter_summary

    symbols = corpus.symbols
    counts = [f"{len(corpus.train):,} rows to train on, {len(corpus.valid):,} to validate on"]
    if corpus.test is not None:
        counts.append(f"{len(corpus.test):,} to test on")
    if symbols.words is not None:
        counts.append(f"{len(symbols.words.words):,} words")
    if symbols.labels is not None:
        counts.append(
            f"{len(symbols.labels):,} labels of words" + (" (spans in BIO)" if symbols.spans else "")
        )
    if symbols.classes is not None:
        counts.append(f"{len(symbols.classes):,} labels of rows")
    typer.echo(", ".join(counts), err=True)
    left_out(corpus.skipped, "left out")
    left_out(corpus.unseen, "can only be missed")
    typer.echo(parameter_summary(trainer.network).table(), err=True)
    typer.echo(f"{trainer.total_steps:,} steps on {trainer.fabric.device}; Ctrl-C saves", err=True)


def _report_part(name: str, result: "LabellingResult") -> None:
    """One of several trainings."""
    if result.is_main_process:
        figures = result.validation if result.test is None else result.test
        typer.echo(f"{name}: {figures.sentence()}")


def _report_end(result: "LabellingResult") -> None:
    """The figures, and the commands to go on with."""
    if not result.is_main_process:
        return
    from recurra.cli.report import make_report

    run, outcome = result.run, result.outcome
    typer.echo(ending(outcome))
    typer.echo(f"validation: {result.validation.sentence()}")
    if result.test is not None:
        typer.echo(f"test: {result.test.sentence()}")
    typer.echo(f"report: {make_report(run)}")
    typer.echo(f"go on with:  recurra evaluate {run} --mistakes 10   recurra predict {run} FILE")

"""`recurra train translate`, `recurra train chat`, `recurra train caption`."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from recurra.cli.label_tables import left_out
from recurra.cli.options import Out, Overwrite, Toml, config_options
from recurra.cli.watching import ending, progress_bar
from recurra.tasks.seq2seq.config import CONFIGS, CaptionConfig, ChatConfig, TranslateConfig

if TYPE_CHECKING:
    from recurra.tasks.seq2seq.training import Seq2SeqResult

translate = typer.Typer(add_completion=False)
chat = typer.Typer(add_completion=False)
caption = typer.Typer(add_completion=False)


@translate.command("translate")
@config_options(TranslateConfig)
def train_translator(
    out: Out, config: Toml = None, overwrite: Overwrite = False, *, options: dict[str, Any]
) -> None:
    """Train a translator: from any text to another, line by line.

    recurra train translate --data train.en --target train.de -o runs/en-de
    """
    _train("translate", out, config, overwrite, options)


@chat.command("chat")
@config_options(ChatConfig)
def train_chat_bot(
    out: Out, config: Toml = None, overwrite: Overwrite = False, *, options: dict[str, Any]
) -> None:
    """Train a chat-bot: from what was said last to an answer.

    recurra train chat --data dialogues.jsonl -o runs/chat
    """
    _train("chat", out, config, overwrite, options)


@caption.command("caption")
@config_options(CaptionConfig)
def train_captioner(
    out: Out, config: Toml = None, overwrite: Overwrite = False, *, options: dict[str, Any]
) -> None:
    """Train a captioner: from a picture, or the numbers of one, to a sentence.

    recurra train caption --data features.npz --captions captions.jsonl -o runs/captions
    """
    _train("caption", out, config, overwrite, options)


def _train(task: str, out: Path, toml: Path | None, overwrite: bool, options: dict[str, Any]) -> None:
    from recurra.config import build_config

    built = build_config(CONFIGS[task], [toml] if toml else [], options)
    from recurra.tasks.seq2seq import training

    result = training.train(
        task, built, out, overwrite=overwrite, listeners=[progress_bar(built.unit)], on_ready=_introduce
    )
    _report_end(task, result)


def go_on(run: Path) -> None:
    """Go on with a run of one of these tasks."""
    from recurra.runs import RunFolder
    from recurra.tasks.seq2seq import training

    typer.echo(f"{run}: going on", err=True)
    task, config = training.config_of(RunFolder.open(run))
    _report_end(task, training.resume(run, listeners=[progress_bar(config.unit)]))


def _introduce(trainer: Any, corpus: Any, too_long: int) -> None:
    """What is about to be trained on what."""
    from recurra.layers import parameter_summary

    symbols = corpus.symbols
    counts = [f"{len(corpus.train):,} pairs to train on, {len(corpus.valid):,} to validate on"]
    if corpus.test is not None:
        counts.append(f"{len(corpus.test):,} to test on")
    unit = symbols.target.unit
    if symbols.source is symbols.target:
        counts.append(f"{symbols.target.vocabulary_size:,} {unit}s of both sides")
    elif symbols.source is not None:
        counts.append(f"{symbols.source.vocabulary_size:,} {unit}s to read")
        counts.append(f"{symbols.target.vocabulary_size:,} to write")
    else:
        counts.append(f"{symbols.target.vocabulary_size:,} {unit}s")
    typer.echo(", ".join(counts), err=True)
    first = corpus.train[0]
    read = " / ".join(first.source) if first.vectors is None else f"picture {first.source[0]}"
    typer.echo(f"the first: {read[:80]!r} to {first.targets[0][:80]!r}", err=True)
    left_out(corpus.skipped, "left out")
    if corpus.empty:
        typer.echo(f"{corpus.empty:,} pairs with an empty side left out", err=True)
    if too_long:
        typer.echo(f"{too_long:,} pairs left out as too long; see --max-source, --max-target", err=True)
    typer.echo(parameter_summary(trainer.network).table(), err=True)
    typer.echo(f"{trainer.total_steps:,} steps on {trainer.fabric.device}; Ctrl-C saves", err=True)


def _report_end(task: str, result: "Seq2SeqResult") -> None:
    """The figures, and the commands to go on with."""
    if not result.is_main_process:
        return
    run, outcome = result.run, result.outcome
    typer.echo(ending(outcome))
    typer.echo(f"validation: {result.validation.sentence()}")
    if result.test is not None:
        typer.echo(f"test: {result.test.sentence()}")
    typer.echo(f"BLEU signature: {result.validation.texts.bleu_signature}")
    from recurra.cli.report import make_report

    typer.echo(f"report: {make_report(run)}")
    verbs = {"translate": "translate {run} FILE", "chat": "chat {run}", "caption": "caption {run} FILE"}
    typer.echo(f"go on with:  recurra evaluate {run}   recurra {verbs[task].format(run=run)}")

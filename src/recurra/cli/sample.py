"""`recurra sample RUN`."""

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

if TYPE_CHECKING:
    from recurra.tasks.language_modeling.facade import LanguageModel


def sample(
    run: Annotated[Path, typer.Argument(help="Folder of a trained run.")],
    prime: Annotated[str, typer.Option(help="Text to go on from.")] = "",
    length: Annotated[int | None, typer.Option(min=1, help="Symbols to draw (default: 500).")] = None,
    temperature: Annotated[
        float, typer.Option(min=0.0, help="Below 1 bolder, above 1 more varied, 0 always the likeliest.")
    ] = 1.0,
    top_k: Annotated[int | None, typer.Option(min=1, help="Draw from the k likeliest symbols only.")] = None,
    top_p: Annotated[
        float | None, typer.Option(help="Draw from the fewest symbols that hold this probability.")
    ] = None,
    seed: Annotated[int | None, typer.Option(min=0, max=2**63 - 1, help="One seed, one text.")] = None,
    unknown: Annotated[
        Literal["redraw", "keep"], typer.Option(help="What to do where <unk> is drawn.")
    ] = "redraw",
    until_end: Annotated[bool, typer.Option("--until-end", help="Stop at the first end of a line.")] = False,
    novelty: Annotated[
        bool, typer.Option("--novelty", help="Tell how much of it stands in the training text.")
    ] = False,
    tune: Annotated[
        Path | None,
        typer.Option(help="Write a whole tune in ABC notation there.", rich_help_panel="Music"),
    ] = None,
    midi: Annotated[
        Path | None, typer.Option(help="Write the tune as MIDI too.", rich_help_panel="Music")
    ] = None,
) -> None:
    """Let a language model write, shown as it is drawn."""
    from recurra.errors import ConfigError
    from recurra.tasks.language_modeling.facade import LanguageModel
    from recurra.tasks.model import load

    model = load(run, LanguageModel)
    options: dict[str, Any] = {
        "temperature": temperature,
        "top_k": top_k,
        "top_p": top_p,
        "seed": seed,
        "keep_unknown": unknown == "keep",
    }
    if tune is not None:
        if until_end or novelty or length is not None:
            raise ConfigError("--tune: writes one whole tune; leave out --length, --until-end and --novelty.")
        _write_tune(model, prime, tune, midi, options)
        return
    if midi is not None:
        raise ConfigError("--midi: goes with --tune; name a file for the tune too.")
    if novelty:
        model.source_of("train")  # where there is none, say so before writing
    try:
        text = _write(model, prime, length=length or 500, until_end=until_end, **options)
        if novelty:
            typer.echo(model.novelty(text).sentence(), err=True)
    except BrokenPipeError:
        # The reader went away, as in `recurra sample … | head`; nothing is wrong.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _write(model: "LanguageModel", prime: str, **options: Any) -> str:
    """Print a text as it is drawn; returns it."""
    written = [prime]
    sys.stdout.write(prime)
    for piece in model.sample_stream(prime, **options):
        sys.stdout.write(piece)
        sys.stdout.flush()
        written.append(piece)
    text = "".join(written)
    if not text.endswith("\n"):
        sys.stdout.write("\n")
    return text


def _write_tune(
    model: "LanguageModel", prime: str, tune: Path, midi: Path | None, options: dict[str, Any]
) -> None:
    from recurra.data.tunes import write_midi
    from recurra.files import write_text
    from recurra.tasks.language_modeling.tunes import sample_tune

    text = sample_tune(model, prime, **options)
    write_text(tune, text)
    typer.echo(text, nl=False)
    typer.echo(f"tune: {tune}", err=True)
    if midi is not None:
        write_midi(text, midi)
        typer.echo(f"MIDI: {midi}", err=True)

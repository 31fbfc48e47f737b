"""`recurra sample RUN`."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from recurra.cli.help import limited

if TYPE_CHECKING:
    from recurra.tasks.language_modeling.facade import LanguageModel

_Tune = Annotated[
    Path | None,
    typer.Option(
        help="Generate a complete tune and write it to this file in ABC notation.", rich_help_panel="Music"
    ),
]
_Midi = Annotated[
    Path | None, typer.Option(help="Write the tune to this MIDI file as well.", rich_help_panel="Music")
]


@limited(top_p="0 < x <= 1")
def sample(
    run: Annotated[Path, typer.Argument(help="Folder of the run.")],
    prime: Annotated[str, typer.Option(help="Text to continue.")] = "",
    length: Annotated[
        int | None, typer.Option(min=1, help="Number of symbols to generate (default: 500).")
    ] = None,
    temperature: Annotated[
        float,
        typer.Option(min=0.0, help="Sampling temperature; below 1 sharper, above 1 more varied, 0 greedy."),
    ] = 1.0,
    top_k: Annotated[
        int | None, typer.Option(min=1, help="Sample from the k most probable symbols only.")
    ] = None,
    top_p: Annotated[
        float | None,
        typer.Option(help="Sample from the smallest set of symbols with this total probability."),
    ] = None,
    seed: Annotated[
        int | None, typer.Option(min=0, max=2**63 - 1, help="Random seed; the same seed gives the same text.")
    ] = None,
    unknown: Annotated[
        Literal["redraw", "keep"], typer.Option(help="Draw again where <unk> is drawn, or keep it.")
    ] = "redraw",
    until_end: Annotated[bool, typer.Option("--until-end", help="Stop at the first line end.")] = False,
    novelty: Annotated[
        bool, typer.Option("--novelty", help="Report how much of the text is copied from the training data.")
    ] = False,
    tune: _Tune = None,
    midi: _Midi = None,
) -> None:
    """Generate text with a language model."""
    from recurra.errors import ConfigError
    from recurra.tasks.language_modeling.facade import LanguageModel
    from recurra.tasks.model import load

    _check_drawing(temperature, {"--top-k": top_k, "--top-p": top_p, "--seed": seed})
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
            raise ConfigError("--tune: writes one complete tune; remove --length, --until-end and --novelty.")
        _write_tune(model, prime, tune, midi, options)
        return
    if midi is not None:
        raise ConfigError("--midi: applies only with --tune; give that, or remove --midi.")
    if novelty:
        model.source_of("train")  # raises before any text is written if there is none
    text = _write(model, prime, length=length or 500, until_end=until_end, **options)
    if novelty:
        typer.echo(model.novelty(text).sentence(), err=True)


def _check_drawing(temperature: float, drawing: dict[str, Any]) -> None:
    """Refuse options of drawing at temperature 0, where they have no effect. Raises: ConfigError."""
    from recurra.errors import ConfigError

    for flag, value in drawing.items():
        if temperature == 0 and value is not None:
            raise ConfigError(
                f"{flag}: applies only with temperature above 0; raise --temperature, or remove {flag}."
            )


def _write(model: "LanguageModel", prime: str, **options: Any) -> str:
    """Print a text while it is sampled, and return it."""
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

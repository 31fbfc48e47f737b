"""`recurra data make NAME`, `recurra data gazetteer FILE`."""

import os
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from recurra.cli.help import Command, Group
from recurra.cli.options import config_options
from recurra.tasks.labelling.config import EntityReadingPart

_WHAT = {
    "kinematics": "problems",
    "flights": "sentences",
    "reviews": "reviews",
    "names": "sentences",
    "dialogues": "dialogues",
    "shapes": "clips",
    "dates": "dates",
    "pictures": "pictures",
    "people": "sentences",
}
_COUNT, _OF_PHRASE = 5000, 200

_Name = Literal[
    "kinematics",
    "flights",
    "reviews",
    "names",
    "dialogues",
    "shapes",
    "dates",
    "pictures",
    "people",
    "trigger",
]

app = typer.Typer(
    help="Create synthetic data sets, and word lists from labelled files.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    cls=Group,
)


@app.callback()
def _data() -> None:
    pass


@app.command("make", cls=Command)
def make(
    name: Annotated[
        _Name,
        typer.Argument(
            help="kinematics: physics problems with solutions; flights: sentences with slots; reviews: "
            "restaurant reviews with negations; names: sentences about people and companies; dialogues: "
            "turns with slots (.jsonl); shapes: clips of moving shapes (.npz); dates: written dates and "
            "ISO 8601 (.tsv); pictures: images of two shapes, their features (.npz) and captions; people: "
            "sentences for word vectors; trigger: a phrase spoken by espeak-ng in many synthetic voices, a "
            "proxy for recordings of people (a folder of .wav)."
        ),
    ],
    out: Annotated[Path, typer.Option("--out", "-o", help="File to write; trigger: folder.")],
    count: Annotated[
        int | None,
        typer.Option(
            min=1, help=f"Number of examples (default: {_COUNT}; trigger: {_OF_PHRASE} of a phrase)."
        ),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Random seed; the same seed gives the same file.")] = 1,
    phrase: Annotated[
        list[str] | None,
        typer.Option(help="trigger: phrase to speak, such as 'hey robin'; may be given several times."),
    ] = None,
    other: Annotated[
        Path | None,
        typer.Option(help="trigger: text file with other phrases, one per line, as negative examples."),
    ] = None,
    voice: Annotated[
        list[str] | None,
        typer.Option(
            help="trigger: voice of espeak-ng, such as en-us or de+f2; may be given several times (if not "
            "given: all English voices)."
        ),
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Overwrite an existing file.")] = False,
) -> None:
    """Write a synthetic corpus to a file."""
    from importlib import import_module

    from recurra.errors import ConfigError

    if name == "trigger":
        _make_trigger(out, count or _OF_PHRASE, seed, phrase or [], other, voice or [], overwrite)
        return
    for option, given in (("phrase", phrase), ("other", other), ("voice", voice)):
        if given:
            raise ConfigError(f"--{option}: applies only to trigger; remove it.")
    _check_free(out, overwrite)
    count = count or _COUNT
    import_module(f"recurra.data.synthetic.{name}").write_corpus(out, count, seed)
    typer.echo(f"{count:,} {_WHAT[name]}: {out}")


def _make_trigger(
    out: Path,
    count: int,
    seed: int,
    phrases: list[str],
    other: Path | None,
    voices: list[str],
    overwrite: bool,
) -> None:
    from recurra.data.synthetic.trigger import write_corpus
    from recurra.errors import ConfigError
    from recurra.plain import counted

    if not phrases:
        raise ConfigError("--phrase: is required for trigger; give the phrase to speak.")
    _check_free(out, overwrite)
    made = write_corpus(out, count, seed, phrases=phrases, others=other or (), voices=voices)
    spoken = counted(len({row.voice for row in made}), "voice")
    typer.echo(f"{counted(len(made), 'recording')} in {spoken}: {out}")


@app.command("gazetteer", cls=Command)
@config_options(EntityReadingPart)
def gazetteer(
    files: Annotated[list[Path], typer.Argument(help="Files with labelled entities.")],
    types: Annotated[
        list[str], typer.Option("--type", help="Type of the entities; may be given several times.")
    ],
    out: Annotated[Path, typer.Option("--out", "-o", help="File to write.")],
    min_count: Annotated[int, typer.Option(min=1, help="Leave out entities that occur less often.")] = 1,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Overwrite an existing file.")] = False,
    *,
    options: dict[str, Any],
) -> None:
    """Write the entities of a type in labelled files as a word list, one per line."""
    from recurra.data.examples import BadRows, rows_told
    from recurra.files import write_text
    from recurra.plain import counted
    from recurra.tasks.labelling.lists import entity_phrases

    _check_free(out, overwrite)
    bad = BadRows(bool(options.get("skip_bad")))
    phrases = entity_phrases(files, types, min_count=min_count, reading=options, bad=bad)
    write_text(out, "".join(f"{phrase}\n" for phrase in phrases))
    for sentence in (*bad.notes, *rows_told(bad.sentences, "skipped")):
        typer.echo(sentence, err=True)
    typer.echo(f"{counted(len(phrases), 'phrase')}: {out}")


def _check_free(out: Path, overwrite: bool) -> None:
    from recurra.errors import StorageError

    if os.path.exists(out) and not overwrite:
        raise StorageError(f"{out}: already exists; name another file, or overwrite it with --overwrite.")

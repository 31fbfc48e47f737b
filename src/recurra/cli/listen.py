"""`recurra listen RUN`."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from recurra.errors import ConfigError

if TYPE_CHECKING:
    from recurra.tasks.detection.facade import Detector

Threshold = Annotated[
    list[str] | None,
    typer.Option(
        metavar="[WORD=]P",
        help="Detect a word by a threshold on its score; may be given several times (if not given, the one "
        "chosen in training).",
    ),
]


def listen(
    run: Annotated[Path, typer.Argument(help="Folder of a detector's run.")],
    files: Annotated[
        list[str] | None, typer.Argument(help="Recordings or folders; - for raw PCM on standard input.")
    ] = None,
    microphone: Annotated[bool, typer.Option("--microphone", help="Listen to the microphone.")] = False,
    rate: Annotated[int, typer.Option(min=1000, help="Raw PCM: samples per second.")] = 16_000,
    channels: Annotated[int, typer.Option(min=1, max=64, help="Raw PCM: number of channels.")] = 1,
    threshold: Threshold = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object per line.")] = False,
) -> None:
    """Print each word of a detector as it is heard.

    arecord -t raw -f S16_LE -r 16000 | recurra listen runs/athena -
    """
    from recurra.tasks.detection.facade import Detector
    from recurra.tasks.model import load

    if microphone == bool(files):
        raise ConfigError(
            "listen: expected recordings or --microphone; name a file, - for standard input, or --microphone."
        )
    detector = load(run, Detector)
    for name, source in _sources(files or [], microphone=microphone, rate=rate, channels=channels):
        _print(detector, name, source, threshold or [], several=len(files or []) > 1, as_json=as_json)


def _sources(files: list[str], *, microphone: bool, rate: int, channels: int) -> Iterator[tuple[str, Any]]:
    """Yield the name of each source, and its path or its blocks of samples."""
    import sys

    from recurra.audio.files import RATE, find_recordings
    from recurra.audio.pipes import raw_blocks

    if microphone:
        from recurra.audio.microphone import microphone_blocks

        yield "microphone", microphone_blocks(RATE)
        return
    for name in files:
        if name == "-":
            yield "standard input", raw_blocks(sys.stdin.buffer, rate=rate, channels=channels)
            continue
        for path in find_recordings(Path(name)):
            yield str(path), path


def _print(
    detector: "Detector",
    name: str,
    source: Any,
    threshold: list[str],
    *,
    several: bool,
    as_json: bool,
) -> None:
    for heard in detector.listen(source, threshold=threshold):
        if as_json:
            typer.echo(json.dumps({"source": name, **heard.to_dict()}))
        else:
            typer.echo(f"{name}\t{heard.line()}" if several else heard.line())

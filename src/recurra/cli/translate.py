"""`recurra translate RUN`, `recurra caption RUN`."""

import json
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from recurra.cli.options import config_options
from recurra.config import SearchPart

if TYPE_CHECKING:
    from recurra.data.readers.pairs import Pair
    from recurra.tasks.seq2seq.facade import Answer, PairModel

_AT_ONCE = 256  # lines of a file that are searched before any is written
_SAMPLING = "Drawing in place of searching"

NBest = Annotated[int, typer.Option(min=1, help="The n best, best first, no text twice.")]
Prefix = Annotated[str, typer.Option(help="What each answer begins with.")]
Phrase = Annotated[list[str] | None, typer.Option(help="What each answer has in it; may be given again.")]
Sample = Annotated[
    int, typer.Option(min=0, help="Draw so many in place of searching.", rich_help_panel=_SAMPLING)
]
Warmth = Annotated[
    float | None,
    typer.Option(help="Below 1 bolder, above 1 more varied (default 1).", rich_help_panel=_SAMPLING),
]
TopK = Annotated[
    int | None,
    typer.Option(min=1, help="Draw from the k likeliest symbols only.", rich_help_panel=_SAMPLING),
]
TopP = Annotated[
    float | None,
    typer.Option(help="Draw from the fewest symbols that hold this share.", rich_help_panel=_SAMPLING),
]
Seed = Annotated[
    int | None, typer.Option(min=0, help="One seed, the same texts (default 0).", rich_help_panel=_SAMPLING)
]
Maps = Annotated[
    Path | None, typer.Option(help="Write a picture of the attention of each answer into this folder.")
]
AsJson = Annotated[bool, typer.Option("--json", help="One object a line, with log-probabilities.")]


@config_options(SearchPart)
def translate(
    run: Annotated[Path, typer.Argument(help="Folder of a trained translator.")],
    file: Annotated[str, typer.Argument(help="Text, a line for each line; - for standard input.")] = "-",
    n_best: NBest = 1,
    prefix: Prefix = "",
    phrase: Phrase = None,
    sample: Sample = 0,
    temperature: Warmth = None,
    top_k: TopK = None,
    top_p: TopP = None,
    seed: Seed = None,
    attention: Maps = None,
    as_json: AsJson = False,
    *,
    options: dict[str, Any],
) -> None:
    """Translate line by line: a line out for each line in, an empty one for an empty one.
    Options of the search that are not given are as in the run's training.

    echo 'A dog runs through the snow.' | recurra translate runs/en-de
    """
    from recurra.cli.text_lines import lines_of
    from recurra.data.readers.pairs import Pair
    from recurra.tasks.loading import load_pair_model
    from recurra.tasks.seq2seq.facade import Translator

    model = load_pair_model(run, Translator).searching(**options)
    drawing = _drawing(sample, temperature=temperature, top_k=top_k, top_p=top_p, seed=seed)
    pairs = (Pair((line,)) for line in lines_of(file))
    at_once = 1 if file == "-" else _AT_ONCE
    asked = _asked(n_best, prefix, phrase, drawing, options)
    write_answers(model, pairs, asked, drawing, at_once=at_once, maps=attention, as_json=as_json)


@config_options(SearchPart)
def caption(
    run: Annotated[Path, typer.Argument(help="Folder of a trained captioner.")],
    pictures: Annotated[
        Path, typer.Argument(help="An .npy or .npz of the numbers of pictures, or a folder of image files.")
    ],
    n_best: NBest = 1,
    prefix: Prefix = "",
    phrase: Phrase = None,
    sample: Sample = 0,
    temperature: Warmth = None,
    top_k: TopK = None,
    top_p: TopP = None,
    seed: Seed = None,
    attention: Maps = None,
    as_json: AsJson = False,
    *,
    options: dict[str, Any],
) -> None:
    """Say what pictures show: a line for each, with its name, or its number from 0.
    Options of the search that are not given are as in the run's training.

    recurra caption runs/captions new.npz
    """
    from recurra.data.readers.pictures import read_pictures
    from recurra.tasks.loading import load_pair_model
    from recurra.tasks.seq2seq.facade import Captioner

    model = load_pair_model(run, Captioner).searching(**options)
    drawing = _drawing(sample, temperature=temperature, top_k=top_k, top_p=top_p, seed=seed)
    pairs = iter(model.pairs_of_pictures(read_pictures(pictures)))
    asked = _asked(n_best, prefix, phrase, drawing, options)
    write_answers(model, pairs, asked, drawing, at_once=_AT_ONCE, maps=attention, as_json=as_json, named=True)


def write_answers(
    model: "PairModel",
    pairs: Iterator["Pair"],
    asked: dict[str, Any],
    drawing: dict[str, Any],
    *,
    at_once: int,
    maps: Path | None,
    as_json: bool,
    named: bool = False,
) -> None:
    """Answer pair after pair, in order, `at_once` of them searched together."""
    from recurra.errors import ConfigError

    if maps is not None and model.network.attentive is None:
        raise ConfigError("--attention: the model has none; leave it out.")
    number = 0
    while some := list(islice(pairs, at_once)):
        found = model.sampled(some, first=number, **drawing) if drawing else model.answers(some, **asked)
        for pair, answers in zip(some, found, strict=True):
            number += 1
            several = max(asked["n_best"], drawing.get("count", 1)) > 1
            typer.echo(_said(pair, answers, number, several=several, as_json=as_json, named=named))
            if maps is not None and (pair.vectors is not None or pair.source[0].strip()):
                _write_map(model, pair, answers[0], maps / f"{number}.png")


def _said(
    pair: "Pair", answers: Sequence["Answer"], number: int, *, several: bool, as_json: bool, named: bool
) -> str:
    name = pair.source[0] if named else str(number)
    if as_json:
        found = {
            "image" if named else "source": pair.source[0],
            "answers": [one.to_dict() for one in answers],
        }
        return json.dumps(found, ensure_ascii=False)
    if several:
        return "\n".join(f"{name}\t{one.score:.4f}\t{one.text}" for one in answers)
    return f"{name}\t{answers[0].text}" if named else answers[0].text


def _write_map(model: "PairModel", pair: "Pair", answer: "Answer", path: Path) -> None:
    from dataclasses import replace

    from recurra.reports.drawing import heat_map, write_png

    found = model.attention(replace(pair, targets=(answer.text,)))
    write_png(path, heat_map, found.weights, columns=found.source, rows=found.target)


_OF_SEARCHES = ("beam_width", "beam_groups", "diversity", "coverage_penalty")


def _asked(
    n_best: int, prefix: str, phrase: Iterable[str] | None, drawing: dict[str, Any], options: dict[str, Any]
) -> dict[str, Any]:
    from recurra.errors import ConfigError

    found = {"n_best": n_best, "prefix": prefix, "phrases": tuple(phrase or ())}
    if drawing and (n_best > 1 or prefix or phrase):
        raise ConfigError("--sample: does not go with --n-best, --prefix and --phrase; leave them out.")
    if drawing and (needless := [name for name in _OF_SEARCHES if name in options]):
        raise ConfigError(f"--{needless[0].replace('_', '-')}: is of a search; leave it out with --sample.")
    return found


def _drawing(count: int, **options: float | None) -> dict[str, Any]:
    """How answers are drawn; nothing where they are searched for."""
    from recurra.errors import ConfigError

    given = {name: value for name, value in options.items() if value is not None}
    if not count:
        if given:
            name = min(given).replace("_", "-")
            raise ConfigError(f"--{name}: goes with --sample; give that too, or leave it out.")
        return {}
    names = {"temperature": "warmth", "top_k": "k", "top_p": "p", "seed": "seed"}
    return {"count": count} | {names[name]: value for name, value in given.items()}

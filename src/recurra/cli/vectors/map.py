"""`recurra vectors map VECTORS`."""

from itertools import chain
from pathlib import Path
from typing import Annotated

import typer

from recurra.cli.vectors.arguments import VectorsArgument, tell_unknown

_MOST, _PERPLEXITY, _SEED = 2000, 30.0, 1
_Out = Annotated[
    Path | None,
    typer.Option("--out", "-o", help="File to write: a page (.html) or a picture (.png, .svg)."),
]
_Words = Annotated[int, typer.Option("--words", min=4, help="Number of most frequent words on the map.")]
_Only = Annotated[
    Path | None,
    typer.Option(help="File of the words of the map (if not given, the most frequent ones)."),
]
_Pairs = Annotated[
    list[str] | None,
    typer.Option(
        help="Draw these pairs in the plane of their principal components instead: man:woman,king:queen; "
        "may be given several times."
    ),
]
_Projector = Annotated[
    Path | None,
    typer.Option(help="Write vectors.tsv and metadata.tsv for the Embedding Projector to this folder."),
]
_Perplexity = Annotated[
    float, typer.Option(min=1, help="Perplexity of t-SNE, about the number of neighbours that a word keeps.")
]


def map_(
    vectors: VectorsArgument,
    out: _Out = None,
    words: _Words = _MOST,
    only: _Only = None,
    pairs: _Pairs = None,
    projector: _Projector = None,
    perplexity: _Perplexity = _PERPLEXITY,
    seed: Annotated[int, typer.Option(min=0, help="Random seed.")] = _SEED,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Overwrite an existing file.")] = False,
) -> None:
    """Draw a map of words by t-SNE: a page to search and zoom, or a picture; or pairs of words in a plane.

    recurra vectors map runs/vectors -o map.html

    recurra vectors map runs/vectors --pairs man:woman,king:queen,uncle:aunt -o pairs.png
    """
    from recurra.data.word_lists import pairs_of, read_words
    from recurra.errors import ConfigError
    from recurra.tasks.vectors.mapping import MapPlan, draw_map, draw_pairs, export_words
    from recurra.tasks.word_sources import open_vectors

    plan = MapPlan(out, projector, overwrite=overwrite)
    plan.check(pairs=bool(pairs), only=only is not None)
    of_map = {"perplexity": perplexity != _PERPLEXITY, "seed": seed != _SEED}
    for option, is_given in ({"words": words != _MOST} | of_map).items():
        if is_given and pairs:
            raise ConfigError(f"{option}: cannot be combined with pairs; remove one of them.")
        if is_given and option in of_map and out is None:
            raise ConfigError(f"{option}: applies only with out; name a file, or remove {option}.")
    if words != _MOST and only is not None:
        raise ConfigError("words: cannot be combined with only; remove one of them.")
    found = open_vectors(vectors)
    if pairs:
        each = pairs_of(pairs, "pairs")
        tell_unknown(found, "pairs", chain(*each))
        typer.echo(draw_pairs(found, each, plan))
        return
    chosen = found.index_to_key[:words] if only is None else read_words(only)
    known = [word for word in dict.fromkeys(chosen) if word in found]
    if left := len(set(chosen)) - len(known):
        typer.echo(f"{left:,} of {len(set(chosen)):,} words are unknown and left out", err=True)
    if projector is not None:
        typer.echo(export_words(found, known, plan))
    if out is not None:
        typer.echo(draw_map(found, known, plan, perplexity=perplexity, seed=seed))

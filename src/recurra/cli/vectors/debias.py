"""`recurra vectors debias VECTORS`."""

from itertools import chain
from pathlib import Path
from typing import Annotated, Literal

import typer

from recurra.cli.vectors.arguments import AsJson, VectorsArgument, tell_unknown

_Pairs = Annotated[
    list[str],
    typer.Option(
        help="Pairs of words that differ in the direction: he:she,man:woman, or a file (JSON, or two words "
        "per line); may be given several times."
    ),
]
_Out = Annotated[
    Path, typer.Option("--out", "-o", help="File to write (.npz, .txt, .vec, .bin), or a folder.")
]
_How = Annotated[
    Literal["mean", "pca"],
    typer.Option(help="Direction: mean of the differences, or first principal component of the pairs."),
]
_Definitional = Annotated[
    list[Path] | None, typer.Option(help="File of words that are not neutralised, beside those of the pairs.")
]
_Equalise = Annotated[
    list[str] | None, typer.Option(help="Pairs to equalise (if not given, those of --pairs).")
]
_Words = Annotated[
    Path | None, typer.Option(help="File of words whose bias is measured, professions for example.")
]
_Analogy = Annotated[
    list[str] | None, typer.Option(help="Analogy to answer before and after: father:doctor:mother.")
]
_Weat = Annotated[
    Path | None, typer.Option(help="Lists for association tests (JSON object); runs the tests of WEAT.")
]
_WeatTest = Annotated[
    list[str] | None, typer.Option(help="Association test by names of lists of --weat: X,Y,A,B.")
]
_MostLost = Annotated[
    float, typer.Option(min=0, max=1, help="Association tests: largest share of unknown words in a list.")
]
_Analogies = Annotated[
    list[Path] | None,
    typer.Option(help="File of analogies to test before and after."),
]
_Similarity = Annotated[
    list[Path] | None, typer.Option(help="File of similarity judgements to test before and after.")
]
_Picture = Annotated[
    Path | None, typer.Option(help="Write a plot of --words along the direction to this file (.png, .svg).")
]
_Seed = Annotated[int, typer.Option(min=0, help="Random seed of permutations and clusters.")]
_MOST_LOST = 0.2
_Overwrite = Annotated[bool, typer.Option("--overwrite", help="Overwrite an existing file.")]


def debias(
    vectors: VectorsArgument,
    pairs: _Pairs,
    out: _Out,
    how: _How = "mean",
    definitional: _Definitional = None,
    equalise: _Equalise = None,
    words: _Words = None,
    analogy: _Analogy = None,
    weat: _Weat = None,
    weat_test: _WeatTest = None,
    most_lost: _MostLost = _MOST_LOST,
    analogies: _Analogies = None,
    similarity: _Similarity = None,
    picture: _Picture = None,
    seed: _Seed = 1,
    overwrite: _Overwrite = False,
    as_json: AsJson = False,
) -> None:
    """Remove a direction, such as that of gender, from word vectors, and measure what changes.

    recurra vectors debias runs/vectors --pairs he:she,man:woman,his:her -o debiased.npz
    """
    from recurra.data.word_lists import pairs_of, read_words
    from recurra.plain import json_line
    from recurra.reports.drawing import write_png
    from recurra.reports.word_plots import moved_words
    from recurra.tasks.vectors.debiasing import Checks, debias_vectors, parsed_tests, parsed_triples
    from recurra.tasks.word_sources import open_vectors, write_vectors

    _check(
        out, picture, overwrite=overwrite, needed=(weat is None and most_lost != _MOST_LOST, words is None)
    )
    lists, tests = parsed_tests(weat, weat_test or ())
    checks = Checks(
        words=() if words is None else read_words(words),
        analogies=parsed_triples(analogy or ()),
        lists=lists,
        associations=tests,
        most_lost=most_lost,
        analogy_files=analogies or (),
        similarity_files=similarity or (),
    )
    each, equal = pairs_of(pairs, "pairs"), pairs_of(equalise or pairs, "equalise")
    kept = [word for path in definitional or () for word in read_words(path)]
    opened = open_vectors(vectors)
    found = debias_vectors(opened, each, how=how, definitional=kept, equalise=equal, checks=checks, seed=seed)
    asked = {"pairs": chain(*each), "equalise": chain(*(equal if equalise else ())), "words": checks.words}
    for name, given in asked.items():
        tell_unknown(opened, name, given)
    write_vectors(found.vectors, out)
    written = [f"vectors: {out}"]
    if picture is not None:
        write_png(picture, moved_words, found.cosines, pairs=found.direction.pairs)
        written.append(f"picture: {picture}")
    for line in [json_line(found.to_dict())] if as_json else [*found.lines(), *written]:
        typer.echo(line)


def _check(out: Path, picture: Path | None, *, overwrite: bool, needed: tuple[bool, bool]) -> None:
    """Refuse options without effect, and files that cannot be written.

    `needed` says whether the lists of most_lost and the words of the picture are missing.

    Raises: ConfigError, StorageError.
    """
    from recurra.errors import ConfigError
    from recurra.reports.drawing import check_picture
    from recurra.tasks.word_sources import check_free, check_vectors_out

    if needed[0]:
        raise ConfigError("most_lost: applies only with weat; name a file of lists, or remove most_lost.")
    if picture is not None:
        if needed[1]:
            raise ConfigError("picture: applies only with words; name a file of words, or remove picture.")
        check_picture(picture, "picture")
        check_free(picture, overwrite=overwrite)
    check_vectors_out(out, overwrite=overwrite)

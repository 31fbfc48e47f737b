"""`recurra vectors nearest VECTORS WORD…`."""

from typing import Annotated

import typer

from recurra.cli.vectors.arguments import AsJson, RestrictVocab, Top, VectorsArgument, print_words


def nearest(
    vectors: VectorsArgument,
    words: Annotated[list[str], typer.Argument(help="Words; their mean is used if there are several.")],
    topn: Top = 10,
    restrict_vocab: RestrictVocab = None,
    as_json: AsJson = False,
) -> None:
    """Show the words with the most similar vectors, by cosine.

    recurra vectors nearest runs/vectors king
    """
    from recurra.models.word_vectors.spelling import check_words
    from recurra.tasks.word_sources import open_vectors

    opened = open_vectors(vectors)
    check_words(opened, words)
    found = opened.most_similar(words, topn=topn, restrict_vocab=restrict_vocab)
    print_words(found, as_json=as_json)

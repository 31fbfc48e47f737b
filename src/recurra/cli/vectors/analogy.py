"""`recurra vectors analogy VECTORS A B C`."""

from typing import Annotated

import typer

from recurra.cli.vectors.arguments import AsJson, RestrictVocab, Top, VectorsArgument, print_words


def analogy(
    vectors: VectorsArgument,
    a: Annotated[str, typer.Argument(help="First word: A is to B as C is to ?")],
    b: Annotated[str, typer.Argument(help="Second word.")],
    c: Annotated[str, typer.Argument(help="Third word.")],
    topn: Top = 5,
    cosmul: Annotated[
        bool, typer.Option("--cosmul", help="Combine cosines by multiplication instead of addition.")
    ] = False,
    restrict_vocab: RestrictVocab = None,
    as_json: AsJson = False,
) -> None:
    """Answer "A is to B as C is to ?"; the three words are left out.

    recurra vectors analogy runs/vectors man king woman
    """
    from recurra.models.word_vectors.spelling import check_words
    from recurra.tasks.word_sources import open_vectors

    found = open_vectors(vectors)
    check_words(found, (a, b, c))
    ask = found.most_similar_cosmul if cosmul else found.most_similar
    words = ask(positive=[b, c], negative=[a], topn=topn, restrict_vocab=restrict_vocab)
    print_words(words, as_json=as_json)

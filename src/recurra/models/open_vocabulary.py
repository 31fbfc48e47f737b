"""The cost of spelling unknown symbols, which makes models of different units and vocabularies comparable:
each must predict the whole text, letter by letter if necessary."""

import math
from collections import Counter
from collections.abc import Callable, Iterable

from recurra.data import TokenFile
from recurra.models.speller import CODE_POINTS, Speller
from recurra.text import EOS, UNK, Tokenizer, Vocabulary, lines_of
from recurra.text.words import composed


def spelling_nats(tokenizer: Tokenizer, tokens: TokenFile, chunks: Callable[[], Iterable[str]]) -> float:
    """Return -log P of the spelling of every unknown symbol of a text, in nats; zero if there are none.

    An unknown word, in Unicode normalisation form C, is spelt by a character model of the words in the
    vocabulary (`Speller`), an unknown
    character is uniform over the code points that the model does not know. A literal `<unk>` in the text is
    known. `chunks` returns the text of `tokens`.

    Shapes: result scalar.
    """
    unknown = tokens.count(tokenizer.vocabulary.unk_id)
    if not unknown:
        return 0.0
    if tokenizer.unit == "char":
        return unknown * math.log(CODE_POINTS - tokenizer.vocabulary_size)
    known = tokenizer.vocabulary
    words: Counter[str] = Counter()
    for line in lines_of(chunks()):
        written, ids = tokenizer.pieces(composed(line)), tokenizer.encode_line(line)
        words.update(
            word for word, id_ in zip(written, ids, strict=True) if id_ == known.unk_id and word != UNK
        )
    costs = speller_of(known).log_probs(list(words))
    return -sum(count * float(cost) for count, cost in zip(words.values(), costs, strict=True))


def speller_of(vocabulary: Vocabulary) -> Speller:
    """Return a speller built from the words of a vocabulary."""
    return Speller([symbol for symbol in vocabulary.symbols if symbol not in (UNK, EOS)])

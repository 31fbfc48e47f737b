"""What it costs to write down the symbols that a model does not know, so that models of different units and
vocabularies compare: each is asked for the whole text, letter by letter where need be."""

import math
from collections import Counter
from collections.abc import Callable, Iterable

from recurra.data import TokenFile
from recurra.models.speller import CODE_POINTS, Speller
from recurra.text import EOS, UNK, Tokenizer, Vocabulary, lines_of


def spelling_nats(tokenizer: Tokenizer, tokens: TokenFile, chunks: Callable[[], Iterable[str]]) -> float:
    """-log P of the spelling of every unknown symbol of a text, in nats; zero where there are none.

    An unknown word is spelt by a character model of the words in the vocabulary (`Speller`), an unknown
    character is any of the code points that the model does not know. A literal `<unk>` in the text is known.
    `chunks` gives the text whose tokens are given.

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
        words.update(word for word in line.split() if word not in known)
    costs = speller_of(known).log_probs(list(words))
    return -sum(count * float(cost) for count, cost in zip(words.values(), costs, strict=True))


def speller_of(vocabulary: Vocabulary) -> Speller:
    """How the words of a vocabulary are spelt."""
    return Speller([symbol for symbol in vocabulary.symbols if symbol not in (UNK, EOS)])

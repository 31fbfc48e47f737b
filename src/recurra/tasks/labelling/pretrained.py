"""Pretrained word vectors of the words of labelled rows."""

from collections import Counter
from collections.abc import Iterable

from recurra.data.examples import BadRows, Example
from recurra.tasks.labelling.config import LabellingConfig
from recurra.tasks.labelling.corpus import texts_of
from recurra.tasks.pretrained import InitialVectors
from recurra.text.word_encoder import WordForms


def pretrained(config: LabellingConfig, rows: Iterable[Example], bad: BadRows) -> InitialVectors | None:
    """Read the vectors of the words in the rows, and of the first `vectors_limit` words of the source."""
    if config.vectors is None:
        return None
    counts = Counter(word for words in texts_of(rows) for word in words)
    forms = WordForms(config.lowercase, config.digits)
    return InitialVectors.read(config.vectors, counts, bad, forms=forms, limit=config.vectors_limit)

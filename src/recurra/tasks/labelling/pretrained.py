"""Pretrained word vectors: of a file or a run, with the share of the words of the data that have one."""

from collections import Counter
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from recurra.data.examples import BadRows, Example
from recurra.data.vector_files import VectorTable
from recurra.tasks.labelling.config import LabellingConfig
from recurra.tasks.labelling.corpus import texts_of
from recurra.tasks.word_sources import source_vectors
from recurra.text.word_encoder import WordForms

_FORMS = {
    WordForms(): "without --lowercase and --digits",
    WordForms(lowercase=True): "with --lowercase",
    WordForms(digits=True): "with --digits",
    WordForms(lowercase=True, digits=True): "with --lowercase and --digits",
}
_FEW = 0.7  # share of the words below which the file may be the wrong one
_MORE = 0.02  # share by which another form must be better to be recommended

Forms = Mapping[WordForms, Counter[str]]


class Pretrained(NamedTuple):
    """The vectors of a file, and notes on how many words of the data have one."""

    vectors: VectorTable
    notes: Sequence[str]


def pretrained(config: LabellingConfig, rows: Iterable[Example], bad: BadRows) -> Pretrained | None:
    """Read the vectors of the words in the rows, and of the first `vectors_limit` words of the source."""
    if config.vectors is None:
        return None
    own, limit = WordForms(config.lowercase, config.digits), config.vectors_limit
    forms: dict[WordForms, Counter[str]] = {way: Counter() for way in _FORMS}
    for word, count in Counter(word for words in texts_of(rows) for word in words).items():
        for way, found in forms.items():
            found[way.of(word)] += count
    every = {form for found in forms.values() for form in found}
    there: set[str] = set()

    def keep(word: str, place: int) -> bool:
        if word in every:
            there.add(word)
        return place < limit or word in forms[own]

    vectors = source_vectors(Path(config.vectors), forms[own], bad, keep)
    there.update(vectors.words)
    return Pretrained(vectors, list(_coverage(own, forms, there)))


def _coverage(own: WordForms, forms: Forms, there: Container[str]) -> Iterator[str]:
    """Describe how many words have a vector, and the options with which more would have one."""
    shares = {
        way: sum(count for form, count in found.items() if form in there) / max(1, found.total())
        for way, found in forms.items()
    }
    types = sum(form in there for form in forms[own])
    yield (
        f"vectors: {types:,} of {len(forms[own]):,} different words and {shares[own]:.1%} of all words "
        "have a vector"
    )
    best = max(shares, key=shares.__getitem__)
    if shares[best] > shares[own] + _MORE:
        yield f"vectors: {_FORMS[best]}, {shares[best]:.1%} of all words would have one"
    elif shares[own] < _FEW:
        yield "vectors: few words have one; check the language of the file and how text is split into words"

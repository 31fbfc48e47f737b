"""Pretrained word vectors as the initial embedding of a task, and how many of its words have one."""

from collections import Counter
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self, TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from recurra.config import TaskConfig
from recurra.data.examples import BadRows
from recurra.data.vector_files import VectorTable
from recurra.errors import ConfigError
from recurra.tasks.word_sources import source_vectors, vectors_sum
from recurra.text import Tokenizer
from recurra.text.word_encoder import WordForms

_FORMS = {
    WordForms(): "without --lowercase and --digits",
    WordForms(lowercase=True): "with --lowercase",
    WordForms(digits=True): "with --digits",
    WordForms(lowercase=True, digits=True): "with --lowercase and --digits",
}
_OF_TEXTS = {WordForms(): "as it is", WordForms(lowercase=True): "if the text were in lower case"}
_FEW = 0.7  # share of the words below which the vectors may be the wrong ones
_MORE = 0.02  # share by which another form must be better to be recommended

ConfigT = TypeVar("ConfigT", bound=TaskConfig)


@dataclass(frozen=True)
class InitialVectors:
    """Pretrained vectors of the words of a task: the option that names them, their source, and notes."""

    option: str
    path: Path
    table: VectorTable
    notes: Sequence[str]

    @classmethod
    def read(
        cls,
        path: str,
        counts: Mapping[str, int],
        bad: BadRows,
        *,
        forms: WordForms | None = None,
        limit: int = 0,
        option: str = "vectors",
    ) -> Self:
        """Read the vectors of the words in `counts`, and of the first `limit` words of the source.

        `counts` has the occurrences of each word; words with none are not in the notes.

        With `forms`, the task has options for the form under which a word is looked up; without, a word is
        looked up as it is.

        Raises: as `source_vectors`.
        """
        own, known = forms or WordForms(), _OF_TEXTS if forms is None else _FORMS
        found: dict[WordForms, Counter[str]] = {way: Counter() for way in known}
        for word, count in counts.items():
            for way, words in found.items():
                words[way.of(word)] += count
        every = {form for words in found.values() for form in words}
        there: set[str] = set()

        def keep(word: str, place: int) -> bool:
            if word in every:
                there.add(word)
            return place < limit or word in found[own]

        table = source_vectors(Path(path), found[own], bad, keep)
        there.update(table.words)
        notes = _coverage(own, found, there, hints=known)
        return cls(option, Path(path).absolute(), table, [f"{option}: {note}" for note in notes])

    def settled(self, config: ConfigT) -> ConfigT:
        """Return a configuration with the embedding size of the vectors.

        Raises: ConfigError if another one is given.
        """
        given, size = getattr(config, "embedding_size", None), self.table.size
        if "embedding_size" in config.given() and given != size:
            raise ConfigError(
                f"embedding_size: got {given}, expected {size}, the size of the vectors in {self.path}; "
                "remove the option."
            )
        return config.model_copy(update={"embedding_size": size})

    def fill(self, embedding: nn.Embedding, ids: Mapping[str, int]) -> None:
        """Set the rows of words with a vector, all multiplied by one number; other rows stay as they are.

        The number is such that the vectors have the standard deviation of the initial embedding, which the
        next layers expect.
        """
        rows = torch.tensor([ids[word] for word in self.table.words])
        given = torch.from_numpy(np.ascontiguousarray(self.table.vectors))
        # A power of two of the size of the vectors changes no digit, and keeps their squares within range.
        _, exponent = torch.frexp(given.abs().max())
        given = torch.ldexp(given, -exponent)
        with torch.no_grad():
            embedding.weight[rows] = given * (embedding.weight.std() / _spread(given))

    def facts(self) -> dict[str, str]:
        """Return what run.toml records."""
        return {"path": str(self.path), "fingerprint": vectors_sum(self.path)}


def _spread(given: Tensor) -> Tensor:
    """Return the standard deviation of all numbers, or their root mean square if they are all the same."""
    if given.numel() > 1 and (spread := given.std()) > 1e-6:
        return spread
    return given.square().mean().sqrt().clamp(min=1e-8)


def counted_words(tokenizer: Tokenizer, counts: Iterable[int]) -> dict[str, int]:
    """Return how often each word of a vocabulary occurs, from the counts by id, without the line end."""
    words = dict(zip(tokenizer.vocabulary.symbols, counts, strict=True))
    if tokenizer.end_id is not None:
        del words[tokenizer.vocabulary.symbols[tokenizer.end_id]]
    return words


def facts_of(*vectors: InitialVectors | None) -> dict[str, dict[str, str]]:
    """Return what run.toml records of the given vectors, by the options that name them."""
    return {each.option: each.facts() for each in vectors if each is not None}


def one_process_only(option: str) -> ConfigError:
    """Return the error for an option that works with one process only."""
    return ConfigError(
        f"{option}: works with one process only; start it without torchrun, or remove the option."
    )


def tune_later(weight: Tensor, tune_after: int, epoch: int) -> None:
    """Train an embedding only after `tune_after` epochs, if it is set."""
    if tune_after:
        weight.requires_grad_(epoch >= tune_after)


def _coverage(
    own: WordForms,
    found: Mapping[WordForms, Counter[str]],
    there: Container[str],
    *,
    hints: Mapping[WordForms, str],
) -> Iterator[str]:
    """Describe how many words have a vector, and the form in which more would have one."""
    shares = {
        way: sum(count for form, count in words.items() if form in there) / max(1, words.total())
        for way, words in found.items()
    }
    occurring = [form for form, count in found[own].items() if count]
    types = sum(form in there for form in occurring)
    yield f"{types:,} of {len(occurring):,} different words and {shares[own]:.1%} of all words have a vector"
    best = max(shares, key=shares.__getitem__)
    if shares[best] > shares[own] + _MORE:
        yield f"{hints[best]}, {shares[best]:.1%} of all words would have one"
    elif shares[own] < _FEW:
        yield "few words have one; check the language of the file and how text is split into words"

"""From text files to a tokenizer and token files for training, validation and test."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from recurra.config import TextPart
from recurra.data import TextSource, TokenFile, TokenStreams, open_tokenizer, open_tokens
from recurra.data.examples import BadRows
from recurra.data.sources import split_texts
from recurra.errors import DataError
from recurra.models import NGramModel
from recurra.tasks.language_modeling.config import LanguageModelConfig
from recurra.tasks.pretrained import InitialVectors, counted_words, facts_of
from recurra.tasks.task import Join, unchanged
from recurra.text import Tokenizer


@dataclass(frozen=True)
class EncodedText:
    """One encoded text."""

    source: TextSource
    tokens: TokenFile
    characters: int


@dataclass(frozen=True)
class LanguageModelCorpus:
    """The training, validation and test text of a language model.

    For a model from an ARPA file, `train` is None and `counted` has the n-grams. `vectors` are pretrained.
    """

    symbols: Tokenizer
    train: EncodedText | None
    valid: EncodedText
    test: EncodedText | None = None
    counted: NGramModel | None = None
    vectors: InitialVectors | None = None

    @property
    def training_text(self) -> EncodedText:
        """The training text.

        Raises: DataError if there is none.
        """
        if self.train is None:
            raise DataError("data: the model was read from an ARPA file, so it has no training text.")
        return self.train

    def facts(self) -> dict[str, Any]:
        """Return what run.toml stores, to find the texts again and to detect changes."""
        texts = {"train": self.train, "valid": self.valid, "test": self.test}
        return {
            name: {
                "path": str(text.source.path),
                "start": text.source.start,
                "stop": text.source.stop,
                "fingerprint": text.source.fingerprint,
                "characters": text.characters,
                "tokens": len(text.tokens),
            }
            for name, text in texts.items()
            if text is not None
        } | {"vocabulary_size": self.symbols.vocabulary_size, **facts_of(self.vectors)}

    def split(self) -> Mapping[str, Sequence[int]]:
        """Return nothing: parts are character ranges of a file, which `facts` contains."""
        return {}


def read_corpus(config: LanguageModelConfig, join: Join = unchanged) -> LanguageModelCorpus:
    """Read, split and encode the texts that a configuration names.

    The vocabulary is built from the training text only, so that symbols seen only in held-out text are
    unknown; `join` then joins it to that of the run to start from.

    Raises: DataError if a file cannot be used.
    """
    if config.data is None:
        raise DataError("data: the training text is missing; name a file with --data.")
    train, valid, test = split_texts(config, at_line_end=config.unit != "char")
    tokenizer = open_tokenizer(
        train, config.unit, min_count=config.min_count, max_size=config.max_vocabulary_size
    )
    tokenizer = join(tokenizer)
    text = encode(train, tokenizer, config)
    return LanguageModelCorpus(
        tokenizer,
        text,
        encode(valid, tokenizer, config),
        None if test is None else encode(test, tokenizer, config),
        vectors=_pretrained(config, text, tokenizer),
    )


def _pretrained(
    config: LanguageModelConfig, text: EncodedText, tokenizer: Tokenizer
) -> InitialVectors | None:
    """Read the vectors of the words of the training text."""
    if config.vectors is None:
        return None
    counts = text.tokens.counts(tokenizer.vocabulary_size).tolist()
    return InitialVectors.read(config.vectors, counted_words(tokenizer, counts), BadRows())


def find_corpus(
    config: LanguageModelConfig, facts: Mapping[str, Any], tokenizer: Tokenizer
) -> LanguageModelCorpus:
    """Read the corpus of an earlier run, with its saved tokenizer.

    Raises: DataError if a file is missing or has changed.
    """
    names = [name for name in ("train", "valid", "test") if name in facts]
    texts = {name: encode(known_source(facts[name]), tokenizer, config) for name in names}
    return LanguageModelCorpus(tokenizer, texts.get("train"), texts["valid"], texts.get("test"))


def known_source(facts: Mapping[str, Any]) -> TextSource:
    """Return a text that run.toml describes.

    Raises: DataError if the file is missing or has changed.
    """
    source = TextSource(Path(facts["path"]), facts["start"], facts.get("stop"))
    if source.fingerprint != facts["fingerprint"]:
        raise DataError(
            f"{source.path}: has changed since the run began, so its figures would differ; restore the old "
            "file, or train a new run on the new one."
        )
    return source


def encode(source: TextSource, tokenizer: Tokenizer, config: TextPart) -> EncodedText:
    """Encode a text into a token file, or open it from the cache."""
    tokens = open_tokens(source, tokenizer, config.documents, backward=config.direction == "backward")
    stop = source.facts().characters if source.stop is None else source.stop
    return EncodedText(source, tokens, stop - source.start)


def make_streams(
    text: EncodedText, tokenizer: Tokenizer, config: LanguageModelConfig, *, rows: slice | None = None
) -> TokenStreams:
    """Return the training streams of a text; `rows` are the rows of this process."""
    return TokenStreams(
        text.tokens.ids,
        start_id=tokenizer.start_id,
        batch_size=config.batch_size,
        segment_length=config.update_every or config.segment_length,
        document_starts=text.tokens.document_starts,
        at_document=config.at_document,
        rows=rows,
        shift_seed=config.seed if config.shift_segments else None,
        name=str(text.source.path),
    )

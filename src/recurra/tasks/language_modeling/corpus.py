"""From a text file to a tokenizer and token files, split into training and validation."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from recurra.config import TextPart
from recurra.data import TextSource, TokenFile, TokenStreams, open_tokenizer, open_tokens, split_source
from recurra.errors import DataError
from recurra.models import NGramModel
from recurra.tasks.language_modeling.config import LanguageModelConfig
from recurra.text import Tokenizer


@dataclass(frozen=True)
class EncodedText:
    """One text, encoded."""

    source: TextSource
    tokens: TokenFile
    characters: int


@dataclass(frozen=True)
class LanguageModelCorpus:
    """What a language model is trained and validated on.

    `train` is None for one of an ARPA file, whose n-grams are `counted`.
    """

    symbols: Tokenizer
    train: EncodedText | None
    valid: EncodedText
    test: EncodedText | None = None
    counted: NGramModel | None = None

    @property
    def training_text(self) -> EncodedText:
        """The text to train on.

        Raises: DataError if there is none.
        """
        if self.train is None:
            raise DataError("data: the model was read from a file, so it has no text that it was trained on.")
        return self.train

    def facts(self) -> dict[str, Any]:
        """What run.toml keeps of it: enough to find it again and to notice a change."""
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
        } | {"vocabulary_size": self.symbols.vocabulary_size}

    def split(self) -> Mapping[str, Sequence[int]]:
        """Nothing: parts are from one character of a file to another, as the facts say."""
        return {}


def read_corpus(config: LanguageModelConfig) -> LanguageModelCorpus:
    """Read, split and encode the texts that a configuration names.

    The vocabulary is counted on the training part alone, so that unknown symbols of held-out text are
    unknown indeed.

    Raises: DataError if a file cannot be used.
    """
    if config.data is None:
        raise DataError("data: no text to train on; name a file with --data.")
    whole = TextSource(Path(config.data).absolute())
    if config.valid is None:
        train, valid = split_source(whole, config.validation_fraction, at_line_end=config.unit != "char")
    else:
        train, valid = whole, TextSource(Path(config.valid).absolute())
    test = None if config.test is None else TextSource(Path(config.test).absolute())
    for held_out in (valid, test):
        if held_out is not None:
            held_out.facts()  # a fault in it is best known before the work begins
    tokenizer = open_tokenizer(
        train, config.unit, min_count=config.min_count, max_size=config.max_vocabulary_size
    )
    return LanguageModelCorpus(
        tokenizer,
        encode(train, tokenizer, config),
        encode(valid, tokenizer, config),
        None if test is None else encode(test, tokenizer, config),
    )


def find_corpus(
    config: LanguageModelConfig, facts: Mapping[str, Any], tokenizer: Tokenizer
) -> LanguageModelCorpus:
    """The corpus of an earlier run, with the tokenizer that the run kept.

    Raises: DataError if a file is gone or has changed since.
    """
    names = [name for name in ("train", "valid", "test") if name in facts]
    texts = {name: encode(known_source(facts[name]), tokenizer, config) for name in names}
    return LanguageModelCorpus(tokenizer, texts.get("train"), texts["valid"], texts.get("test"))


def known_source(facts: Mapping[str, Any]) -> TextSource:
    """The text that run.toml tells of.

    Raises: DataError if the file is gone or has changed since.
    """
    source = TextSource(Path(facts["path"]), facts["start"], facts.get("stop"))
    if source.fingerprint != facts["fingerprint"]:
        raise DataError(
            f"{source.path}: has changed since the run began, so its figures would not be the same; put the "
            "old file back, or train anew on the new one."
        )
    return source


def encode(source: TextSource, tokenizer: Tokenizer, config: TextPart) -> EncodedText:
    """A text's token file, from the cache where it is."""
    tokens = open_tokens(source, tokenizer, config.documents, backward=config.direction == "backward")
    stop = source.facts().characters if source.stop is None else source.stop
    return EncodedText(source, tokens, stop - source.start)


def make_streams(
    text: EncodedText, tokenizer: Tokenizer, config: LanguageModelConfig, *, rows: slice | None = None
) -> TokenStreams:
    """The training streams of a text; `rows` are those of this process."""
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

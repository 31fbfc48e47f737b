"""Learners of n-gram models: one counts the n-grams of a text, the other reads an ARPA file."""

import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, cast

import numpy as np
import torch
from torch import Tensor

from recurra.data import TextSource
from recurra.errors import ConfigError, RunError
from recurra.models import NGramModel, NGramNetwork, read_arpa
from recurra.models.ngram.counting import Contexts, GramCounter, GramCounts
from recurra.models.ngram.smoothing import smoothed
from recurra.plain import counted, quoted, unit_noun
from recurra.tasks.language_modeling.config import LanguageModelConfig
from recurra.tasks.language_modeling.corpus import LanguageModelCorpus, encode
from recurra.tasks.language_modeling.evaluation import evaluate_text
from recurra.text import EOS, UNK, Tokenizer, Vocabulary, tokenizer_of
from recurra.training import Learner, Moment, Update, named_memory_faults
from recurra.training.snapshot import refuse_other_keys

_LESS_MEMORY = "lower --order or --chunk-size, or raise --cutoff"
_OF_GRAMS = ("keys", "counts", "suffixes", "begins")


class NGramLearner(Learner):
    """Base class of n-gram learners: validation, weights and loading."""

    has_learning_rate: ClassVar[bool] = False

    def __init__(self, config: LanguageModelConfig, corpus: LanguageModelCorpus) -> None:
        self._config, self._corpus, self._symbols = config, corpus, corpus.symbols
        self._start_id = start_of_lines(corpus.symbols)

    def validate(self) -> dict[str, float]:
        """Return loss and perplexity on the validation text."""
        assert isinstance(self.network, NGramNetwork), "validation needs a finished model"
        figures = evaluate_text(self.network, self._symbols, self._corpus.valid, spell_unknown=False)
        return figures.of_validation()

    def criterion(self, figures: Mapping[str, float]) -> float:
        """Return the loss, with the largest float for an infinite loss (a symbol with probability 0)."""
        return min(figures["loss"], sys.float_info.max)

    def weights(self) -> Mapping[str, Tensor]:
        """Return the tables of probabilities. Shapes: see `NGramNetwork.tensors`."""
        return cast(NGramNetwork, self.network).tensors()

    def load_weights(self, tensors: Mapping[str, Tensor], *, source: str) -> None:
        """Load the tables of `weights`, rounded as in the run. Raises: RunError."""
        self.network = NGramNetwork.from_tensors(
            tensors, self._config.smoothing, self._start_id, source=source
        )


class CountingLearner(NGramLearner):
    """Counts the n-grams of a text, one chunk per update.

    With words, each line is a separate sentence; n-grams of characters and subwords may cross lines.
    """

    def __init__(self, config: LanguageModelConfig, corpus: LanguageModelCorpus) -> None:
        super().__init__(config, corpus)
        ids = corpus.training_text.tokens.ids
        starts = None
        if self._start_id is not None:
            starts = np.flatnonzero(ids[:-1] == corpus.symbols.end_id) + 1
        contexts = Contexts(ids, starts, self._start_id, config.order)
        self._length = len(ids)
        self._counter = GramCounter(contexts, corpus.symbols.vocabulary_size)

    def __len__(self) -> int:
        """Number of chunks of the text."""
        return -(-self._length // self._config.chunk_size)

    def sentences(self, steps: int) -> Iterable[str]:
        """Yield the size of the work."""
        config = self._config
        symbols = counted(self._length, unit_noun(config.unit))
        yield f"{config.order}-grams of {symbols} in {counted(steps, 'step')}; Ctrl-C saves"

    def update(self, moment: Moment) -> Update:
        """Count one chunk."""
        low = moment.index * self._config.chunk_size
        high = min(low + self._config.chunk_size, self._length)
        with named_memory_faults(_LESS_MEMORY):
            self._counter.add(low, high)
        return Update(high - low)

    def validate(self) -> dict[str, float]:
        """Compute probabilities from all counts, and evaluate them."""
        config, size = self._config, self._symbols.vocabulary_size
        cutoffs = [0, config.cutoff] if config.cutoff else ()
        with named_memory_faults(_LESS_MEMORY):
            levels = self._counter.total()
            self._counter.parts = []  # counting is complete: a checkpoint no longer needs them
            tables = smoothed(levels, size, config.smoothing, k=config.add_k, cutoffs=cutoffs)
        self.network = NGramNetwork(
            NGramModel(size, tables, smoothing=config.smoothing, start_id=self._start_id)
        )
        return super().validate()

    def checkpoint(self) -> tuple[dict[str, Any], dict[str, Tensor]]:
        """Return the counts of each piece of the text. Shapes: see `GramCounts`."""
        parts = self._counter.parts
        tensors = {
            f"counts.{part}.{length}.{name}": torch.from_numpy(getattr(grams, name))
            for part, levels in enumerate(parts)
            for length, grams in enumerate(levels, start=1)
            for name in _OF_GRAMS
        }
        return {"levels": [len(levels) for levels in parts]}, tensors

    def restore(self, state: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> None:
        """Restore the state of `checkpoint`. Raises: RunError if it does not fit."""
        refuse_other_keys(state, {"levels"})
        names = [
            [[f"counts.{part}.{length}.{name}" for name in _OF_GRAMS] for length in range(1, count + 1)]
            for part, count in enumerate(state["levels"])
        ]
        refuse_other_keys(tensors, [name for part in names for level in part for name in level])
        self._counter.parts = [
            [GramCounts(*(tensors[name].numpy() for name in level)) for level in part] for part in names
        ]


class ArpaLearner(NGramLearner):
    """Reads the n-grams of an ARPA file, in one update."""

    def __len__(self) -> int:
        """Number of updates: one."""
        return 1

    def sentences(self, steps: int) -> Iterable[str]:
        """Yield the source of the n-grams."""
        yield f"n-grams of {self._config.arpa}"

    def update(self, moment: Moment) -> Update:
        """Read the file, if it was not read before."""
        model = self._corpus.counted
        if model is None:
            model, symbols = read_arpa(Path(str(self._config.arpa)))
            if tuple(symbols) != tuple(self._symbols.vocabulary.symbols):
                raise RunError(
                    f"{self._config.arpa}: has changed since the run began; restore the old file, or train "
                    "again with --overwrite."
                )
        model.start_id = self._start_id
        self.network = NGramNetwork(model)
        return Update(0)

    def checkpoint(self) -> tuple[dict[str, Any], dict[str, Tensor]]:
        """Return nothing: the file is read again."""
        return {}, {}

    def restore(self, state: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> None:
        """Restore nothing. Raises: RunError if the checkpoint is not empty."""
        refuse_other_keys([*state, *tensors], ())


def read_counts(config: LanguageModelConfig, path: Path) -> LanguageModelCorpus:
    """Read the n-grams of an ARPA file and the texts to evaluate on.

    Raises: ConfigError for options that do not fit; DataError if a file cannot be used.
    """
    if config.unit == "subword":
        raise ConfigError("arpa: an ARPA file has words or characters, not subwords; use --unit word.")
    if config.valid is None:
        raise ConfigError("arpa: a model from an ARPA file needs a validation text; name one with --valid.")
    model, symbols = read_arpa(path)
    _check_unit(config.unit, path, symbols)
    tokenizer = tokenizer_of(config.unit, Vocabulary(symbols))
    texts = {
        name: encode(TextSource(Path(file).absolute()), tokenizer, config)
        for name, file in (("valid", config.valid), ("test", config.test))
        if file is not None
    }
    return LanguageModelCorpus(tokenizer, None, texts["valid"], texts.get("test"), counted=model)


def _check_unit(unit: str, path: Path, symbols: Sequence[str]) -> None:
    """Refuse an ARPA file with tokens that are not symbols of this unit."""
    longer = next((one for one in symbols if len(one) > 1 and one not in (UNK, EOS)), None)
    if unit == "char" and longer is not None:
        raise ConfigError(f"{path}: has tokens of several characters ({quoted(longer)}); use --unit word.")
    if unit == "word" and EOS not in symbols:
        hint = (
            "it is a character model; use --unit char."
            if longer is None
            else "its sentences have no end symbol."
        )
        raise ConfigError(f"{path}: has no </s>, so it is not a word model of lines: {hint}")


def start_of_lines(tokenizer: Tokenizer) -> int | None:
    """Return the symbol before each line, or None if lines are not separate sentences."""
    return tokenizer.start_id if tokenizer.unit == "word" else None

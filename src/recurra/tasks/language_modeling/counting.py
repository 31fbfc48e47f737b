"""Counting an n-gram model into a run folder: what the loop through time is for networks."""

import signal
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from lightning_fabric import Fabric

from recurra.data import TextSource
from recurra.errors import ConfigError, Interrupted
from recurra.models import NGramModel, NGramNetwork, read_arpa
from recurra.plain import finite
from recurra.runs import RunFolder
from recurra.tasks.language_modeling.config import LanguageModelConfig
from recurra.tasks.language_modeling.corpus import EncodedText, LanguageModelCorpus, encode
from recurra.tasks.language_modeling.evaluation import evaluate_text
from recurra.text import EOS, UNK, Tokenizer, Vocabulary, tokenizer_of
from recurra.training import Listener, Outcome, StepReport, named_memory_faults


class Counting:
    """Counts a text's n-grams, or takes those of an ARPA file: one update, one validation."""

    def __init__(
        self,
        config: LanguageModelConfig,
        corpus: LanguageModelCorpus,
        run: RunFolder,
        fabric: Fabric,
        listeners: Sequence[Listener],
    ) -> None:
        self._corpus, self._run, self._writes = corpus, run, fabric.is_global_zero
        self._listeners = tuple(listeners) if fabric.is_global_zero else ()
        self._tell("on_start", 0, 1)
        began = time.perf_counter()
        try:
            with named_memory_faults("lower --order, or raise --cutoff"):
                model = corpus.counted or fit_ngrams(config, corpus.training_text, corpus.symbols)
        except KeyboardInterrupt:
            raise Interrupted("stopped while counting; nothing is written", signal.SIGINT) from None
        self._seconds = corpus.seconds + time.perf_counter() - began
        self.network = NGramNetwork(model)

    def sentences(self) -> Iterable[str]:
        """The order and size of the model."""
        model = self.network.model
        yield f"{model.order}-grams: {model.parameters:,} numbers"

    def fit(self, *, resume: bool = False) -> Outcome:
        """Write the weights, and validate them."""
        tokens = 0 if self._corpus.train is None else len(self._corpus.train.tokens)
        epochs = 0 if self._corpus.train is None else 1
        place = {"step": 1, "epoch": epochs, "tokens": tokens}
        try:
            figures = evaluate_text(self.network, self._corpus.symbols, self._corpus.valid)
            self._tell("on_step", StepReport(1, 1, 0, tokens, figures.loss, 0.0, 0.0))
            record = {"kind": "validation", **place, **finite(figures.of_validation())}
            record = {name: value for name, value in record.items() if value is not None}
            record["elapsed_s"] = round(self._seconds, 3)
            if self._writes:
                self._run.write_weights(self.network.tensors())
                self._run.metrics.append(record)
            self._tell("on_log", record)
            self._tell("on_validation", record, best=True)
        finally:
            self._tell("on_end")
        return Outcome(
            steps=1,
            epochs=epochs,
            tokens=tokens,
            best=figures.loss,
            best_step=1,
            stopped_early=False,
            elapsed_s=self._seconds,
        )

    def _tell(self, event: str, *values: Any, **named: Any) -> None:
        for listener in self._listeners:
            getattr(listener, event)(*values, **named)


def read_counts(config: LanguageModelConfig, path: Path) -> LanguageModelCorpus:
    """The n-grams of an ARPA file, and the texts to measure them on.

    Raises: ConfigError for options that do not fit; DataError if a file cannot be used.
    """
    if config.unit == "subword":
        raise ConfigError("arpa: an ARPA file holds words or characters, not subwords; name --unit word.")
    if config.valid is None:
        raise ConfigError(
            "arpa: a model that is read needs a text to be validated on; name one with --valid."
        )
    began = time.perf_counter()
    model, symbols = read_arpa(path)
    _check_unit(config.unit, path, symbols)
    tokenizer = tokenizer_of(config.unit, Vocabulary(symbols))
    model.start_id = start_of_lines(tokenizer)
    seconds = time.perf_counter() - began
    texts = {
        name: encode(TextSource(Path(file).absolute()), tokenizer, config)
        for name, file in (("valid", config.valid), ("test", config.test))
        if file is not None
    }
    return LanguageModelCorpus(tokenizer, None, **texts, counted=model, seconds=seconds)


def _check_unit(unit: str, path: Path, symbols: Sequence[str]) -> None:
    """Refuse an ARPA file whose tokens are no symbols of this unit."""
    longer = next((one for one in symbols if len(one) > 1 and one not in (UNK, EOS)), None)
    if unit == "char" and longer is not None:
        raise ConfigError(f"{path}: has tokens of several characters ({longer!r}); name --unit word.")
    if unit == "word" and EOS not in symbols:
        hint = (
            "it is one of characters; name --unit char." if longer is None else "its sentences have no end."
        )
        raise ConfigError(f"{path}: has no </s>, so it is no model of words in lines: {hint}")


def fit_ngrams(config: LanguageModelConfig, text: EncodedText, tokenizer: Tokenizer) -> NGramModel:
    """The n-gram model of a text. With words each line is a sentence of its own; characters and subwords run
    on over lines."""
    ids = text.tokens.ids
    start_id = start_of_lines(tokenizer)
    starts = None if start_id is None else np.flatnonzero(ids[:-1] == tokenizer.end_id) + 1
    return NGramModel.fit(
        ids,
        tokenizer.vocabulary_size,
        config.order,
        config.smoothing,
        starts=starts,
        start_id=start_id,
        k=config.add_k,
        cutoffs=[0, config.cutoff] if config.cutoff else (),
    )


def start_of_lines(tokenizer: Tokenizer) -> int | None:
    """The symbol that stands before each line, or None where lines do not begin anew."""
    return tokenizer.start_id if tokenizer.unit == "word" else None

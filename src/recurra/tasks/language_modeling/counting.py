"""Counting an n-gram model into a run folder: what training is for networks."""

import signal
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from recurra.data import TextSource
from recurra.errors import ConfigError, Interrupted
from recurra.models import NGramModel, NGramNetwork, read_arpa
from recurra.runs import RunFolder
from recurra.tasks.language_modeling.config import LanguageModelConfig
from recurra.tasks.language_modeling.corpus import EncodedText, LanguageModelCorpus, encode, read_corpus
from recurra.tasks.language_modeling.evaluation import evaluate_text
from recurra.tasks.language_modeling.outcome import TASK, TrainingResult
from recurra.text import EOS, UNK, Tokenizer, Vocabulary, tokenizer_of
from recurra.training import Outcome, named_memory_faults
from recurra.training.session import log_final


def count(config: LanguageModelConfig, out: Path, *, overwrite: bool = False) -> TrainingResult:
    """Count a text's n-grams into the folder `out`, or take them from an ARPA file.

    Raises: RunError if `out` is in the way; DataError if a text or the ARPA file cannot be used;
    ConfigError, OutOfMemoryError, StorageError.
    """
    RunFolder.check_free(out, overwrite=overwrite)
    with named_memory_faults("lower --order, or raise --cutoff"):
        began = time.perf_counter()
        if config.arpa is not None:
            network, corpus = _from_arpa(config, Path(config.arpa))
        else:
            corpus = read_corpus(config)
            began = time.perf_counter()
            try:
                network = NGramNetwork(fit_ngrams(config, corpus.training_text, corpus.tokenizer))
            except KeyboardInterrupt:
                raise Interrupted("stopped while counting; nothing is written", signal.SIGINT) from None
        took = time.perf_counter() - began
        with RunFolder.claimed(out, overwrite=overwrite) as run:
            run.begin(TASK, config.model_dump(), corpus.facts(), corpus.tokenizer.save)
            run.write_weights(network.tensors())
            return _evaluated(run, network, corpus, took)


def _from_arpa(config: LanguageModelConfig, path: Path) -> tuple[NGramNetwork, LanguageModelCorpus]:
    """The model in an ARPA file, and the texts to evaluate it on."""
    if config.unit == "subword":
        raise ConfigError("arpa: an ARPA file holds words or characters, not subwords; name --unit word.")
    if config.valid is None:
        raise ConfigError(
            "arpa: a model that is read needs a text to be validated on; name one with --valid."
        )
    model, symbols = read_arpa(path)
    _check_unit(config.unit, path, symbols)
    tokenizer = tokenizer_of(config.unit, Vocabulary(symbols))
    model.start_id = start_of_lines(tokenizer)
    texts = {
        name: encode(TextSource(Path(file).absolute()), tokenizer, config)
        for name, file in (("valid", config.valid), ("test", config.test))
        if file is not None
    }
    return NGramNetwork(model), LanguageModelCorpus(tokenizer, None, **texts)


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


def _evaluated(
    run: RunFolder, network: NGramNetwork, corpus: LanguageModelCorpus, took: float
) -> TrainingResult:
    validation = evaluate_text(network, corpus.tokenizer, corpus.valid)
    test = None if corpus.test is None else evaluate_text(network, corpus.tokenizer, corpus.test)
    outcome = Outcome(
        steps=1,
        epochs=1,
        tokens=0 if corpus.train is None else len(corpus.train.tokens),
        best=validation.loss,
        best_step=1,
        stopped_early=False,
        elapsed_s=took,
    )
    log_final(run, outcome, {"final": validation, "test": test})
    return TrainingResult(run.path, outcome, validation, test, is_main_process=True)

"""Counting an n-gram model into a run folder: what training is for networks."""

import time
from pathlib import Path

import numpy as np

from recurra.models import NGramModel, NGramNetwork
from recurra.runs import RunFolder
from recurra.tasks.language_modeling.config import LanguageModelConfig
from recurra.tasks.language_modeling.corpus import EncodedText, LanguageModelCorpus, read_corpus
from recurra.tasks.language_modeling.evaluation import evaluate_text
from recurra.tasks.language_modeling.outcome import TASK, TrainingResult, log_final
from recurra.text import Tokenizer
from recurra.training import Outcome, named_memory_faults


def count(config: LanguageModelConfig, out: Path, *, overwrite: bool = False) -> TrainingResult:
    """Count a text's n-grams into the folder `out`.

    Raises: RunError if `out` is in the way; DataError if a text cannot be used; ConfigError,
    OutOfMemoryError, StorageError.
    """
    RunFolder.check_free(out, overwrite=overwrite)
    with named_memory_faults("lower --order, or raise --cutoff"):
        corpus = read_corpus(config)
        began = time.perf_counter()
        network = NGramNetwork(fit_ngrams(config, corpus.train, corpus.tokenizer))
        took = time.perf_counter() - began
        run = RunFolder.create(out, overwrite=overwrite)
        run.write_settings(TASK, config.model_dump(), corpus.facts())
        corpus.tokenizer.save(out)
        run.write_weights(network.tensors())
        return _evaluated(run, network, corpus, took)


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
        tokens=len(corpus.train.tokens),
        best_loss=validation.loss,
        best_step=1,
        stopped_early=False,
        elapsed_s=took,
    )
    log_final(run, outcome, {"final": validation, "test": test})
    return TrainingResult(run.path, outcome, validation, test, is_main_process=True)

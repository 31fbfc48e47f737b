"""A recurrent network learns to write kinematics problems, character by character, in about a minute.

The network has two layers and is trained with truncated BPTT. It is sampled after 5 % and 25 % of the
training and at the end, and the final samples are checked for text copied from the training data.
"""

from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.panel import Panel
from rich.text import Text

from recurra.config import without_none
from recurra.data.synthetic.kinematics import write_corpus
from recurra.metrics import LikelihoodFigures, novelty
from recurra.models import NextSymbolNetwork, NGramModel
from recurra.plain import shell
from recurra.reports import Sample, write_report
from recurra.runs import RunFolder
from recurra.tasks import driver
from recurra.tasks.language_modeling.config import LanguageModelConfig
from recurra.tasks.language_modeling.corpus import LanguageModelCorpus
from recurra.tasks.language_modeling.facade import LanguageModel
from recurra.tasks.language_modeling.task import LanguageModeling
from recurra.training import Listener, ProgressBar, StepReport, Trainer

PROBLEMS = 6000
NGRAM_ORDER = 6
SHARES = (0.05, 0.25)
FINAL_SAMPLES = 3
_LENGTH = 420
_TEMPERATURE = 0.7
_READ_BEFORE = (
    "A stone is dropped from a bridge that is 20 m high. If g = 9.8 m/s^2, how long does the stone take "
    "to hit the water?\nAnswer: 2.0 s\n\n"
)


@dataclass(frozen=True)
class DemoResult:
    """The folder of the demo's run, and its metrics on the validation data."""

    run: Path
    report: Path
    perplexity: float
    ngram_perplexity: float
    samples: tuple[Sample, ...]


class _Sampler(Listener):
    """Shows a sample after 5 % and after 25 % of the training."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self.samples: list[Sample] = []
        self.model: LanguageModel | None = None
        self._shares = list(SHARES)

    def on_step(self, report: StepReport) -> None:
        if self._shares and report.step >= self._shares[0] * report.total_steps and self.model is not None:
            share = self._shares.pop(0)
            text = _sample(self.model, seed=1)
            self.show(Sample(f"after {share:.0%} of the training", text, f"loss {report.loss:.3f}"))

    def show(self, sample: Sample) -> None:
        """Print a sample and keep it for the report."""
        self.samples.append(sample)
        self.console.print(Panel(Text(sample.text), title=sample.title, width=100))
        self.console.print(sample.note, highlight=False)


def run(
    out: Path, *, overwrite: bool = False, seed: int = 1, console: Console | None = None, **options: Any
) -> DemoResult:
    """Create the corpus, train, sample, compare with an n-gram model, and write a report to `out`.

    `options` are options of a language model that override those of the demo.

    Raises: RunError if `out` is in the way.
    """
    console = console or Console()
    RunFolder.check_free(out, overwrite=overwrite)
    problems = out.with_name(out.name + ".txt")
    held = RunFolder(out).locked() if overwrite and (out / "run.toml").exists() else nullcontext()
    with held:  # a training in progress there reads these problems
        write_corpus(problems, PROBLEMS, seed)
    console.print(f"{PROBLEMS:,} physically correct kinematics problems written to {problems}")
    sampler = _Sampler(console)
    corpora: list[LanguageModelCorpus] = []
    config = _config(problems, seed, options)

    def ready(trainer: Trainer, corpus: LanguageModelCorpus) -> None:
        corpora.append(corpus)
        network = trainer.learner.network
        assert isinstance(network, NextSymbolNetwork), "the demonstration trains such a network"
        sampler.model = LanguageModel(network, corpus.symbols, config)
        console.print(
            f"{config.num_layers} x {config.hidden_size} {config.cell.upper()} units, "
            f"{len(corpus.training_text.tokens):,} training characters, {trainer.total_steps:,} steps"
        )

    bar = ProgressBar(console, "character")
    task, watchers = LanguageModeling(), [bar, sampler]
    result = driver.train(task, config, out, overwrite=overwrite, listeners=watchers, on_ready=ready)
    validation = result.validation
    assert isinstance(validation, LikelihoodFigures), "the metrics of a language model"
    corpus = corpora[0]
    ngram = NGramModel.fit(
        np.asarray(corpus.training_text.tokens.ids), corpus.symbols.vocabulary_size, NGRAM_ORDER
    )
    ngram_perplexity = float(np.exp(ngram.cross_entropy(np.asarray(corpus.valid.tokens.ids))))
    _final_samples(sampler, LanguageModel.load(out), corpus)
    figures = {
        f"{config.cell.upper()}, validation perplexity per character": f"{validation.perplexity:.3f}",
        f"{NGRAM_ORDER}-gram, validation perplexity per character": f"{ngram_perplexity:.3f}",
        "bits per character": f"{validation.bits_per_character:.3f}",
        "training time": f"{result.outcome.elapsed_s:.0f} s",
    }
    with RunFolder(out).locked():
        report = write_report(
            RunFolder.open(out),
            title="Learning to write kinematics problems",
            unit="character",
            figures=figures,
            samples=sampler.samples,
            options=without_none(config.model_dump()),
        )
    _tell_end(console, figures, report, out)
    return DemoResult(out, report, validation.perplexity, ngram_perplexity, tuple(sampler.samples))


def _config(problems: Path, seed: int, options: Mapping[str, Any]) -> LanguageModelConfig:
    """Return the preset "kinematics" with the demo's data, seed and options."""
    own = {"data": str(problems.absolute()), "seed": seed}
    return LanguageModelConfig.build("kinematics", options=own | dict(options)).resolved()


def _sample(model: LanguageModel, seed: int) -> str:
    """Sample some problems after the model has read one, as in training."""
    pieces = model.sample_stream(_READ_BEFORE, length=_LENGTH, temperature=_TEMPERATURE, seed=seed)
    return "".join(pieces).strip()


def _final_samples(sampler: _Sampler, model: LanguageModel, corpus: LanguageModelCorpus) -> None:
    """Show samples of the best weights and how much of each is copied from the training text.

    A held-out passage is shown for comparison: it is not copied, but also shares passages with that text.
    """
    training_chunks = corpus.training_text.source.chunks
    for seed in range(1, FINAL_SAMPLES + 1):
        text = _sample(model, seed)
        note = novelty(text, training_chunks).sentence()
        sampler.show(Sample(f"at the end, sample {seed}", text, note))
    held_out = next(iter(corpus.valid.source.chunks()))[:_LENGTH].strip()
    note = novelty(held_out, training_chunks).sentence()
    sampler.show(Sample("for comparison: held-out problems, not written by the network", held_out, note))


def _tell_end(console: Console, figures: Mapping[str, str], report: Path, out: Path) -> None:
    for name, value in figures.items():
        console.print(f"{name}: {value}", highlight=False)
    console.print(f"report: {report}", soft_wrap=True)
    console.print(
        f'try:  recurra sample {shell(out)} --prime "A car"   recurra complete {shell(out)} "A ball is thr"',
        soft_wrap=True,
    )

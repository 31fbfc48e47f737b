"""`recurra report RUN`."""

import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from recurra.tasks.language_modeling.facade import LanguageModel

_SAMPLE_LENGTH = 600
_LONGEST_SEARCHED = 20_000_000  # characters of a training text that samples are looked for in


def report(run: Annotated[Path, typer.Argument(help="Folder of a trained run.")]) -> None:
    """Write report.html into a run's folder: curves, figures, samples, configuration."""
    typer.echo(f"report: {make_report(run)}")


def make_report(run: Path) -> Path:
    """The page of a run; returns its path."""
    from recurra.tasks.labelling.facade import Labeller
    from recurra.tasks.loading import load
    from recurra.tasks.seq2seq.facade import PairModel

    model = load(run)
    if isinstance(model, Labeller):
        from recurra.tasks.labelling.report import write_page

        return write_page(model, run)
    if isinstance(model, PairModel):
        from recurra.tasks.seq2seq.report import write_page as write_pairs_page

        return write_pairs_page(model, run)
    return _language_model_page(model, run)


def _language_model_page(model: "LanguageModel", run: Path) -> Path:
    from recurra.metrics import perplexity_text
    from recurra.reports import Sample, write_report
    from recurra.runs import RunFolder

    folder = RunFolder.open(run)
    unit = {"char": "character"}.get(model.tokenizer.unit, model.tokenizer.unit)
    length = _SAMPLE_LENGTH if unit == "character" else _SAMPLE_LENGTH // 5
    samples = []
    for warmth in (0.7, 1.0):
        if not model.reads_backward:
            text = model.sample(length=length, temperature=warmth, seed=1)
            samples.append(Sample(f"temperature {warmth}, seed 1", text, _novelty(model, text)))
    figures = {}
    for record in folder.metrics.read():
        if record["kind"] == "final":
            figures = {
                f"validation, nats per {unit}": f"{record.get('loss', math.inf):.4f}",
                f"perplexity per {unit}": perplexity_text(record.get("perplexity", math.inf)),
                "bits per character": f"{record.get('bits_per_character', math.inf):.3f}",
                f"{unit}s": f"{record['symbols']:,}",
                "share of <unk>": f"{record['unknown_rate']:.2%}",
            }
    return write_report(folder, title="Language model", unit=unit, figures=figures, samples=samples)


def _novelty(model: "LanguageModel", text: str) -> str:
    """How much of a sample is learnt by heart; nothing where the training text is gone or very long."""
    from recurra.errors import RecurraError

    try:
        source = model.source_of("train")
        if source.facts().characters > _LONGEST_SEARCHED:
            return ""
        return model.novelty(text).sentence()
    except RecurraError:
        return ""

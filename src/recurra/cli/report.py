"""`recurra report RUN`."""

from pathlib import Path
from typing import Annotated

import typer

_SAMPLE_LENGTH = 600


def report(run: Annotated[Path, typer.Argument(help="Folder of a trained run.")]) -> None:
    """Write report.html into a run's folder: curves, figures, samples, configuration."""
    typer.echo(f"report: {make_report(run)}")


def make_report(run: Path) -> Path:
    """The page of a language model's run; returns its path."""
    from recurra.reports import Sample, write_report
    from recurra.runs import RunFolder
    from recurra.tasks.loading import load

    folder = RunFolder.open(run)
    model = load(run)
    unit = {"char": "character"}.get(model.tokenizer.unit, model.tokenizer.unit)
    length = _SAMPLE_LENGTH if unit == "character" else _SAMPLE_LENGTH // 5
    samples = [
        Sample(
            f"temperature {warmth}, seed 1",
            model.sample(length=length, temperature=warmth, seed=1),
        )
        for warmth in (0.7, 1.0)
        if not model.reads_backward
    ]
    figures = {}
    for record in folder.metrics.read():
        if record["kind"] == "final":
            figures = {
                f"validation, nats per {unit}": f"{record['loss']:.4f}",
                f"perplexity per {unit}": f"{record.get('perplexity', float('inf')):,.2f}",
                "bits per character": f"{record['bits_per_character']:.3f}",
                f"{unit}s": f"{record['symbols']:,}",
                "share of <unk>": f"{record['unknown_rate']:.2%}",
            }
    return write_report(folder, title="Language model", unit=unit, figures=figures, samples=samples)

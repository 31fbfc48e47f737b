"""The table and the page of a comparison of language models."""

from collections.abc import Sequence
from pathlib import Path

from recurra.metrics import perplexity_text
from recurra.reports import curves_together, write_comparison
from recurra.runs import RunFolder
from recurra.tasks.language_modeling.comparison import Comparison, Mixture

FIGURES = ("parameters", "perplexity", "<unk>", "per word", "bits/character", "symbols/s", "MB")
"""The columns of the table after those of the run and the model."""


def table_rows(found: Comparison) -> list[list[str]]:
    """Return one row per model: its name, its kind, and its figures as text."""
    return [
        [
            one.name,
            one.kind,
            f"{one.parameters:,}",
            perplexity_text(one.figures.perplexity),
            f"{one.figures.unknown_rate:.2%}",
            perplexity_text(one.word_perplexity),
            f"{one.figures.open_bits_per_character:.3f}",
            f"{one.symbols_per_s:,.0f}",
            f"{one.bytes_on_disk / 1e6:.1f}",
        ]
        for one in found.models
    ]


def mixed_told(mixture: Mixture) -> str:
    """Return the weights and the perplexity of an interpolation as text."""
    parts = " + ".join(f"{w:.3f} {name}" for w, name in zip(mixture.weights, mixture.names, strict=True))
    return f"{parts}, perplexity {perplexity_text(mixture.perplexity)} (weights: {mixture.weights_from})"


def write_page(page: str | Path, found: Comparison, runs: Sequence[str | Path]) -> None:
    """Write the table and the learning curves of the compared runs, in order, to an HTML file.

    Raises: StorageError if it cannot be written; RunError if the metrics of a run are damaged.
    """
    records = {
        one.name: RunFolder.open(Path(run)).read_metrics()
        for one, run in zip(found.models, runs, strict=True)
    }
    write_comparison(
        Path(page),
        title="Comparison of language models",
        subtitle=(
            f"on {found.text}; perplexity is per symbol of each model; the two columns after <unk> are "
            "computed with unknown symbols spelt out"
        ),
        columns=["run", "model", *FIGURES],
        rows=table_rows(found),
        notes=[f"interpolated: {mixed_told(one)}" for one in found.mixtures],
        curves=curves_together(records, figure="bits_per_character", axis="validation, bits per character"),
    )

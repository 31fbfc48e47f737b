"""The report page of a language model."""

import math
from typing import TYPE_CHECKING

from recurra.errors import RecurraError
from recurra.metrics import perplexity_text
from recurra.plain import unit_noun
from recurra.reports import Sample
from recurra.tasks.driver import known_of
from recurra.tasks.shown import PARTS, Page

if TYPE_CHECKING:
    from recurra.tasks.language_modeling.text_model import TextModel

_SAMPLE_LENGTH = 600
_LONGEST_SEARCHED = 200_000_000  # characters of training text: about ten seconds per sample


def page_of(model: "TextModel") -> Page:
    """Return the figures of the validation and test text, and samples."""
    assert model.run is not None, "a page needs a run"
    unit = unit_noun(model.tokenizer.unit)
    length = _SAMPLE_LENGTH if unit == "character" else _SAMPLE_LENGTH // 5
    samples = []
    for temperature in (0.7, 1.0):
        if not model.reads_backward:
            text = model.sample(length=length, temperature=temperature, seed=1)
            samples.append(Sample(f"temperature {temperature}, seed 1", text, _novelty(model, text)))
    figures: dict[str, str] = {}
    for record in model.run.read_metrics():
        part = PARTS.get(record["kind"])
        if part is not None:
            figures |= {
                f"{part} loss, nats per {unit}": f"{record.get('loss', math.inf):.4f}",
                f"{part} perplexity per {unit}": perplexity_text(record.get("perplexity", math.inf)),
                f"{part} bits per character": f"{record.get('bits_per_character', math.inf):.3f}",
                f"{part} {unit}s": f"{record['symbols']:,}",
                f"{part} rate of <unk>": f"{record['unknown_rate']:.2%}",
            }
    return Page(unit, figures, samples)


def _novelty(model: "TextModel", text: str) -> str:
    """Return how much of a sample is memorised, or why it is not known; empty without training text."""
    assert model.run is not None, "a page needs a run"
    if "train" not in known_of(model.run).facts:
        return ""
    try:
        if model.source_of("train").facts().characters > _LONGEST_SEARCHED:
            return (
                "Copied passages are not shown: the training text has more than "
                f"{_LONGEST_SEARCHED:,} characters; see `recurra sample --novelty`."
            )
        return model.novelty(text).sentence()
    except RecurraError:
        return model.not_shown("Copied passages are", "train")

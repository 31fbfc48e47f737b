"""The report page of word vectors."""

from typing import TYPE_CHECKING

from recurra.metrics.names import metric_name
from recurra.reports import Table
from recurra.tasks.shown import PARTS, Page

if TYPE_CHECKING:
    from recurra.tasks.vectors.facade import WordVectors

_WORDS, _NEAREST = 20, 8
_TOO_FREQUENT = 100  # the most frequent words have little meaning of their own


def page_of(model: "WordVectors") -> Page:
    """Return the figures of the validation and test text, and the nearest words of some frequent words."""
    assert model.run is not None, "a page needs a run"
    unit = "pair" if model.config.objective == "glove" else "prediction"
    figures: dict[str, str] = {}
    for record in model.run.read_metrics():
        part = PARTS.get(record["kind"])
        if part is not None:
            figures |= {
                f"{part} {metric_name(name)}": f"{value:,.4g}" if isinstance(value, float) else f"{value:,}"
                for name, value in record.items()
                if name not in ("kind", "step", "epoch", "selected")
            }
    return Page(unit, figures, tables=[nearest_of(model)])


def nearest_of(model: "WordVectors") -> Table:
    """Return the nearest words of frequent words, after the most frequent ones of a large vocabulary."""
    words = model.symbols.words
    skipped = min(_TOO_FREQUENT, len(words) // 10)
    longer = [word for word in words[skipped : skipped + 20 * _WORDS] if len(word) > 3 and word.isalpha()]
    chosen = (longer or list(words[skipped:]))[:_WORDS]
    counts = model.counts
    rows = [
        (
            word,
            f"{counts[word]:,}",
            ", ".join(f"{near} {cosine:.2f}" for near, cosine in model.most_similar(word, topn=_NEAREST)),
        )
        for word in chosen
    ]
    return Table("Nearest words, with their cosines", ("word", "count", "nearest words"), rows)

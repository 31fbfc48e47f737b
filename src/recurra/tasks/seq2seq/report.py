"""The report page of a translator, chat-bot or captioner."""

from dataclasses import replace
from typing import TYPE_CHECKING

from recurra.data.readers.pairs import Pair
from recurra.errors import DataError
from recurra.metrics.translation import TextScore
from recurra.reports import Table
from recurra.reports.drawing import as_svg, heat_map
from recurra.tasks.shown import PARTS, Page

if TYPE_CHECKING:
    from recurra.tasks.seq2seq.pair_model import PairModel

_SHOWN = 12  # held-out pairs with their outputs
_MAPS = 3
_TITLE = 60  # characters of a source or an output in a title


def page_of(model: "PairModel") -> Page:
    """Build the report page: metrics, outputs for some held-out sources, and their attention."""
    assert model.run is not None, "a report needs a run"
    figures: dict[str, str] = {}
    on_scores: list[str] = []
    for record in model.run.read_metrics():
        part = PARTS.get(record["kind"])
        if part is not None and "bleu" in record:
            score = TextScore(record.get("short_references", 0.0))
            on_scores += [f"{part} data: {note}." for note in score.notes()]
            of_bleu = {f"{part} BLEU": f"{record['bleu']:.2f}"}
            signature = {f"{part} BLEU signature": record["bleu_signature"]}
            figures |= {} if score.notes() else of_bleu
            figures |= {
                f"{part} chrF": f"{record['chrf']:.2f}",
                f"{part} exact match": f"{record['exact']:.2%}",
                f"{part} perplexity": f"{record['perplexity']:,.3f}",
                f"{part} distinct words": f"{record['distinct_1']:.2%}",
                f"{part} distinct word pairs": f"{record['distinct_2']:.2%}",
            }
            figures |= {} if score.notes() else signature
    pairs, notes = _held_out(model)
    answers = [found[0].text for found in model.answers(pairs)]
    rows = [
        [" / ".join(pair.source), answer, " / ".join(pair.targets)]
        for pair, answer in zip(pairs, answers, strict=True)
    ]
    tables = [Table("Outputs for held-out sources", ["Source", "Output", "Reference"], rows)] if rows else []
    pictures = {}
    if model.network.attentive is not None:
        for number, (pair, answer) in enumerate(zip(pairs[:_MAPS], answers, strict=False), start=1):
            found = model.attention(replace(pair, targets=(answer,)))
            title = f"Attention {number}: {_brief(' / '.join(pair.source))} → {_brief(answer)}"
            pictures[title] = as_svg(heat_map, found.weights, columns=found.source, rows=found.target)
    return Page(model.symbols.target.unit, figures, tables=tables, pictures=pictures, notes=on_scores + notes)


def _brief(text: str) -> str:
    """Return a text as part of a title: shortened, and visible if it is empty."""
    return (text if len(text) <= _TITLE else text[: _TITLE - 2].rstrip() + " …") or "(empty)"


def _held_out(model: "PairModel") -> tuple[list[Pair], list[str]]:
    """Return some held-out pairs; or none and a note if their files are missing or have changed."""
    try:
        return model.pairs_of()[:_SHOWN], []
    except DataError:
        return [], [model.not_shown("Outputs for held-out sources are")]

"""The page of a translator's, chat-bot's or captioner's run."""

from dataclasses import replace
from pathlib import Path

from recurra.reports import Table, write_report
from recurra.reports.drawing import as_svg, heat_map
from recurra.runs import RunFolder
from recurra.tasks.seq2seq.facade import PairModel

_TITLES = {"translate": "Translator", "chat": "Chat-bot", "caption": "Captioner"}
_PARTS = {"final": "held-out pairs", "test": "test pairs"}
_SHOWN = 12  # held-out pairs with what was found for them
_MAPS = 3


def write_page(model: PairModel, run: Path) -> Path:
    """Write report.html: curves, figures, what is answered to some held-out sources, and where it looked.

    Raises: RunError if the run has no metrics yet, StorageError if it cannot be written.
    """
    folder = RunFolder.open(run)
    figures: dict[str, str] = {}
    for record in folder.metrics.read():
        part = _PARTS.get(record["kind"])
        if part is not None and "bleu" in record:
            figures |= {
                f"{part}: BLEU": f"{record['bleu']:.2f}",
                f"{part}: chrF": f"{record['chrf']:.2f}",
                f"{part}: right to the letter": f"{record['exact']:.2%}",
                f"{part}: perplexity": f"{record['perplexity']:,.3f}",
                f"{part}: different words": f"{record['distinct_1']:.2%}",
                f"{part}: different pairs of words": f"{record['distinct_2']:.2%}",
                f"{part}: BLEU signature": record["bleu_signature"],
            }
    pairs = model.pairs_of()[:_SHOWN]
    answers = [found[0].text for found in model.answers(pairs)]
    rows = [
        [" / ".join(pair.source), answer, " / ".join(pair.targets)]
        for pair, answer in zip(pairs, answers, strict=True)
    ]
    tables = [Table("Of the held-out pairs", ["read", "written", "right"], rows)]
    pictures = {}
    if model.network.attentive is not None:
        for pair, answer in list(zip(pairs, answers, strict=True))[:_MAPS]:
            found = model.attention(replace(pair, targets=(answer,)))
            title = f"Where it looked: {answer}"
            pictures[title] = as_svg(heat_map, found.weights, columns=found.source, rows=found.target)
    return write_report(
        folder,
        title=_TITLES[model.task],
        unit=model.symbols.target.unit,
        figures=figures,
        tables=tables,
        pictures=pictures,
    )

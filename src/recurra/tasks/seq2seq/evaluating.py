"""The output of `recurra evaluate` for translators, chat-bots and captioners."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from recurra.config import SearchPart
from recurra.data.examples import BadRows
from recurra.tasks.seq2seq.by_length import by_length_of
from recurra.tasks.seq2seq.config import PairEvaluationPart
from recurra.tasks.seq2seq.corpus import empty_told
from recurra.tasks.shown import Evaluation

if TYPE_CHECKING:
    from recurra.tasks.seq2seq.pair_model import PairModel


def evaluation_of(model: "PairModel", data: Path | None, options: PairEvaluationPart) -> Evaluation:
    """Compute BLEU, chrF and perplexity; optionally by source length, and compared with another run.

    If most references are short, chrF is reported instead of BLEU.
    """
    searching = {name: value for name, value in options.given().items() if name in SearchPart.model_fields}
    model = model.searching(**searching)
    bad = BadRows(options.given().get("skip_bad", model.config.skip_bad))
    pairs = model.pairs_of(data, options.target, bad)
    scores = by_length_of(model, pairs, options.compare_with) if options.by_length else None
    figures, *others = [model.measure(pairs)] if scores is None else scores.figures.values()
    found: dict[str, Any] = figures.to_dict()
    lines = figures.lines()
    if scores is not None and others:
        found["compared_with"] = others[0].to_dict()
        lines.append(f"{list(scores.figures)[1]}: {others[0].sentence()}")
    texts = figures.texts
    if texts.score.figure == "bleu":
        lines.append(f"BLEU signature: {texts.bleu_signature}")
    lines.append(f"chrF signature: {texts.chrf_signature}")
    if scores is not None:
        found |= scores.to_dict()
        lines += scores.lines()
        if options.picture is not None:
            scores.draw(options.picture)
    return Evaluation(found, lines, bad.sentences, empty_told(bad.empty))

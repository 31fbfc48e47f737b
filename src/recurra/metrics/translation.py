"""Metrics of generated texts: BLEU and chrF by sacrebleu, exact match, distinct n-grams."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from recurra.plain import counted
from recurra.results import Result
from recurra.text.words import composed


@dataclass(frozen=True, repr=False)
class TextFigures(Result):
    """Metrics of outputs against references; an output may have several references.

    `bleu` and `chrf` are from 0 to 100, with the signatures of sacrebleu; `exact` is the share of outputs
    that equal a reference (exact match); `distinct_1` and `distinct_2` are the shares of distinct words and
    word pairs (Li et al. 2016).

    Source: K. Papineni et al., BLEU (2002); M. Popović, chrF (2015); M. Post, A call for clarity in reporting
    BLEU scores (2018).
    """

    texts: int
    bleu: float
    chrf: float
    exact: float
    distinct_1: float
    distinct_2: float
    bleu_signature: str
    chrf_signature: str

    def sentence(self) -> str:
        """Describe the main metrics."""
        texts = counted(self.texts, "text")
        return f"BLEU {self.bleu:.2f}, chrF {self.chrf:.2f}, exact {self.exact:.2%}, {texts}"

    def to_dict(self) -> dict[str, Any]:
        """As plain values, for JSON."""
        return {name: getattr(self, name) for name in self.__dataclass_fields__}


def count_texts(found: Sequence[str], right: Sequence[Sequence[str]]) -> TextFigures:
    """Compute the metrics of outputs against their references.

    The texts are detokenised and compared in Unicode normalisation form C; their case is kept.
    """
    from sacrebleu.metrics.bleu import BLEU
    from sacrebleu.metrics.chrf import CHRF

    texts, right = [*map(composed, found)], [[*map(composed, texts)] for texts in right]
    bleu, chrf = BLEU(), CHRF()
    most = max(map(len, right), default=1)
    # sacrebleu takes the first reference of all texts, the second of all …; None where one is missing.
    streams: Any = [[every[i] if i < len(every) else None for every in right] for i in range(most)]
    scores = [float(metric.corpus_score(texts, streams).score) for metric in (bleu, chrf) if texts] or [
        0.0,
        0.0,
    ]
    exact = sum(text in every for text, every in zip(texts, right, strict=True))
    return TextFigures(
        len(texts),
        scores[0],
        scores[1],
        exact / max(1, len(texts)),
        distinct(texts, 1),
        distinct(texts, 2),
        str(bleu.get_signature()) if texts else "",
        str(chrf.get_signature()) if texts else "",
    )


def bleu_by_length(
    sources: Sequence[str],
    found: Sequence[str],
    right: Sequence[Sequence[str]],
    ends: Sequence[int] = (5, 10, 15, 20, 25),
) -> list[tuple[str, float, int]]:
    """Compute BLEU by the number of words of the source.

    The lengths are divided into intervals that end at `ends`, and one beyond. Each interval that has texts
    gives its name, its BLEU and its number of texts.
    """
    stretches: dict[str, list[int]] = {}
    lengths = [len(source.split()) for source in sources]
    bounds = [(first + 1, last) for first, last in zip((0, *ends), ends, strict=False)]
    for low, high in [*bounds, (ends[-1] + 1, max([*lengths, ends[-1] + 1]))]:
        name = f"{low} to {high}" if high <= ends[-1] else f"{low} and more"
        chosen = [i for i, length in enumerate(lengths) if low <= length <= high]
        if chosen:
            stretches[name] = chosen
    return [
        (name, count_texts([found[i] for i in chosen], [right[i] for i in chosen]).bleu, len(chosen))
        for name, chosen in stretches.items()
    ]


def distinct(texts: Sequence[str], n: int) -> float:
    """Share of distinct word n-grams among all word n-grams; 0 if there are none."""
    every = [tuple(words[i : i + n]) for words in map(str.split, texts) for i in range(len(words) - n + 1)]
    return len(set(every)) / len(every) if every else 0.0

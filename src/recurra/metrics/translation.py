"""Texts beside the right ones: BLEU and chrF by sacrebleu, texts right to the letter, distinct n-grams."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class TextFigures:
    """How near texts are to the right ones; a text may have several, of which any is right.

    `bleu` and `chrf` from 0 to 100, with what sacrebleu says of how they were computed; `exact`, the share of
    texts that are right to the letter; `distinct_1`, `distinct_2`, the share of words and pairs of words that
    are different ones (Li et al. 2016).

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
        """For people."""
        return f"BLEU {self.bleu:.2f}, chrF {self.chrf:.2f}, exact {self.exact:.2%}, {self.texts:,} texts"

    def to_dict(self) -> dict[str, Any]:
        """As plain values, for JSON."""
        return {name: getattr(self, name) for name in self.__dataclass_fields__}


def count_texts(found: Sequence[str], right: Sequence[Sequence[str]]) -> TextFigures:
    """The figures of texts, each beside those that are right; all of it detokenised text, case kept."""
    from sacrebleu.metrics.bleu import BLEU
    from sacrebleu.metrics.chrf import CHRF

    bleu, chrf = BLEU(), CHRF()
    most = max(map(len, right), default=1)
    # sacrebleu takes the first text of all, the second of all …; None where there is none.
    streams: Any = [[texts[i] if i < len(texts) else None for texts in right] for i in range(most)]
    texts = list(found)
    scores = [float(metric.corpus_score(texts, streams).score) for metric in (bleu, chrf) if texts] or [
        0.0,
        0.0,
    ]
    exact = sum(text in texts for text, texts in zip(found, right, strict=True))
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
    """BLEU of the texts whose sources have so many words: lengths, BLEU and how many, for each stretch of
    lengths up to one of `ends`, and beyond, that has texts."""
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
    """Different n-grams of words over all n-grams of words; 0 where there are none."""
    every = [tuple(words[i : i + n]) for words in map(str.split, texts) for i in range(len(words) - n + 1)]
    return len(set(every)) / len(every) if every else 0.0

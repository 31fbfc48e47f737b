"""Metrics of generated texts: BLEU and chrF by sacrebleu, exact match, distinct n-grams.

BLEU counts n-grams of up to 4 words, so it is 0 or meaningless if most references are shorter.
`score_of_texts` decides by the references which metric is reported.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from recurra.metrics.names import metric_name, metrics_told
from recurra.plain import counted
from recurra.results import Result
from recurra.text.words import composed

BLEU_ORDER = 4  # words of the longest n-gram that BLEU counts


@dataclass(frozen=True)
class TextScore:
    """The metric of texts to report, "bleu" or "chrf", by the share of references that BLEU cannot judge."""

    short: float

    @property
    def figure(self) -> str:
        """Name of the metric: chrF if most references have fewer than 4 words, else BLEU."""
        return "chrf" if self.short > 0.5 else "bleu"

    @property
    def name(self) -> str:
        """Name of the metric as text."""
        return metric_name(self.figure)

    def notes(self) -> list[str]:
        """Return a sentence on the choice, if it is not BLEU."""
        if self.figure == "bleu":
            return []
        return [
            f"{self.short:.0%} of the references have fewer than {BLEU_ORDER} words, so chrF is reported "
            "instead of BLEU"
        ]


def score_of_texts(references: Iterable[str]) -> TextScore:
    """Choose the metric of texts by their references, with words as BLEU counts them."""
    from sacrebleu.tokenizers.tokenizer_13a import Tokenizer13a

    split, count, short = Tokenizer13a(), 0, 0
    for text in references:
        count += 1
        # The tokenizer only divides words further, which is slow.
        short += len(text.split()) < BLEU_ORDER and len(split(text).split()) < BLEU_ORDER
    return TextScore(short / max(1, count))


@dataclass(frozen=True, repr=False)
class TextFigures(Result):
    """Metrics of outputs against references; an output may have several references.

    `bleu` and `chrf` are from 0 to 100, with the signatures of sacrebleu; `exact` is the share of outputs
    that equal a reference (exact match); `distinct_1` and `distinct_2` are the shares of distinct words and
    word pairs (Li et al. 2016); `score` is the metric to report, BLEU or chrF.

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
    score: TextScore = TextScore(0.0)

    def sentence(self) -> str:
        """Describe the main metrics; BLEU only if the references are long enough."""
        names = ("bleu", "chrf", "exact")[self.score.figure == "chrf" :]
        return f"{metrics_told({name: getattr(self, name) for name in names})}, {counted(self.texts, 'text')}"

    @property
    def value(self) -> float:
        """Value of the metric to report."""
        return self.chrf if self.score.figure == "chrf" else self.bleu

    def main(self) -> dict[str, float]:
        """Return the metric to report and the exact match."""
        return {self.score.figure: self.value, "exact": self.exact}

    def to_dict(self) -> dict[str, Any]:
        """As plain values, for JSON; `short_references` only if chrF is reported instead of BLEU."""
        found = {name: getattr(self, name) for name in self.__dataclass_fields__ if name != "score"}
        return found | ({} if self.score.figure == "bleu" else {"short_references": self.score.short})


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
        score_of_texts(text for every in right for text in every),
    )


@dataclass(frozen=True)
class LengthFigures:
    """The metrics of the texts with sources of some lengths: BLEU, or chrF for short references, and exact
    match."""

    lengths: str
    score: float
    exact: float
    texts: int

    def point(self) -> tuple[str, float, int]:
        """The point of a plot: lengths, score, number of texts."""
        return self.lengths, self.score, self.texts

    def to_list(self) -> list[Any]:
        """As plain values, for JSON."""
        return [self.lengths, self.score, self.texts, self.exact]


def scores_by_length(
    sources: Sequence[str],
    found: Sequence[str],
    right: Sequence[Sequence[str]],
    ends: Sequence[int] = (5, 10, 15, 20, 25),
) -> list[LengthFigures]:
    """Compute BLEU, or chrF if most of all references are short, by the number of words of the source.

    The lengths are divided into intervals that end at `ends`, and one beyond; empty intervals are omitted.
    """
    figure = score_of_texts(text for every in right for text in every).figure
    stretches: dict[str, list[int]] = {}
    lengths = [len(source.split()) for source in sources]
    bounds = [(first + 1, last) for first, last in zip((0, *ends), ends, strict=False)]
    for low, high in [*bounds, (ends[-1] + 1, max([*lengths, ends[-1] + 1]))]:
        name = f"{low} to {high}" if high <= ends[-1] else f"{low} and more"
        chosen = [i for i, length in enumerate(lengths) if low <= length <= high]
        if chosen:
            stretches[name] = chosen
    every = []
    for name, chosen in stretches.items():
        figures = count_texts([found[i] for i in chosen], [right[i] for i in chosen])
        every.append(LengthFigures(name, getattr(figures, figure), figures.exact, len(chosen)))
    return every


def distinct(texts: Sequence[str], n: int) -> float:
    """Share of distinct word n-grams among all word n-grams; 0 if there are none."""
    every = [tuple(words[i : i + n]) for words in map(str.split, texts) for i in range(len(words) - n + 1)]
    return len(set(every)) / len(every) if every else 0.0

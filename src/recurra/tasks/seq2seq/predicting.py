"""Outputs one by one, as `recurra predict` and its aliases `translate` and `caption` print them."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

from recurra.config import SearchPart
from recurra.data.arriving import answered, arriving
from recurra.data.readers.pairs import Pair
from recurra.errors import ConfigError
from recurra.plain import one_line
from recurra.reports.drawing import heat_map, write_png
from recurra.tasks.seq2seq.config import AnswersPart

if TYPE_CHECKING:
    from recurra.tasks.seq2seq.outputs import GeneratedText
    from recurra.tasks.seq2seq.pair_model import PairModel

_AT_ONCE = 256  # sources that are decoded before their outputs are printed


@dataclass(frozen=True)
class GeneratedTexts:
    """The outputs for one source, best first or as sampled; `named` prints the source's name as well."""

    source: str
    answers: "Sequence[GeneratedText]"
    number: int
    several: bool
    named: bool

    def line(self) -> str:
        """Return the best output, or one line per output with the source's number and the score."""
        name = one_line(self.source) if self.named else str(self.number)
        texts = [one_line(one.text) for one in self.answers]
        if self.several:
            scored = zip(self.answers, texts, strict=True)
            return "\n".join(f"{name}\t{one.score:.4f}\t{text}" for one, text in scored)
        return f"{name}\t{texts[0]}" if self.named else texts[0]

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        name = "image" if self.named else "source"
        return {name: self.source, "answers": [one.to_dict() for one in self.answers]}


def answers_to(
    model: "PairModel", pairs: Iterable[Pair], options: AnswersPart, first: int = 0
) -> Iterator[GeneratedTexts]:
    """Yield the outputs for each pair, in order; `first` is the number of pairs before these.

    Raises: ConfigError for options that do not apply to the model.
    """
    given = options.given()
    model = model.searching(**{name: given[name] for name in SearchPart.model_fields if name in given})
    if options.attention_pictures is not None and model.network.attentive is None:
        raise ConfigError("attention_pictures: the model has no attention; remove the option.")
    named, numbers = model.symbols.source is None, count(first + 1)
    several = max(options.n_best, options.sample) > 1

    def answers(some: list[Pair]) -> Iterator[GeneratedTexts]:
        nonlocal first
        found = _found(model, some, options, first)
        first += len(some)
        for pair, texts in zip(some, found, strict=True):
            number = next(numbers)
            yield GeneratedTexts(pair.source[-1], texts, number, several, named)
            if options.attention_pictures is not None:
                _draw_attention(
                    model, pair, texts[0].text, Path(options.attention_pictures) / f"{number}.png"
                )

    return answered(arriving(pairs, _AT_ONCE), answers, _AT_ONCE)


def _draw_attention(model: "PairModel", pair: Pair, text: str, path: Path) -> None:
    """Draw the attention weights of an output, unless its source is empty."""
    if pair.vectors is None and not pair.source[0].strip():
        return
    found = model.attention(replace(pair, targets=(text,)))
    write_png(path, heat_map, found.weights, columns=found.source, rows=found.target)


def _found(
    model: "PairModel", pairs: Sequence[Pair], options: AnswersPart, first: int
) -> "list[list[GeneratedText]]":
    if options.sample:
        return model.sampled(
            pairs,
            count=options.sample,
            temperature=options.temperature,
            top_k=options.top_k,
            top_p=options.top_p,
            seed=options.seed,
            first=first,
        )
    return model.answers(pairs, n_best=options.n_best, prefix=options.prefix, phrases=options.phrase)

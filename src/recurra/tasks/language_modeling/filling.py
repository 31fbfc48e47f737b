"""Filling gaps in a sentence, with context from both sides.

    P(words | rest) ∝ (P_forward(sentence) · P_backward(sentence))^(1/2)

over sentences in which each gap is filled with a word that one of the models proposes from its side.
"""

import math
import random
import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from recurra.arguments import AtLeastOne, checks_arguments
from recurra.data.misspellings import WORD
from recurra.decoding import Alternative, best_paths
from recurra.errors import ConfigError
from recurra.layers import rows_of_state
from recurra.metrics import ClozeFigures
from recurra.plain import quoted
from recurra.results import Result, shortened
from recurra.tasks.language_modeling.text_model import TextModel
from recurra.text.words import composed

GAP = "___"
_FEWEST_WORDS = 4  # of a line from which a word is removed


@dataclass(frozen=True, repr=False)
class Filling(Result):
    """One way to fill the gaps: the words, the whole line, and its probability among the candidates."""

    words: tuple[str, ...]
    text: str
    probability: float

    def told(self) -> str:
        """Return the line and its probability."""
        return f"{shortened(self.text)}, probability {self.probability:.4g}"

    def to_rows(self, of: str | None = None) -> list[dict[str, Any]]:
        """Return one row, with the words separated by blanks."""
        self._refuse(of)
        return [self.to_dict() | {"words": " ".join(self.words)}]

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, for JSON."""
        return {"words": self.words, "text": self.text, "probability": self.probability}


class GapFiller:
    """Fills gaps with a forward model and optionally a backward model, of the same or another unit.

    Raises: ConfigError if a model reads in the wrong direction.
    """

    @checks_arguments
    def __init__(
        self, forward: TextModel, backward: TextModel | None = None, *, proposals: AtLeastOne = 50
    ) -> None:
        if forward.reads_backward or (backward is not None and not backward.reads_backward):
            raise ConfigError(
                "fill: the first model must read forward, and --backward must name a model trained with "
                "--direction backward."
            )
        self.forward, self.backward, self.proposals = forward, backward, proposals

    def __repr__(self) -> str:
        both = "" if self.backward is None else f", {self.backward!r}"
        return f"GapFiller({self.forward!r}{both})"

    @checks_arguments
    def fill(self, line: str, *, n_best: AtLeastOne = 5) -> list[Filling]:
        """Return the `n_best` most probable ways to fill the gaps, `___`, of a line, best first.

        The result is empty if every word has probability 0.

        Raises: ConfigError if the line has no gap, or if a gap of a word model touches other characters.
        """
        parts = line.split(GAP)
        if len(parts) < 2 or "\n" in line:
            raise ConfigError(
                f"fill: got {quoted(line)}, expected one line with {GAP} where a word is missing."
            )
        if self.forward.tokenizer.unit == "word":
            self._check_stands_alone(line, parts)
        proposed = [
            self._proposals("".join(parts[: at + 1]), "".join(parts[at + 1 :]))
            for at in range(len(parts) - 1)
        ]
        if not all(proposed):
            return []  # every word has probability 0, as may happen without smoothing
        ways = self._ways(parts, proposed)
        texts = ["".join(a + b for a, b in zip(parts, (*words, ""), strict=True)) for words in ways]
        scores = [one.log_prob for one in self.forward.score(texts)]
        if self.backward is not None:
            other = [one.log_prob for one in self.backward.score(texts)]
            scores = [(a + b) / 2 for a, b in zip(scores, other, strict=True)]
        best = max(scores)
        if best == -math.inf:
            return []
        total = math.fsum(math.exp(score - best) for score in scores)
        order = sorted(range(len(ways)), key=lambda i: (-scores[i], texts[i]))[:n_best]
        return [Filling(ways[i], texts[i], math.exp(scores[i] - best) / total) for i in order]

    def _check_stands_alone(self, line: str, parts: Sequence[str]) -> None:
        within = "" in parts[1:-1]  # two gaps side by side
        for left, right in pairwise(parts):
            beside = left[-1:] + right[:1]
            if within or (beside and not beside.isspace()):
                raise ConfigError(
                    f"fill: got {quoted(line)}, but the model has only whole words; put blanks around {GAP}."
                )

    def _ways(self, parts: Sequence[str], proposed: Sequence[Sequence[str]]) -> list[tuple[str, ...]]:
        """Return words for all gaps that are probable together, according to the forward model."""
        if len(proposed) == 1:
            return [(word,) for word in proposed[0]]
        tokenizer = self.forward.tokenizer
        places = [
            [Alternative(tuple(tokenizer.encode_line(before + word))) for word in words]
            for before, words in zip(parts, proposed, strict=False)
        ]
        paths = best_paths(
            self.forward.read,
            rows_of_state,
            tokenizer.start_id,
            [*places, [Alternative(tuple(tokenizer.encode_line(parts[-1])))]],
            width=2 * self.proposals,
        )
        return [
            tuple(words[choice] for words, choice in zip(proposed, path.choices, strict=False))
            for path in paths
        ]

    def _proposals(self, left: str, right: str) -> list[str]:
        """Return the most probable words for one gap, from the proposals of both models."""
        from_left = self.forward.next_words(left, self.proposals)
        if self.backward is None:
            return list(from_left)
        from_right = self.backward.next_words(right, self.proposals)
        both = {**from_left, **from_right}
        lowest = {id(side): min(side.values(), default=0.0) for side in (from_left, from_right)}

        def joint(word: str) -> float:
            return sum(side.get(word, lowest[id(side)]) for side in (from_left, from_right))

        return sorted(both, key=lambda word: (-joint(word), word))[: 2 * self.proposals]

    @checks_arguments
    def cloze(self, lines: Sequence[str], *, seed: int = 1) -> ClozeFigures:
        """Remove one random word from each line of at least four words, and try to predict it.

        With a word model, only words of its vocabulary are removed.
        """
        maker = random.Random(seed)
        tokenizer = self.forward.tokenizer
        gaps = first = among_five = 0
        for line in lines:
            words = [one for one in re.finditer(r"\S+", line) if WORD.fullmatch(one[0])]
            if tokenizer.unit == "word":
                words = [one for one in words if tokenizer.unk_id not in tokenizer.encode_line(one[0])]
            if len(line.split()) < _FEWEST_WORDS or not words or GAP in line:
                continue
            gone = maker.choice(words)
            found = self.fill(line[: gone.start()] + GAP + line[gone.end() :], n_best=5)
            right = [composed(one.words[0]) == composed(gone[0]) for one in found]
            gaps += 1
            first += right[:1] == [True]
            among_five += any(right)
        return ClozeFigures(gaps, first, among_five)

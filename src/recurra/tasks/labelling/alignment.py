"""The alignment of the words of two texts, with their contributions to a prediction."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from recurra.inspection import pair_gradient_times_input
from recurra.models.evaluating import evaluating
from recurra.models.pair import AlignedNetwork
from recurra.reports.drawing import heat_map, write_png
from recurra.results import Result, shortened
from recurra.tasks.labelling.feeds import EncodedRows


@dataclass(frozen=True, repr=False)
class WordAlignment(Result):
    """How two texts are aligned: the attention of each word of one to the words of the other.

    `first_parts` and `second_parts` are the contributions of the words to the log-odds of the predicted label
    or to the standardised score, by gradient times input.

    Shapes: weights (T1, T2), rows sum to 1; back (T2, T1), rows sum to 1; parts (T1,), (T2,).
    """

    first: tuple[str, ...]
    second: tuple[str, ...]
    weights: NDArray[np.float32]
    back: NDArray[np.float32]
    first_parts: tuple[float, ...]
    second_parts: tuple[float, ...]
    label: str | None = None

    def told(self) -> str:
        """Return each word of the first text with the word that it attends to most."""
        nearest = (self.second[at] for at in self.weights.argmax(1))
        pairs = zip(self.first, nearest, strict=True)
        return shortened(", ".join(f"{one} - {other}" for one, other in pairs))

    def to_rows(self, of: str | None = None) -> list[dict[str, Any]]:
        """Return one row per word of the first text and word of the second, with the weights both ways."""
        self._refuse(of)
        return [
            {
                "first": one,
                "second": two,
                "weight": float(self.weights[i, j]),
                "back": float(self.back[j, i]),
                "first_part": self.first_parts[i],
                "second_part": self.second_parts[j],
            }
            for i, one in enumerate(self.first)
            for j, two in enumerate(self.second)
        ]

    def draw(self, path: str | Path) -> None:
        """Write the mean of the weights of both directions as a picture; words have their contributions.

        Raises: StorageError if it cannot be written.
        """
        rows, columns = (
            [f"{word} {part:+.2f}" for word, part in zip(words, parts, strict=True)]
            for words, parts in ((self.first, self.first_parts), (self.second, self.second_parts))
        )
        write_png(Path(path), heat_map, (self.weights + self.back.T) / 2, columns=columns, rows=rows)


def align(network: AlignedNetwork, encoded: EncodedRows, device: torch.device) -> WordAlignment:
    """Return the alignment of the only row, and the contributions of its words to the prediction."""
    row, batch = encoded.rows[0], encoded.batch([0]).to(device)
    with evaluating(network):
        outputs, _ = network(*batch.inputs)
        found = network.alignment(*batch.inputs[:4])
    best = 0 if network.shape.scores else int(outputs.argmax(1))
    first, second = (tuple(each.tolist()) for each in pair_gradient_times_input(network, batch, best))
    classes = encoded.symbols.classes
    return WordAlignment(
        row.words,
        row.second or (),
        found.first[0].cpu().numpy(),
        found.second[0].cpu().numpy(),
        first,
        second,
        None if classes is None else classes.symbols[best],
    )

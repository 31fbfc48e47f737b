"""Going on with the vectors of an earlier run: more text, and new words."""

from collections.abc import Mapping

import numpy as np
import torch
from torch import nn

from recurra.config.conditions import refuse_given, unmet
from recurra.errors import ConfigError
from recurra.plain import counted
from recurra.tasks.starting import Piece, Source, Start, id_map, told_new
from recurra.tasks.vectors.config import VectorsConfig
from recurra.tasks.vectors.corpus import WordSymbols
from recurra.text import Vocabulary

_ARCHITECTURE: tuple[str, ...] = (
    *("objective", "context", "embedding_size", "split", "lowercase"),
    *("subwords", "min_ngram", "max_ngram", "buckets"),
)
# The source's values are defaults of the new run, where they apply.
_TRAINING: tuple[str, ...] = (
    *("window", "shrink_window", "negatives", "negative_exponent", "subsample", "whole_error"),
    *("x_max", "alpha", "vectors"),
)
_PHRASES = ("phrase_passes", "phrase_threshold", "phrase_min_count")


class VectorStart(Start):
    """Vectors that start from those of another run.

    New words get vectors of their own, and counts are added up. The inner nodes of a tree begin at zero,
    because another tree belongs to other counts; the sums of squares of AdaGrad begin at one.
    """

    required = _ARCHITECTURE
    names: Mapping[str, str] = {
        "input_bias": "biases of context words",
        "output_bias": "biases of predicted words",
        "input": "vectors of context words",
        "output": "vectors of predicted words",
        "calibration": "calibration",
    }

    def __init__(self, source: Source, config: VectorsConfig) -> None:
        super().__init__(source)
        own: VectorsConfig = source.config
        applying = [name for name in _TRAINING if unmet(own, name) is None]
        self.options = {name: getattr(own, name) for name in (*_ARCHITECTURE, *applying)}
        self.options |= {"phrase_passes": 0}
        self._appends = config.new_words == "append"
        self._min_count, self._most = config.min_count, config.max_vocabulary_size
        if own.objective == "hierarchical-softmax":
            self.names = {**self.names, "output": "vectors of the tree's inner nodes"}
        if own.context == "previous-concatenated":
            self.required = (*_ARCHITECTURE, "window")
        refuse_given(
            config, dict.fromkeys(_PHRASES, "to new runs; phrases are those of the run to start from")
        )
        if not self._appends:
            use = "to new words; the words are those of the run to start from"
            refuse_given(config, dict.fromkeys(("min_count", "max_vocabulary_size"), use))

    def join(self, own: WordSymbols) -> WordSymbols:
        """Return the words of the source and the new words of the text, sorted by the sums of their counts.

        Raises: ConfigError if the vocabulary may not be as large as that of the source.
        """
        source: WordSymbols = self.source.symbols
        if own.reading != source.reading and own.recount is not None:
            own = own.recount(source.reading)
        counts = dict(zip(source.words, source.counts.tolist(), strict=True))
        room = None if self._most is None else self._most - len(counts)
        if room is not None and room < 0:
            raise ConfigError(
                f"max_vocabulary_size: got {self._most:,}, but {self.source.path} has "
                f"{counted(len(counts), 'word')}; give a larger number."
            )
        new = []
        for word, count in zip(own.words, own.counts.tolist(), strict=True):
            if word in counts:
                counts[word] += count
            elif self._appends and count >= self._min_count:
                new.append((word, count))
        counts |= dict(new[:room])
        words = sorted(counts, key=lambda word: -counts[word])
        totals = np.array([counts[word] for word in words], np.int64)
        return WordSymbols(Vocabulary(words), totals, source.reading)

    def told(self, symbols: WordSymbols) -> str:
        """Return the number of words and of new ones."""
        count = len(symbols.words)
        return told_new(count, count - len(self.source.symbols.words), "word")

    def pieces(self, network: nn.Module, symbols: WordSymbols) -> Mapping[str, Piece]:
        """Return vectors and biases by word, and the rows of n-grams as they are."""
        source: WordSymbols = self.source.symbols
        words = id_map(symbols.words, source.words)
        found = {}
        for name, tensor in self.source.weights.items():
            if name == "calibration":
                continue  # fitted again at each validation
            if name == "output" and len(tensor) != len(source.words):
                continue  # inner nodes
            ngrams = torch.arange(len(source.words), len(tensor))
            found[name] = Piece(tensor, [torch.cat([words, ngrams])], "row" if len(ngrams) else "word")
        return found

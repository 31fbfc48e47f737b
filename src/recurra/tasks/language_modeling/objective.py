"""The training objective of language models."""

import math
from typing import Any, cast

from torch import Tensor, nn

from recurra.data import Segment
from recurra.models import NextSymbolNetwork
from recurra.tasks.language_modeling.config import LanguageModelConfig
from recurra.tasks.language_modeling.corpus import LanguageModelCorpus
from recurra.tasks.language_modeling.evaluation import evaluate_text
from recurra.tasks.pretrained import tune_later
from recurra.training import Moment, Objective

_VALIDATION_STREAMS = 20


class LanguageModelObjective(Objective):
    """-log P of each symbol given all before it, with the state carried from segment to segment."""

    def __init__(self, network: NextSymbolNetwork, corpus: LanguageModelCorpus, config: LanguageModelConfig):
        super().__init__(network)
        self._network, self._corpus, self._config = network, corpus, config

    def loss(
        self, network: nn.Module, segment: Segment, state: Any, context: int
    ) -> tuple[Tensor, Any, Tensor | None]:
        """Return the summed loss over a segment, the state after it, and a penalty; see `Objective`."""
        own = cast(NextSymbolNetwork, network)  # or a wrapper with its methods
        found = own.total_loss(
            segment.inputs, segment.targets, state, segment.lengths, segment.resets, context
        )
        return found.total, found.state, found.penalty

    def before_update(self, moment: Moment) -> None:
        """Train pretrained vectors only after `tune_after` epochs, if it is set."""
        tune_later(self._network.embedding.weight, self._config.tune_after, moment.epoch)

    def validate(self, network: nn.Module) -> dict[str, float]:
        """Return loss and perplexity on the validation text, read as parallel streams."""
        figures = evaluate_text(
            self._network,
            self._corpus.symbols,
            self._corpus.valid,
            streams=_VALIDATION_STREAMS,
            reset_at_documents=self._config.at_document == "reset",
            spell_unknown=False,
        )
        return figures.of_validation()

    def training_figures(self, loss: float) -> dict[str, float]:
        """Return the perplexity."""
        return {"perplexity": math.exp(loss)}

    def initial_state(self, batch_size: int) -> Any:
        """Return the initial state."""
        return self._network.initial_state(batch_size)

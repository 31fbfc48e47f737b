"""Comparison of language models on one text, with figures that do not depend on unit and vocabulary."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
import torch

from recurra.arguments import checks_arguments
from recurra.config.conditions import unmet
from recurra.data import TextSource
from recurra.errors import ConfigError
from recurra.metrics import LikelihoodFigures, best_mixture, exp_or_infinite, mixture_losses
from recurra.models import LanguageModelNetwork, NGramNetwork
from recurra.models.open_vocabulary import spelling_nats
from recurra.results import Result
from recurra.tasks import registry
from recurra.tasks.language_modeling.config import LanguageModelConfig
from recurra.tasks.language_modeling.corpus import EncodedText, encode, read_corpus
from recurra.tasks.language_modeling.evaluation import losses_of_text
from recurra.tasks.language_modeling.facade import LanguageModel
from recurra.tasks.repeats import train_each
from recurra.training import Listener

EQUAL_CELLS = ("rnn", "gru", "lstm")
_MOST_UNITS = 1 << 14


@dataclass(frozen=True)
class ComparedModel:
    """Figures of one model on the common text.

    `words` includes line ends. Perplexity per word and bits per character cover the whole text, with unknown
    symbols spelt out, so they are comparable across units and vocabularies.
    """

    name: str
    kind: str
    parameters: int
    bytes_on_disk: int
    symbols_per_s: float
    figures: LikelihoodFigures
    words: int

    @property
    def word_perplexity(self) -> float:
        """exp of the nats per word, with unknown symbols spelt out."""
        nats = self.figures.total_nats + (self.figures.spelling_nats or 0.0)
        return exp_or_infinite(nats / self.words)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, for JSON."""
        return {
            "name": self.name,
            "kind": self.kind,
            "parameters": self.parameters,
            "bytes_on_disk": self.bytes_on_disk,
            "symbols_per_s": self.symbols_per_s,
            "perplexity": self.figures.perplexity,
            "unknown_rate": self.figures.unknown_rate,
            "word_perplexity": self.word_perplexity,
            "bits_per_character": self.figures.open_bits_per_character,
        }


@dataclass(frozen=True)
class Mixture:
    """An interpolation of models with the same symbols: names, best weights, and perplexity.

    `perplexity` is not biased by the choice of the weights: they were found on another text, or each half of
    the text was mixed with weights found on the other half (`weights_from`).
    """

    names: tuple[str, ...]
    weights: tuple[float, ...]
    perplexity: float
    weights_from: str


@dataclass(frozen=True, repr=False)
class Comparison(Result):
    """The result of `compare`."""

    text: str
    models: tuple[ComparedModel, ...]
    mixtures: tuple[Mixture, ...]

    def told(self) -> str:
        """Return the bits per character of each model, which can be compared."""
        bits = (f"{one.name} {one.figures.open_bits_per_character:.3f}" for one in self.models)
        return f"bits per character: {', '.join(bits)}"

    def to_rows(self, of: str | None = None) -> list[dict[str, Any]]:
        """Return one row per model."""
        self._refuse(of)
        return [one.to_dict() for one in self.models]

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, for JSON."""
        return {
            "text": self.text,
            "models": [one.to_dict() for one in self.models],
            "mixtures": [asdict(one) for one in self.mixtures],
        }


@checks_arguments
def compare(
    runs: Sequence[str | Path | LanguageModel],
    data: str | Path | None = None,
    *,
    page: str | Path | None = None,
    on_model: Callable[[str], None] = lambda name: None,
) -> Comparison:
    """Evaluate several runs or models on one text: a file, or the text that the first one held out.

    Each group of models with the same symbols is also interpolated. For a file, the weights are the best ones
    on the text that the first run held out; if no file is given, each half of the held-out text is mixed with
    the best weights of the other half.

    `page` is an HTML file to write the table and the learning curves to.

    Raises: RunError, DataError as `LanguageModel.load` and `evaluate`; ConfigError for a model without a run.
    """
    if not runs:
        raise ConfigError("compare: no runs to compare; name some.")
    models = [run if isinstance(run, LanguageModel) else LanguageModel.load(run) for run in runs]
    folders = [_folder_of(model) for model in models]
    names = _short_names(folders)
    groups = [group for group in _same_symbols(models) if len(group) > 1]
    held_out = None
    if data is None:
        source = models[0].source_of("valid", "name another file with --data")
    else:
        source = TextSource(Path(data).absolute())
        if groups:  # before the work begins
            held_out = models[0].source_of("valid", "compare the runs one at a time, without mixtures")
    words = _count_words(source)
    losses, compared = [], []
    for name, model in zip(names, models, strict=True):
        on_model(name)
        text = encode(source, model.tokenizer, model.config)
        began = time.perf_counter()
        own = _losses(model, text)
        took = time.perf_counter() - began
        losses.append(own)
        compared.append(_compared(name, model, text, own, words, took))
    mixtures = [
        _mixture(
            [names[i] for i in group],
            np.stack([losses[i] for i in group]),
            None if held_out is None else _on_held_out([models[i] for i in group], held_out),
        )
        for group in groups
    ]
    found = Comparison(str(source.path), tuple(compared), tuple(mixtures))
    if page is not None:
        from recurra.tasks.language_modeling.comparison_page import write_page  # which needs this module

        write_page(page, found, folders)
    return found


def _folder_of(model: LanguageModel) -> Path:
    if model.run is None:
        raise ConfigError("compare: a model has no run folder; train it into one.")
    return model.run.path


def equal_configs(config: LanguageModelConfig, vocabulary_size: int) -> dict[str, LanguageModelConfig]:
    """Return one configuration per cell with as many parameters as the LSTM of the configured size.

    The numbers are as close as whole units allow (the comparison of Chung et al. 2014).

    Raises: ConfigError if no number of units comes close enough, if the model is not recurrent, or for
    options that only some of the cells have.
    """
    if config.model != "recurrent":
        raise ConfigError(f"equal parameters: compares recurrent cells, not a {config.model} model.")
    chosen = [name for name in config.changed() if unmet(config, name) is None]
    for cell in EQUAL_CELLS:
        own = config.model_copy(update={"cell": cell})
        for name in chosen:
            if (condition := unmet(own, name)) is not None:
                raise ConfigError(f"{name}: applies only {condition}, but all cells are compared; remove it.")
    lstm = config.model_copy(update={"cell": "lstm"}).resolved()
    wanted = count_parameters(lstm, vocabulary_size)
    configs = {}
    for cell in EQUAL_CELLS:
        own = lstm.model_copy(update={"cell": cell})
        size = _size_with(own, wanted, vocabulary_size)
        configs[cell] = own.model_copy(update={"hidden_size": size})
        count = count_parameters(configs[cell], vocabulary_size)
        if abs(count - wanted) > 0.05 * wanted:
            raise ConfigError(
                f"equal parameters: {cell} has {count:,} at best, the LSTM has {wanted:,}; use a larger "
                "hidden_size, or remove tie_weights."
            )
    return configs


def equal_configs_of(config: LanguageModelConfig) -> dict[str, LanguageModelConfig]:
    """Return the configurations of `equal_configs` for the vocabulary of the configured training text.

    Raises: as `equal_configs`; DataError if the text cannot be used.
    """
    return equal_configs(config, read_corpus(config).symbols.vocabulary_size)


def train_equal(
    configs: Mapping[str, LanguageModelConfig],
    out: str | Path,
    listeners: Callable[[], Sequence[Listener]] = tuple,
) -> list[Path]:
    """Train one model per configuration into the folder of its name in `out`; return the folders.

    Existing runs are resumed, or kept if done.

    Raises: RunError if a folder holds a run with other options or data.
    """
    folder, task = Path(out), registry.get(LanguageModel.task)
    for _ in train_each(task, configs, folder, listeners=listeners):
        pass
    return [folder / cell for cell in configs]


def count_parameters(config: LanguageModelConfig, vocabulary_size: int) -> int:
    """Return the number of parameters of the configured recurrent network, tied ones once."""
    with torch.device("meta"):
        network = LanguageModelNetwork(vocabulary_size, config)
    return sum(weight.numel() for weight in network.parameters())


def _size_with(config: LanguageModelConfig, wanted: int, vocabulary_size: int) -> int:
    """Return the hidden size for which the number of parameters is closest to `wanted`."""

    def count(size: int) -> int:
        return count_parameters(config.model_copy(update={"hidden_size": size}), vocabulary_size)

    low, high = 1, 2
    while count(high) < wanted and high < _MOST_UNITS:
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        if count(middle) < wanted:
            low = middle
        else:
            high = middle
    return min((low, high), key=lambda size: abs(count(size) - wanted))


def _losses(model: LanguageModel, text: EncodedText) -> np.ndarray:
    return losses_of_text(
        model.network, model.tokenizer, text, reset_at_documents=model.config.at_document == "reset"
    )


def _compared(
    name: str, model: LanguageModel, text: EncodedText, losses: np.ndarray, words: int, took: float
) -> ComparedModel:
    unk = model.tokenizer.vocabulary.unk_id
    unknown = np.zeros(len(losses), dtype=bool) if unk is None else np.asarray(text.tokens.ids) == unk
    figures = LikelihoodFigures(
        unit=model.tokenizer.unit,
        total_nats=float(losses.sum()),
        symbols=len(losses),
        characters=text.characters,
        unknown=int(unknown.sum()),
        unknown_nats=float(losses[unknown].sum()),
        spelling_nats=spelling_nats(model.tokenizer, text.tokens, text.source.chunks),
    )
    assert model.run is not None
    return ComparedModel(
        name=name,
        kind=_kind(model),
        parameters=_parameters(model),
        bytes_on_disk=model.run.weights.stat().st_size,
        symbols_per_s=len(losses) / max(took, 1e-9),
        figures=figures,
        words=words,
    )


def _kind(model: LanguageModel) -> str:
    config = model.config
    if isinstance(model.network, NGramNetwork):
        smoothing = config.smoothing if config.arpa is None else "from ARPA"
        return f"{model.network.model.order}-gram, {smoothing}, {config.unit}s"
    if config.model == "feed-forward":
        return f"feed-forward {config.context_size} x {config.hidden_size}, {config.unit}s"
    return f"{config.cell.upper()} {config.num_layers} x {config.hidden_size}, {config.unit}s"


def _parameters(model: LanguageModel) -> int:
    if isinstance(model.network, NGramNetwork):
        return model.network.model.parameters
    return sum(weight.numel() for weight in model.network.parameters())


def _short_names(paths: Sequence[Path]) -> list[str]:
    """Return the folder names, with parent folders if needed to distinguish them."""
    paths = [path.resolve() for path in paths]
    for depth in range(1, 1 + max(len(path.parts) for path in paths)):
        names = ["/".join(path.parts[-depth:]) for path in paths]
        if len(set(names)) == len(names):
            return names
    raise ConfigError("compare: the same run is named twice; name each once.")


def _same_symbols(models: Sequence[LanguageModel]) -> list[list[int]]:
    """Group the models with the same symbols and the same direction; return indices."""
    prints = sorted((model.symbols_read, i) for i, model in enumerate(models))
    return [[i for _, i in group] for _, group in groupby(prints, key=lambda one: one[0])]


def _on_held_out(models: Sequence[LanguageModel], source: TextSource) -> np.ndarray:
    return np.stack([_losses(model, encode(source, model.tokenizer, model.config)) for model in models])


def _mixture(names: Sequence[str], losses: np.ndarray, held_out: np.ndarray | None) -> Mixture:
    if held_out is None:
        middle = losses.shape[1] // 2
        halves = [losses[:, :middle], losses[:, middle:]]
        found = [best_mixture(half) for half in halves]
        mixed = np.concatenate([mixture_losses(halves[0], found[1]), mixture_losses(halves[1], found[0])])
        weights, where = best_mixture(losses), "each half of the text, for the other half"
    else:
        weights, where = best_mixture(held_out), "the text that the first run held out"
        mixed = mixture_losses(losses, weights)
    perplexity = exp_or_infinite(float(mixed.mean()))
    return Mixture(tuple(names), tuple(weights.tolist()), perplexity, where)


def _count_words(source: TextSource) -> int:
    """Count the words between blanks, and the line ends."""
    count = 0
    inside = False  # whether the chunk before ended within a word
    for chunk in source.chunks():
        count += len(chunk.split()) + chunk.count("\n")
        count -= inside and not chunk[:1].isspace()
        inside = not chunk[-1:].isspace()
    return count

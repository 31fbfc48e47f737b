"""The language model that a person holds: train, evaluate, score, sample, complete."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from recurra.data import TextSource
from recurra.data.inputs import Input
from recurra.decoding import LogitsTransform, Step, chain, forbid, sample_ids
from recurra.decoding import temperature as with_temperature
from recurra.decoding import top_k as keep_top_k
from recurra.decoding import top_p as keep_top_p
from recurra.errors import BackendUnavailable, ConfigError
from recurra.metrics import LikelihoodFigures, Novelty, novelty
from recurra.models import (
    LanguageModelNetwork,
    NextSymbolNetwork,
    NGramNetwork,
    StreamingLanguageModel,
    write_arpa,
)
from recurra.models.adaptation import (
    CacheOptions,
    DynamicOptions,
    adapting_reader,
    statistics_streams,
)
from recurra.models.scoring import LineScore, mixed_scores, score_lines
from recurra.runs import RunFolder
from recurra.tasks.language_modeling.completing import Completer
from recurra.tasks.language_modeling.config import CompletionPart, LanguageModelConfig, ReadingPart
from recurra.tasks.language_modeling.corpus import EncodedText, encode, known_source
from recurra.tasks.language_modeling.evaluation import evaluate_text
from recurra.tasks.language_modeling.report import page_of
from recurra.tasks.model import Evaluation, Model, Page, ignored
from recurra.text import Tokenizer


@dataclass(frozen=True)
class Continuation:
    """The likeliest ways to go on after a line, best first, with their probabilities."""

    text: str
    endings: tuple[tuple[str, float], ...]
    number: int
    several: bool

    def line(self) -> str:
        """The likeliest ending, or a line each with its probability where several were asked for."""
        if not self.several:
            return self.endings[0][0] if self.endings else ""
        return "\n".join(f"{self.number}\t{share:.4f}\t{ending}" for ending, share in self.endings)

    def to_dict(self) -> dict[str, Any]:
        """As plain values, for JSON."""
        ways = [{"ending": ending, "probability": share} for ending, share in self.endings]
        return {"text": self.text, "endings": ways}


class LanguageModel(Model):
    """A trained language model: P(next symbol | all before it).

        lm = recurra.LanguageModel.train("corpus.txt", out="runs/tiny", hidden_size=256)
        lm.perplexity("held-out.txt");  lm.sample("The ", seed=1)

    `tokenizer` is its symbols; see `Model` for the others.
    """

    task = "lm"
    network: NextSymbolNetwork | NGramNetwork
    symbols: Tokenizer
    config: LanguageModelConfig

    def __init__(
        self,
        network: NextSymbolNetwork | NGramNetwork,
        tokenizer: Tokenizer,
        config: LanguageModelConfig,
        run: RunFolder | None = None,
    ) -> None:
        super().__init__(network, tokenizer, config, run)

    @property
    def tokenizer(self) -> Tokenizer:
        """The symbols, and how texts are cut into them."""
        return self.symbols

    def evaluate(
        self,
        data: str | Path | None = None,
        *,
        streams: int = 1,
        cache: CacheOptions | None = None,
        dynamic: DynamicOptions | None = None,
    ) -> LikelihoodFigures:
        """How well the model predicts a text file, or without one the part held out in training.

        With `cache` and `dynamic` it goes on learning from the text as it reads; the model itself stays as it
        is. `dynamic` reads the training text too.

        Raises: DataError if the file cannot be used; ConfigError for more streams than one with a cache or
        dynamic evaluation, or with a model that counts.
        """
        if streams > 1 and (cache or dynamic):
            raise ConfigError(f"streams: got {streams}, expected 1 with a cache or dynamic evaluation.")
        reader = adapting_reader(
            self.network,
            cache,
            dynamic,
            lambda: statistics_streams(self.encoded("train").tokens.ids, self.tokenizer.start_id),
        )
        return evaluate_text(
            self.network,
            self.tokenizer,
            self.held_out() if data is None else self.read_file(data),
            streams=streams,
            reset_at_documents=self.config.at_document == "reset",
            reader=reader,
        )

    def evaluation(self, data: Path | None, options: ReadingPart) -> Evaluation:
        """The figures of a text, as `recurra evaluate` shows them."""
        cache = dynamic = None
        if options.cache_size is not None:
            cache = CacheOptions(options.cache_size, options.cache_sharpness, options.cache_weight)
        if options.dynamic_rate is not None:
            dynamic = DynamicOptions(options.dynamic_rate, options.dynamic_decay, options.dynamic_steps)
        figures = self.evaluate(data, streams=options.streams, cache=cache, dynamic=dynamic)
        return Evaluation(figures.to_dict(), [figures.sentence()])

    def predictions(
        self,
        source: Input,
        options: CompletionPart,
        *,
        as_json: bool = False,
        tell: Callable[[str], None] = ignored,
    ) -> Iterator[Continuation]:
        """The likeliest ways to go on after each line; see `complete`."""
        for number, line in enumerate(source.lines(), start=1):
            found = self.complete(line, k=options.n_best, length=options.length)
            yield Continuation(line, tuple(found), number, options.n_best > 1)

    def page(self) -> Page:
        """The figures, and texts that the model writes."""
        return page_of(self)

    def read_file(self, data: str | Path) -> EncodedText:
        """A text file as the model's symbols.

        Raises: DataError if it cannot be used.
        """
        return encode(TextSource(Path(data).absolute()), self.tokenizer, self.config)

    def encoded(self, part: str) -> EncodedText:
        """The text that the run was trained on ("train"), or held out ("valid").

        Raises: DataError if it is gone or has changed since; ConfigError if the model is of no run.
        """
        return encode(self.source_of(part), self.tokenizer, self.config)

    def source_of(self, part: str, remedy: str = "") -> TextSource:
        """The text of `encoded` as it stands in its file; `remedy` as in `known`. Raises: as `encoded`."""
        return known_source(self.known(part, remedy).facts[part])

    def save_arpa(self, path: str | Path) -> None:
        """Write a model of n-grams as an ARPA file, which KenLM, SRILM and others read.

        Raises: ConfigError for another model, or a smoothing that does not back off; StorageError.
        """
        if not isinstance(self.network, NGramNetwork):
            raise ConfigError(
                f"ARPA: holds models of n-grams only, and this one is {self.config.model}; train one with "
                "--model ngram."
            )
        write_arpa(Path(path), self.network.model, self.tokenizer.vocabulary.symbols)

    @property
    def symbols_read(self) -> tuple[str, bool]:
        """What tells whether two models read one text as the same symbols, in the same order."""
        return self.tokenizer.symbols_fingerprint, self.reads_backward

    @property
    def reads_backward(self) -> bool:
        """Whether it reads each line from its end to its beginning."""
        return self.config.direction == "backward"

    def perplexity(self, data: str | Path | None = None) -> float:
        """exp of the mean -log P a symbol of a text file; see `evaluate`."""
        return self.evaluate(data).perplexity

    def score(self, lines: Sequence[str]) -> list[LineScore]:
        """log P of each line, each scored on its own.

        Raises: ConfigError for a string in place of lines, or a break within a line of words or subwords.
        """
        if isinstance(lines, str):
            raise ConfigError("score: got one string, expected a list of lines; put it in brackets.")
        if self.tokenizer.unit != "char" and any("\n" in line for line in lines):
            raise ConfigError("score: a line has a line break in it; score its lines one by one.")
        return list(score_lines(self.network, self.tokenizer, lines, backward=self.reads_backward))

    def score_with(
        self,
        others: Sequence["LanguageModel"],
        lines: Sequence[str],
        weights: Sequence[float] | None = None,
    ) -> list[LineScore]:
        """log P of each line under this model and others together, equally weighted if no `weights` are
        given, this model's first; see `mixed_scores`.

        Raises: ConfigError if the weights cannot be.
        """
        models = [self, *others]
        prints = {model.symbols_read for model in models}
        return mixed_scores(
            [model.score(lines) for model in models],
            [1.0] * len(models) if weights is None else weights,
            same_symbols=len(prints) == 1,
        )

    def novelty(self, text: str) -> Novelty:
        """How much of a text stands word for word in what the model was trained on, which is read whole.

        Raises: DataError if that text is gone or has changed; ConfigError if the model is of no run.
        """
        return novelty(text, self.source_of("train").chunks)

    def log_prob(self, line: str) -> float:
        """log P of one line, in nats, its end included."""
        return self.score([line])[0].log_prob

    def sample_stream(
        self,
        prime: str = "",
        *,
        length: int = 500,
        temperature: float = 1.0,
        top_k: int | None = None,
        top_p: float | None = None,
        seed: int | None = None,
        keep_unknown: bool = False,
        until_end: bool = False,
    ) -> Iterator[str]:
        """Text drawn from the model after `prime`, piece by piece as it is drawn.

        `length` symbols are drawn, or fewer with `until_end`, which stops at the first end of a line.
        `<unk>` is drawn again until another symbol comes, unless `keep_unknown`. Without a seed each
        call differs.

        Raises: ConfigError if an option cannot be.
        """
        if length < 1:
            raise ConfigError(f"length: got {length}, expected >= 1.")
        if self.reads_backward:
            raise ConfigError("sample: the model reads backward, so it cannot write on; use a forward one.")
        generator = torch.Generator()
        if seed is None:
            generator.seed()
        else:
            generator.manual_seed(seed)
        ids = sample_ids(
            self._streaming_step(),
            self.prime_ids(prime),
            length=length,
            transform=self._transform(temperature, top_k, top_p, keep_unknown),
            generator=generator,
            end_id=self.tokenizer.end_id if until_end else None,
            begins_anew=self._begins_anew,
            device=self.network.device,
        )
        between = " " if self.tokenizer.unit == "word" and prime.strip() and prime[-1] not in " \n" else ""
        for piece in self.tokenizer.stream(ids):
            yield between + piece if between and piece != "\n" else piece
            between = ""

    def sample(self, prime: str = "", **options: Any) -> str:
        """`prime` and what was drawn after it; options as `sample_stream`."""
        return prime + "".join(self.sample_stream(prime, **options))

    def complete(self, text: str, *, k: int = 5, length: int | None = None) -> list[tuple[str, float]]:
        """The k likeliest ways to go on after `text`, with their probabilities.

        For models of words: the next `length` words (default 1). For characters and subwords: the rest
        of the word, up to `length` symbols (default 24). With subwords a probability is a share of the ways
        to spell what was typed that the search kept, so it moves a little with k.

        What was read is remembered: a text that goes on where the last one ended costs its new part alone.

        Raises: ConfigError if k or length is below 1, or the model reads backward.
        """
        return self._completer.complete(text, k=k, length=length)

    def next_words(self, text: str, count: int) -> dict[str, float]:
        """The likeliest words to stand next to a text, with log P: after it, or before it for a model that
        reads backward. With characters and subwords those that the search for completions finds."""
        return self._completer.next_words(text, count)

    @cached_property
    def _completer(self) -> Completer:
        return Completer(self)

    def step(self, ids: Tensor, state: Any) -> tuple[Tensor, Any]:
        """Logits after each symbol, on the CPU, and the state after the last.

        Shapes: ids (B, T); logits (B, T, V).
        """
        logits, state = self.network(ids.to(self.network.device), state)
        return logits.cpu(), state

    def _streaming_step(self) -> Step:
        """`step` for one stream read from left to right: by the native streaming step where it can run."""
        try:
            if not isinstance(self.network, LanguageModelNetwork):
                return self.step
            model = StreamingLanguageModel(self.network)
        except BackendUnavailable:
            return self.step

        def step(ids: Tensor, state: Any) -> tuple[Tensor, Any]:
            if state is None:
                model.reset()
            for id_ in ids[0].tolist():
                logits = model.step(id_)
            return logits.view(1, 1, -1), model

        return step

    def read(self, inputs: Tensor, targets: Tensor, state: Any, lengths: Tensor) -> tuple[Tensor, Any]:
        """-log P of each target, zero in padding, and the state after the last.

        Shapes: inputs, targets, losses (B, T); lengths (B,).
        """
        device = self.network.device
        return self.network.token_losses(inputs.to(device), targets.to(device), state, lengths)

    def prime_ids(self, prime: str) -> list[int]:
        """The start symbol and the ids of the prime, line by line; of a model that reads backward, the last
        line's in reverse."""
        if self.reads_backward:
            return [self.tokenizer.start_id, *self.tokenizer.encode_line(prime.split("\n")[0])[::-1]]
        ids = [self.tokenizer.start_id]
        *lines, last = prime.split("\n")
        for line in lines:
            ids += self.tokenizer.encode_line(line)
            ids += [] if self.tokenizer.end_id is None else [self.tokenizer.end_id]
        ids += self.tokenizer.encode_line(last)
        begins = [at for at in range(1, len(ids) + 1) if self._begins_anew(ids[max(0, at - 2) : at])]
        return ids[begins[-1] - 1 :] if begins else ids  # what was before the document is forgotten

    def _begins_anew(self, ids: Sequence[int]) -> bool:
        """Whether the state was set to zero, in training, before the symbol after these."""
        return self.config.at_document == "reset" and self.tokenizer.begins_document(
            ids, self.config.documents
        )

    def _transform(
        self, temperature: float, top_k: int | None, top_p: float | None, keep_unknown: bool
    ) -> LogitsTransform:
        steps: list[LogitsTransform] = []
        unk = self.tokenizer.vocabulary.unk_id
        if unk is not None and not keep_unknown:
            steps.append(forbid([unk]))
        steps.append(with_temperature(temperature))
        if top_k is not None:
            steps.append(keep_top_k(top_k))
        if top_p is not None:
            steps.append(keep_top_p(top_p))
        return chain(steps)

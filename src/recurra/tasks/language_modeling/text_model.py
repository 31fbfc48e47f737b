"""The base class of language models: train, evaluate, score, sample, complete."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from torch import Tensor

from recurra.arguments import AtLeastOne, Seed, checks_arguments, each_text
from recurra.cells import check_ids
from recurra.data import TextSource
from recurra.data.inputs import Input
from recurra.decoding import Step, sample_ids
from recurra.decoding.sampling import seeded
from recurra.decoding.transforms import chain, forbid, sampling
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
from recurra.tasks.language_modeling.answers import Continuation
from recurra.tasks.language_modeling.completing import Completer, Ending
from recurra.tasks.language_modeling.config import CompletionPart, LanguageModelConfig, ReadingPart
from recurra.tasks.language_modeling.corpus import EncodedText, encode, known_source
from recurra.tasks.language_modeling.evaluation import evaluate_text
from recurra.tasks.language_modeling.report import page_of
from recurra.tasks.model import Model
from recurra.tasks.shown import Evaluation, Page, ignored
from recurra.text import Tokenizer
from recurra.text.words import composed, composed_chunks

_MOST_SCORES = 1 << 25  # of all endings that a search for completions keeps


class TextModel(Model):
    """Base class of `LanguageModel`: P(next symbol | all before it), and what follows from it alone.

    `tokenizer` splits text into symbols; see `Model` for the other attributes.
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
        """The vocabulary, and the splitting of text into its symbols."""
        return self.symbols

    @checks_arguments
    def evaluate(
        self,
        data: str | Path | None = None,
        *,
        streams: AtLeastOne = 1,
        cache: CacheOptions | None = None,
        dynamic: DynamicOptions | None = None,
    ) -> LikelihoodFigures:
        """Return the likelihood figures of a text file, or of the held-out text if no file is given.

        With `cache` or `dynamic` the model adapts to the text while reading; the model itself is not changed.
        `dynamic` also reads the training text.

        Raises: DataError if the file cannot be used; ConfigError for more than one stream with a cache or
        dynamic evaluation, or for either of them with an n-gram model.
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

    @checks_arguments
    def evaluation(self, data: Path | None, options: ReadingPart) -> Evaluation:
        """Evaluate a text as `recurra evaluate` shows it."""
        cache = dynamic = None
        if options.cache_size is not None:
            cache = CacheOptions(options.cache_size, options.cache_sharpness, options.cache_weight)
        if options.dynamic_rate is not None:
            dynamic = DynamicOptions(options.dynamic_rate, options.dynamic_decay, options.dynamic_steps)
        figures = self.evaluate(data, streams=options.streams, cache=cache, dynamic=dynamic)
        return Evaluation(figures.to_dict(), [figures.sentence()])

    @checks_arguments
    def predictions(
        self,
        source: Input,
        options: CompletionPart,
        *,
        as_json: bool = False,
        tell: Callable[[str], None] = ignored,
    ) -> Iterator[Continuation]:
        """Yield the most probable continuations of each line; see `complete`."""
        for number, line in enumerate(source.lines(), start=source.first + 1):
            found = self.complete(line, n_best=options.n_best, length=options.length)
            yield Continuation(line, tuple(found), number, options.n_best > 1)

    def page(self) -> Page:
        """Return the figures and text samples for report.html."""
        return page_of(self)

    @checks_arguments
    def read_file(self, data: str | Path) -> EncodedText:
        """Read a text file and encode it as the model's symbols.

        Raises: DataError if it cannot be used.
        """
        return encode(TextSource(Path(data).absolute()), self.tokenizer, self.config)

    @checks_arguments
    def encoded(self, part: str) -> EncodedText:
        """Return the encoded training text ("train") or held-out text ("valid") of the run.

        Raises: DataError if it is missing or has changed; ConfigError if the model has no run folder.
        """
        return encode(self.source_of(part), self.tokenizer, self.config)

    @checks_arguments
    def source_of(self, part: str, remedy: str = "") -> TextSource:
        """Return the text of `encoded` without encoding it; `remedy` as in `known`. Raises: as `encoded`."""
        return known_source(self.known(part, remedy).facts[part])

    @checks_arguments
    def save_arpa(self, path: str | Path) -> None:
        """Write an n-gram model as an ARPA file, which KenLM, SRILM and others can read.

        Raises: ConfigError for other models, or for smoothing without back-off; StorageError.
        """
        if not isinstance(self.network, NGramNetwork):
            raise ConfigError(
                f"ARPA: the format is for n-gram models only, but this model is {self.config.model}; "
                "train one with --model ngram."
            )
        write_arpa(Path(path), self.network.model, self.tokenizer.vocabulary.symbols)

    @property
    def symbols_read(self) -> tuple[str, bool]:
        """A key that is equal for two models if they read a text as the same symbols in the same order."""
        return self.tokenizer.symbols_fingerprint, self.reads_backward

    @property
    def reads_backward(self) -> bool:
        """Whether the model reads each line from its end to its start."""
        return self.config.direction == "backward"

    @checks_arguments
    def perplexity(self, data: str | Path | None = None) -> float:
        """Return exp of the mean -log P per symbol of a text file; see `evaluate`."""
        return self.evaluate(data).perplexity

    @checks_arguments
    def score(self, lines: Iterable[str]) -> list[LineScore]:
        """Return log P of each line, scored independently.

        Raises: ConfigError for a line break within a line if the unit is words or subwords.
        """
        every = each_text(lines, "score: lines")
        if self.tokenizer.unit != "char" and any("\n" in line for line in every):
            raise ConfigError("score: a line contains a line break; pass its parts as separate lines.")
        return list(score_lines(self.network, self.tokenizer, every, backward=self.reads_backward))

    @checks_arguments
    def score_with(
        self,
        others: Sequence["TextModel"],
        lines: Iterable[str],
        weights: Sequence[float] | None = None,
    ) -> list[LineScore]:
        """Return log P of each line under a mixture of this model and others; see `mixed_scores`.

        `weights` begin with this model's; if not given, all are equal.

        Raises: ConfigError if the weights are invalid.
        """
        models, lines = [self, *others], each_text(lines, "score_with: lines")
        prints = {model.symbols_read for model in models}
        return mixed_scores(
            [model.score(lines) for model in models],
            [1.0] * len(models) if weights is None else weights,
            same_symbols=len(prints) == 1,
        )

    @checks_arguments
    def novelty(self, text: str) -> Novelty:
        """Return how much of a text is copied word for word from the training text, which is read completely.

        For a model of words, both texts are compared in Unicode normalisation form C.

        Raises: DataError if that text is missing or has changed; ConfigError if the model has no run folder.
        """
        source = self.source_of("train")
        if self.tokenizer.unit != "word":
            return novelty(text, source.chunks)
        return novelty(composed(text), lambda: composed_chunks(source.chunks()))

    @checks_arguments
    def log_prob(self, line: str) -> float:
        """Return log P of one line including its end, in nats."""
        return self.score([line])[0].log_prob

    @checks_arguments
    def sample_stream(
        self,
        prime: str = "",
        *,
        length: AtLeastOne = 500,
        temperature: float = 1.0,
        top_k: AtLeastOne | None = None,
        top_p: float | None = None,
        seed: Seed | None = None,
        keep_unknown: bool = False,
        until_end: bool = False,
    ) -> Iterator[str]:
        """Sample text that continues `prime`, and yield it piece by piece.

        `length` symbols are sampled, or fewer with `until_end`, which stops at the first line end. `<unk>` is
        never sampled unless `keep_unknown` is set. Without a seed, each call gives another text.

        Raises: ConfigError if an option is invalid.
        """
        if self.reads_backward:
            raise ConfigError(
                "sample: the model reads backward, so it cannot continue a text; use a forward model."
            )
        unk = self.tokenizer.vocabulary.unk_id
        forbidden = [] if unk is None or keep_unknown else [unk]
        ids = sample_ids(
            self._streaming_step(),
            self.prime_ids(prime),
            length=length,
            transform=chain([forbid(forbidden), sampling(temperature, top_k, top_p)]),
            generator=seeded(seed),
            end_id=self.tokenizer.end_id if until_end else None,
            begins_anew=self._begins_anew,
            device=self.network.device,
        )
        between = " " if self.tokenizer.unit == "word" and prime.strip() and prime[-1] not in " \n" else ""
        for piece in self.tokenizer.stream(ids):
            yield between + piece if between and piece != "\n" else piece
            between = ""

    @checks_arguments
    def sample(self, prime: str = "", **options: Any) -> str:
        """Return `prime` and its sampled continuation; options as in `sample_stream`."""
        return prime + "".join(self.sample_stream(prime, **options))

    @checks_arguments
    def complete(
        self, text: str, *, n_best: AtLeastOne = 5, length: AtLeastOne | None = None
    ) -> list[Ending]:
        """Return the `n_best` most probable endings of `text`, with their probabilities.

        text + ending is the continued text. Word models give `length` words (default 1). If the text ends
        within a word, the first one is a word that begins as typed, and the probabilities are normalised
        over all such words of the vocabulary; if none begins so, there are no endings. A typed text that is
        itself a word is also taken to be complete, so that the next words, with a blank before them, are
        among the endings. After a blank a new word begins.

        Character and subword models give the rest of the word, up to `length` symbols (default 24). With
        subwords, probabilities are normalised over the spellings of the typed word that the search kept, so
        they vary slightly with `n_best`.

        The state is cached: a text that extends the previous one costs only its new part.

        Raises: ConfigError if the model reads backward, or for more endings than fit into memory.
        """
        self._check_count("n_best", n_best, length)
        return self._completer.complete(text, n_best=n_best, length=length)

    @checks_arguments
    def next_words(self, text: str, count: AtLeastOne) -> dict[str, float]:
        """Return the most probable words next to a text, with log P.

        The words follow the text, or precede it if the model reads backward. For characters and subwords, the
        search for completions finds them.

        Raises: ConfigError for more words than fit into memory.
        """
        self._check_count("count", count)
        return self._completer.next_words(text, count)

    def _check_count(self, name: str, count: int, length: int | None = None) -> None:
        """Refuse a number of endings that needs too much memory; a single word is one of the vocabulary."""
        size = self.tokenizer.vocabulary_size
        most = max(1, _MOST_SCORES // size)
        if count > most and (self.tokenizer.unit != "word" or (length or 1) > 1):
            raise ConfigError(
                f"{name}: got {count}, expected <= {most:,} with a vocabulary of {size:,} symbols."
            )

    @cached_property
    def _completer(self) -> Completer:
        return Completer(self)

    @checks_arguments
    def step(self, ids: Tensor, state: Any) -> tuple[Tensor, Any]:
        """Return the logits after each symbol, on the CPU, and the final state.

        Shapes: ids (B, T); logits (B, T, V). Raises: ShapeError for other ids.
        """
        check_ids("ids", ids, self.tokenizer.vocabulary_size)
        logits, state = self.network(ids.to(self.network.device), state)
        return logits.cpu(), state

    def _streaming_step(self) -> Step:
        """Return `step` for a single stream, with the native streaming step if it can run."""
        try:
            if not isinstance(self.network, LanguageModelNetwork):
                return self.step
            model = StreamingLanguageModel(self.network)
        except BackendUnavailable:
            return self.step

        @checks_arguments
        def step(ids: Tensor, state: Any) -> tuple[Tensor, Any]:
            if state is None:
                model.reset()
            for id_ in ids[0].tolist():
                logits = model.step(id_)
            return logits.view(1, 1, -1), model

        return step

    @checks_arguments
    def read(self, inputs: Tensor, targets: Tensor, state: Any, lengths: Tensor) -> tuple[Tensor, Any]:
        """Return -log P of each target, zero in padding, and the final state.

        Shapes: inputs, targets, losses (B, T); lengths (B,). Raises: ShapeError for other ids.
        """
        check_ids("inputs", inputs, self.tokenizer.vocabulary_size)
        check_ids("targets", targets, self.tokenizer.vocabulary_size)
        device = self.network.device
        return self.network.token_losses(inputs.to(device), targets.to(device), state, lengths)

    @checks_arguments
    def prime_ids(self, prime: str) -> list[int]:
        """Return the start symbol and the ids of the prime, line by line.

        If the model reads backward, only the first line is used, in reverse.
        """
        if self.reads_backward:
            return [self.tokenizer.start_id, *self.tokenizer.encode_line(prime.split("\n")[0])[::-1]]
        ids = [self.tokenizer.start_id]
        *lines, last = prime.split("\n")
        for line in lines:
            ids += self.tokenizer.encode_line(line)
            ids += [] if self.tokenizer.end_id is None else [self.tokenizer.end_id]
        ids += self.tokenizer.encode_line(last)
        begins = [at for at in range(1, len(ids) + 1) if self._begins_anew(ids[max(0, at - 2) : at])]
        return ids[begins[-1] - 1 :] if begins else ids  # the state of earlier documents was reset

    def _begins_anew(self, ids: Sequence[int]) -> bool:
        """Whether training reset the state after these symbols."""
        return self.config.at_document == "reset" and self.tokenizer.begins_document(
            ids, self.config.documents
        )

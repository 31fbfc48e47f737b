"""The base class of translators, chat-bots and captioners: train, evaluate, answer."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, Self

import torch

from recurra.arguments import AtLeastOne, EachField, NotNegative, Range, checks_arguments
from recurra.config import SearchPart, build_config
from recurra.data.examples import BadRows, numbers_of, rows_told
from recurra.data.inputs import Input
from recurra.data.readers.pairs import Pair, is_table
from recurra.data.rows_in_memory import each_row, is_in_memory
from recurra.decoding import Hypothesis
from recurra.decoding.transforms import sampling
from recurra.errors import ConfigError, DataError
from recurra.models.seq2seq import Seq2SeqNetwork
from recurra.plain import quoted
from recurra.tasks.data_in_memory import check_data, reading_rows
from recurra.tasks.seq2seq.by_length import ScoresByLength, by_length_of
from recurra.tasks.seq2seq.config import AnswersPart, PairEvaluationPart, Seq2SeqConfig
from recurra.tasks.seq2seq.corpus import check_shapes, filled, read_asked, read_files, with_model_channels
from recurra.tasks.seq2seq.evaluating import evaluation_of
from recurra.tasks.seq2seq.feeds import EncodedPairs
from recurra.tasks.seq2seq.figures import PairFigures, measure
from recurra.tasks.seq2seq.outputs import AttentionMap, BeamErrors, GeneratedText
from recurra.tasks.seq2seq.predicting import GeneratedTexts, answers_to
from recurra.tasks.seq2seq.report import page_of
from recurra.tasks.seq2seq.searching import SearchRequest, sample, search, stream
from recurra.tasks.seq2seq.symbols import PairSymbols
from recurra.tasks.seq2seq.texts import check_unknown, text_of, text_pieces, weights_of
from recurra.tasks.seq2seq.trainable import TrainedOnPairs
from recurra.tasks.shown import CountedNote, Evaluation, Page, ignored
from recurra.text.vocabulary import UNK
from recurra.text.words import composed

GivenPair = Annotated[Pair, EachField()]
SampleCount = Annotated[int, Range(1, 100_000)]
_MOST_TRIES = 3  # searches with a growing n-best list, until there are enough different texts


_NOTHING = GeneratedText("", 0.0, 0.0)  # output for an empty source


def _is_said(pair: Pair) -> bool:
    """Whether a pair's source is a picture, or a text that is not blank."""
    return pair.vectors is not None or any(map(str.split, pair.source))


class PairModel(TrainedOnPairs):
    """Base class of `Translator`, `ChatBot` and `Captioner`."""

    network: Seq2SeqNetwork
    symbols: PairSymbols
    config: Seq2SeqConfig

    def searching(self, **options: Any) -> Self:
        """Return the same model with other search options.

        model.searching(beam_width=10, length_penalty=0.6).translate("A dog runs.")

        Raises: ConfigError for an unknown option or value.
        """
        own = {name: getattr(self.config, name) for name in SearchPart.model_fields}
        checked = build_config(SearchPart, overrides=options, known=own)
        if checked.coverage_penalty and self.network.attentive is None:
            raise ConfigError("coverage_penalty: needs a model with attention; remove it.")
        check_unknown(checked, self.network, self.symbols)
        config = self.config.model_copy(update=checked.model_dump())
        return type(self)(self.network, self.symbols, config, self.run)

    @checks_arguments
    def evaluate(
        self,
        data: Any = None,
        target: Any = None,
        *,
        skip_bad: bool | None = None,
    ) -> PairFigures:
        """Evaluate the model on the pairs of a file or in memory, or on its validation set.

        Raises: DataError if the file cannot be used; ConfigError if the model does not belong to a run.
        """
        return self.measure(
            self.pairs_of(data, target, BadRows(self.config.skip_bad if skip_bad is None else skip_bad))
        )

    @checks_arguments
    def scores_by_length(
        self,
        data: Any = None,
        target: Any = None,
        compare_with: str | Path | None = None,
        *,
        skip_bad: bool | None = None,
    ) -> ScoresByLength:
        """Evaluate the model by the length of the source, like `recurra evaluate --by-length`.

        `compare_with` is the folder of another run, which is evaluated on the same pairs with the same beam
        width and length penalty. `draw` of the result writes a plot.

        Raises: as `evaluate`; RunError if there is no other run; ConfigError if it is the model's own run.
        """
        bad = BadRows(self.config.skip_bad if skip_bad is None else skip_bad)
        return by_length_of(self, self.pairs_of(data, target, bad), compare_with)

    @checks_arguments
    def measure(self, pairs: Sequence[GivenPair]) -> PairFigures:
        """Evaluate the model on some pairs.

        Raises: DataError for a pair without a target, or of another shape than the training data.
        """
        pairs = self._usable(pairs)
        for pair in pairs:
            if not pair.targets:
                raise DataError(f"{pair.place or 'pair'}: has no target; evaluation needs one.")
        return measure(self.network, EncodedPairs(pairs, self.symbols), self.config)

    @checks_arguments
    def read_file(self, data: str | Path) -> list[Pair]:
        """Return the pairs of a file; see `pairs_of`."""
        return self.pairs_of(data)

    @checks_arguments
    def pairs_of(
        self,
        data: Any = None,
        target: Any = None,
        bad: BadRows | None = None,
    ) -> list[Pair]:
        """Return the pairs of a file or in memory (as for `train`), or the validation set.

        Raises: as `evaluate`, and DataError if the validation pairs have changed since training.
        """
        if data is None:
            if target is not None:
                raise ConfigError("target: needs data; give data as well or remove target.")
            held_out: list[Pair] = self.held_out()
            return held_out
        check_data(data)
        if is_in_memory(data):
            rows = data if target is None else each_row(data, target, "target")
            with reading_rows(self, rows, ("source_column", "target_column")) as (model, files):
                return model.pairs_of(files["data"], files.get("captions"), bad)
        bad = BadRows(self.config.skip_bad) if bad is None else bad
        beside = None if target is None else Path(target)
        pairs = filled(read_files(self.config, Path(data), beside, bad), data, bad)
        pairs = with_model_channels(pairs, self.symbols.vector_shape)
        self.check_shapes(pairs)
        return pairs

    @checks_arguments
    def evaluation(self, data: Path | None, options: PairEvaluationPart) -> Evaluation:
        """Return the metrics that `recurra evaluate` prints."""
        return evaluation_of(self, data, options)

    @checks_arguments
    def predictions(
        self,
        source: Input,
        options: AnswersPart,
        *,
        as_json: bool = False,
        tell: Callable[[str], None] = ignored,
    ) -> Iterator[GeneratedTexts]:
        """Predict an output for each line of text, row of a table, or picture of a file."""
        unknown = cut = 0
        pairs = self.asked(source, tell=tell) if source.inputs is None else source.inputs
        for found in answers_to(self, pairs, options, source.first):
            unknown += self.symbols.unknown is not None and any(UNK in one.text for one in found.answers)
            cut += any(not one.ended for one in found.answers)
            yield found
        if cut:
            tell(CountedNote(cut, "output", "cut at the maximum length; see --max-length."))
        if unknown:
            copies = self.network.attentive is not None and self.symbols.source is not None
            remedies = "replace or --unknown redraw" if copies else "redraw"
            said = f"with {UNK}, which stands for words outside the vocabulary; see --unknown {remedies}."
            tell(CountedNote(unknown, "output", said))

    @checks_arguments
    def inputs(
        self, source: Input, options: AnswersPart, *, tell: Callable[[str], None] = ignored
    ) -> Iterator[Sequence[Any]]:
        """Yield the sources that `predictions` reads."""
        return ([pair] for pair in self.asked(source, tell=tell))

    @checks_arguments
    def asked(self, source: Input, *, tell: Callable[[str], None] = ignored) -> Iterable[Pair]:
        """Read the sources: one per line, or of the rows of a table or of JSON lines."""
        if not source.is_stream and source.inputs is None and is_table(source.path):
            bad = BadRows(self.config.skip_bad)
            pairs = read_asked(self.config, source.path, bad)
            for sentence in rows_told(bad.sentences, "skipped"):
                tell(sentence)
            return pairs
        return source.lines().each(lambda line: Pair((line,)))

    @checks_arguments
    def beam_errors(
        self,
        data: str | Path | None = None,
        target: str | Path | None = None,
        *,
        rows: AtLeastOne = 500,
        beam_widths: Sequence[AtLeastOne] = (1, 2, 5, 10),
        length_penalties: Sequence[float] = (0.0, 0.6, 1.0),
    ) -> BeamErrors:
        """Classify errors as search errors or model errors, and try other beam widths and length penalties.

        `rows` is the number of pairs of a file, or of the validation set, to examine.

        Raises: as `evaluate`; ConfigError for an invalid width or penalty.
        """
        from recurra.tasks.seq2seq.beam_errors import beam_errors_of  # which needs this module

        return beam_errors_of(self, self.pairs_of(data, target)[:rows], beam_widths, length_penalties)

    def page(self) -> Page:
        """Build the report page: metrics, outputs for some held-out sources, and attention."""
        return page_of(self)

    @checks_arguments
    def check_shapes(self, pairs: Sequence[GivenPair]) -> None:
        """Check that pairs have the shape of the training data. Raises: DataError for the first other one."""
        check_shapes(pairs, self.symbols.vector_shape)

    def _usable(self, pairs: Sequence[Pair]) -> list[Pair]:
        """Return pairs as the network reads them. Raises: DataError for other shapes, or no numbers."""
        self.check_shapes(pairs)
        found = []
        for pair in pairs:
            given, place = pair.vectors, pair.place or "pair"
            numbers = None if given is None else numbers_of(given, place, images=given.ndim == 3)
            found.append(pair if numbers is given else replace(pair, vectors=numbers))
        return found

    @checks_arguments
    def answers(
        self,
        pairs: Sequence[GivenPair],
        *,
        n_best: AtLeastOne = 1,
        prefix: str = "",
        phrases: Sequence[str] = (),
    ) -> list[list[GeneratedText]]:
        """Return the `n_best` best outputs for each pair, best first and without duplicates.

        Each output begins with `prefix` and contains all `phrases`. An empty source gives the empty text.

        Raises: ConfigError for n_best below 1, or for a prefix or phrase that the model cannot write.
        """
        pairs = self._usable(pairs)
        found: list[list[GeneratedText]] = [[_NOTHING] for _ in pairs]
        wanted = [i for i, pair in enumerate(pairs) if _is_said(pair)]
        ids = tuple(tuple(self._within(phrase)) for phrase in phrases)
        beginning = tuple(self._beginning(prefix))
        needed, longest = len(beginning) + sum(map(len, ids)) + 1, self.config.max_length
        if longest is not None and needed > longest:
            raise ConfigError(
                f"max_length: got {longest}, but prefix and phrases need {needed} with the end; raise it."
            )
        asked = n_best
        for attempt in range(_MOST_TRIES):
            encoded = EncodedPairs([pairs[i] for i in wanted], self.symbols)
            how = SearchRequest(asked, beginning, ids)
            every = search(self.network, encoded, self.config, how)
            for place, (i, hypotheses) in enumerate(zip(wanted, every, strict=True)):
                found[i] = self._different(encoded, place, hypotheses)[:n_best]
            asked *= 2  # hypotheses with the same text count once
            wanted = [i for i in wanted if len(found[i]) < n_best]
            if n_best == 1 or not wanted or attempt + 1 == _MOST_TRIES:
                break
        return found

    @checks_arguments
    def sampled(
        self,
        pairs: Sequence[GivenPair],
        *,
        count: SampleCount = 1,
        temperature: float = 1.0,
        top_k: AtLeastOne | None = None,
        top_p: float | None = None,
        seed: NotNegative = 0,
        first: NotNegative = 0,
    ) -> list[list[GeneratedText]]:
        """Sample `count` outputs for each pair.

        `top_k` and `top_p` truncate the distribution, after the temperature. The draw depends on the seed and
        on the pair's index, counted from `first`.

        Raises: ConfigError for invalid values.
        """
        pairs, drawing = self._usable(pairs), sampling(temperature, top_k, top_p)
        encoded = EncodedPairs(pairs, self.symbols)
        drawn = sample(self.network, encoded, self.config, drawing, seed=seed, count=count, first=first)
        return [
            [self._answer(encoded, i, one) for one in hypotheses] if _is_said(pair) else [_NOTHING] * count
            for i, (pair, hypotheses) in enumerate(zip(pairs, drawn, strict=True))
        ]

    @checks_arguments
    def streamed(self, pair: GivenPair) -> Iterator[str]:
        """Stream the text of the best output for a pair, piece by piece as soon as it is final."""
        return self.streamed_with([], pair)

    @checks_arguments
    def streamed_with(self, symbols: list[int], pair: GivenPair) -> Iterator[str]:
        """Stream the text as `streamed`; its symbols are added to a list, for `attention`."""
        if not _is_said(pair):
            return
        encoded = EncodedPairs(self._usable([pair]), self.symbols)

        def noted() -> Iterator[int]:
            for symbol in stream(self.network, encoded, self.config):
                symbols.append(symbol)
                yield symbol

        yield from text_pieces(self.network, encoded, noted(), self.config)

    @torch.no_grad()
    @checks_arguments
    def attention(self, pair: GivenPair, written: Sequence[int] | None = None) -> AttentionMap:
        """Return the attention weights while the decoder writes the pair's first target, or `written`.

        Raises: ConfigError for a model without attention, for a pair without a target, or for unknown ids.
        """
        if self.network.attentive is None:
            raise ConfigError("attention: the model has no attention; train one with --attention general.")
        if written is None and not pair.targets:
            raise ConfigError("attention: the pair has no target; give a target, or the ids as `written`.")
        encoded = EncodedPairs(self._usable([pair]), self.symbols)
        ids = encoded.batch([0]).target[0].tolist() if written is None else list(written)
        self._check_written(ids, pair)
        weights = weights_of(self.network, encoded, 0, ids)
        if self.symbols.source is None:
            source = tuple(str(step) for step in range(weights.shape[1]))
        else:
            source = encoded.pieces(0)
        target = tuple(self.symbols.target.decode([i], source) for i in ids)
        return AttentionMap(source, (*target, ""), weights.float().cpu().numpy())

    def _check_written(self, ids: Sequence[int], pair: Pair) -> None:
        """Check that ids are symbols of the target, or copies of those of the source."""
        count = self.symbols.target.vocabulary_size
        count += len(self.symbols.pieces(pair.source)) if self.symbols.copies else 0
        wrong = [id_ for id_ in ids if not 0 <= id_ < count]
        if wrong:
            raise ConfigError(f"written: got {wrong[0]}, expected ids from 0 to {count - 1}.")

    def _answer(self, pairs: EncodedPairs, pair: int, hypothesis: Hypothesis) -> GeneratedText:
        text = text_of(self.network, pairs, pair, hypothesis.symbols, self.config)
        return GeneratedText(text, hypothesis.log_prob, hypothesis.score, hypothesis.ended)

    def _different(
        self, pairs: EncodedPairs, pair: int, hypotheses: Sequence[Hypothesis]
    ) -> list[GeneratedText]:
        """Return the outputs without duplicates: different subwords can form the same text."""
        found: dict[str, GeneratedText] = {}
        for one in (self._answer(pairs, pair, hypothesis) for hypothesis in hypotheses):
            found.setdefault(one.text, one)
        return list(found.values())

    def _beginning(self, text: str) -> list[int]:
        return self._written(text, "prefix") if text else []

    def _written(self, text: str, what: str) -> list[int]:
        """Return the symbols of a text. Raises: ConfigError if the model cannot write it."""
        ids = self.symbols.encode_target(text)
        if composed(self.symbols.target.decode(ids).strip()) != composed(" ".join(text.split())):
            raise ConfigError(f"{what}: {quoted(text)} contains symbols unknown to the model; remove them.")
        return ids

    def _within(self, phrase: str) -> list[int]:
        """Return the symbols of a phrase within a text; subwords include the space before it."""
        blank = " " if self.symbols.target.unit == "subword" else ""
        if not phrase.strip():
            raise ConfigError(f"phrases: {quoted(phrase)} is empty; remove it.")
        return self._written(blank + phrase.strip(), "phrases")

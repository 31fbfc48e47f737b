"""The base class of taggers and classifiers: train, evaluate, predict."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from copy import copy
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, ClassVar, Self, overload

from recurra.arguments import AtLeastOne, EachField, Range, checks_arguments, is_many
from recurra.config import ReaderPart, build_config
from recurra.config.conditions import idle
from recurra.data.arriving import Arriving, answered, arriving
from recurra.data.examples import BadRows, Example, conversations, numbers_of, rows_told
from recurra.data.inputs import Input
from recurra.data.readers import format_of, format_of_name, read_unlabelled, refuse_without_use
from recurra.data.rows_in_memory import is_in_memory
from recurra.errors import ConfigError
from recurra.plain import quoted
from recurra.tasks.data_in_memory import check_data, reading_rows
from recurra.tasks.labelling.answers import Judged, LabelledText, RowAnswer, answer, joined_text
from recurra.tasks.labelling.calibrated import CalibratedModel
from recurra.tasks.labelling.config import (
    COLUMNS,
    DecisionPart,
    LabelEvaluationPart,
    LabelPredictionPart,
)
from recurra.tasks.labelling.corpus import check_steps, read_rows, turns_of, with_model_channels
from recurra.tasks.labelling.deciding import check_has_labels
from recurra.tasks.labelling.evaluating import deciding_with, evaluation_of
from recurra.tasks.labelling.figures import LabelFigures, figures_beside_baselines
from recurra.tasks.labelling.mistakes import Mistake, worst_mistakes
from recurra.tasks.labelling.predicting import Carried, Prediction
from recurra.tasks.labelling.report import page_of
from recurra.tasks.shown import Evaluation, InputPrediction, Page, ignored
from recurra.text.words import Split, Word, Words, placed, words_of
from recurra.text_files import is_folder

SequenceCount = Annotated[int, Range(0, 10_000)]
GivenRow = Annotated[Example, EachField()]
_AT_ONCE = 64  # texts that are predicted together
_Read = tuple[Any, list[Word], Example]  # a text, its words, and the row that the network reads


class Labeller(CalibratedModel):
    """Base class of `Tagger`, `Classifier` and `PairClassifier`."""

    @checks_arguments
    def evaluate(self, data: Any = None, *, skip_bad: bool | None = None) -> LabelFigures:
        """Evaluate the model on the rows of a file or in memory or, if none are given, on its validation set.

        Raises: DataError if the file cannot be used; ConfigError if the model does not belong to a run.
        """
        rows = self.rows_of(data, BadRows(self.config.skip_bad if skip_bad is None else skip_bad))
        return figures_beside_baselines(rows, self._predicted(rows), self.symbols)

    @checks_arguments
    def read_file(self, data: str | Path) -> list[Example]:
        """Return the rows of a file; see `rows_of`."""
        return self.rows_of(data)

    @checks_arguments
    def rows_of(self, data: Any = None, bad: BadRows | None = None) -> list[Example]:
        """Return the rows of a file, or data in memory, or the validation set; bad rows are added to `bad`.

        Tuples in memory have the form of `train`; dictionaries and data frames have the columns of the
        training data.

        Raises: as `evaluate`, and DataError if the validation rows have changed since training.
        """
        check_data(data)
        if data is None:
            rows: list[Example] = self.held_out()
            return rows
        bad = BadRows(self.config.skip_bad) if bad is None else bad
        if is_in_memory(data):
            with reading_rows(self, data, COLUMNS) as (model, files):
                return model.rows_of(files["data"], bad)
        refuse_without_use([format_of(data, self.config)], self.config)
        rows = read_rows(self.task, self.config, str(data), bad)
        rows = with_model_channels(rows, self.symbols.vector_shape)
        check_steps(rows, self.symbols.vector_shape)
        return rows

    @checks_arguments
    def mistakes(self, data: Any = None, count: AtLeastOne = 10) -> list[Mistake]:
        """Return the mistakes with the highest confidence on a file, or on the validation set.

        Raises: as `evaluate`.
        """
        rows = self.rows_of(data)
        return worst_mistakes(rows, self._predicted(rows), count, spans=self.symbols.spans)

    @checks_arguments
    def evaluation(self, data: Path | None, options: LabelEvaluationPart) -> Evaluation:
        """Return the metrics, tables and worst mistakes that `recurra evaluate` prints."""
        return evaluation_of(self, data, options)

    def page(self) -> Page:
        """Build the report page: metrics of each part, and tables of labels."""
        return page_of(self)

    @checks_arguments
    def predictions(
        self,
        source: Input,
        options: LabelPredictionPart,
        *,
        as_json: bool = False,
        tell: Callable[[str], None] = ignored,
    ) -> Iterator[InputPrediction]:
        """Predict labels for each line of text, or for each row of a file or folder in any format."""
        given = options.given()
        n_best, below = given.pop("n_best", 0), given.pop("reject_below", 0.0)
        if below:
            check_has_labels(self.symbols, "reject_below")
        if n_best and not as_json:
            raise ConfigError(
                "n_best: applies to output as JSON only; use --json (in Python: as_json=True) or remove "
                "n_best."
            )
        model, bad, read = deciding_with(self, options)._read(source, options)
        said: Iterator[LabelledText | RowAnswer]
        if isinstance(read, list):
            said = model._rows_answered(read, n_best)
        elif options.turns:
            said = model.predict_turns(read, n_best=n_best)
        else:
            said = model.predict_stream(read, n_best=n_best)
        for one in said:
            yield Judged(one, below) if below or model.decided_by else one
        for sentence in (*bad.notes, *rows_told(bad.sentences, "skipped")):
            tell(sentence)

    @checks_arguments
    def inputs(
        self, source: Input, options: LabelPredictionPart, *, tell: Callable[[str], None] = ignored
    ) -> Iterator[Sequence[Any]]:
        """Yield the texts or rows that `predictions` reads; the turns of a conversation are a group."""
        model, bad, read = self._read(source, options)
        if isinstance(read, list):
            groups = conversations(read) if self.symbols.in_turns else [[i] for i in range(len(read))]
            yield from ([read[i] for i in group] for group in groups)
        elif options.turns:
            yield from turns_of(read, model._words)
        else:
            yield from ([text] for text in read)
        for sentence in (*bad.notes, *rows_told(bad.sentences, "skipped")):
            tell(sentence)

    def _read(
        self, source: Input, options: LabelPredictionPart
    ) -> tuple[Self, BadRows, list[Example] | Arriving[Any]]:
        """Return the model as it reads the source, the skipped rows, and the rows, or texts one per line."""
        given = options.given()
        for name in ("n_best", "reject_below", "turns", "alignment_pictures", *DecisionPart.model_fields):
            given.pop(name, None)
        model, bad = self.reading(**given), BadRows()
        if (read := source.inputs) is not None:
            return model, bad, list(read) if read and isinstance(read[0], Example) else Arriving(read)
        reads_vectors = self.symbols.words is None
        if reads_vectors:
            source.file()
        of_rows = is_folder(source.path) or format_of_name(source.path) is not None
        if reads_vectors or (not source.is_stream and ("format" in given or of_rows)):
            if options.turns:
                raise ConfigError(
                    "turns: applies to lines of text only, as rows of a file name their conversation; "
                    "remove it."
                )
            bad.skip = model.config.skip_bad
            return model, bad, model._rows_to_predict(source.path, bad)
        if needless := given.keys() - {"split"}:
            if source.is_stream:
                raise ConfigError(
                    f"{min(needless)}: applies to rows of a file, but standard input is "
                    "read as lines of text; name a file or remove the option."
                )
            raise ConfigError(
                f"{min(needless)}: applies to rows of a file, but {source.name} is "
                "read as lines of text; give format as well or remove the option."
            )
        return model, bad, self._texts(source)

    def _texts(self, source: Input) -> Arriving[Any]:
        """Return the texts to label, one per line."""
        return source.lines()

    @checks_arguments
    def reading(self, **options: Any) -> Self:
        """Return the same model with other options for reading files than in training.

        model.reading(format="csv", text_column="review").evaluate("others.csv")

        Raises: ConfigError for an unknown option or value, and for one without a use in the task.
        """
        checked = build_config(ReaderPart, overrides=options)
        config = self.config.with_given({name: getattr(checked, name) for name in options})
        lines = [f"{why}." for name in options if (why := idle(config, name)) is not None]
        if config.scheme != self.config.scheme and self.symbols.labels is not None:
            trained = "spans" if self.symbols.spans else "classes"
            if config.scheme == "auto":
                config = config.model_copy(update={"scheme": trained})
            elif (config.scheme == "classes") == self.symbols.spans:
                lines.append(f"scheme: got {config.scheme}, but the model labels {trained}; remove it.")
        if lines:
            raise ConfigError("\n".join(lines))
        changed = copy(self)
        changed.config = config
        return changed

    @checks_arguments
    def predict_file(
        self, data: str | Path, bad: BadRows | None = None, *, n_best: SequenceCount = 0
    ) -> Iterator[LabelledText | RowAnswer]:
        """Predict labels for the rows of a file or folder, with or without gold labels.

        Rows that cannot be read are added to `bad`.

        Raises: DataError if the file cannot be used.
        """
        bad = BadRows(self.config.skip_bad) if bad is None else bad
        yield from self._rows_answered(self._rows_to_predict(Path(data), bad), n_best)

    def _rows_to_predict(self, data: Path, bad: BadRows) -> list[Example]:
        """Read the rows of a file or folder, with or without gold labels."""
        rows = self._as_asked(read_unlabelled(data, self.config, bad), bad)
        rows = with_model_channels(rows, self.symbols.vector_shape)
        check_steps(rows, self.symbols.vector_shape)
        return list(rows)

    def _rows_answered(self, rows: list[Example], n_best: int) -> Iterator[LabelledText | RowAnswer]:
        """Predict labels for the rows of a file."""
        for row, said in zip(rows, self._predicted(rows, n_best), strict=True):
            if row.vectors is not None:
                yield RowAnswer(row.place, said)
                continue
            found = answer(self._text_of(row), row.placed_words, said, spans=self.symbols.spans)
            yield replace(found, place=row.place)

    def _text_of(self, row: Example) -> Any:
        """Return the text of a row of a file."""
        return row.whole_text

    def _as_asked(self, rows: Sequence[Example], bad: BadRows) -> list[Example]:
        """Remove second texts, which only classifiers of pairs read."""
        return [replace(row, second=None) for row in rows]

    @checks_arguments
    def predict_rows(
        self,
        rows: Sequence[GivenRow],
        *,
        n_best: SequenceCount = 0,
        every_label: bool = False,
        decide: bool = True,
    ) -> list[Prediction]:
        """Predict labels for rows, in order; `every_label` adds the probability of each word label.

        If `decide` is False, the thresholds of `deciding` decide no label.

        Raises: DataError for rows of another kind than the training data.
        """
        said = self._undecided(self._usable(rows), n_best, every_label=every_label)
        return self.decided_by.decide_all(said, self.symbols) if decide else said

    def _predicted(
        self, rows: Sequence[Example], n_best: int = 0, carried: Carried | None = None
    ) -> list[Prediction]:
        """Predict labels for rows that fit the network, and let the thresholds decide."""
        return self.decided_by.decide_all(self._undecided(rows, n_best, carried=carried), self.symbols)

    def _usable(self, rows: Sequence[Example]) -> list[Example]:
        """Return rows as the network reads them. Raises: DataError for other kinds, or no numbers."""
        check_steps(rows, self.symbols.vector_shape)
        return [self._row_for_network(row) for row in rows]

    def _row_for_network(self, row: Example) -> Example:
        if row.second is not None:
            row = replace(row, second=None)
        if row.vectors is not None:
            numbers = numbers_of(row.vectors, row.place or "row", images=row.vectors.ndim == 4)
            row = row if numbers is row.vectors else replace(row, vectors=numbers)
        return row

    @overload
    def predict(  # type: ignore[overload-overlap]
        self, text: str | Words | tuple[Any, Any], *, n_best: SequenceCount = 0, split: Split | None = None
    ) -> LabelledText: ...

    @overload
    def predict(
        self, text: Iterable[Any], *, n_best: SequenceCount = 0, split: Split | None = None
    ) -> list[LabelledText]: ...

    @checks_arguments
    def predict(self, text: Any, *, n_best: SequenceCount = 0, split: Split | None = None) -> Any:
        """Predict labels for one text (for a pair: a tuple of two) with character offsets.

        Several texts, in a list, an array, a series or a generator, give a list of predictions.
        `recurra.Words` are the words of one text, which are joined by spaces. `split` is how plain text is
        split into words; if not given, as in training.

        Raises: ConfigError for anything else than texts, and for an unknown split.
        """
        model = self if split is None else self.reading(split=split)
        if self._is_one(text) or not is_many(text):
            return next(model._labelled([text], n_best))
        texts = list(text)
        for place, one in enumerate(texts):
            if not self._is_one(one):
                raise ConfigError(f"predict: text[{place}]: got {quoted(one)}, expected {self._one}.")
        return list(model._labelled(texts, n_best))

    _one: ClassVar[str] = "a text or recurra.Words"

    def _is_one(self, text: Any) -> bool:
        """Whether this is one text, and not several."""
        return isinstance(text, str | Words)

    @checks_arguments
    def predict_turns(self, texts: Iterable[str], *, n_best: SequenceCount = 0) -> Iterator[LabelledText]:
        """Predict labels for the turns of conversations, one by one as they arrive.

        The state is carried from turn to turn; an empty text ends a conversation and has no prediction.

        Raises: ConfigError for a model that does not carry its state from turn to turn.
        """
        if not self.symbols.in_turns:
            raise ConfigError(
                "turns: needs a model trained on conversations, which carries its state from turn to turn."
            )
        carried = Carried()
        for text in texts:
            words = self._words(text)
            if not words:
                carried = Carried()
                continue
            (said,) = self._predicted([self._row(text, words)], n_best, carried)
            yield answer(text, words, said, spans=self.symbols.spans)

    @checks_arguments
    def predict_stream(
        self, texts: Iterable[Any], *, n_best: SequenceCount = 0, at_once: AtLeastOne | None = None
    ) -> Iterator[LabelledText]:
        """Predict labels for texts as they arrive, in order.

        A list, a tuple or another collection is labelled in batches of 64. Any other iterator is read as it
        arrives: the first text is labelled alone; while the iterator is quick, it is read ahead in a thread,
        in a copy of the caller's context, and the texts that are waiting are labelled together, at most 64.
        A text never waits for another one, and the iterator is not read ahead while it is slow compared to a
        prediction, as when it waits for a person. An exception of the iterator is raised after the
        predictions for the texts before it. With `at_once`, the iterator is read in the caller's thread, in
        batches of that many texts; use 1 if a text depends on the prediction for the one before.
        """
        return self._labelled(texts, n_best, at_once)

    def _labelled(
        self, texts: Iterable[Any], n_best: int, at_once: int | None = None
    ) -> Iterator[LabelledText]:
        def answers(read: list[_Read]) -> Iterator[LabelledText]:
            said = self._predicted([row for _, _, row in read], n_best)
            for (text, words, row), one in zip(read, said, strict=True):
                if not row.words and not row.second:
                    one = replace(
                        one, label=None, probabilities=one.probabilities and {}, score=None
                    )  # empty
                yield answer(joined_text(text), words, one, spans=self.symbols.spans)

        read = arriving(texts, _AT_ONCE, at_once).each(self._read_text)
        return answered(read, answers, at_once or _AT_ONCE)

    def _read_text(self, text: Any) -> _Read:
        words = self._words(text)
        return text, words, self._row(text, words)

    def _words(self, text: Any) -> list[Word]:
        """Return the words of a text, or of a list of words, with their offsets."""
        if self.symbols.words is None:
            raise ConfigError("predict: the model reads vectors, not texts; use predict_rows.")
        if isinstance(text, Words) and all(isinstance(word, str) for word in text):
            return placed(text)
        if not isinstance(text, str):
            raise ConfigError(
                f"predict: got {type(text).__name__}, expected a text, recurra.Words or a list of texts."
            )
        return words_of(str(text), self.config.split)

    def _row(self, text: Any, words: Sequence[Word]) -> Example:
        return Example(tuple(word.text for word in words))

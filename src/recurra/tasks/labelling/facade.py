"""The Python classes of taggers, classifiers and classifiers of pairs."""

from collections.abc import Callable, Iterator, Sequence
from itertools import count
from pathlib import Path
from typing import Any

from recurra.arguments import checks_arguments
from recurra.data.arriving import Arriving
from recurra.data.examples import CORRECT_IT, SKIP_IT, BadRows, Example
from recurra.data.inputs import Input
from recurra.errors import ConfigError, DataError
from recurra.models.pair import AlignedNetwork
from recurra.plain import counted
from recurra.tasks.labelling.alignment import WordAlignment, align
from recurra.tasks.labelling.answers import Judged, LabelledText
from recurra.tasks.labelling.config import LabelPredictionPart
from recurra.tasks.labelling.feeds import EncodedRows
from recurra.tasks.labelling.labeller import Labeller
from recurra.tasks.shown import InputPrediction, ignored
from recurra.text.words import Word


class Tagger(Labeller):
    """Labels each word (slots, entities, parts of speech) and, if the rows have one, the whole sentence.

    tagger = recurra.Tagger.train("atis.iob", out="runs/atis")
    tagger.predict("i want to fly to boston").entities
    """

    task = "tag"


class Classifier(Labeller):
    """Labels a text, or any sequence of vectors or pictures.

    classifier = recurra.Classifier.train("reviews.csv", out="runs/reviews")
    classifier.predict("a fine film").label
    """

    task = "classify"


class PairClassifier(Labeller):
    """Labels a pair of texts, for example as paraphrases or not, or predicts a score of how alike they are.

    pairs = recurra.PairClassifier.train("paraphrases.tsv", out="runs/pairs")
    pairs.predict(("He left.", "He went away.")).label
    """

    task = "pair"

    @checks_arguments
    def alignment(self, text: tuple[str, str]) -> WordAlignment:
        """Return how the words of two texts are aligned, and how much each one contributes to the prediction.

        Raises: ConfigError for a model without alignment, or a text without words.
        """
        if not isinstance(self.network, AlignedNetwork):
            raise ConfigError(
                "alignment: the model compares whole texts; train one with matching aligned to align their "
                "words."
            )
        row = self._row(text, self._words(text))
        if not row.words or not row.second:
            raise ConfigError("alignment: a text has no words; give two texts with words.")
        return align(self.network, EncodedRows([row], self.symbols, self.config.max_words), self.device)

    @checks_arguments
    def predictions(
        self,
        source: Input,
        options: LabelPredictionPart,
        *,
        as_json: bool = False,
        tell: Callable[[str], None] = ignored,
    ) -> Iterator[InputPrediction]:
        """Predict labels or scores for pairs; with `alignment_pictures`, draw how their words are aligned."""
        folder = getattr(options, "alignment_pictures", None)
        if folder is not None and not isinstance(self.network, AlignedNetwork):
            raise ConfigError(
                "alignment_pictures: the model does not align words; train one with matching aligned, or "
                "remove the option."
            )
        for number, one in enumerate(super().predictions(source, options, as_json=as_json, tell=tell), 1):
            yield one
            answer = one.answer if isinstance(one, Judged) else one
            if folder is None or not isinstance(answer, LabelledText):
                continue
            if all(self._words((side, "")) for side in answer.text):
                self.alignment(answer.text).draw(Path(folder) / f"{number}.png")

    def _texts(self, source: Input) -> Arriving[Any]:
        """Return the pairs of texts, one tab-separated pair per line."""
        numbers = count(1)

        def pair(line: str) -> tuple[str, str]:
            number, fields = next(numbers), line.split("\t")
            if len(fields) == 2:
                return fields[0], fields[1]
            tabs = counted(len(fields) - 1, "tab") if fields[1:] else "no tab"
            raise DataError(
                f"{source.name}:{number}: has {tabs}, expected one; separate the two texts with a tab."
            )

        return source.lines().each(pair)

    _one = "a tuple of two texts"

    def _is_one(self, text: Any) -> bool:
        return isinstance(text, tuple)

    def _words(self, text: Any) -> list[Word]:
        if not isinstance(text, tuple) or len(text) != 2:
            raise ConfigError("predict: a classifier of pairs needs a tuple of two texts.")
        return super()._words(text[0])

    def _row(self, text: Any, words: Sequence[Word]) -> Example:
        second = super()._words(text[1])
        return Example(tuple(w.text for w in words), second=tuple(w.text for w in second))

    def _row_for_network(self, row: Example) -> Example:
        if row.second is None:
            raise DataError(f"{row.place or 'row'}: has no second text; a classifier of pairs needs one.")
        return row

    def _text_of(self, row: Example) -> Any:
        return row.whole_text, row.whole_second_text

    def _as_asked(self, rows: Sequence[Example], bad: BadRows) -> list[Example]:
        for row in rows:
            if row.second is None:
                bad.refuse(row.place, "has no second text", CORRECT_IT, "see --second-column", SKIP_IT)
        return [row for row in rows if row.second is not None]

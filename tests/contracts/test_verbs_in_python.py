"""Each command and each of its options has its place in Python."""

import inspect
import re
from collections.abc import Iterator, Mapping, Sequence, Set
from pathlib import Path
from typing import Any, NamedTuple

import pytest

import recurra as rc
from recurra.audio.microphone import microphone_blocks
from recurra.audio.pipes import raw_blocks
from recurra.cli.verbs import VERBS, command_of
from recurra.config import ReaderPart, SearchPart
from recurra.data import tunes
from recurra.data.synthetic import dates, trigger
from recurra.demos import dogs, slots
from recurra.installation import installation
from recurra.models.adaptation import CacheOptions, DynamicOptions
from recurra.models.word_vectors.directions import axes_of
from recurra.models.word_vectors.keyed import KeyedVectors
from recurra.models.word_vectors.maps import map_words
from recurra.reports.drawing import write_png
from recurra.tasks import registry
from recurra.tasks.detection.curves import draw_curve
from recurra.tasks.detection.figures import DetectFigures
from recurra.tasks.labelling.answers import LabelledText
from recurra.tasks.labelling.config import EntityReadingPart
from recurra.tasks.labelling.curves import LabelCurves
from recurra.tasks.labelling.labeller import Labeller
from recurra.tasks.labelling.lists import entity_phrases
from recurra.tasks.language_modeling.comparison import train_equal
from recurra.tasks.model import Model
from recurra.tasks.seq2seq.by_length import ScoresByLength
from recurra.tasks.seq2seq.pair_model import PairModel
from recurra.tasks.vectors.debiasing import Checks, debias_vectors
from recurra.tasks.vectors.mapping import MapPlan
from recurra.tasks.vectors.word_tests import word_tests
from recurra.tasks.word_sources import open_vectors, write_vectors

LM = rc.LanguageModel
SOURCE = Path(rc.__file__).parent
# The run is the model itself, and what a command prints is for the terminal.
OF_EVERY_COMMAND = {"run", "as_json", "help_all"}


class Place(NamedTuple):
    """Where the options of a command are in Python: parameters, or members, of functions and classes.

    `named` has the options with another name, and `terminal` those that only a terminal needs.
    """

    functions: Sequence[Any]
    named: Mapping[str, str] = {}
    terminal: Set[str] = frozenset()

    def check(self, options: Sequence[str], whose: str) -> None:
        """Check that each option has a place, and that no exemption is without need."""
        known = {name for function in self.functions for name in names_of(function)}
        places = {name: self.named.get(name, name) for name in options if name not in self.terminal}
        missing = [name for name in places if places[name] not in known | OF_EVERY_COMMAND]
        assert not missing, f"{whose} has options that {self.functions} do not have: {missing}"
        needless = sorted({*self.named, *self.terminal} - set(options)) + sorted(self.terminal & known)
        assert not needless, f"{whose}: needs no exemption for {needless}"


def names_of(function: Any) -> Set[str]:
    """The names that a function, a class or a configuration gives to options."""
    if hasattr(function, "model_fields"):
        return set(function.model_fields)
    own = set(dir(function)) if inspect.isclass(function) else {function.__name__}
    return own | set(inspect.signature(function).parameters)


SAMPLED = {"phrase": "phrases", "sample": "count", "attention_pictures": "attention", "file": "source"}
OF_PAIRS = (PairModel.answers, PairModel.sampled, PairModel.searching, SearchPart, PairModel.attention)
IN_PYTHON = {
    "demo": Place([dogs.run, slots.run], {"name": "run"}),
    "train": Place([Model.train, Model.resume, PairModel.train]),
    "tune": Place([rc.tune], {"config": "options"}, {"print_space"}),
    "evaluate": Place([]),  # see EVALUATION
    "predict": Place([]),  # see PREDICTION
    "calibrate": Place(
        [Labeller.calibrate, Labeller.remove_calibration, Labeller.reading, ReaderPart],
        {"remove": "remove_calibration"},
    ),
    "sample": Place(
        [LM.sample, LM.sample_stream, LM.novelty, LM.sample_tune, tunes.write_midi],
        {"unknown": "keep_unknown", "tune": "sample_tune", "midi": "write_midi"},
    ),
    "score": Place([LM.score, LM.score_with], {"file": "lines"}, {"rank", "tokens"}),
    "complete": Place([LM.complete]),
    "spell": Place(
        [LM.spell, LM.spelling_corrector, LM.spelling_figures],
        {"file": "text", "evaluate_words": "misspellings", "evaluate_text": "data"},
        {"explain"},
    ),
    "fill": Place([LM.fill, LM.cloze_figures], {"evaluate": "data"}),
    "translate": Place([rc.Translator.translations, *OF_PAIRS, rc.predicted_lines], SAMPLED),
    "caption": Place([rc.Captioner.captions, *OF_PAIRS, rc.predicted_lines], SAMPLED),
    "chat": Place([rc.ChatBot.reply, rc.ChatBot.conversation, PairModel.searching, SearchPart]),
    "beam-errors": Place([PairModel.beam_errors, PairModel.searching, SearchPart], {}, {"shown"}),
    "compare": Place(
        [rc.compare, train_equal],
        dict.fromkeys(("equal_parameters", "train_data", "valid", "preset", "config"), "configs"),
    ),
    "vectors": Place(
        [
            *(open_vectors, KeyedVectors.most_similar, KeyedVectors, word_tests, axes_of, write_png),
            *(Model.word_vectors, write_vectors, debias_vectors, Checks),
            *(map_words, MapPlan),
        ],
        {"vectors": "path", "a": "negative", "b": "positive", "c": "positive", "picture": "path"}
        | {"axis": "axes", "cosmul": "most_similar_cosmul", "weat": "lists"}
        | {"weat_test": "associations", "analogy": "analogies", "only": "words"},
    ),
    "listen": Place(
        [rc.Detector.listen, raw_blocks, microphone_blocks],
        {"files": "source", "microphone": "microphone_blocks"},
    ),
    "mine": Place([rc.Detector.mine], {"files": "recordings"}),
    "report": Place([Model.report]),
    "export": Place([LM.save_arpa], {"out": "path"}, {"kind"}),
    "data": Place(
        [dates.write_corpus, trigger.write_corpus, entity_phrases, EntityReadingPart],
        {"name": "write_corpus", "out": "path"}  # the name is that of the module
        | {"phrase": "phrases", "other": "others", "voice": "voices"},
        {"overwrite"},
    ),
    "doctor": Place([installation]),
}
_LABELLING = Place(
    [
        *(Labeller.evaluate, Labeller.reading, ReaderPart, Labeller.deciding),
        *(Labeller.mistakes, Labeller.thresholds, LabelCurves.of, LabelCurves.draw),
    ],
    {"saved_thresholds": "deciding", "threshold": "thresholds", "picture": "draw"},
)
_PAIRS = Place(
    [PairModel.evaluate, PairModel.searching, SearchPart, PairModel.scores_by_length, ScoresByLength.draw],
    {"by_length": "scores_by_length", "picture": "draw"},
)
# Fields of `config.evaluation` and `config.prediction` by task.
EVALUATION = {
    "lm": Place(
        [LM.evaluate, CacheOptions, DynamicOptions],
        {f"cache_{name}": name for name in ("size", "weight", "sharpness")}
        | {f"dynamic_{name}": name for name in ("rate", "decay", "steps")},
    ),
    **dict.fromkeys(("tag", "classify", "pair"), _LABELLING),
    **dict.fromkeys(("translate", "chat", "caption"), _PAIRS),
    "vectors": Place([rc.WordVectors.evaluate, rc.WordVectors.word_tests]),
    "detect": Place(
        [rc.Detector.evaluate, DetectFigures, draw_curve], {"events": "alarms", "picture": "path"}
    ),
}
PREDICTING_LABELS = (
    *(Labeller.predict, Labeller.predict_file, Labeller.predict_turns),
    *(Labeller.reading, ReaderPart, Labeller.deciding, LabelledText),
)
NAMED_OF_LABELS = {
    "saved_thresholds": "deciding",
    "threshold": "thresholds",
    "turns": "predict_turns",
    "reject_below": "confidence",
}
PREDICTION = {
    "lm": Place([LM.complete]),
    **dict.fromkeys(("tag", "classify"), Place(PREDICTING_LABELS, NAMED_OF_LABELS)),
    "pair": Place(
        [*PREDICTING_LABELS, rc.PairClassifier.alignment],
        {**NAMED_OF_LABELS, "alignment_pictures": "alignment"},
    ),
    **dict.fromkeys(
        ("translate", "chat", "caption"),
        Place(OF_PAIRS, {name: place for name, place in SAMPLED.items() if name != "file"}),
    ),
    "vectors": Place([rc.WordVectors.most_similar], {"n_best": "topn"}),
    "detect": Place([rc.Detector.listen]),
}


def options_of(command: Any) -> Iterator[tuple[str, list[str]]]:
    """The names of the options of a command, and of its commands, if it has some."""
    if not hasattr(command, "list_commands"):
        yield command.name, [one.name for one in command.params if one.name != "help"]
        return
    for name in command.list_commands(None):
        yield from options_of(command.get_command(None, name))


def test_every_command_is_also_in_python():
    assert list(IN_PYTHON) == list(VERBS), "name the Python function of each command in this test"


@pytest.mark.parametrize("verb", [verb for verb in VERBS if verb not in ("evaluate", "predict")])
def test_every_option_of_a_command_is_also_in_python(verb):
    """The options of training are names of `**options`, which `train` and `tune` check."""
    options = {}
    for name, found in options_of(command_of(verb)):
        known = registry.config_of(name).model_fields if verb in ("train", "tune") else ()
        options |= dict.fromkeys(one for one in found if one not in known)
    IN_PYTHON[verb].check(list(options), f"recurra {verb}")


@pytest.mark.parametrize("task", [name for name in registry.names() if not registry.was_added(name)])
def test_every_option_of_evaluate_and_of_predict_is_also_in_python(task):
    config = registry.config_of(task)
    EVALUATION[task].check(list(config.evaluation.model_fields), f"recurra evaluate of {task}")
    PREDICTION[task].check(list(config.prediction.model_fields), f"recurra predict of {task}")


@pytest.mark.parametrize(("verb", "others"), [("evaluate", EVALUATION), ("predict", PREDICTION)])
def test_evaluate_and_predict_have_few_options_besides_those_of_tasks(verb, others):
    of = {"evaluate": "evaluation", "predict": "prediction"}[verb]
    of_tasks = {name for task in others for name in getattr(registry.config_of(task), of).model_fields}
    ((_, options),) = options_of(command_of(verb))
    place = {
        "evaluate": Place([Model.evaluate]),
        "predict": Place([rc.predicted_lines], {"file": "source"}),
    }
    place[verb].check([name for name in options if name not in of_tasks], f"recurra {verb}")


def test_messages_name_options_as_python_does():
    """The command line adds the dashes to what it prints of its own; both show the same messages."""
    begins = re.compile(r"""f?["']--[a-z{][^"'\s]*: """)
    wrong = [
        f"{path.relative_to(SOURCE)}: {line.strip()}"
        for path in sorted(SOURCE.rglob("*.py"))
        if "cli" not in path.relative_to(SOURCE).parts
        for line in path.read_text(encoding="utf-8").splitlines()
        if begins.search(line)
    ]
    assert wrong == []

"""Each command and each of its options has its place in Python."""

import inspect

import pytest

import recurra as rc
from recurra.cli.verbs import VERBS, command_of
from recurra.config import ReaderPart
from recurra.data import synthetic, tunes
from recurra.demos import dogs
from recurra.installation import installation
from recurra.tasks import registry
from recurra.tasks.labelling.labeller import Labeller
from recurra.tasks.language_modeling.comparison import train_equal
from recurra.tasks.model import Model
from recurra.tasks.seq2seq.pair_model import PairModel
from recurra.tasks.workers import predicted_lines

# What each command is in Python; several functions if it does several things.
IN_PYTHON = {
    "demo": [dogs.run],
    "train": [Model.train, Model.resume, PairModel.train],
    "tune": [rc.tune],
    "evaluate": [rc.LanguageModel.evaluate, Labeller.evaluate, PairModel.evaluate, Labeller.mistakes],
    "predict": [
        Labeller.predict,
        Labeller.predict_file,
        PairModel.answers,
        rc.LanguageModel.complete,
        predicted_lines,
    ],
    "calibrate": [Labeller.calibrate, Labeller.remove_calibration, Labeller.reading],
    "sample": [
        *(rc.LanguageModel.sample, rc.LanguageModel.sample_stream, rc.LanguageModel.novelty),
        *(rc.LanguageModel.sample_tune, tunes.write_midi),
    ],
    "score": [rc.LanguageModel.score, rc.LanguageModel.score_with],
    "complete": [rc.LanguageModel.complete],
    "spell": [rc.LanguageModel.spell, rc.LanguageModel.spelling_corrector, rc.LanguageModel.spelling_figures],
    "fill": [rc.LanguageModel.fill, rc.LanguageModel.cloze_figures],
    "translate": [
        rc.Translator.translate,
        rc.Translator.translations,
        PairModel.searching,
        PairModel.sampled,
        predicted_lines,
    ],
    "caption": [
        *(rc.Captioner.caption, rc.Captioner.captions, PairModel.searching, PairModel.sampled),
        predicted_lines,
    ],
    "chat": [rc.ChatBot.reply, rc.ChatBot.conversation, PairModel.searching],
    "beam-errors": [PairModel.beam_errors, PairModel.searching],
    "compare": [rc.compare, train_equal],
    "report": [Model.report],
    "export": [rc.LanguageModel.save_arpa],
    "data": [synthetic],
    "doctor": [installation],
}
# Options of the terminal, and those whose Python name is another one.
OF_THE_TERMINAL = {
    "run",
    "file",
    "as_json",
    "help_all",
    "explain",
    "rank",
    "tokens",
    "shown",
    "kind",
    "words",
    "remove",
}
NAMED = {
    "sample": {"unknown": "keep_unknown", "novelty": "text", "tune": "prime", "midi": "path"},
    "score": {"with": "others"},
    "spell": {"evaluate_words": "misspellings", "evaluate_text": "data"},
    "fill": {"evaluate": "data"},
    "export": {"out": "path"},
    "caption": {"phrase": "phrases", "sample": "count"},
    "translate": {"phrase": "phrases", "sample": "count"},
    "compare": {
        **dict.fromkeys(("equal_parameters", "train_data", "valid", "preset", "config"), "configs"),
    },
}


def test_every_command_is_also_in_python():
    assert list(IN_PYTHON) == list(VERBS), "name the Python function of each command in this test"


@pytest.mark.parametrize(
    "verb", [verb for verb in VERBS if verb not in ("demo", "train", "tune", "data", "evaluate", "predict")]
)
def test_every_option_of_a_command_is_also_in_python(verb):
    known = {"text", "prime"}
    for function in IN_PYTHON[verb]:
        known |= set(inspect.signature(function).parameters)
        if function is PairModel.searching:
            known |= set(registry.config_of("translate").prediction.model_fields) - {"sample", "phrase"}
        if function is Labeller.reading:
            known |= set(ReaderPart.model_fields)
    options = [one.name for one in command_of(verb).params if one.name != "help"]
    named = NAMED.get(verb, {})
    missing = [name for name in options if name not in OF_THE_TERMINAL and named.get(name, name) not in known]
    assert not missing, f"recurra {verb} has options that {IN_PYTHON[verb]} do not have: {missing}"

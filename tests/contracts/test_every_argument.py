"""Every public function and method takes what it is given, or refuses it with an error of the package."""

import inspect
import itertools
import math
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path
from typing import Any

import every_task
import numpy as np
import pytest
import torch

import recurra as rc
from recurra.data.examples import Example
from recurra.data.inputs import Input
from recurra.data.misspellings import count_words
from recurra.data.readers.pairs import Pair
from recurra.data.readers.pictures import pictures_in
from recurra.data.synthetic import kinematics
from recurra.data.tunes import write_midi
from recurra.errors import ConfigError, DataError, RecurraError
from recurra.models.adaptation import CacheOptions, DynamicOptions
from recurra.tasks.language_modeling.filling import GapFiller
from recurra.tasks.language_modeling.spelling import SpellingCorrector, SpellingOptions
from recurra.tasks.language_modeling.tunes import sample_tune
from recurra.text import Vocabulary

ID = torch.zeros(1, 1, dtype=torch.int64)
WRONG = (
    *(None, True, 3, -1, 2.5, 2**70, 10**400, math.nan, math.inf, object()),
    *("x", "x\ny", "", b"x", iter("x"), [], {}, (), [None], ["x", 3], [["x"]], {"x": math.nan}, {3: "x"}),
    *(np.zeros((2, 3)), np.array("x"), torch.zeros(2, 3), ID + 99, ID[0]),
    *(Pair("A man"), [Pair("A man")], [Pair((3,))], [Pair()], [Pair(vectors=np.zeros(5))]),
    *(Example("a b"), [Example("a b")], [Example()], [Example(("a",), vectors=np.zeros((2, 5)))]),
)
# Values that fit, by the name of a parameter without a default.
FITTING: dict[str, Any] = {
    "pair": Pair(("ab 1",), ("1 ba",)),
    "pairs": [Pair(("ab 1",), ("1 ba",))],
    "rows": [Example(("good", "film"), second=("good", "film"))],
    "pictures": pictures_in(np.zeros((1, 5))),
    "counts": {"the": 2, "cat": 1},
    "lines": ["the cat sat on"],
    "text": "the cat",
    "texts": ["the cat"],
    "line": "the ___ sat",
    "typed": "teh",
    "misspellings": [("the", "teh")],
    "turns": "ab 1",
    "what": "a",
    "prime": "a",
    "recordings": ["none.wav"],
    "part": "valid",
    "task": "classify",
    "count": 1,
    "others": [],
    "symbols": [],
    "tune": "X:",
    "words": ["a"],
    "ids": ID,
    "inputs": ID,
    "targets": ID,
    "lengths": ID[0] + 1,
    "state": None,
    "chunks": ["a b"],
    **dict.fromkeys(("key", "key1", "key2", "w1", "w2", "wa", "wb", "word", "word1", "word2"), "the"),
    **dict.fromkeys(("keys", "keys_list", "ws1", "ws2", "document1", "document2"), ("the",)),
    **dict.fromkeys(("vector", "word_or_vector", "vector_1"), np.ones(8)),
    **dict.fromkeys(("fname", "analogies"), Path("none.txt")),
    "vectors_all": np.ones((1, 8)),
    **dict.fromkeys(("pearson", "spearman"), (0.5, 0.1)),
    "section": {"section": "a", "correct": [], "incorrect": []},
    "oov": 1.0,
    "weights": np.ones((1, 8)),
    "attr": "count",
    "val": 1,
    "low": 0,
    "high": 1,
}
MORE: dict[str, tuple[str, dict[str, Any]]] = {
    "words": ("lm", {"unit": "word"}),
    "subwords": ("lm", {"unit": "subword", "max_vocabulary_size": 270, "direction": "backward"}),
    "windows": ("lm", {"model": "feed-forward"}),
    "crf": ("tag", {"decoder": "crf"}),
}


@pytest.fixture(scope="module")
def models(tmp_path_factory) -> Callable[[str], Any]:
    """Return a function that trains a model once, when it is first needed."""
    trained: dict[str, Any] = {}

    def of(name: str) -> Any:
        if name not in trained:
            task, options = MORE.get(name, (name, {}))
            case, folder = every_task.CASES[task], tmp_path_factory.mktemp(name)
            options = case.all_options | ({"epochs": 1} if case.has_seeds else {}) | options
            trained[name] = case.facade.train(**case.write(folder, 40), **options, out=folder / "run")
        return trained[name]

    return of


def faults_of(function: Callable[..., Any], fitting: dict[str, Any]) -> Iterator[str]:
    """Call a function with every wrong value for each parameter; yield the exceptions of other kinds."""
    parameters = {
        name: one
        for name, one in inspect.signature(function).parameters.items()
        if one.kind not in (one.VAR_POSITIONAL, one.VAR_KEYWORD)
    }
    needed = {name: fitting[name] for name, one in parameters.items() if one.default is one.empty}
    called = getattr(function, "__qualname__", str(function))
    for name, value in itertools.product(parameters, WRONG):
        try:
            use(function(**needed | {name: value}))
        except RecurraError as error:
            if len(str(error)) > 400:
                yield f"{called}({name}={value!r:.60}): a long message: {error}"
        except Exception as error:
            yield f"{called}({name}={value!r:.60}): {type(error).__name__}: {error}"


def use(result: Any) -> None:
    """Use a result: the first elements of what a function yields, and the inside of a context."""
    if isinstance(result, Iterator):
        list(itertools.islice(result, 3))
    if isinstance(result, AbstractContextManager):
        with result:
            pass


def fitting_for(model: Any, folder: Path) -> dict[str, Any]:
    """Return the arguments of a model's methods; a file that does not exist makes calls short."""
    missing = folder / "none.txt"
    own = FITTING | {"run": model.run.path, "path": folder / "file", "out": folder / "out"}
    own |= {"data": missing, "source": Input(missing), "options": type(model.config).prediction()}
    if isinstance(model, rc.Captioner):
        own["pair"] = Pair(("a",), ("a",), np.zeros(5, np.float32))
        own["pairs"] = [own["pair"]]
    return own


@pytest.mark.parametrize("name", [*every_task.CASES, *MORE])
def test_every_method_of_a_model_takes_or_refuses_its_arguments(models, tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    model, faults = models(name), []
    for method in (each for each in dir(model) if not each.startswith("_")):
        function = getattr(model, method)
        if not inspect.ismethod(function) or not function.__module__.startswith("recurra."):
            continue
        fitting = fitting_for(model, tmp_path)
        if method == "evaluation":
            fitting["options"] = type(model.config).evaluation()
        if method == "train":  # `out` is among the options of some classes
            function = partial(function, out=tmp_path / "out")
        faults += faults_of(function, fitting)
    assert not faults, "\n".join(faults)


def test_every_other_function_takes_or_refuses_its_arguments(models, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    model = models("lm")
    fitting = fitting_for(model, tmp_path) | {"forward": model, "model": model, "module": model.network}
    fitting |= {"symbols": ["a"], "network": model.network, "bot": models("chat"), "path": tmp_path / "file"}
    fitting |= {"unit": "char"}
    filler, corrector, talk = GapFiller(model), SpellingCorrector({"the": 2}), models("chat").conversation()
    functions = [
        *(rc.load, rc.watch, rc.parameter_summary, rc.Words, CacheOptions, DynamicOptions, SpellingOptions),
        *(SpellingCorrector, corrector.correct, corrector.correct_word, count_words),
        *(GapFiller, filler.fill, filler.cloze, type(talk), talk.say, talk.stream, sample_tune, write_midi),
        rc.tune,
        *(kinematics.generate, kinematics.write_corpus, kinematics.corpus),
        *(Vocabulary, Vocabulary.from_counts, Vocabulary.load, Vocabulary(["a"]).save),
        *(rc.KeyedVectors, rc.KeyedVectors.load, rc.KeyedVectors.load_vectors),
        *(rc.KeyedVectors.cosine_similarities, rc.KeyedVectors.log_accuracy),
        rc.KeyedVectors.log_evaluate_word_pairs,
    ]
    faults = [fault for function in functions for fault in faults_of(function, fitting)]
    assert not faults, "\n".join(faults)


REFUSED: list[tuple[str, str, dict[str, Any], str]] = [
    ("lm", "evaluate", {"streams": -1}, "streams: got -1, expected >= 1"),
    ("lm", "evaluate", {"streams": math.nan}, "streams: got nan, expected a whole number"),
    ("lm", "evaluate", {"cache": 3}, "cache: got 3, expected a CacheOptions or None"),
    ("lm", "next_words", {"text": "a", "count": -1}, "count: got -1, expected >= 1"),
    ("lm", "next_words", {"text": "a", "count": 2**62}, "count: got .*, expected <= 2,097,152 with a vocab"),
    ("lm", "complete", {"text": "a", "n_best": 2**40}, "n_best: got .*, expected <= 2,097,152 with a vocab"),
    ("words", "complete", {"text": "a", "n_best": 2**40, "length": 2}, "n_best: got .*, expected <= "),
    ("lm", "score", {"lines": [["a"]]}, r"lines\[0\]: got \['a'\], expected a text"),
    ("classify", "predict_stream", {"texts": "a b"}, "texts: got 'a b', expected a list"),
    ("classify", "predict_stream", {"texts": ["a"], "at_once": 0}, "at_once: got 0, expected >= 1"),
    ("classify", "evaluate", {"skip_bad": "a b"}, "skip_bad: got 'a b', expected a bool or None"),
    ("crf", "predict", {"text": "go", "n_best": 2**40}, "n_best: got .*, expected <= 10000"),
    (
        "translate",
        "answers",
        {"pairs": [Pair("A man")]},
        r"pairs\[0\]\.source: got 'A man', expected a tuple",
    ),
    ("translate", "sampled", {"pairs": [], "count": 0}, "count: got 0, expected >= 1"),
    ("translate", "attention", {"pair": Pair(("ab",))}, "attention: the pair has no target"),
    (
        "translate",
        "attention",
        {"pair": Pair(("ab",)), "written": [99]},
        "written: got 99, expected ids from 0",
    ),
    ("pair", "predict_rows", {"rows": [Example(("a",))]}, "row: has no second text"),
]


@pytest.mark.parametrize(("name", "method", "arguments", "told"), REFUSED)
def test_what_gave_a_wrong_result_is_refused(models, name, method, arguments, told):
    with pytest.raises(RecurraError, match=told):
        use(getattr(models(name), method)(**arguments))


def test_a_word_model_has_no_more_words_than_its_vocabulary(models):
    words = models("words")
    assert len(words.next_words("the", 2**62)) < words.tokenizer.vocabulary_size
    assert words.complete("the", n_best=2**62) == words.complete(
        "the", n_best=words.tokenizer.vocabulary_size
    )


def test_a_model_is_not_loaded_without_weights(models):
    with pytest.raises(ConfigError, match="device: got 'meta'"):
        rc.LanguageModel.load(models("lm").run.path, device="meta")


@pytest.mark.parametrize("dtype", [np.float64, np.float16, np.int64, np.uint8])
def test_captions_of_an_array_do_not_depend_on_its_dtype(models, dtype):
    model, array = models("caption"), np.arange(10).reshape(2, 5)
    assert model.caption(array.astype(dtype)) == model.caption(array.astype(np.float32))
    pair = Pair(("a",), (), array[0].astype(dtype))
    assert model.answers([pair])[0][0].text == model.caption(array.astype(np.float32))[0]


@pytest.mark.parametrize(
    ("array", "told"),
    [
        (np.full((2, 5), math.nan, np.float32), "array: has numbers that are not finite"),
        (np.full((2, 5), 1e300), "array: has numbers that are not finite, or too large for float32"),
        (np.zeros((0, 5)), r"array: has shape \(0, 5\) of float64, expected numbers"),
        (np.zeros((2, 5), bool), "array: has shape .* of bool, expected numbers"),
        (np.zeros((2, 5), object), "array: has shape .* of object, expected numbers"),
        (np.zeros((2, 4)), r"array:1: has numbers of shape \(4,\), expected numbers of shape \(5,\)"),
    ],
)
def test_an_array_that_cannot_be_captioned_is_refused(models, array, told):
    with pytest.raises(DataError, match=told):
        models("caption").caption(array)

"""Everything that a person holds has a short repr, and results become rows of a table."""

import importlib
import inspect
import re
from pathlib import Path

import every_task
import pytest

import recurra as rc
from recurra.data.examples import Example
from recurra.errors import ConfigError
from recurra.results import Result

DOCS = Path(__file__).resolve().parents[2] / "docs" / "reference"
# Classes with subclasses of their own, and those that only the framework makes.
WITHOUT = {
    *("Task", "Corpus", "Figures", "InputPrediction", "RowTask", "Learner", "Cell", "Equation", "Listener"),
    *("ConditionalRandomField", "Watcher"),
}


def documented_classes():
    for page in sorted(DOCS.glob("*.md")):
        for name in re.findall(r"autoclass:: (\S+)", page.read_text(encoding="utf-8")):
            module, _, own = name.rpartition(".")
            yield name, getattr(importlib.import_module(module), own)


@pytest.mark.parametrize(("name", "kind"), documented_classes(), ids=lambda one: str(one)[:60])
def test_a_documented_class_has_a_repr_of_its_own(name, kind):
    if kind.__name__ in WITHOUT or inspect.isabstract(kind) or issubclass(kind, Exception):
        return
    assert kind.__repr__ is not object.__repr__, f"{name}: its repr says nothing but an address"


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """One result of every kind, and how many rows it has."""

    def trained(task, **options):
        case, folder = every_task.CASES[task], tmp_path_factory.mktemp(task)
        options = case.all_options | ({"epochs": 1} if case.has_seeds else {}) | options
        return case.facade.train(**case.write(folder, 40), **options, out=folder / "run")

    lm, tagger, pair = trained("ngram", unit="word"), trained("tag", decoder="crf"), trained("pair")
    translator = trained("translate")
    texts = ["go to oslo", "stay"]
    return {
        "score": (lm.score(["the cat", "the dog"]), 2),
        "complete": (lm.complete("the ", n_best=3), 3),
        "likelihood": (lm.evaluate(), 1),
        "novelty": (lm.novelty("the cat sat"), 1),
        "fill": (lm.fill("the ___ sat", n_best=2), 2),
        "spell": (lm.spell("teh cat sat", words={"the": 9, "cat": 2}), 1),
        "spelling": (lm.spelling_figures([("the", "teh")], words={"the": 9}), 1),
        "cloze": (lm.cloze_figures(["the cat sat on"]), 1),
        "comparison": (rc.compare([lm]), 1),
        "words": (tagger.predict_rows([Example(("go", "to"))]), 2),
        "labels": (pair.predict([("good 1", "bad 2")]), 1),
        "text": (tagger.predict(texts[0], n_best=2), None),
        "texts": (tagger.predict(texts), None),
        "labelling": (tagger.evaluate(), None),
        "pairs": (translator.evaluate(), 1),
        "lengths": (translator.scores_by_length(), 1),
        "generated": (translator.translations(["ab 1", "ab 2"], 2), 4),
        "attention": (translator.attention(translator.pairs_of()[0]), None),
    }


KINDS = (
    *("score", "complete", "likelihood", "novelty", "fill", "spell", "spelling", "cloze", "comparison"),
    *("words", "labels", "text", "texts", "labelling", "pairs", "lengths", "generated", "attention"),
)


def each(result):
    return [one for inner in result for one in each(inner)] if isinstance(result, list) else [result]


@pytest.mark.parametrize("kind", KINDS)
def test_a_result_is_told_in_a_line(results, kind):
    for one in each(results[kind][0]):
        told = repr(one)
        assert told.startswith(f"{type(one).__name__}(")
        assert len(told) <= 330, told
        assert "\n" not in told
        assert "object at 0x" not in told


@pytest.mark.parametrize("kind", KINDS)
def test_a_result_becomes_flat_rows(results, kind):
    result, count = results[kind]
    table = rc.rows(result)
    assert count is None or len(table) == count
    for row in table:
        assert all(isinstance(name, str) for name in row)
        assert not [value for value in row.values() if isinstance(value, list | tuple | dict)]
    if isinstance(result, list) and table:
        assert table[0]["index"] == 0
        assert next(iter(table[0])) == "index"
    for one in each(result):
        if isinstance(one, Result):
            assert one._repr_html_().startswith("<table><caption>")


def test_rows_of_other_kinds_are_chosen(results):
    text = results["text"][0]
    assert [row["text"] for row in rc.rows(text, of="words")] == ["go", "to", "oslo"]
    assert [row["rank"] for row in rc.rows(text, of="n_best")] == [0, 1]
    (label,) = rc.rows(text, of="labels")
    assert {"text", "label", "probability", "P(go)", "P(stay)"} == set(label)
    assert label["P(go)"] + label["P(stay)"] == pytest.approx(1)
    assert rc.rows(results["labels"][0])[0]["text2"] == "bad 2"
    generated = rc.rows(results["generated"][0])
    assert [(row["index"], row["rank"]) for row in generated] == [(0, 0), (0, 1), (1, 0), (1, 1)]


@pytest.mark.parametrize("wrong", [3, "text", None, [3], [[["a"]]], object()])
def test_anything_else_is_refused(wrong):
    with pytest.raises(ConfigError, match=r"rows: got .*, expected results or a list of them"):
        rc.rows(wrong)


def test_kinds_of_rows_that_a_result_has_not_are_refused(results):
    with pytest.raises(ConfigError, match="rows: of: got 'lines', expected one of 'labels', 'words'"):
        rc.rows(results["text"][0], of="lines")
    with pytest.raises(ConfigError, match="rows: of: got 'words', expected none for a LikelihoodFigures"):
        rc.rows(results["likelihood"][0], of="words")


def test_text_in_tables_is_escaped(results):
    (score,) = results["score"][0][:1]
    assert "&lt;b&gt;" in type(score)("<b>", (), (), 0)._repr_html_()


def test_rows_make_a_data_frame(results):
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(rc.rows(results["texts"][0], of="words"))
    assert list(frame.columns[:2]) == ["index", "text"]
    assert frame["probability"].between(0, 1).all()

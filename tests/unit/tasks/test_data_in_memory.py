"""Training on data in memory gives the same run as training on the file that holds them."""

import io
import json
import os
import signal

import numpy as np
import pytest

import recurra as rc
from recurra.data.rows_in_memory import file_of_labelled, file_of_pairs
from recurra.errors import ArgumentTypeError, ConfigError, DataError, Interrupted
from recurra.runs import RunFolder
from recurra.training import Listener, progress_bars

OPTIONS = {"hidden_size": 6, "epochs": 1, "threads": 1, "device": "cpu"}
LABELLED = [(f"{('good', 'bad')[i % 2]} film {i % 7}", ("yes", "no")[i % 2]) for i in range(40)]


class Frame:
    """What data frames of pandas have."""

    def __init__(self, columns):
        self.columns = list(columns)
        self.shape = (len(next(iter(columns.values()))), len(columns))
        self._columns = columns

    def to_dict(self, orient):
        assert orient == "records"
        return [
            dict(zip(self.columns, row, strict=True)) for row in zip(*self._columns.values(), strict=True)
        ]


def rows(data, **kinds):
    file = file_of_labelled(data, "data", **{"has_word_labels": False, "has_pairs": False} | kinds)
    assert file.extension == ".jsonl"
    return [json.loads(line) for line in file.content.splitlines()]


TABLE = {"text": ["a b", "c"], "label": ["x", "y"]}
AS_ROWS = [{"text": "a b", "label": "x"}, {"text": "c", "label": "y"}]


@pytest.mark.parametrize(
    "data",
    [
        [("a b", "x"), ("c", "y")],
        (pair for pair in [["a b", "x"], np.array(["c", "y"])]),
        AS_ROWS,
        TABLE,
        {name: np.array(values) for name, values in TABLE.items()},
        Frame(TABLE),
    ],
)
def test_all_forms_of_rows_are_the_same_rows(data):
    assert rows(data) == AS_ROWS


def test_rows_of_all_kinds():
    assert rows([(["a", "b"], ["O", "B-x"])], has_word_labels=True) == [
        {"text": ["a", "b"], "labels": ["O", "B-x"]}
    ]
    assert rows([(rc.Words(["a"]), np.array(["O"]), "go")], has_word_labels=True) == [
        {"text": ["a"], "labels": ["O"], "label": "go"}
    ]
    assert rows([("Rolf in Oslo", {"entities": [(8, 12, "LOC")]})], has_word_labels=True) == [
        {"text": "Rolf in Oslo", "entities": [[8, 12, "LOC"]]}
    ]
    assert rows([(("a", "b"), 1), ("c", "d", np.int64(0))], has_pairs=True) == [
        {"text": "a", "text2": "b", "label": 1},
        {"text": "c", "text2": "d", "label": 0},
    ]
    assert rows([("a", float("nan"))]) == [{"text": "a", "label": None}]
    talk = file_of_pairs([["a", "b", "c"], {"source": "x", "target": "y"}], "data", has_turns=True)
    assert [json.loads(one) for one in talk.content.splitlines()] == [
        {"turns": ["a", "b", "c"]},
        {"source": "x", "target": "y"},
    ]


def test_rows_of_vectors_are_arrays():
    steps = [np.ones((2, 3)), np.zeros((1, 3), np.float32)]
    kinds = {"has_word_labels": True, "has_pairs": False}
    file = file_of_labelled([(steps[0], ["a", "b"], "x"), (steps[1], ["a"], "y")], "data", **kinds)
    found = np.load(io.BytesIO(file.content), allow_pickle=False)
    assert found["vectors"].shape == (3, 3)
    assert found["lengths"].tolist() == [2, 1]
    assert found["labels"].tolist() == ["a", "b", "a"]
    assert found["label"].tolist() == ["x", "y"]
    with pytest.raises(DataError, match=r"different shapes: \(2,\), \(3,\)"):
        file_of_labelled([(np.ones((2, 3)), ["a", "b"]), (np.ones((1, 2)), ["a"])], "data", **kinds)


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (3, "data: got 3, expected the path of a file, a list of rows"),
        ([], "data: has no rows"),
        ([("a", "x"), "b"], r"data\[1\]: got 'b', expected a text and a label"),
        ([("a", "x", "y", "z")], r"data\[0\]: got .*, expected a text and a label"),
        ([("a", object())], r"data\[0\]: got .* which has values other than texts and numbers"),
        ({"text": ["a"], "label": ["x", "y"]}, "expected columns of the same length"),
        (np.zeros((2, 2)), "expected the path of a file, a list of rows"),
    ],
)
def test_other_forms_are_refused(tmp_path, data, told):
    with pytest.raises(ConfigError, match=told):
        rc.Classifier.train(data, out=tmp_path / "run", **OPTIONS)
    assert not list(tmp_path.iterdir())


def test_a_row_that_cannot_be_used_is_named_with_its_file(tmp_path):
    with pytest.raises(DataError, match=r"run-rows/data-\w+\.jsonl:2: 'text' is empty"):
        rc.Classifier.train([("a", "x"), (" ", "y"), ("b", "y")], out=tmp_path / "run", **OPTIONS)


def test_a_run_on_rows_is_that_on_their_file(tmp_path):
    table = tmp_path / "rows.jsonl"
    table.write_text("".join(json.dumps({"text": t, "label": one}) + "\n" for t, one in LABELLED))
    of_file = rc.Classifier.train(table, out=tmp_path / "file", **OPTIONS)
    of_rows = rc.Classifier.train(LABELLED, out=tmp_path / "run", valid=None, **OPTIONS)
    assert [w.tolist() for w in of_rows.network.parameters()] == [
        w.tolist() for w in of_file.network.parameters()
    ]
    assert of_rows.evaluate() == of_file.evaluate() == rc.Classifier.resume(tmp_path / "run").evaluate()
    (file,) = (tmp_path / "run-rows").iterdir()
    assert file.read_text() == table.read_text()
    again = rc.Classifier.train(LABELLED[:-1], out=tmp_path / "run", overwrite=True, test=LABELLED, **OPTIONS)
    assert len(again.held_out("test")) == 40
    assert len(list((tmp_path / "run-rows").iterdir())) == 3


def test_each_task_trains_on_data_in_memory(tmp_path):
    words = [(["go", "to", ("oslo", "rome")[i % 2]], ["O", "O", "B-to"]) for i in range(30)]
    tagger = rc.Tagger.train(words, out=tmp_path / "tag", **OPTIONS)
    assert tagger.symbols.spans
    pairs = [(f"ab {i}", f"{i} ba") for i in range(30)]
    small = OPTIONS | {"unit": "char"}
    assert rc.Translator.train(pairs, out=tmp_path / "a", **small).translate("ab")
    sources, targets = zip(*pairs, strict=True)
    two = rc.Translator.train(list(sources), list(targets), out=tmp_path / "b", **small)
    assert two.translate("ab") == rc.load(tmp_path / "a").translate("ab")
    with pytest.raises(ConfigError, match="target: has 2 rows, but data has 30; give one for each"):
        rc.Translator.train(list(sources), ["x", "y"], out=tmp_path / "c", **small)
    rc.ChatBot.train([list(pair) for pair in pairs], out=tmp_path / "chat", **small)
    pictures = np.arange(150, dtype=np.float32).reshape(30, 5)
    captioner = rc.Captioner.train(list(pictures), [f"a {i}" for i in range(30)], out=tmp_path / "d", **small)
    assert captioner.caption(list(pictures[:2])) == captioner.caption(pictures[:2])
    lm = rc.LanguageModel.train(["the cat sat", "the dog sat"] * 20, out=tmp_path / "lm", model="ngram")
    assert lm.evaluate().symbols
    with pytest.raises(ArgumentTypeError, match=r"data\[1\]: got 3, expected a line of text"):
        rc.LanguageModel.train(["a", 3], out=tmp_path / "no")
    with pytest.raises(ArgumentTypeError, match=r"expected a line of text; join its words with blanks\."):
        rc.WordVectors.train([["the", "cat"]], out=tmp_path / "no")
    clips = [(np.full((3, 2), i % 2, np.float32), ("x", "y")[i % 2]) for i in range(30)]
    assert rc.Classifier.train(clips, out=tmp_path / "clips", **OPTIONS).symbols.vector_shape == (2,)


class _Stop(Listener):
    def on_step(self, report):
        os.kill(os.getpid(), signal.SIGINT)


def test_an_interrupted_training_says_how_it_goes_on_in_python(tmp_path):
    out = tmp_path / "run"
    with pytest.raises(Interrupted, match=rf"`, or with Classifier\.resume\('{out}'\) in Python"):
        rc.Classifier.train(LABELLED, out=out, listeners=[_Stop()], **OPTIONS)
    rc.Classifier.resume(out)
    assert RunFolder.open(out).has_ended


def test_progress_is_shown_where_it_was_asked_for(tmp_path, monkeypatch, capsys):
    rc.Classifier.train(LABELLED, out=tmp_path / "a", **OPTIONS)
    assert capsys.readouterr().err == ""
    rc.Classifier.train(LABELLED, out=tmp_path / "b", progress=True, **OPTIONS)
    assert "validation loss" in capsys.readouterr().err
    rc.Classifier.resume(tmp_path / "b", progress=False)
    monkeypatch.setattr("rich.console._is_jupyter", lambda: True)
    assert len(progress_bars(None, "row")) == 1
    assert progress_bars(False, "row") == []


def test_a_configuration_file_gives_options(tmp_path):
    (tmp_path / "own.toml").write_text("hidden_size = 5\nepochs = 1\nthreads = 1\n")
    model = rc.Classifier.train(LABELLED, out=tmp_path / "run", config=tmp_path / "own.toml")
    assert model.config.hidden_size == 5


def test_a_refused_training_leaves_no_rows(tmp_path):
    with pytest.raises(ConfigError, match="keep_best: got 'f1:maybe'"):
        rc.Classifier.train(LABELLED, out=tmp_path / "run", keep_best="f1:maybe", **OPTIONS)
    assert list(tmp_path.iterdir()) == []


def test_rows_in_memory_are_evaluated_as_those_of_a_file(tmp_path):
    table = [{"film": text, "mood": label} for text, label in LABELLED]
    (tmp_path / "rows.csv").write_text("film,mood\n" + "".join(f"{a},{b}\n" for a, b in LABELLED))
    columns = {"text_column": "film", "label_column": "mood"}
    model = rc.Classifier.train(tmp_path / "rows.csv", out=tmp_path / "run", **columns, **OPTIONS)
    expected = model.evaluate(tmp_path / "rows.csv")
    for data in (
        LABELLED,
        table,
        Frame({"film": [a for a, _ in LABELLED], "mood": [b for _, b in LABELLED]}),
    ):
        assert model.evaluate(data) == expected
    assert rc.rows(model.thresholds(LABELLED)) == rc.rows(model.thresholds(tmp_path / "rows.csv"))
    with pytest.raises(DataError, match=r"data, row 2: .*label"):
        model.evaluate([*table[:1], {"film": "no label"}])
    with pytest.raises(ArgumentTypeError, match="data: got 3, expected the path of a file, a list"):
        model.evaluate(3)


def test_pairs_in_memory_are_evaluated_as_those_of_a_file(tmp_path):
    pairs = [(f"{i % 9} a", f"b {i % 9}") for i in range(40)]
    (tmp_path / "pairs.tsv").write_text("x\ty\n" + "".join(f"{a}\t{b}\n" for a, b in pairs))
    columns = {"source_column": "x", "target_column": "y"}
    model = rc.Translator.train(tmp_path / "pairs.tsv", out=tmp_path / "run", **columns, **OPTIONS)
    expected = model.evaluate(tmp_path / "pairs.tsv")
    assert model.evaluate(pairs) == expected
    assert model.evaluate([a for a, _ in pairs], [b for _, b in pairs]) == expected
    assert model.evaluate([{"x": a, "y": b} for a, b in pairs]) == expected

"""Taggers and classifiers learn their training data, from files to predictions, by API and command line."""

import json
import os
import random
import signal
from dataclasses import replace

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

import recurra as rc
from recurra.cli.main import app
from recurra.config import build_config
from recurra.data.examples import BadRows, Example
from recurra.data.examples import conversations as conversations_of
from recurra.data.inputs import Input
from recurra.data.synthetic import dialogues
from recurra.errors import ConfigError, DataError, Interrupted, RunError
from recurra.tasks import driver, registry
from recurra.tasks.labelling.config import ClassifyConfig, LabelPredictionPart, TagConfig
from recurra.tasks.labelling.corpus import read_rows
from recurra.tasks.labelling.feeds import ConversationFeed, shortened
from recurra.tasks.labelling.task import Classification, Tagging
from recurra.training import Listener

CITIES = ["boston", "denver", "dallas", "taipei", "new york"]
OPTIONS = {
    "hidden_size": 24,
    "embedding_size": 24,
    "epochs": 12,
    "learning_rate": 0.01,
    "dropout": 0.1,
    "threads": 1,
}


def flights(path, count: int = 150, seed: int = 1):
    """Sentences with slots and intents that depend only on the words before a city."""
    draw = random.Random(seed)
    lines = []
    for _ in range(count):
        arrive = draw.random() < 0.5
        words = ["arrive", "in"] if arrive else ["leave", "from"]
        tags = ["O", "O"]
        city = draw.choice(CITIES).split()
        kind = "to" if arrive else "from"
        words += city
        tags += [f"B-{kind}", f"I-{kind}"][: len(city)]
        lines.append(f"BOS {' '.join(words)} EOS\tO {' '.join(tags)} {'arrival' if arrive else 'departure'}")
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.fixture(scope="module")
def tagger(tmp_path_factory):
    folder = tmp_path_factory.mktemp("flights")
    return rc.Tagger.train(flights(folder / "flights.iob"), out=folder / "run", decoder="crf", **OPTIONS)


def test_a_tagger_learns_slots_and_intents_together(tagger):
    figures = tagger.evaluate()
    assert figures.entities.overall.f1 == 1.0
    assert figures.classes.accuracy == 1.0
    answer = tagger.predict("please leave from  new york")
    assert [(e.type, e.text, e.begin, e.end) for e in answer.entities] == [("from", "new york", 19, 27)]
    assert answer.label == "departure"
    assert answer.confidence > 0.5


def test_it_is_the_same_once_it_is_loaded(tagger):
    again = rc.load(tagger.run.path)
    assert isinstance(again, rc.Tagger)
    text = "arrive in new york"
    assert again.predict(text) == tagger.predict(text)
    assert again.evaluate() == tagger.evaluate()


def test_the_n_best_sequences_come_with_probabilities(tagger):
    paths = tagger.predict("arrive in denver", n_best=3).paths
    assert paths[0][0] == ("O", "O", "B-to")
    assert 1 >= paths[0][1] > paths[1][1] > paths[2][1] > 0


def test_what_is_beside_a_row_does_not_change_what_is_said_of_it(tagger):
    rows = tagger.rows_of()
    together = tagger.predict_rows(rows)
    for row, wanted in zip(rows, together, strict=True):
        (alone,) = tagger.predict_rows([row])
        assert (alone.labels, alone.label) == (wanted.labels, wanted.label)
        assert alone.label_probabilities == pytest.approx(wanted.label_probabilities, abs=1e-5)


def test_an_empty_text_has_no_labels(tagger):
    assert tagger.predict("").words == ()
    assert tagger.predict("").label is None
    assert tagger.predict("").line() == ""


def test_the_window_baseline_cannot_tell_what_is_further_away(tmp_path):
    draw = random.Random(3)
    lines = []
    for _ in range(200):
        kind = draw.choice(["to", "from"])
        verb = "arrive" if kind == "to" else "leave"
        lines += [f"{verb} O", "on O", "monday O", "please O", f"{draw.choice(CITIES[:4])} B-{kind}", ""]
    path = tmp_path / "far.conll"
    path.write_text("\n".join(lines))
    near = rc.Tagger.train(path, out=tmp_path / "near", model="window", window=1, **OPTIONS)
    far = rc.Tagger.train(path, out=tmp_path / "far", **OPTIONS | {"epochs": 40})
    assert near.evaluate().entities.overall.f1 < 0.8
    assert far.evaluate().entities.overall.f1 == 1.0


@pytest.mark.parametrize("pooling", ["last", "mean", "max", "centre", "attention"])
def test_a_classifier_learns_an_order_that_the_average_cannot(tmp_path, pooling):
    draw = random.Random(4)
    rows = []
    for _ in range(160):
        good = draw.random() < 0.5
        words = ["not", "bad", "but", "good"] if good else ["not", "good", "but", "bad"]
        rows.append(f"{'pos' if good else 'neg'} {' '.join(words)}")
    path = tmp_path / "order.txt"
    path.write_text("\n".join(rows))
    options = OPTIONS | {"format": "label-text"}
    network = rc.Classifier.train(path, out=tmp_path / "run", pooling=pooling, **options)
    assert network.evaluate().classes.accuracy == 1.0
    if pooling == "mean":
        del options["hidden_size"]
        average = rc.Classifier.train(path, out=tmp_path / "average", model="average", **options)
        assert average.evaluate().classes.accuracy < 0.8


def test_pairs(tmp_path):
    draw = random.Random(5)
    rows = ["text\ttext2\tlabel"]
    for _ in range(300):
        first, other = draw.sample(["red", "green", "blue"], 2)
        same = draw.random() < 0.5
        rows.append(f"a {first} car\tthe car is {first if same else other}\t{int(same)}")
    path = tmp_path / "pairs.tsv"
    path.write_text("\n".join(rows))
    pairs = rc.PairClassifier.train(path, out=tmp_path / "run", **OPTIONS | {"epochs": 25})
    assert pairs.evaluate().classes.accuracy == 1.0
    assert pairs.predict(("a blue car", "the car is blue")).label == "1"
    with pytest.raises(ConfigError, match="a tuple of two texts"):
        pairs.predict("a blue car")


def test_names_by_a_sigmoid_each(tmp_path):
    path = tmp_path / "names.conll"
    lines = ["harry 1", "met 0", "ron 1", "", "they 0", "met 0", "harry 1", "", "ron 1", "left 0", ""] * 20
    path.write_text("\n".join(lines))
    tagger = rc.Tagger.train(path, out=tmp_path / "run", decoder="sigmoid", **OPTIONS)
    assert tagger.predict("they met ron").line() == "0 0 1"
    assert tagger.evaluate().tags.accuracy == 1.0


def test_vectors_with_a_label_a_step_and_one_of_all(tmp_path):
    rng = np.random.default_rng(0)
    steps = rng.normal(size=(80, 6, 3)).astype(np.float32)
    labels = np.where(steps[..., 0].cumsum(axis=1) > 0, "up", "down")
    path = tmp_path / "walks.npz"
    np.savez(path, vectors=steps, labels=labels)
    options = {name: value for name, value in OPTIONS.items() if name != "embedding_size"}
    options |= {"epochs": 40, "input_dropout": 0.0}
    tagger = rc.Tagger.train(path, out=tmp_path / "tags", **options)
    assert tagger.evaluate().tags.accuracy > 0.75
    np.savez(path, vectors=steps, labels=labels[:, -1])
    classifier = rc.Classifier.train(path, out=tmp_path / "classes", **options)
    assert classifier.evaluate().classes.accuracy > 0.7


@pytest.mark.parametrize(
    "given",
    [
        {"characters": "rnn", "word_vectors": "none"},
        {"characters": "cnn", "word_vectors": "none"},
        {"trigrams": True, "word_vectors": "none"},
        {"word_vectors": "one-hot"},
        {"word_vectors": "one-hot", "one_hot_unknown": False, "casing": True},
        {"characters": "cnn", "trigrams": True, "casing": True, "word_dropout": 0.1},
    ],
)
def test_every_representation_of_words_learns(tmp_path, given):
    options = OPTIONS | {"input_dropout": 0.0, "epochs": 25} | given
    if given.get("word_vectors") in ("none", "one-hot"):
        options.pop("embedding_size")
    tagger = rc.Tagger.train(flights(tmp_path / "flights.iob"), out=tmp_path / "run", **options)
    assert tagger.evaluate().entities.overall.f1 == 1.0
    assert rc.load(tmp_path / "run").predict("arrive in boston") == tagger.predict("arrive in boston")


def test_one_seed_gives_the_same_bits(tmp_path):
    path = flights(tmp_path / "flights.iob", 60)
    options = OPTIONS | {"epochs": 4}
    weights = []
    for name in ("one", "two"):
        rc.Tagger.train(path, out=tmp_path / name, **options)
        weights.append((tmp_path / name / "model.safetensors").read_bytes())
    assert weights[0] == weights[1]


def say(*arguments: object, typed: str | None = None) -> str:
    result = CliRunner().invoke(app, [str(a) for a in arguments], input=typed, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout


def test_the_commands(tagger, tmp_path):
    run = tagger.run.path
    assert say("predict", run, typed="leave from new york\n") == "O O B-from I-from\tdeparture\n"
    found = json.loads(say("predict", run, "--json", "--n-best", 2, typed="arrive in denver\n"))
    assert found["entities"][0]["text"] == "denver"
    assert len(found["n_best"]) == 2
    assert say("predict", run, "--reject-below", 1.0, typed="leave from boston\n") == "?\n"
    told = say("evaluate", run, "--mistakes", 3)
    assert "F1 100.00%" in told
    assert "gold \\ predicted" in told
    assert json.loads(say("evaluate", run, "--json"))["f1"] == 1.0
    assert "report" in say("report", run)
    assert "Tagger" in (run / "report.html").read_text()


def test_a_command_trains_and_says_how_to_go_on(tmp_path):
    path = flights(tmp_path / "flights.iob", 40)
    test = flights(tmp_path / "test.iob", 20, seed=2)
    run = tmp_path / "run"
    told = say("train", "tag", "--data", path, "--test", test, "-o", run, "--epochs", 2, "--threads", 1)
    assert "test: F1" in told
    assert f"recurra predict {run} FILE" in told
    page = (run / "report.html").read_text()
    assert "<dt>Test F1</dt>" in page
    assert (
        "<h2>Worst mistakes in the validation data: wrong predictions with the highest probability<" in page
    )
    (run / "report.html").unlink()
    path.unlink()
    say("report", run)
    page = (run / "report.html").read_text()
    assert "<h2>Worst mistakes" not in page
    assert "The worst mistakes are not shown: the validation data are missing or have changed" in page


def test_verbs_of_other_tasks_are_refused(tagger):
    with pytest.raises(RunError, match="is a run of task 'tag', expected 'lm'"):
        CliRunner().invoke(app, ["sample", str(tagger.run.path)], catch_exceptions=False)
    with pytest.raises(RunError, match=r"is a run of task 'tag', expected 'classify'"):
        rc.Classifier.load(tagger.run.path)


def test_rows_without_what_a_task_needs_are_named(tmp_path):
    path = tmp_path / "x.csv"
    path.write_text("text,label\na b,pos\nc d e,neg\n")
    with pytest.raises(DataError, match=r"x\.csv: none of its rows has word labels; name .*--tags-col"):
        rc.Tagger.train(path, out=tmp_path / "run")
    some = tmp_path / "some.jsonl"
    some.write_text('{"text": "a b", "label": "pos"}\n{"text": "c"}\n')
    with pytest.raises(DataError, match=r"some\.jsonl:2: lacks a label, which the task classify needs"):
        rc.Classifier.train(some, out=tmp_path / "run")
    with pytest.raises(
        DataError, match=r"some\.jsonl: has one row \(1 skipped\) or one group of rows, so none can be"
    ):
        rc.Classifier.train(some, out=tmp_path / "run", skip_bad=True)
    inconsistent = tmp_path / "x.conll"
    inconsistent.write_text("a B-PER\nb I-LOC\n\nc B-PER\n")
    with pytest.raises(
        DataError, match=r"x\.conll:1: word 2: I-LOC after B-PER is not allowed in the scheme bio"
    ):
        rc.Tagger.train(inconsistent, out=tmp_path / "run")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("decoder", ["softmax", "crf"])
def test_a_label_that_only_the_held_out_rows_have_is_named_and_missed(tmp_path, decoder):
    path = flights(tmp_path / "flights.iob", 40)
    test = tmp_path / "test.iob"
    test.write_text("BOS via oslo EOS\tO O B-via layover\n")
    result = CliRunner().invoke(
        app,
        [
            *map(str, ["train", "tag", "--data", path, "--valid", test, "--test", test, "--epochs", 1]),
            *map(str, ["--decoder", decoder, "-o", tmp_path / "run"]),
        ],
        catch_exceptions=False,
    )
    assert f"{test}:1: has the label 'B-via', absent from the training data." in result.output
    assert "test: F1 0.00%" in result.output


@pytest.mark.parametrize(
    ("task", "options", "told"),
    [
        (
            "tag",
            {"decoder": "crf", "label_smoothing": 0.1},
            "applies only with decoder softmax",
        ),
        ("tag", {"word_vectors": "pretrained"}, "vectors: is missing; name the vectors"),
        ("tag", {"tie_weights": True}, "tie_weights: applies only to language models"),
        (
            "classify",
            {"character_embedding_size": 9},
            "character_embedding_size: applies only with characters rnn or cnn",
        ),
        ("classify", {"pooling": "min"}, "pooling: got 'min', expected one of last, mean, max"),
    ],
)
def test_options_that_cannot_be_are_named(tmp_path, task, options, told):
    path = flights(tmp_path / "flights.iob", 10)
    kinds = {"tag": rc.Tagger, "classify": rc.Classifier}
    with pytest.raises(ConfigError, match=told):
        kinds[task].train(path, out=tmp_path / "run", **options)


def test_no_row_depends_on_numbers_in_the_padding(tagger):
    """The batch also has a very long row, which must not affect the short one."""
    short, long = tagger.rows_of()[0], tagger.rows_of()[1]
    stretched = replace(long, words=long.words * 20, labels=(long.labels or ()) * 20)
    together = tagger.predict_rows([short, stretched])[0]
    alone = tagger.predict_rows([short])[0]
    assert together.labels == alone.labels
    torch.testing.assert_close(
        torch.tensor(together.label_probabilities), torch.tensor(alone.label_probabilities), atol=1e-5, rtol=0
    )


def test_a_file_that_cannot_have_labels_of_words_is_not_taken_for_one(tmp_path):
    path = tmp_path / "notes"
    path.write_text("positive a fine film\nnegative a dull one\npositive so fine\n")
    with pytest.raises(DataError, match="notes: the format cannot be guessed; set it with --format"):
        rc.Tagger.train(path, out=tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_two_words_on_one_line_are_a_label_and_a_text_to_classify(tmp_path):
    train, valid = tmp_path / "train.txt", tmp_path / "valid.txt"
    train.write_text("pos a fine film\nneg a bad one\n" * 4)
    valid.write_text("neg bad\n")
    model = rc.Classifier.train(
        train, valid=valid, out=tmp_path / "run", hidden_size=2, embedding_size=2, num_layers=1, epochs=1
    )
    (row,) = read_rows("classify", model.config, str(valid), BadRows())
    assert (row.label, row.words) == ("neg", ("bad",))
    valid.write_text("neg B\nbad O\n\npos B\n")
    with pytest.raises(
        DataError, match=r"valid\.txt: none of its rows, read as conll, has a label; see --format"
    ):
        rc.Classifier.train(train, valid=valid, out=tmp_path / "other")
    assert rc.Tagger.train(valid, valid=valid, out=tmp_path / "tags", hidden_size=2, epochs=1)


def test_options_of_words_are_refused_for_rows_of_numbers(tmp_path):
    path = tmp_path / "steps.npz"
    numbers = np.zeros((6, 4, 3), dtype=np.float32)
    np.savez(path, vectors=numbers, labels=np.zeros(24, dtype=np.int64))
    with pytest.raises(
        ConfigError, match="embedding_size: applies only to words, but the steps of the rows are numbers"
    ):
        rc.Tagger.train(path, out=tmp_path / "run", embedding_size=7)


def test_another_size_than_the_files_vectors_have_is_refused(tmp_path):
    vectors = tmp_path / "vectors.txt"
    vectors.write_text("boston 1 2 3\noslo 3 2 1\n")
    path = flights(tmp_path / "flights.iob", 10)
    files = {"word_vectors": "pretrained", "vectors": str(vectors)}
    with pytest.raises(ConfigError, match="embedding_size: got 7, expected 3, the size of the vectors"):
        rc.Tagger.train(path, out=tmp_path / "run", embedding_size=7, **files)


def test_with_vectors_of_a_file_runs_are_gone_on_with_as_they_were_asked(tmp_path):
    """The vector size is filled in and is not a changed option; a run just begun needs the same file."""
    vectors = tmp_path / "vectors.txt"
    vectors.write_text("boston 1 2 3\noslo 3 2 1\n")
    path = flights(tmp_path / "flights.iob", 30)
    files = ["--word-vectors", "pretrained", "--vectors", vectors]
    command = ["train", "tag", "--data", path, "-o", tmp_path / "runs", "--epochs", 1, "--threads", 1]
    assert "standard deviation of 2 runs" in say(*command, *files, "--seeds", 2)
    assert "standard deviation of 2 runs" in say(*command, *files, "--seeds", 2)

    def stop(trainer, corpus):
        raise RuntimeError("stopped here")

    task = registry.get("tag")
    options = {"data": path, "word_vectors": "pretrained", "vectors": vectors, "epochs": 1}
    with pytest.raises(RuntimeError, match="stopped here"):
        driver.train(task, task.config.build(options=options), tmp_path / "begun", on_ready=stop)
    vectors.write_text("boston 1 2 3\noslo 3 2 1\nto 1 1 1\ndallas 2 2 2\n")
    with pytest.raises(RunError, match="or the symbols learnt from them, have changed since it began"):
        rc.Tagger.resume(tmp_path / "begun")


@pytest.mark.parametrize("given", [{"freeze_vectors": True}, {"tune_after": 9}, {}])
def test_vectors_of_a_file_are_frozen_or_tuned(tmp_path, given):
    path = flights(tmp_path / "flights.iob", 60)
    vectors = tmp_path / "vectors.txt"
    known = ["boston", "arrive", "oslo"]
    numbers = np.random.default_rng(0).normal(size=(3, 8))
    vectors.write_text("".join(f"{w} {' '.join(map(str, v))}\n" for w, v in zip(known, numbers, strict=True)))
    options = (
        {name: value for name, value in OPTIONS.items() if name != "embedding_size"} | {"epochs": 3} | given
    )
    tagger = rc.Tagger.train(
        path, out=tmp_path / "run", word_vectors="pretrained", vectors=str(vectors), **options
    )
    assert tagger.config.embedding_size == 8
    assert "oslo" in tagger.symbols.words.words
    embedding = tagger.network.reader.words.words.weight
    found = embedding[[tagger.symbols.words.words.ids[word] for word in known]].detach()
    # All vectors have one common scale factor, so only directions are compared; no row contains oslo.
    near = torch.nn.functional.cosine_similarity(found, torch.tensor(numbers, dtype=torch.float32))
    moved = (near < 1 - 1e-6).tolist()
    assert moved == ([False] * 3 if given else [True, True, False])


def test_folds_and_seeds_give_mean_and_deviation(tmp_path):
    path = flights(tmp_path / "flights.iob", 60)
    out = tmp_path / "runs"
    command = [
        "train",
        "tag",
        "--data",
        path,
        "-o",
        out,
        "--epochs",
        2,
        "--threads",
        1,
        "--folds",
        3,
        "--seeds",
        2,
    ]
    told = say(*command)
    assert "test, mean ± standard deviation of 6 runs: F1 " in told
    summary = json.loads((out / "summary.json").read_text())
    assert summary["runs"] == [f"fold-{fold}-seed-{seed}" for fold in (1, 2, 3) for seed in (1, 2)]
    values = summary["figures"]["sentence_label_accuracy"]["values"]
    assert summary["figures"]["sentence_label_accuracy"]["mean"] == pytest.approx(np.mean(values))
    assert summary["figures"]["sentence_label_accuracy"]["deviation"] == pytest.approx(np.std(values, ddof=1))
    # Each row is tested once per seed.
    rows = [
        json.loads((out / name / "metrics.jsonl").read_text().splitlines()[-1])["rows"]
        for name in summary["runs"]
    ]
    assert sum(rows) == 2 * 60
    before = {name: (out / name / "model.safetensors").read_bytes() for name in summary["runs"]}
    assert say(*command).splitlines()[-2:] == told.splitlines()[-2:]
    assert before == {name: (out / name / "model.safetensors").read_bytes() for name in summary["runs"]}
    with pytest.raises(RunError, match="holds a run with other options"):
        CliRunner().invoke(app, [*map(str, command), "--hidden-size", "9"], catch_exceptions=False)
    options = {"data": path, "epochs": 2, "threads": 1, "folds": 3, "seeds": 2}
    assert rc.Tagger.train(out=out, **options).lines() == told.splitlines()[6:-1]
    with pytest.raises(ConfigError, match=r"train several models; use `recurra train`, Model\.train or"):
        driver.train(registry.get("tag"), TagConfig.build(options=options), tmp_path / "one")


def conversations(path, count: int = 80):
    """The label of the second turn depends on the first turn: "yes" to either question."""
    draw = random.Random(7)
    lines = ["conversation,text,label"]
    for number in range(count):
        act = draw.choice(["book", "cancel"])
        lines += [f"{number},shall i {act} it,ask", f"{number},yes please,{act}"]
        if draw.random() < 0.3:
            lines.append(f"{number},bye,end")
    path.write_text("\n".join(lines) + "\n")
    return path


def test_the_state_goes_on_from_turn_to_turn(tmp_path):
    path = conversations(tmp_path / "turns.csv")
    options = OPTIONS | {"epochs": 30, "bidirectional": False, "pooling": "last", "batch_size": 8}
    classifier = rc.Classifier.train(path, out=tmp_path / "run", **options)
    assert classifier.evaluate().classes.accuracy == 1.0
    typed = "shall i cancel it\nyes please\n\nshall i book it\nyes please\n"
    assert say("predict", tmp_path / "run", "--turns", typed=typed).split() == [
        "ask",
        "cancel",
        "ask",
        "book",
    ]
    # Each turn is read once, and a conversation is a share of its own.
    asked, steps = typed.removesuffix("\n").split("\n"), []
    hook = classifier.network.register_forward_hook(lambda *_: steps.append(1))
    turns = list(classifier.predict_turns(asked))
    hook.remove()
    assert len(steps) == len(turns) == 4
    (tmp_path / "turns.txt").write_text(typed)
    options = LabelPredictionPart(turns=True)
    groups = list(classifier.inputs(Input(str(tmp_path / "turns.txt")), options))
    assert groups == [asked[:3], asked[3:]]
    # Without the turn before, the prediction is the same for both questions.
    rows = classifier.rows_of(path)
    second = [row for row in rows if row.words[0] == "yes"]
    said = classifier.predict_rows([replace(row, conversation="") for row in second])
    assert len({one.label for one in said}) == 1
    assert len({row.label for row in second}) == 2
    with pytest.raises(ConfigError, match="use --no-bidirectional"):
        rc.Classifier.train(path, out=tmp_path / "both", **OPTIONS)


class SignalAt(Listener):
    """Sends SIGINT at a given step."""

    def __init__(self, step: int) -> None:
        self._step = step

    def on_step(self, report) -> None:
        if report.step == self._step:
            os.kill(os.getpid(), signal.SIGINT)


def test_what_was_said_turns_before_is_learnt(tmp_path):
    """The network learns to keep information for later turns only if the gradient goes back over turns."""
    path = tmp_path / "dialogues.jsonl"
    dialogues.write_corpus(path, 250, 1)
    options = OPTIONS | {"bidirectional": False, "hidden_size": 32, "epochs": 25, "batch_size": 16}
    together = rc.Tagger.train(path, out=tmp_path / "together", **options)
    assert together.evaluate().entities.overall.f1 > 0.95
    alone = rc.Tagger.train(path, out=tmp_path / "alone", conversation_column="", **options)
    assert alone.evaluate().entities.overall.f1 < 0.8
    asked = ["i am leaving by plane", "on may 2nd", "lisbon", "", "i am coming by plane", "lisbon"]
    assert [turn.line() for turn in together.predict_turns(asked)] == [
        *("O O O O O\topen", "O B-date I-date\tdate", "B-departure\tcity"),
        *("O O O O O\topen", "B-destination\tcity"),
    ]


def test_long_conversations_go_on_in_the_next_segment(tmp_path):
    path = tmp_path / "dialogues.jsonl"
    dialogues.write_corpus(path, 30, 1)
    config = build_config(TagConfig, overrides={"data": str(path), "bidirectional": False, "batch_size": 4})
    corpus = Tagging().read(config)
    feeds = {
        together: ConversationFeed(
            corpus.train, corpus.symbols, config.model_copy(update={"turns_together": together})
        )
        for together in (1, 2, 16)
    }
    turns = {
        together: [turn for i in range(len(feed)) for turn in feed.window(i, i, epoch=3)[0].turns]
        for together, feed in feeds.items()
    }
    assert [len(feed) for feed in feeds.values()] == sorted((len(f) for f in feeds.values()), reverse=True)
    for together in (2, 16):
        assert [turn.rows for turn in turns[together]] == [turn.rows for turn in turns[1]]
        assert [turn.fresh for turn in turns[together]] == [turn.fresh for turn in turns[1]]
    with pytest.raises(ConfigError, match="turns_together: applies only to conversations read by a rec"):
        rc.Tagger.train(flights(tmp_path / "f.iob", 20), out=tmp_path / "run", turns_together=2)


@pytest.mark.parametrize("in_turns", [False, True])
def test_a_stopped_run_goes_on_to_the_same_bits(tmp_path, in_turns):
    if in_turns:
        kind, path = rc.Classifier, conversations(tmp_path / "turns.csv", 30)
        options = OPTIONS | {"epochs": 3, "bidirectional": False, "pooling": "last", "batch_size": 8}
    else:
        kind, path = rc.Tagger, flights(tmp_path / "flights.iob", 60)
        options = OPTIONS | {"epochs": 3, "batch_size": 8, "decoder": "crf"}
    kind.train(path, out=tmp_path / "whole", **options)
    with pytest.raises(Interrupted, match="resume with `recurra train --resume"):
        kind.train(path, out=tmp_path / "stopped", listeners=[SignalAt(8)], **options)
    assert "next:  recurra" in say("train", "--resume", tmp_path / "stopped")
    weights = [(tmp_path / name / "model.safetensors").read_bytes() for name in ("whole", "stopped")]
    assert weights[0] == weights[1]


def test_a_label_for_each_frame_of_clips(tmp_path):
    """Pictures, with convolutions trained jointly; no single frame shows the direction of movement."""
    path = tmp_path / "shapes.npz"
    assert "500 clips" in say("data", "make", "shapes", "-o", path, "--count", 500)
    tagger = rc.Tagger.train(
        path,
        out=tmp_path / "run",
        epochs=18,
        learning_rate=0.003,
        hidden_size=64,
        batch_size=8,
        dropout=0.0,
        input_dropout=0.0,
        threads=1,
    )
    figures = tagger.evaluate()
    assert figures.tags.accuracy > 0.85
    assert set(figures.classes.labels) == {"straight", "turns back"}
    window = rc.Tagger.train(path, out=tmp_path / "window", model="window", window=0, epochs=3, threads=1)
    assert window.evaluate().tags.accuracy < 0.6


def test_vectors_are_predicted_from_files(tmp_path):
    rng = np.random.default_rng(0)
    path, new = tmp_path / "x.npz", tmp_path / "new.npz"
    vectors = rng.normal(size=(60, 4, 2))
    np.savez(path, vectors=vectors, labels=np.where(vectors[:, :, 0].sum(1) > 0, "a", "b"))
    np.savez(new, vectors=vectors[:3])
    rc.Classifier.train(
        path, out=tmp_path / "run", **{k: v for k, v in OPTIONS.items() if k != "embedding_size"}
    )
    told = say("predict", tmp_path / "run", new).split()
    assert len(told) == 3
    assert set(told) <= {"a", "b"}
    first = json.loads(say("predict", tmp_path / "run", new, "--json").splitlines()[0])
    assert first["label"] == told[0] == max(first["probabilities"], key=first["probabilities"].get)
    np.savez(path, vectors=vectors, labels=np.where(vectors[:, :, 0] > 0, "a", "b"))
    options = {k: v for k, v in OPTIONS.items() if k != "embedding_size"} | {"decoder": "crf"}
    rc.Tagger.train(path, out=tmp_path / "tags", **options)
    told = say("predict", tmp_path / "tags", new).splitlines()
    one = json.loads(say("predict", tmp_path / "tags", new, "--json", "--n-best", 2).splitlines()[0])
    assert " ".join(step["label"] for step in one["steps"]) == told[0]
    assert " ".join(one["n_best"][0]["labels"]) == told[0]
    assert all(0 < step["probability"] <= 1 for step in one["steps"])


def test_of_a_long_text_both_ends_are_read(tmp_path):
    path = tmp_path / "x.txt"
    path.write_text("".join(f"{'pos good' if i % 2 else 'neg bad'} {'so ' * 40}it was\n" for i in range(80)))
    run = rc.Classifier.train(path, out=tmp_path / "run", format="label-text", max_words=6, **OPTIONS)
    assert run.evaluate().classes.accuracy == 1.0
    assert shortened(Example(tuple("abcdefgh")), 5).words == tuple("abcgh")
    assert shortened(Example(tuple("abcde")), 5).words == tuple("abcde")


def test_rows_that_changed_since_are_noticed(tmp_path):
    path = flights(tmp_path / "flights.iob", 60)
    options = OPTIONS | {"epochs": 3, "batch_size": 8}
    with pytest.raises(Interrupted):
        rc.Tagger.train(path, out=tmp_path / "run", listeners=[SignalAt(8)], **options)
    text = path.read_text()
    path.write_text(text.replace("boston", "oslo"))
    with pytest.raises(DataError, match="restore the old file, or train again with --overwrite"):
        CliRunner().invoke(app, ["train", "--resume", str(tmp_path / "run")], catch_exceptions=False)
    path.write_text(text)
    say("train", "--resume", tmp_path / "run")
    path.write_text(text.replace("boston", "oslo"))
    with pytest.raises(DataError, match="has changed since the run began"):
        rc.load(tmp_path / "run").evaluate()


def test_no_held_out_sentence_is_among_the_phrases(tmp_path, monkeypatch):
    path = tmp_path / "trees.txt"
    path.write_text("".join(f"({i % 2} (2 film) (2 w{i}))\n" for i in range(20)))
    monkeypatch.chdir(tmp_path)
    for name in ("trees.txt", "./trees.txt", f"{tmp_path}//trees.txt"):
        config = build_config(ClassifyConfig, overrides={"data": name, "phrases": True})
        corpus = Classification().read(config)
        assert not {row.words for row in corpus.valid} & {row.words for row in corpus.train}
        assert len(corpus.train) == 18 * 2 + 1  # each sentence, its unique word, and "film" once


def test_a_window_answers_an_empty_text_and_softmax_has_no_n_best(tmp_path):
    path = flights(tmp_path / "flights.iob", 40)
    tagger = rc.Tagger.train(path, out=tmp_path / "run", model="window", **OPTIONS | {"epochs": 1})
    assert tagger.predict("").words == ()
    with pytest.raises(ConfigError, match="n_best: applies only to taggers with a conditional random field"):
        tagger.predict("leave boston", n_best=2)
    with pytest.raises(ConfigError, match="turns: needs a model trained on conversations"):
        next(tagger.predict_turns(["leave boston"]))


def test_steps_of_another_kind_are_refused_by_their_place(tmp_path):
    numbers, other = tmp_path / "x.npz", tmp_path / "other.npz"
    np.savez(numbers, vectors=np.random.default_rng(0).integers(0, 2, (40, 5, 3)), labels=list("ab" * 20))
    np.savez(other, vectors=np.zeros((2, 5, 4)), labels=list("ab"))
    options = {name: value for name, value in OPTIONS.items() if name != "embedding_size"} | {"epochs": 1}
    run = rc.Classifier.train(numbers, out=tmp_path / "run", **options)
    told = r"other\.npz:1: has numbers of shape \(4,\) at each step, expected numbers of shape \(3,\)"
    with pytest.raises(DataError, match=told):
        run.evaluate(other)
    with pytest.raises(DataError, match=told):
        rc.Classifier.train(numbers, valid=other, out=tmp_path / "two", **options)
    text = tmp_path / "x.csv"
    text.write_text("text,label\na,b\n")
    with pytest.raises(DataError, match=r"x\.csv:2: has words at each step"):
        run.evaluate(text)


def test_a_dropped_turn_joins_no_conversations(tmp_path):
    path = tmp_path / "x.jsonl"
    rows = [{"conversation": c, "text": "a b", "label": "x"} for c in "pqr" for _ in range(2)]
    del rows[2]["label"]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    config = build_config(ClassifyConfig, overrides={"data": str(path), "skip_bad": True})
    corpus = Classification().read(config)
    assert [
        len(group) for group in conversations_of(sorted(corpus.train + corpus.valid, key=lambda r: r.line))
    ] == [2, 1, 2]


def test_evaluate_counts_what_it_leaves_out(tagger, tmp_path):
    path = flights(tmp_path / "others.iob", 5, seed=9)
    path.write_text(path.read_text() + "BOS no tab EOS\n")
    result = CliRunner().invoke(app, ["evaluate", str(tagger.run.path), "--data", str(path), "--skip-bad"])
    assert "1 row skipped:" in result.output
    assert "others.iob:6: needs exactly one tab" in result.output

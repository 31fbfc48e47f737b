"""What training says before it begins: words without a vector, a single class, missing classes."""

import json
import unicodedata

import pytest
from typer.testing import CliRunner

import recurra as rc
from recurra.cli.main import app
from recurra.data.examples import BadRows, Example
from recurra.errors import ConfigError, DataError
from recurra.tasks.labelling.config import ClassifyConfig, TagConfig
from recurra.tasks.labelling.corpus import notes_on
from recurra.tasks.labelling.pretrained import pretrained

VECTORS = "the 1 2\ncat 3 4\nin 5 6\n0000 7 8\nécole 9 1\n"
ROWS = [Example(("The", "cat", "in", "1984")), Example(("e\u0301cole", "in", "1812", "zyx"))]


def told(tmp_path, content=VECTORS, rows=ROWS, **options):
    (tmp_path / "v.txt").write_text(content)
    options |= {"vectors": str(tmp_path / "v.txt"), "word_vectors": "pretrained"}
    return list(pretrained(ClassifyConfig(data="x", **options), rows, BadRows()).notes)


def test_the_share_of_words_with_a_vector_is_counted_by_hand(tmp_path):
    """Of The, cat, in (twice), 1984, école (decomposed), 1812, zyx."""
    assert told(tmp_path) == [
        "vectors: 3 of 7 different words and 50.0% of all words have a vector",
        "vectors: with --lowercase and --digits, 87.5% of all words would have one",
    ]
    assert told(tmp_path, lowercase=True, digits=True) == [
        "vectors: 5 of 6 different words and 87.5% of all words have a vector"
    ]
    assert told(tmp_path, rows=[Example(("un", "deux", "in"))]) == [
        "vectors: 1 of 3 different words and 33.3% of all words have a vector",
        "vectors: few words have one; check the language of the file and how text is split into words",
    ]


def test_words_of_a_file_are_found_in_every_form(tmp_path):
    rows = [Example(("पढ़ना", "e\u0301cole", "\u095d"))]
    for form in ("NFC", "NFD"):
        assert told(tmp_path, unicodedata.normalize(form, "पढ़ना 1 2\nécole 9 1\n\u095d 3 4\n"), rows) == [
            "vectors: 3 of 3 different words and 100.0% of all words have a vector"
        ]
    assert told(tmp_path, "पढ\u093cना 1 2\nécole 9 1\n\u095d 3 4\n", rows)[0].startswith("vectors: 3 of 3")


def test_every_line_of_vectors_has_the_width_of_most(tmp_path):
    with pytest.raises(DataError, match=r"v\.txt:2: has 3 numbers, expected 2"):
        told(tmp_path, "the 1 2\ncat 3 4 5\nin 5 6\n")


def test_a_single_class_and_missing_classes_are_said():
    config = ClassifyConfig(data="rows.csv")
    one = [Example(("a",), label="good")] * 4
    assert notes_on(one, one, config) == ["rows.csv: every row has the same label, 'good'."]
    more = [*one, Example(("b",), label="bad"), Example(("c",), label="fair")]
    assert notes_on(more, one, config) == ["2 of 3 labels are missing from the held-out data: 'bad', 'fair'."]
    assert notes_on(more, more, config) == []
    mixed = [Example(("a", "b", "c"), ("B-PER", "O", "NN"), file="t.conll", line=1)]
    (note,) = notes_on(mixed, mixed, TagConfig(data="t.conll"))
    assert note.startswith("t.conll:1: the label 'NN' has no prefix of a tagging scheme")


IOBES = ["rolf S-PER", "met O", "the B-ORG", "un E-ORG", ""] * 20
TRAINING = {"epochs": 1, "hidden_size": 4}


def tagger(tmp_path, lines, **options):
    (tmp_path / "train.conll").write_text("\n".join(lines))
    return rc.Tagger.train(tmp_path / "train.conll", out=tmp_path / "run", **TRAINING, **options)


def test_labels_that_mark_spans_in_training_mark_them_in_every_file(tmp_path):
    odd, iobes = tmp_path / "odd.conll", tmp_path / "iobes.conll"
    odd.write_text("\n".join(["x X", "", *IOBES]))
    iobes.write_text("\n".join(IOBES))
    with pytest.raises(
        DataError, match=r"odd\.conll:1: word 1: the label 'X' has no prefix of a tagging sch"
    ):
        tagger(tmp_path, IOBES, valid=odd)
    model = tagger(tmp_path, IOBES)
    assert model.config.scheme == "spans"
    assert sorted(model.symbols.labels.symbols) == ["B-ORG", "B-PER", "I-ORG", "O"]
    with pytest.raises(DataError, match="the label 'X' has no prefix"):
        model.evaluate(odd)
    figures = model.evaluate(odd, skip_bad=True)
    assert figures == model.evaluate(iobes) == model.reading(scheme="iobes").evaluate(iobes)
    assert figures == model.reading(scheme="auto").evaluate(odd, skip_bad=True)
    with pytest.raises(ConfigError, match=r"^scheme: got classes, but the model labels spans; remove it\.$"):
        model.reading(scheme="classes")


def test_plain_classes_in_training_are_plain_in_every_file(tmp_path):
    model = tagger(tmp_path, ["x X", "", *IOBES])
    (tmp_path / "iobes.conll").write_text("\n".join(IOBES))
    assert model.config.scheme == "classes"
    rows = model.rows_of(tmp_path / "iobes.conll")
    assert rows[0].labels == ("S-PER", "O", "B-ORG", "E-ORG")
    with pytest.raises(ConfigError, match=r"^scheme: got bio, but the model labels classes; remove it\.$"):
        model.reading(scheme="bio")


@pytest.mark.parametrize("first", [0, 1])
def test_labels_of_some_sentences_are_learnt_whichever_comes_first(tmp_path, first):
    rows = [
        {"text": ["a", "b"], "labels": ["X", "Y"]} | ({"label": "l"} if n % 2 == first else {})
        for n in range(8)
    ]
    (tmp_path / "some.jsonl").write_text("\n".join(map(json.dumps, rows)))
    model = rc.Tagger.train(tmp_path / "some.jsonl", out=tmp_path / "run", **TRAINING)
    assert model.symbols.classes.symbols == ("l",)


def test_printed_commands_are_quoted_for_the_shell(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my text.txt").write_text("the cat sat on the mat\n" * 40)
    command = ["train", "lm", "--model", "ngram", "--data", "my text.txt", "-o", "it's mine"]
    done = CliRunner().invoke(app, command)
    assert done.exit_code == 0, done.output
    assert """recurra sample 'it'"'"'s mine'""" in done.output
    again = CliRunner().invoke(app, command)
    assert """`recurra train --resume 'it'"'"'s mine'`""" in str(again.exception)

"""Readers: the result for each format, and bad rows reported with file and line."""

import gzip
import io
import json
import sys
import tracemalloc
import zipfile
from dataclasses import replace
from types import SimpleNamespace
from typing import ClassVar

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from recurra.config import ReaderPart, build_config
from recurra.data.examples import BadRows, Example, conversations
from recurra.data.readers import guess_format, read_examples, read_unlabelled
from recurra.data.readers.pictures import read_pictures
from recurra.data.readers.trees import read_phrases, tree_of
from recurra.errors import ConfigError, DataError, MissingExtra
from recurra.tasks.labelling.config import ClassifyConfig
from recurra.text.words import plain_words, words_of


def read(path, **options) -> list[Example]:
    return read_examples(path, ReaderPart(**options), BadRows())


def file(tmp_path, name: str, content: str | bytes):
    path = tmp_path / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


CONLL = "-DOCSTART- -X- O O\n\nEU NNP I-NP I-ORG\nrejects VBZ I-VP O\n\n\nPeter NNP I-NP I-PER\n"
ATIS = "BOS fly to boston EOS\tO O O B-toloc atis_flight\n"


def test_columns(tmp_path):
    path = file(tmp_path, "text.conll", CONLL)
    one, two = read(path)
    assert (one.words, one.labels, one.line) == (("EU", "rejects"), ("I-ORG", "O"), 3)
    assert (two.words, two.labels) == (("Peter",), ("I-PER",))
    assert read(path, tags_column="2")[0].labels == ("NNP", "VBZ")
    assert read(path, tags_column="-2")[0].labels == ("I-NP", "I-VP")


def test_columns_apart_by_tabs_keep_blanks_within(tmp_path):
    path = file(tmp_path, "text.conll", "New York\tB-LOC\nis\tO\n\t\nbig\tO\n")
    assert [example.words for example in read(path)] == [("New York", "is"), ("big",)]


def test_a_tab_among_blanks_is_one_of_them(tmp_path):
    path = file(tmp_path, "text.conll", "EU I-ORG\nrejects O\n\nthe\ttall man O\n\nPeter\tI-PER\n")
    with pytest.raises(DataError, match=r"text.conll:4: has 4 columns, but other lines have 2"):
        read(path)
    assert read(file(tmp_path, "two.conll", "a O\n\nb O\n\nPeter\tI-PER\n"))[2].words == ("Peter",)


def test_atis(tmp_path):
    (example,) = read(file(tmp_path, "x.iob", ATIS))
    assert (example.words, example.labels, example.label) == (
        ("fly", "to", "boston"),
        ("O", "O", "B-toloc"),
        "atis_flight",
    )


def test_parallel_files(tmp_path):
    file(tmp_path, "seq.in", "play jazz \nstop\n")
    file(tmp_path, "seq.out", "O B-genre \nO\n")
    file(tmp_path, "label", "Play\nStop\n")
    assert [(e.words, e.labels, e.label) for e in read(tmp_path)] == [
        (("play", "jazz"), ("O", "B-genre"), "Play"),
        (("stop",), ("O",), "Stop"),
    ]
    (tmp_path / "label").unlink()
    assert read(tmp_path)[0].label is None
    file(tmp_path, "seq.out", "O B-genre\n")
    with pytest.raises(DataError, match=r"seq.out: ends before line 2"):
        read(tmp_path)


def test_label_text(tmp_path):
    path = file(tmp_path, "x.txt", "1 a fine film\n0 dull , very dull\n")
    assert [(e.label, e.words[0], len(e)) for e in read(path)] == [("1", "a", 3), ("0", "dull", 4)]


def test_tables(tmp_path):
    text = 'id,text,label\n1,"good, really\ngood",pos\n2,bad,neg\n'
    one, two = read(file(tmp_path, "x.csv", text))
    assert (one.words, one.label, one.line) == (("good,", "really", "good"), "pos", 2)
    assert two.line == 4
    unquoted = file(tmp_path, "x.tsv", 'text\tlabel\nhe said "hi\tpos\n')
    assert read(unquoted)[0].words == ("he", "said", '"hi')
    pair = file(tmp_path, "pair.tsv", "Quality\ta\tb\n1\tone two\tthree\n")
    (example,) = read(pair, text_column="a", second_column="b", label_column="Quality")
    assert (example.words, example.second, example.label) == (("one", "two"), ("three",), "1")
    packed = tmp_path / "x.csv.gz"
    packed.write_bytes(gzip.compress(text.encode(), mtime=0))
    assert read(packed)[0].label == "pos"


def test_json_lines(tmp_path):
    rows = [
        {"text": ["New York", "is"], "labels": ["B-LOC", "O"], "label": 1},
        {"text": "I'm here.", "labels": "O O O"},
    ]
    path = file(tmp_path, "x.jsonl", "\n".join(map(json.dumps, rows)) + "\n")
    one, two = read(path, split="punctuation")
    assert (one.words, one.labels, one.label) == (("New York", "is"), ("B-LOC", "O"), "1")
    assert (two.words, two.label) == (("I'm", "here", "."), None)


def test_numbers_and_booleans_of_json_are_read_as_it_spells_them(tmp_path):
    rows = [
        {"text": 5, "label": True},
        {
            "text": ["a", 7, 0.5, False, "New York", "\u00a0"],
            "labels": ["B-X ", True, 1, "O", "O", "O"],
            "label": 0,
        },
    ]
    path = file(tmp_path, "x.jsonl", "\n".join(map(json.dumps, rows)) + "\n")
    one, two = read(path)
    assert (one.words, one.text, one.label) == (("5",), "5", "true")
    assert two.words == ("a", "7", "0.5", "false", "New York", "\u00a0")
    assert (two.labels, two.label) == (("B-X", "true", "1", "O", "O", "O"), "0")


@pytest.mark.parametrize("name", [0, False, "0", 0.0])
def test_a_conversation_may_have_any_name(tmp_path, name):
    rows = [{"text": "a", "conversation": name}] * 2 + [
        {"text": "a", "conversation": each} for each in ("", None)
    ]
    path = file(tmp_path, "x.jsonl", "\n".join(map(json.dumps, rows)) + "\n")
    assert conversations(read(path)) == [[0, 1], [2], [3]]


@pytest.mark.parametrize(
    ("row", "told"),
    [
        ('{"text": {"a": 1}}', "has {'a': 1} as 'text', expected a text or a list of words"),
        ('{"text": NaN}', "has nan as 'text', expected a text or"),
        ('{"text": "a", "text2": {}}', "has {} as 'text2', expected a text or"),
        ('{"text": ["a", null]}', "has None as a word of 'text', expected a text or a number"),
        ('{"text": ["a", ["b"]]}', "has ['b'] as a word of 'text'"),
        ('{"text": ["a", Infinity]}', "has inf as a word of 'text'"),
        ('{"text": ["a", " "]}', "has an empty word in 'text'"),
        ('{"text": ["", "a"]}', "has an empty word in 'text'"),
        ('{"text": []}', "'text' is empty"),
        ('{"text": "a b", "labels": ["O", null]}', "has None as label of 'labels'"),
        ('{"text": "a b", "labels": ["O", " "]}', "has an empty label of 'labels'"),
        ('{"text": "a b", "labels": {"a": 1}}', "has {'a': 1} as 'labels', expected a list of labels"),
        ('{"text": "a", "label": NaN}', "has nan as 'label', expected a single label"),
        ('{"text": "a", "label": {"a": 1}}', "has {'a': 1} as 'label', expected a single label"),
        (
            '{"text": "a", "conversation": [1]}',
            "has [1] as 'conversation', expected the name of a conversation; name its",
        ),
        ('{"vectors": [[0.5, 1.5]]}', "has [[0.5, 1.5]] as 'vectors', expected the path of"),
        (r'{"text": "fine \ud83d"}', r"has '\ud83d', half of a surrogate pair and no character; remove it"),
        (r'{"text": "fine \\\ude00 day"}', r"has '\ude00', half of a surrogate pair"),
        (r'{"text": "a", "\uD800\ue000": 1}', r"has '\ud800', half of a surrogate pair"),
    ],
)
def test_what_is_no_text_is_refused_and_counted(tmp_path, row, told):
    path = file(tmp_path, "x.jsonl", '{"text": "a"}\n' + row + "\n")
    with pytest.raises(DataError) as refused:
        read(path)
    assert f"x.jsonl:2: {told}" in str(refused.value)
    bad = BadRows(skip=True)
    assert len(read_examples(path, ReaderPart(), bad)) == len(bad) == 1


def test_whole_surrogate_pairs_and_escaped_backslashes_are_text(tmp_path):
    path = file(tmp_path, "x.jsonl", r'{"text": "\ud83d\ude00 \\ud83d \u00e9"}' + "\n")
    assert read(path)[0].words == ("😀", r"\ud83d", "é")


def test_labels_of_words_do_not_matter_to_a_classifier(tmp_path):
    path = file(tmp_path, "x.jsonl", '{"text": "a b", "label": "x", "labels": [null, {}], "entities": [1]}\n')
    config = build_config(ClassifyConfig, overrides={"data": path})
    (row,) = read_examples(path, config, BadRows())
    assert (row.labels, row.label) == (None, "x")


def test_turns_of_conversations_follow_one_another(tmp_path):
    text = "conversation,text,label\na,hello,greet\na,a flight,book\nb,bye,end\na,hello,greet\n"
    rows = read(file(tmp_path, "x.csv", text))
    assert conversations(rows) == [[0, 1], [2], [3]]
    assert conversations([replace(row, conversation="") for row in rows]) == [[0], [1], [2], [3]]


def test_trees_and_their_phrases(tmp_path):
    path = file(tmp_path, "x.txt", "(3 (2 A) (4 (3 good) (2 film)))\n(2 (2 A) (2 film))\n")
    assert [(e.label, e.words) for e in read(path)] == [("3", ("A", "good", "film")), ("2", ("A", "film"))]
    assert [e.label for e in read(path, tree_labels="binary")] == ["positive"]
    phrases = list(read_phrases(path, ReaderPart(), BadRows()))
    assert [(e.label, " ".join(e.words)) for e in phrases] == [
        ("2", "A"), ("3", "good"), ("2", "film"), ("4", "good film"), ("3", "A good film"), ("2", "A film"),
    ]  # fmt: skip


@given(st.recursive(st.sampled_from("abc").map(lambda w: f"(1 {w})"), lambda t: st.tuples(t, t).map(
    lambda pair: f"(3 {pair[0]} {pair[1]})"), max_leaves=8))  # fmt: skip
def test_a_tree_has_a_node_for_each_bracket(tree):
    nodes = list(tree_of(tree).nodes())
    assert len(nodes) == tree.count("(")
    assert nodes[-1] == tree_of(tree).root
    assert nodes[-1][1] == tuple(letter for letter in tree if letter in "abc")


def test_a_deep_tree_costs_its_length():
    """Four times the depth takes four times the memory; the words of every node would take sixteen times."""

    def peak(depth: int) -> int:
        line = "(3 a " * depth + ")" * depth
        tracemalloc.start()
        assert len(tree_of(line).root[1]) == depth
        found = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return found

    assert peak(4000) < 8 * peak(1000)


def test_a_folder_for_each_class(tmp_path):
    for name, text in (("pos/1.txt", "good film"), ("neg/1.txt", "bad film"), ("neg/.hidden", "x")):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    assert [(e.label, e.words) for e in read(tmp_path)] == [
        ("neg", ("bad", "film")),
        ("pos", ("good", "film")),
    ]


def test_clips_are_folders_of_images(tmp_path):
    clip = tmp_path / "left" / "clip1"
    clip.mkdir(parents=True)
    for number in range(3):
        Image.fromarray(np.full((4, 5, 3), number, dtype=np.uint8)).save(clip / f"{number:02}.png")
    (example,) = read(tmp_path)
    assert example.vectors.shape == (3, 3, 4, 5)
    assert example.vectors[2].max() == 2
    assert (example.label, len(example)) == ("left", 3)
    Image.fromarray(np.zeros((9, 5), dtype=np.uint8)).save(clip / "03.png")
    with pytest.raises(DataError, match="images of different sizes"):
        read(tmp_path)


def test_arrays(tmp_path):
    path = tmp_path / "x.npz"
    np.savez(path, vectors=np.arange(10.0).reshape(5, 2), lengths=[2, 3], labels=list("abcde"), label=[7, 8])
    one, two = read(path)
    assert (len(one), one.labels, one.label) == (2, ("a", "b"), "7")
    assert one.vectors.dtype == two.vectors.dtype == np.float32
    assert (two.labels, two.label) == (("c", "d", "e"), "8")
    np.savez(path, vectors=np.zeros((2, 2, 2)), labels=[["a", "b"], ["c", "d"]])
    assert [e.labels for e in read(path)] == [("a", "b"), ("c", "d")]
    np.savez(path, vectors=np.zeros((3, 4, 2)), labels=list("xyz"))
    assert [(len(e), e.labels, e.label) for e in read(path)] == [(4, None, label) for label in "xyz"]


def test_labels_of_arrays_are_texts_or_numbers(tmp_path):
    path = tmp_path / "x.npz"
    vectors = {"vectors": np.zeros((2, 3, 4)), "lengths": [3, 1]}
    for array, expected in [
        (np.array([b"yes", "n\u00e9".encode()]), ["yes", "n\u00e9"]),
        (np.array(["yes ", "no"]), ["yes", "no"]),
        (np.array([True, False]), ["true", "false"]),
        (np.array([0, 1], dtype=np.uint8), ["0", "1"]),
        (np.array([0.1, 1], dtype=np.float32), ["0.1", "1.0"]),
    ]:
        np.savez(path, **vectors, label=array)
        assert [row.label for row in read(path)] == expected
        steps = np.stack([array] * 3, axis=1)
        np.savez(path, **vectors, labels=steps)
        assert [row.labels for row in read(path)] == [(expected[0],) * 3, (expected[1],)]
    for array, told in [
        (np.array(["yes", ""]), "has an empty label"),
        (np.array([0, np.nan]), "has nan as label, expected a text or a number"),
        (np.array([b"yes", b"n\xe9"]), r"has b'n\\xe9' as label, expected UTF-8 text"),
        (np.array(["yes", "\ud83d"]), "half of a surrogate pair"),
    ]:
        np.savez(path, **vectors, label=array)
        with pytest.raises(DataError, match=rf"x\.npz:2: .*{told}"):
            read(path)
        bad = BadRows(skip=True)
        assert len(read_examples(path, ReaderPart(), bad)) == len(bad) == 1
        assert [row.label for row in read_unlabelled(path, ReaderPart(), BadRows())] == [None, None]


def a_pickle() -> bytes:
    with io.BytesIO() as whole:
        with zipfile.ZipFile(whole, "w") as archive, io.BytesIO() as array:
            np.save(array, np.array([{"a": 1}], dtype=object), allow_pickle=True)
            archive.writestr("vectors.npy", array.getvalue())
        return whole.getvalue()


def arrays(**given: object) -> bytes:
    with io.BytesIO() as whole:
        np.savez(whole, **given)
        return whole.getvalue()


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("x.conll", "a O\nb\n\nc O\n", "x.conll:2: has 1 column, but other lines have 2"),
        ("x.conll", "a\tO\nb\tc\tO\n", "x.conll:2: has 3 columns"),
        ("x.conll", b"a O\ncaf\xe9 O\n", "x.conll:2: is not UTF-8"),
        ("x.conll", "a\tO\n\tO\n", "x.conll:2: has an empty word or label"),
        ("x.conll", "a\n\na O\nb O\n", "x.conll:1: has 1 column, but other lines have 2"),
        ("x.conll", "a\nb\n\nc\n", "has one column, but words with labels need two"),
        ("x.npz", arrays(vectors=np.zeros(3)), "has vectors of shape (3,), expected at least two axes"),
        ("x.iob", "BOS a b EOS\tO O intent\n", "x.iob:1: has 4 words, BOS and EOS included, but 3"),
        ("x.iob", "BOS EOS\tO intent\n", "x.iob:1: the text is empty"),
        ("x.csv", "text,label\na,b\nc\n", "x.csv:3: has 1 column, but the header has 2"),
        ("x.csv", "text,label\n,b\n", "x.csv:2: 'text' is empty"),
        ("x.csv", "text,label\na,\n", "x.csv:2: has an empty 'label'"),
        ("x.csv", "text,labels\na b,O\n", "x.csv:2: has 2 words or steps, but 1 label"),
        ("x.jsonl", '{"text": "a"}\n{"text": \n', "x.jsonl:2: is not JSON"),
        ("x.jsonl", "[1]\n", "x.jsonl:1: is not a JSON object"),
        ("x.jsonl", '{"text": "a"}\n{"txt": "a"}\n', "x.jsonl:2: has no 'text'"),
        ("x.jsonl", '{"vectors": "none.npy"}\n', "none.npy cannot be read"),
        ("x.jsonl", '{"vectors": [[1.0, 2.0], [3.0, 4.0]]}\n', "has [[1.0, 2.0], [3.0, 4.0]] as 'vectors'"),
        ("x.jsonl", json.dumps({"vectors": "so long " * 99}), "x.jsonl:1: has 'so long so long"),
        ("x.jsonl", json.dumps({"vectors": "\u00e9" * 200}), "x.jsonl:1: "),
        ("x.jsonl", '{"vectors": "a\\u0000b.npy"}\n', "cannot be read (embedded null byte)"),
        ("x.csv", "vectors,label\n,b\n", "x.csv:2: has '' as 'vectors', expected the path of a .npy file"),
        ("x.jsonl", '{"vectors": "/tmp/x.npy"}\n', "which leads out of the folder of the table"),
        ("x.jsonl", '{"vectors": "a/../../x.npy"}\n', "has the path 'a/../../x.npy' in 'vectors', which le"),
        ("x.npz", b"no", "cannot be read as an .npz file"),
        ("x.npz", a_pickle(), "not a complete array of plain numbers"),
        ("x.npz", arrays(vectors=np.zeros((3, 2)), lengths=[1, 1]), "do not match 2 lengths with the sum 2"),
        ("x.npz", arrays(vectors=np.full((2, 2), np.nan), lengths=[1, 1]), "x.npz:1: sequence 1 has numbers"),
        ("x.npz", arrays(vectors=np.zeros((2, 2)), lengths=[2, 0]), "x.npz:2: sequence 2 has no steps"),
    ],
)  # fmt: skip
def test_a_bad_row_is_named_by_file_and_line(tmp_path, name, content, told):
    path = file(tmp_path, name, content)
    fmt = "atis" if name == "x.iob" else "auto"
    with pytest.raises(DataError, match=r".") as refused:
        read(path, format=fmt)
    assert told in str(refused.value)


@pytest.mark.parametrize("name", ["n" * 300, "n" * 300 + ".npy", "a\0b"])
@pytest.mark.parametrize(
    "format_", ["auto", "trees", "conll", "csv", "jsonl", "parallel", "folder", "arrays"]
)
def test_a_name_that_no_file_can_have_is_refused(tmp_path, name, format_):
    for reads in (read_examples, read_unlabelled):
        with pytest.raises(DataError) as refused:
            reads(tmp_path / name, ReaderPart(format=format_), BadRows())
        assert "\n" not in str(refused.value)
    with pytest.raises(DataError):
        read_pictures(tmp_path / name)


@pytest.mark.parametrize(
    "tree",
    [
        "(3 (2 a)", "(3 a))", "(x a)", "(3 )", "3 a", "(3 a) (2 b)", "(3 a) b", "b (3 a)",
        *(f"(3 ({label} a))" for label in ("5", "10", "03", "\u00b2", "\u0663", "-1")),
    ],
)  # fmt: skip
def test_what_is_no_tree_is_refused(tmp_path, tree):
    with pytest.raises(DataError, match=r"x\.txt:1: is not a tree"):
        read(file(tmp_path, "x.txt", tree + "\n"), format="trees")


def test_skipped_rows_are_counted(tmp_path):
    bad = BadRows(skip=True)
    path = file(tmp_path, "x.conll", "a O\nb\nc O\n\nd O\n\ne O O\n")
    assert [e.words for e in read_examples(path, ReaderPart(), bad)] == [("d",)]
    assert len(bad) == 2
    assert bad.sentences[1].endswith("x.conll:7: has 3 columns, but other lines have 2.")
    with pytest.raises(DataError, match="has no usable rows"):
        read_examples(file(tmp_path, "y.csv", "text,label\n,\n"), ReaderPart(), BadRows(skip=True))


def test_a_column_that_is_not_there_is_named_with_those_that_are(tmp_path):
    path = file(tmp_path, "x.csv", "sentence,label\na,b\n")
    with pytest.raises(
        ConfigError, match=r"no column 'text'; its columns are sentence, label.*--text-column"
    ):
        read(path)
    with pytest.raises(ConfigError, match="no column 'quality'"):
        read(path, text_column="sentence", label_column="quality")
    with pytest.raises(ConfigError, match="expected a column number of conll"):
        read(file(tmp_path, "x.conll", CONLL), tags_column="ner")


@pytest.mark.parametrize(
    ("content", "format_"),
    [
        (CONLL, "conll"),
        (ATIS, "atis"),
        ("(3 (2 a) (2 b))\n", "trees"),
        ("pos a b c\nneg d e\nneg f\n", "label-text"),
    ],
)
def test_the_format_is_told_by_the_first_lines(tmp_path, content, format_):
    assert guess_format(file(tmp_path, "x.txt", content)) == format_


def test_a_format_that_cannot_be_told_is_asked_for(tmp_path):
    with pytest.raises(DataError, match="--format, one of conll"):
        guess_format(file(tmp_path, "x.txt", "word\nword\n"))
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="is a folder with neither"):
        guess_format(tmp_path / "empty")


@given(st.text())
def test_words_stand_where_they_say(text):
    for split in ("blanks", "punctuation", "characters"):
        words = words_of(text, split)
        assert [text[word.begin : word.end] for word in words] == [word.text for word in words]
        assert plain_words(text, split) == [word.text for word in words]
    assert plain_words(text) == text.split()


class _Feature:
    """As in the datasets library: class labels have names, and a list has the feature type of its items."""

    def __init__(self, names=None, feature=None) -> None:
        if names is not None:
            self.names = names
        if feature is not None:
            self.feature = feature


def test_data_sets_of_the_hub_by_name(monkeypatch):
    class Rows(list):
        features: ClassVar = {
            "tokens": _Feature(feature=_Feature()),
            "ner_tags": _Feature(feature=_Feature(["O", "B-PER"])),
            "label": _Feature(["neg", "pos"]),
        }

    asked = []

    def load_dataset(name, split):
        asked.append((name, split))
        if name == "none":
            raise ConnectionError("no network")
        return Rows([{"tokens": ["Ron", "met"], "ner_tags": [1, 0], "label": 1}])

    monkeypatch.setitem(sys.modules, "datasets", SimpleNamespace(load_dataset=load_dataset))
    columns = {"text_column": "tokens", "tags_column": "ner_tags"}
    (example,) = read("hub:conll2003:validation", **columns)
    assert (example.words, example.labels, example.label) == (("Ron", "met"), ("B-PER", "O"), "pos")
    assert example.place == "hub:conll2003:validation:1"
    assert asked == [("conll2003", "validation")]
    with pytest.raises(DataError, match=r"hub:none: cannot be loaded \(no network\)"):
        read("hub:none", **columns)
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(MissingExtra, match="needs the package datasets"):
        read("hub:conll2003")


def test_a_column_that_is_the_label_is_not_taken_for_labels_of_words(tmp_path):
    (example,) = read(file(tmp_path, "x.csv", "text,labels\na b c,pos\n"), label_column="labels")
    assert (example.label, example.labels) == ("pos", None)


def test_phrases_of_other_trees_stay_when_some_are_left_out(tmp_path):
    path = file(tmp_path, "x.txt", "(3 (2 A) (4 good))\n(3 (2 The) (4 good))\n")
    kept = [" ".join(e.words) for e in read_phrases(path, ReaderPart(), BadRows(), leave_out={1})]
    assert kept == ["The", "good", "The good"]


def test_one_bad_line_does_not_hide_that_a_file_is_columns(tmp_path):
    text = "a O\nb O\n\nc O\nd\ne O\n\n" + "f O\n\n" * 20
    assert guess_format(file(tmp_path, "x.txt", text)) == "conll"

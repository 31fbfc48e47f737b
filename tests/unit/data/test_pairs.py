"""Readers of pairs: parallel files, tables, JSON lines, dialogues, pictures; and errors in these files."""

import gzip
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from recurra.config import PairFilesPart, build_config
from recurra.data.examples import BadRows
from recurra.data.readers.pairs import read_pairs
from recurra.data.readers.pictures import read_captions, read_pictures
from recurra.errors import ConfigError, DataError


def read(path, target=None, *, turns=0, skip=False, **options):
    config = build_config(PairFilesPart, overrides=options)
    return read_pairs(path, target, config, BadRows(skip), memory_turns=turns)


def texts_of(pairs):
    return [(*pair.source, *pair.targets) for pair in pairs]


def test_files_in_step_plain_and_packed(tmp_path):
    (tmp_path / "a.en").write_bytes(b"\xef\xbb\xbfone\r\n\r\n two \r\n")
    with gzip.open(tmp_path / "a.de.gz", "wt", encoding="utf-8") as file:
        file.write("eins\nleer\nzwei\n")
    pairs = read(tmp_path / "a.en", tmp_path / "a.de.gz")
    assert texts_of(pairs) == [("one", "eins"), ("", "leer"), ("two", "zwei")]
    assert pairs[2].place == f"{tmp_path / 'a.en'}:3"


def test_files_that_are_not_in_step_tell_both_counts(tmp_path):
    (tmp_path / "a").write_text("one\ntwo\nthree\n")
    (tmp_path / "b").write_text("eins\nzwei\n")
    with pytest.raises(DataError, match=r"a: has 3 lines, but .*b has 2; each line needs its target"):
        read(tmp_path / "a", tmp_path / "b")


def test_a_table_with_a_head_without_one_and_by_numbers(tmp_path):
    (tmp_path / "head.tsv").write_text("id\ttarget\tsource\n1\teins\tone\n")
    (tmp_path / "plain.tsv").write_text('one "1"\teins\tnote\ntwo\tzwei\tnote\n')
    (tmp_path / "named.csv").write_text('en,de\n"one, two","eins, zwei"\n')
    assert texts_of(read(tmp_path / "head.tsv")) == [("one", "eins")]
    with pytest.raises(ConfigError, match=r'has 3 columns \(one "1", eins, note\); name the two sides'):
        read(tmp_path / "plain.tsv")
    forwards = read(tmp_path / "plain.tsv", source_column="1", target_column="2")
    assert texts_of(forwards) == [('one "1"', "eins"), ("two", "zwei")]
    backwards = read(tmp_path / "plain.tsv", source_column="2", target_column="1")
    assert texts_of(backwards)[1] == ("zwei", "two")
    named = read(tmp_path / "named.csv", source_column="en", target_column="de")
    assert texts_of(named) == [("one, two", "eins, zwei")]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("A.CSV", "so,da\n"),
        ("a.TSV", "so\tda\n"),
        *((f"a{end}", '{"source": "so", "target": "da"}\n') for end in (".json", ".NDJSON")),
    ],
)
def test_the_extension_is_read_in_either_case(name, content, tmp_path):
    (tmp_path / name).write_text(content)
    assert texts_of(read(tmp_path / name)) == [("so", "da")]


def test_a_text_file_with_tabs_is_a_table(tmp_path):
    (tmp_path / "pairs.txt").write_text("one\teins\n")
    assert texts_of(read(tmp_path / "pairs.txt")) == [("one", "eins")]


def test_json_lines_with_several_targets_and_turns(tmp_path):
    rows = [{"source": ["hello", "hi"], "target": ["bye", "see you"]}, {"source": "a", "target": "b"}]
    (tmp_path / "p.jsonl").write_text("\n".join(map(json.dumps, rows)) + "\n")
    pairs = read(tmp_path / "p.jsonl")
    assert pairs[0].source == ("hello", "hi")
    assert pairs[0].targets == ("bye", "see you")
    assert texts_of(pairs[1:]) == [("a", "b")]


@given(
    turns=st.lists(st.text(st.characters(codec="utf-8", categories=("L",)), min_size=1), max_size=8),
    memory=st.integers(1, 4),
)
def test_dialogues_are_each_answer_with_the_turns_before_it(tmp_path_factory, turns, memory):
    folder = tmp_path_factory.mktemp("dialogues")
    (folder / "d.jsonl").write_text(json.dumps({"turns": turns or ["alone"]}) + "\n")
    (folder / "d.txt").write_text("alone\n\n" + "\n".join(turns) + "\n\n\n", encoding="utf-8")
    wanted = [(tuple(turns[max(0, i - memory) : i]), (turns[i],)) for i in range(1, len(turns))]
    for file in ("d.jsonl", "d.txt"):
        if not wanted:
            with pytest.raises(DataError, match="has no usable pairs"):
                read(folder / file, turns=memory)
        else:
            pairs = read(folder / file, turns=memory)
            assert [(pair.source, pair.targets) for pair in pairs] == wanted


def test_a_skipped_turn_ends_its_conversation(tmp_path):
    path = tmp_path / "d.txt"
    path.write_bytes(b"how are you\nf\xefne\ngood, bye\nbye\n\n\xef\nhello\nhi\n")
    pairs = read(path, turns=2, skip=True)
    assert [(*texts, pair.line) for texts, pair in zip(texts_of(pairs), pairs, strict=True)] == [
        ("good, bye", "bye", 3),
        ("hello", "hi", 7),
    ]


@pytest.mark.parametrize(
    ("name", "content", "options", "error", "said"),
    [
        ("a.tsv", "", {}, DataError, "is empty"),
        ("a.tsv", "one\teins\ntwo\n", {}, DataError, r"a.tsv:2: has 1 column, but the header has 2"),
        ("a.tsv", "one\n", {}, ConfigError, "has 1 column; column 2 does not exist"),
        ("a.tsv", "en\tde\n", {"source_column": "fr"}, ConfigError, "has no column 'fr'; its columns are en"),
        ("a.jsonl", "{\n", {}, DataError, "a.jsonl:1: is not JSON"),
        ("a.jsonl", "[]\n", {}, DataError, "a.jsonl:1: is not a JSON object"),
        ("a.jsonl", '{"source": "x", "target": "\\ude00"}\n', {}, DataError, "half of a surrogate pair"),
        ("a.jsonl", '{"source": "x"}\n', {}, DataError, "has no 'target', only source"),
        ("a.jsonl", '{"source": "x", "target": 3}\n', {}, DataError, "has 3, expected a text"),
        ("a.jsonl", '{"source": "x", "target": []}\n', {}, DataError, "expected a text or a list of texts"),
        ("a.txt", "one\ntwo\n", {}, DataError, "has no target side; name its file with --target"),
        ("a.txt", "one\n", {"format": "parallel"}, ConfigError, "target: is missing"),
        ("a.jsonl", '{"turns": ["a", "b"]}\n', {"format": "dialogues"}, ConfigError, "does not read"),
    ],
)
def test_a_file_that_cannot_be_used_says_why(tmp_path, name, content, options, error, said):
    (tmp_path / name).write_text(content)
    with pytest.raises(error, match=said):
        read(tmp_path / name, **options)


def test_what_is_not_utf8_is_named_by_file_and_line_or_left_out(tmp_path):
    (tmp_path / "a").write_bytes(b"one\ncaf\xe9\nthree\n")
    (tmp_path / "b").write_bytes(b"eins\nzwei\ndr\xfci\n")
    with pytest.raises(DataError, match="a:2: is not UTF-8"):
        read(tmp_path / "a", tmp_path / "b")
    assert texts_of(read(tmp_path / "a", tmp_path / "b", skip=True)) == [("one", "eins")]
    (tmp_path / "c.gz").write_bytes(gzip.compress(b"one\n" * 1000)[:30])
    with pytest.raises(DataError, match="is not a whole gzip file"):
        read(tmp_path / "c.gz", tmp_path / "b")
    with pytest.raises(DataError, match="there is no such file"):
        read(tmp_path / "nothing", tmp_path / "b")
    with pytest.raises(ConfigError, match="target: does not apply to tsv files"):
        read(tmp_path / "a", tmp_path / "b", format="tsv")


def captions(tmp_path, *rows):
    (tmp_path / "c.jsonl").write_text("\n".join(json.dumps(row) for row in rows) + "\n")
    return tmp_path / "c.jsonl"


def test_pictures_by_number_by_name_and_from_a_folder(tmp_path):
    np.save(tmp_path / "f.npy", np.arange(6.0).reshape(3, 2))
    rows = [{"image": 2, "caption": "two"}, {"image": 0, "captions": ["a", "b"]}]
    file = captions(tmp_path, *rows, {"image": 0, "caption": "c"})
    pairs = read_captions(read_pictures(tmp_path / "f.npy"), file, BadRows())
    assert [pair.targets for pair in pairs] == [("two",), ("a", "b", "c")]
    assert pairs[0].vectors.tolist() == [4.0, 5.0]
    file = captions(tmp_path, {"image": "y.jpg", "caption": "why", "captions": None})
    for names in (["x.jpg", "y.jpg"], [b"x.jpg", b"y.jpg"]):
        np.savez(tmp_path / "n.npz", features=np.ones((2, 3)), names=np.array(names))
        assert read_captions(read_pictures(tmp_path / "n.npz"), file, BadRows())[0].source == ("y.jpg",)
    (tmp_path / "p").mkdir()
    for name in ("b.png", "a.png"):
        Image.fromarray(np.zeros((4, 5, 3), dtype=np.uint8)).save(tmp_path / "p" / name)
    pictures = read_pictures(tmp_path / "p")
    assert (pictures.names, pictures.vectors.shape) == (["a.png", "b.png"], (2, 3, 4, 5))


@pytest.mark.parametrize(
    ("array", "said"),
    [
        (np.ones(3), r"has shape \(3,\) of float64, expected numbers"),
        (np.array([["a"]]), "expected numbers"),
        (np.array([[1.0, np.nan]]), "numbers that are not finite"),
        (np.ones((0, 3)), "expected numbers"),
        (np.array([{}], dtype=object), "is not a complete array of plain numbers"),
    ],
)
def test_numbers_that_are_no_pictures_are_refused(tmp_path, array, said):
    np.save(tmp_path / "f.npy", array, allow_pickle=True)
    with pytest.raises(DataError, match=said):
        read_pictures(tmp_path / "f.npy")


def test_captions_that_fit_no_picture_are_named(tmp_path):
    np.save(tmp_path / "f.npy", np.ones((2, 3)))
    pictures = read_pictures(tmp_path / "f.npy")
    for row, said in [
        ({"image": 2, "caption": "x"}, "c.jsonl:1: names the image '2', which"),
        ({"image": 0}, "needs 'image', and 'caption'"),
        ({"image": 0, "captions": [3]}, "expected a text or a list of texts"),
        ({"image": 0, "captions": ["x"], "caption": "y"}, "has both 'caption' and 'captions'; remove one"),
        ({"image": 0, "caption": "fine \ud83d"}, "jsonl:1: has '.ud83d', half of a surrogate pair"),
    ]:
        with pytest.raises(DataError, match=said):
            read_captions(pictures, captions(tmp_path, row), BadRows())
    np.savez(tmp_path / "n.npz", vectors=np.ones((2, 3)))
    with pytest.raises(DataError, match="has no array 'features'; it has vectors"):
        read_pictures(tmp_path / "n.npz")
    np.savez(tmp_path / "n.npz", features=np.ones((2, 3)), names=np.array([1, np.nan]))
    with pytest.raises(
        DataError, match=r"n\.npz: has nan as the name of an image, expected a text or a number;"
    ):
        read_pictures(tmp_path / "n.npz")
    np.savez(tmp_path / "n.npz", features=np.ones((2, 3)), names=np.array(["x", "x"]))
    with pytest.raises(DataError, match="2 features but 1 different name;"):
        read_pictures(tmp_path / "n.npz")
    with pytest.raises(DataError, match="cannot be read"):
        read_pictures(tmp_path / "nothing.npy")

"""Files of words and of pairs of words."""

import json

import pytest

from recurra.data.word_lists import pairs_of, read_lists, read_pairs, read_words
from recurra.errors import ConfigError, DataError


def write(path, content):
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


def test_json_and_text(tmp_path):
    assert read_words(write(tmp_path / "a.json", ["x", ["nurse", 0.1, 0.2]])) == ["x", "nurse"]
    assert read_words(write(tmp_path / "a.txt", "x\n\nnurse \n")) == ["x", "nurse"]
    assert read_pairs(write(tmp_path / "p.json", [["he", "she"]])) == [("he", "she")]
    pairs = write(tmp_path / "p.txt", "he she\nman:woman\n")
    assert read_pairs(pairs) == [("he", "she"), ("man", "woman")]
    assert pairs_of(["a:b,c:d", str(pairs)], "pairs")[1:3] == [("c", "d"), ("he", "she")]
    assert read_lists(write(tmp_path / "l.json", {"a": ["x"]})) == {"a": ["x"]}


@pytest.mark.parametrize(
    ("read", "name", "content", "fault"),
    [
        (read_words, "a.json", [1], "entry 1: has 1, expected a word"),
        (read_words, "a.json", {"a": 1}, "is not a JSON list"),
        (read_words, "a.json", "[", "is not JSON"),
        (read_words, "a.txt", "\n", "is empty"),
        (read_pairs, "p.json", [["he", "she"], ["he"]], r"entry 2: has .*, expected two words"),
        (read_pairs, "p.txt", "he she\nhe\n", "p.txt:2: has 'he', expected two words"),
        (read_lists, "l.json", ["a"], "is not a JSON object of lists"),
        (read_lists, "l.json", {"a": [1]}, "a: has .*, expected a list of words"),
    ],
)
def test_faults_are_named_by_place(tmp_path, read, name, content, fault):
    with pytest.raises(DataError, match=fault):
        read(write(tmp_path / name, content))


def test_files_that_are_not_there_and_other_forms(tmp_path):
    with pytest.raises(DataError, match="there is no such file"):
        read_words(tmp_path / "none.json")
    with pytest.raises(ConfigError, match=r"^pairs: got 'he:she:it', expected pairs such as he:she"):
        pairs_of(["he:she:it"], "pairs")
    with pytest.raises(ConfigError, match=r"^pairs: got 'he', expected pairs"):
        pairs_of(["he"], "pairs")

"""The sources of tables and of JSON lines that are predicted for."""

from pathlib import Path

import pytest

from recurra.config import PairFilesPart
from recurra.data.examples import BadRows
from recurra.data.readers.pairs import is_table, read_sources
from recurra.errors import ConfigError, DataError


def read(path: Path, memory_turns: int = 0, **options) -> list[tuple[str, ...]]:
    pairs = read_sources(path, PairFilesPart(**options), BadRows(), memory_turns=memory_turns)
    return [pair.source for pair in pairs]


def test_the_source_column_is_read_with_or_without_a_target(tmp_path):
    both, alone = tmp_path / "both.tsv", tmp_path / "alone.csv"
    both.write_text("written\tiso\nMay 5\t05/05\nMay 6\t06/05\n", encoding="utf-8")
    alone.write_text('iso\n"05/05"\n06/05\n', encoding="utf-8")
    assert read(both, source_column="iso") == read(alone, source_column="iso") == [("05/05",), ("06/05",)]


def test_a_table_without_a_header_is_read_as_in_training(tmp_path):
    file = tmp_path / "dates.tsv"
    file.write_text("05/05\tMay 5\n06/05\tMay 6\n", encoding="utf-8")
    assert read(file) == [("05/05",), ("06/05",)]
    assert read(file, source_column="2", target_column="1") == [("May 5",), ("May 6",)]


def test_json_lines_and_conversations(tmp_path):
    file, turns = tmp_path / "dates.jsonl", tmp_path / "turns.jsonl"
    file.write_text('{"source": "05/05", "target": "May 5"}\n{"source": "06/05"}\n', encoding="utf-8")
    turns.write_text('{"turns": ["hi", "hello", "who are you"]}\n', encoding="utf-8")
    assert read(file) == [("05/05",), ("06/05",)]
    assert read(turns, memory_turns=2) == [("hello", "who are you")]


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        (
            "a.tsv",
            "date\tother\n1\t2\n",
            r"a\.tsv: has no column 'iso', the source column of the training data",
        ),
        ("a.jsonl", '{"date": "05/05"}\n', r"a\.jsonl:1: has no 'iso', only date"),
    ],
)
def test_a_missing_column_is_named(tmp_path, name, content, told):
    file = tmp_path / name
    file.write_text(content, encoding="utf-8")
    with pytest.raises((ConfigError, DataError), match=told):
        read(file, source_column="iso")


def test_only_tables_are_read_so():
    assert [is_table(Path(name)) for name in ("a.tsv", "a.csv.gz", "a.JSONL", "a.txt", "a")] == [
        *(True, True, True, False, False)
    ]

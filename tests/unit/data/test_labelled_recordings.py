"""Recordings with their words: folders and tables."""

import json
import wave

import numpy as np
import pytest

from recurra.data.examples import BadRows
from recurra.data.readers.recordings import read_recordings
from recurra.errors import DataError

pytest.importorskip("soundfile", reason="soundfile reads the recordings")


def write(path, seconds=0.1, seed=0):
    path.parent.mkdir(parents=True, exist_ok=True)
    samples = np.random.default_rng(seed).normal(0, 1000, round(16_000 * seconds)).astype("<i2")
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, 16_000, 0, "NONE", ""))
        file.writeframes(samples.tobytes())


def read(path, **options):
    return read_recordings(path, BadRows(False), **options)


def shown(found):
    return [(one.word, one.kind, one.group) for one in found]


def test_a_folder_of_one_word_and_one_of_several(tmp_path):
    write(tmp_path / "go" / "a.wav")
    write(tmp_path / "go" / "anna" / "b.wav", 0.2, 1)
    found = read(tmp_path / "go")
    assert shown(found) == [("go", "word", ""), ("anna", "word", "")]
    write(tmp_path / "Negative" / "bob" / "c.wav")
    write(tmp_path / "background" / "d.wav")
    found = read(tmp_path)
    assert shown(found) == [
        ("", "negative", "bob"),
        ("", "background", ""),
        ("go", "word", ""),
        ("go", "word", "anna"),
    ]
    assert found[3].seconds == pytest.approx(0.2)
    assert found[0].digest != found[3].digest
    assert shown(read(tmp_path / "go", kind="negative")) == [("", "negative", ""), ("", "negative", "anna")]


@pytest.mark.parametrize("ending", ["tsv", "csv", "jsonl"])
def test_a_table(tmp_path, ending):
    write(tmp_path / "a.wav")
    write(tmp_path / "sub" / "b.wav")
    rows = [
        {"path": "a.wav", "word": "go", "kind": "", "group": "anna", "start": "0.02", "end": "0.08"},
        {"path": "sub/b.wav", "word": "", "kind": "", "group": "", "start": "", "end": ""},
        {"path": "a.wav", "word": "", "kind": "background", "group": "", "start": "0.05", "end": ""},
    ]
    table = tmp_path / f"rows.{ending}"
    if ending == "jsonl":
        table.write_text("".join(json.dumps(row) + "\n" for row in rows))
    else:
        sign = {"tsv": "\t", "csv": ","}[ending]
        table.write_text("".join(sign.join(row) + "\n" for row in [rows[0].keys(), *map(dict.values, rows)]))
    found = read(table)
    assert shown(found) == [("go", "word", "anna"), ("", "negative", ""), ("", "background", "")]
    assert (found[0].start_s, found[0].end_s) == (0.02, 0.08)
    assert (found[2].start_s, found[2].end_s) == (0.05, None)


@pytest.mark.parametrize(
    ("head", "row", "fault"),
    [
        ("file2\tword", "a.wav\tgo", "rows.tsv:1: has no column 'path'; its columns are file2, word; name"),
        ("path\tword", "b.wav\tgo", "b.wav"),
        ("path\tword", "\tgo", "rows.tsv:2: has no path"),
        ("path\tkind", "a.wav\tspeech", "rows.tsv:2: has the kind 'speech', expected word, negative"),
        ("path\tkind", "a.wav\tword", "rows.tsv:2: is of the kind word, but has no word"),
        ("path\tword\tend", "a.wav\tgo\t0.2", "rows.tsv:2: ends at 0.2 s, but the recording has 0.10 s"),
        ("path\tstart\tend", "a.wav\t0.05\t0.05", "rows.tsv:2: ends at 0.05 s, before its start"),
        ("path\tword\tend", "a.wav\tgo\tlate", "rows.tsv:2: has 'late' as 'end', expected a number"),
        ("path\tword", "a.wav", "rows.tsv:2: has 1 column"),
    ],
)
def test_faults_of_tables(tmp_path, head, row, fault):
    write(tmp_path / "a.wav")
    (tmp_path / "rows.tsv").write_text(f"{head}\n{row}\n")
    with pytest.raises(DataError) as found:
        read(tmp_path / "rows.tsv")
    assert fault in str(found.value)


def test_other_faults(tmp_path):
    with pytest.raises(DataError, match="does not exist"):
        read(tmp_path / "missing")
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="empty"):
        read(tmp_path / "empty")
    (tmp_path / "head.tsv").write_text("path\n")
    with pytest.raises(DataError, match="has no recordings"):
        read(tmp_path / "head.tsv")
    write(tmp_path / "go" / "a.wav")
    with pytest.raises(DataError, match="has recordings of 'go', but the words of the model are stop"):
        read(tmp_path / "go", words=("stop",))

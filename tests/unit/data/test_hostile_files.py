"""Damaged files of every format are read, or refused in a sentence: no exception, no hang, little memory."""

import hostile
import pytest


@pytest.mark.parametrize("kind", hostile.FORMATS, ids=lambda kind: kind.name)
def test_a_good_file_is_read(kind, tmp_path):
    path = tmp_path / kind.name
    path.write_bytes(kind.good)
    kind.read(path)


def test_some_damaged_files_of_every_format():
    assert hostile.faults(400, seed=7) == []


@pytest.mark.slow
def test_many_damaged_files_of_every_format():
    assert hostile.faults(50_000, seed=1) == []

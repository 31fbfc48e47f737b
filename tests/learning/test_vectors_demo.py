"""`recurra demo vectors`: what it trains, shows and writes."""

from collections import Counter
from io import StringIO

import pytest
from rich.console import Console

from recurra import KeyedVectors
from recurra.data.synthetic import people
from recurra.demos import vectors


def test_analogies_are_answered_and_the_bias_is_removed(tmp_path):
    pytest.importorskip("openTSNE")
    told = StringIO()
    found = vectors.run(tmp_path / "demo", console=Console(file=told, width=200))
    assert found.right >= 40
    assert found.asked == 42
    assert found.bias[1] < 1e-6 < 0.01 < found.bias[0]
    assert [path.name for path in found.files] == ["pairs.png", "map.html", "debiased.npz"]
    assert all(path.stat().st_size > 1000 for path in found.files)
    assert "man : king = woman : queen" in told.getvalue()
    after = KeyedVectors.load_vectors(tmp_path / "demo" / "debiased.npz")
    distances = [after.similarity("babysitter", word) for word in ("father", "mother")]
    assert distances[0] == pytest.approx(distances[1], abs=1e-6)


def test_the_sentences_have_the_shares_they_name(tmp_path):
    people.write_corpus(tmp_path / "text.txt", 20_000, 7)
    lines = (tmp_path / "text.txt").read_text().splitlines()
    men, every = Counter(), Counter()
    for line in lines:
        words = line.split()
        if words[1] in people.MEN_AMONG:
            every[words[1]] += 1
            men[words[1]] += bool({"he", "his", "him"} & {*words})
    assert every.keys() == people.MEN_AMONG.keys()
    for word, share in people.MEN_AMONG.items():
        assert men[word] / every[word] == pytest.approx(share, abs=0.06)
    people.write_corpus(tmp_path / "again.txt", 20_000, 7)
    assert (tmp_path / "again.txt").read_text().splitlines() == lines

"""A share of --data that is held out for testing: the end of a text, or rows that no fold contains."""

import pytest

from recurra.data import TextSource
from recurra.errors import ConfigError, DataError
from recurra.tasks import registry
from recurra.tasks.language_modeling.config import LanguageModelConfig
from recurra.tasks.language_modeling.corpus import read_corpus

TEXT = "the cat sat on the mat\n" * 100


@pytest.mark.parametrize("unit", ["char", "word"])
def test_the_end_of_a_text_is_held_out_before_the_validation_text(tmp_path, unit):
    path = tmp_path / "text.txt"
    path.write_text(TEXT)
    corpus = read_corpus(LanguageModelConfig(data=str(path), unit=unit, test_fraction=0.2))
    train, valid, test = (part.source for part in (corpus.train, corpus.valid, corpus.test))
    assert (train.start, train.stop, valid.stop, test.stop) == (0, valid.start, test.start, None)
    lengths = [part.characters / len(TEXT) for part in (corpus.train, corpus.valid, corpus.test)]
    assert lengths == pytest.approx([0.72, 0.08, 0.2], abs=0.02)
    if unit == "word":
        assert all("".join(source.chunks()).endswith("mat\n") for source in (train, valid, test))


def test_a_text_that_is_too_short_is_refused(tmp_path):
    path = tmp_path / "text.txt"
    path.write_text("ab")
    with pytest.raises(DataError, match="has 1 characters left and cannot be split"):
        read_corpus(LanguageModelConfig(data=str(path), test_fraction=0.5))
    assert TextSource(path).stop is None


def rows(folder, n):
    lines = [f"film {i}\t{('yes', 'no')[i % 2]}\n" for i in range(n)]
    (folder / "rows.tsv").write_text("text\tlabel\n" + "".join(lines))
    return {"data": folder / "rows.tsv"}


def test_no_fold_contains_the_rows_for_testing(tmp_path):
    task, files = registry.get("classify"), rows(tmp_path, 40)
    alone = task.read(task.config.build(options=files | {"test_fraction": 0.2}))
    assert len(alone.test) == 8
    assert sum(row.label == "yes" for row in alone.test) == 4
    seen = []
    for fold in (1, 2, 3):
        corpus = task.read(
            task.config.build(options=files | {"test_fraction": 0.2, "folds": 3, "fold": fold})
        )
        assert corpus.split()["reserved"] == alone.split()["test"]
        assert not {row.place for row in alone.test} & {row.place for row in (*corpus.train, *corpus.valid)}
        seen += corpus.split()["test"]
    assert sorted(seen + list(alone.split()["test"])) == list(range(40))


def test_too_few_rows_are_refused(tmp_path):
    task = registry.get("classify")
    config = task.config.build(options=rows(tmp_path, 2) | {"test_fraction": 0.5})
    with pytest.raises(DataError, match="has 2 rows, too few to hold out some for testing; name a test file"):
        task.read(config)


def test_a_fraction_that_leaves_nothing_is_named(tmp_path):
    config = registry.config_of("classify").build(options=rows(tmp_path, 40) | {"test_fraction": 0.999})
    with pytest.raises(ConfigError, match=r"test_fraction: got 0\.999, which leaves . rows? of .* lower it"):
        registry.get("classify").read(config)

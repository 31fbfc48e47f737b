"""Modified Kneser-Ney on the Penn Treebank, against perplexities computed independently."""

import numpy as np
import pytest

from recurra.models import NGramModel
from recurra.text import WordTokenizer


def stream(tokenizer, path):
    """Ids of all lines in sequence, and the start of each line."""
    lines = [[*tokenizer.encode_line(line), tokenizer.end_id] for line in path.read_text().splitlines()]
    return np.concatenate(lines), np.cumsum([0, *map(len, lines)][:-1])


@pytest.fixture(scope="module")
def ptb(data_folder):
    folder = data_folder / "ptb"
    if not folder.exists():
        pytest.skip("no Penn Treebank in RECURRA_DATA")
    tokenizer = WordTokenizer.count([(folder / "ptb.train.txt").read_text()])
    parts = (stream(tokenizer, folder / f"ptb.{part}.txt") for part in ("train", "valid"))
    return tokenizer, *parts


@pytest.mark.parametrize(("order", "perplexity"), [(2, 199.0), (3, 157.8), (5, 148.0)])
def test_kneser_ney(ptb, order, perplexity):
    tokenizer, (train, begins), (valid, valid_begins) = ptb
    size, start = tokenizer.vocabulary_size, tokenizer.start_id
    assert (size, len(train), len(valid)) == (10_000, 929_589, 73_760)
    model = NGramModel.fit(train, size, order, "kneser-ney", starts=begins, start_id=start)
    assert np.exp(model.cross_entropy(valid, valid_begins)) == pytest.approx(perplexity, abs=0.3)

"""The scale of pretrained vectors within an embedding."""

from pathlib import Path

import numpy as np
import pytest
import torch

from recurra.data.vector_files import VectorTable
from recurra.tasks.pretrained import InitialVectors


def filled(rows):
    torch.manual_seed(3)
    embedding = torch.nn.Embedding(len(rows) + 2, rows.shape[1])
    before = embedding.weight.detach().clone()
    words = [f"w{n}" for n in range(len(rows))]
    given = InitialVectors("vectors", Path("v.txt"), VectorTable(words, rows), [])
    given.fill(embedding, {word: at + 2 for at, word in enumerate(words)})
    assert torch.equal(embedding.weight[:2], before[:2])
    return embedding.weight.detach().numpy()[2:], float(before.std())


@pytest.mark.parametrize("size", [1e-36, 1e-20, 1.0, 1e20, 1e36])
def test_vectors_of_any_size_get_the_spread_of_the_initial_embedding(size):
    rows = np.random.default_rng(1).normal(size=(5, 4)).astype(np.float32)
    found, spread = filled(rows * np.float32(size))
    np.testing.assert_allclose(found, rows * (spread / rows.std(ddof=1)), rtol=1e-4)


@pytest.mark.parametrize("rows", [np.full((3, 4), 7.0), np.full((1, 1), -2.0), np.zeros((2, 3))])
def test_vectors_without_a_spread_stay_of_the_size_of_the_embedding(rows):
    found, spread = filled(rows.astype(np.float32))
    np.testing.assert_allclose(found, np.sign(rows) * spread, rtol=1e-5)

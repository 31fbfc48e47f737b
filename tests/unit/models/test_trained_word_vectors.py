"""Trained word vectors have the methods of vectors from a file."""

from pathlib import Path

import numpy as np
import torch

import recurra as rc
from recurra.config import build_config
from recurra.tasks.vectors.config import VectorsConfig
from recurra.tasks.vectors.corpus import WordReading, WordSymbols
from recurra.tasks.vectors.networks import VectorNetwork
from recurra.text import Vocabulary


def test_trained_vectors_answer_analogies_as_the_same_vectors_from_a_file_do(tmp_path: Path) -> None:
    words = ["man", "woman", "king", "queen"]
    vectors = torch.tensor([[1.0, 0.0, 0.1], [0.0, 1.0, 0.1], [1.0, 0.0, 1.0], [0.0, 1.0, 1.0]])
    config = build_config(VectorsConfig, overrides={"data": "none", "embedding_size": 3})
    symbols = WordSymbols(Vocabulary(words), np.array([4, 3, 2, 1]), WordReading())
    trained = rc.WordVectors(VectorNetwork(vectors, torch.zeros(4, 3)), symbols, config)
    questions = tmp_path / "questions.txt"
    questions.write_text(": royal\nman king woman queen\n", encoding="utf-8")
    right, _ = trained.evaluate_word_analogies(questions)
    assert right == rc.KeyedVectors(words, vectors.numpy()).evaluate_word_analogies(questions)[0] == 1.0
    trained.save(tmp_path / "vectors.npz")
    again = rc.KeyedVectors.load_vectors(tmp_path / "vectors.npz")
    assert np.array_equal(again.vectors, vectors.numpy())
    assert again.index_to_key == words

"""The likelihood of held-out words: where it is computed, and the positions that are drawn for it."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from recurra.data.word_files import WordFile, WordReading
from recurra.kernels.word_vectors import WordContexts, WordOutputs, WordTrainer, padded_rows
from recurra.tasks.vectors import judging
from recurra.tasks.vectors.config import VectorsConfig
from recurra.tasks.vectors.corpus import WordSymbols, WordText
from recurra.tasks.vectors.judging import Judge
from recurra.tasks.vectors.networks import VectorNetwork
from recurra.text import Vocabulary

WORDS = 6
SENTENCES = [[0, 1, 2, 3, 4, 5, 0, 1], [3], [2, 5, 2], [], [4, 0]]
TOKENS = np.array([word for each in SENTENCES for word in each], np.int32)
STARTS = np.array([0, *np.cumsum([len(each) for each in SENTENCES if each])], np.int64)


class Elsewhere:
    """A tensor on another device: it has a length, and can only be used after it is copied."""

    def __init__(self, tensor):
        self._tensor = tensor

    def __len__(self):
        return len(self._tensor)

    @property
    def data(self):
        return self

    def cpu(self):
        return self._tensor


@pytest.mark.parametrize("objective", ["softmax", "glove"])
def test_the_likelihood_of_a_network_on_another_device_is_computed_on_the_cpu(objective):
    config = VectorsConfig.build(options={"data": "text", "objective": objective, "window": 2})
    counts = np.array([3, 2, 3, 2, 2, 2], np.int64)
    symbols = WordSymbols(Vocabulary([f"w{n}" for n in range(WORDS)]), counts, WordReading())
    text = WordText(None, WordFile(TOKENS, STARTS, len(TOKENS), "text", False))
    random = torch.Generator().manual_seed(1)
    here = VectorNetwork(*(torch.randn(WORDS, 4, generator=random) for _ in range(2)), biases=True)
    here.output_bias.data.copy_(torch.randn(WORDS, generator=random))
    tensors = {name: Elsewhere(tensor.data) for name, tensor in here.named_parameters()}
    away = SimpleNamespace(**tensors, calibration=torch.tensor([1.0, 0.0]))
    losses = []
    for network in (here, away):
        judge = Judge(config, symbols, network)
        judge.calibrate(text)
        losses.append(judge.word_loss(judge.pairs(text, 10)))
    assert losses[0] == losses[1] > 0
    assert torch.equal(here.calibration, away.calibration)


def trainer(hidden, reach, shrink):
    input = padded_rows(WORDS, 16)
    output = padded_rows(WORDS, 16 * (2 if hidden == "concatenated" else 1))
    outputs = WordOutputs(3, np.full(WORDS, 0.5, np.float32), np.arange(WORDS, dtype=np.int32)[::-1].copy())
    contexts = WordContexts(hidden, reach, 2, shrink)
    return WordTrainer(input, output, contexts, outputs, vocabulary_size=WORDS, seed=4)


@pytest.mark.parametrize(
    ("hidden", "reach", "shrink"),
    [
        ("each", "window", True),
        ("mean", "window", False),
        ("each", "nearby", True),
        ("mean", "previous", False),
        ("concatenated", "previous", False),
    ],
)
def test_the_position_of_a_token_is_that_of_its_sentence(hidden, reach, shrink):
    one = trainer(hidden, reach, shrink)
    wanted = {}
    for sentence in range(len(STARTS) - 1):
        wanted |= {each.token: each[:5] for each in one.positions(TOKENS, STARTS, sentence)}
    found = {token: one.position_at(TOKENS, STARTS, token) for token in range(len(TOKENS))}
    assert {token: each[:5] for token, each in found.items() if each is not None} == wanted
    assert wanted
    assert found[8] is None  # a word alone in its line


def test_all_tokens_are_drawn_once_and_of_a_large_text_some_before_the_others(monkeypatch):
    drawn = list(judging._drawn_tokens(100, 5, 1))
    assert sorted(drawn) == list(range(100)) != drawn
    assert drawn != list(judging._drawn_tokens(100, 5, 2))
    monkeypatch.setattr(judging, "_SHUFFLED", 99)
    large = list(judging._drawn_tokens(100, 5, 1))
    assert sorted(large) == list(range(100))
    assert large[:40] != sorted(large[:40])
    assert large[40:] == sorted(large[40:])  # the rest in order, if the drawn ones have too few contexts
    assert large == list(judging._drawn_tokens(100, 5, 1))
    assert sorted(judging._drawn_tokens(100, 50, 1)) == list(range(100))


def test_the_only_context_of_a_large_text_is_found(monkeypatch):
    monkeypatch.setattr(judging, "_SHUFFLED", 99)
    starts = np.array([*range(199), 200], np.int64)  # the last line has two words, the others one
    text = WordText(None, WordFile(np.arange(200, dtype=np.int32) % WORDS, starts, 200, "text", False))
    config = VectorsConfig.build(options={"data": "text"})
    symbols = WordSymbols(
        Vocabulary([f"w{n}" for n in range(WORDS)]), np.ones(WORDS, np.int64), WordReading()
    )
    network = VectorNetwork(padded_rows(WORDS, 4), padded_rows(WORDS, 4))
    pairs = Judge(config, symbols, network).pairs(text, 2)
    assert sorted(pairs.targets.tolist()) == [198 % WORDS, 199 % WORDS]

"""The streaming language model gives the same as the network, symbol by symbol."""

import pytest
import torch

import recurra
from recurra.config import RecurrentNetworkConfig
from recurra.errors import BackendUnavailable
from recurra.models import LanguageModelNetwork, StreamingLanguageModel

V = 30


def network(**options):
    torch.manual_seed(0)
    config = RecurrentNetworkConfig(**({"hidden_size": 12, "embedding_size": 8} | options))
    return LanguageModelNetwork(V, config).eval()


@pytest.mark.needs_native
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"cell": "gru", "learn_initial_state": True},
        {"cell": "jordan", "num_layers": 1},
        {"tie_weights": True, "num_layers": 3, "peepholes": "current"},
        {"adaptive_softmax": True},
        {"zoneout": 0.1, "skip": "residual", "embedding_size": 12},
    ],
    ids=lambda one: "-".join(map(str, one)) or "plain",
)
def test_each_step_is_the_networks(options):
    whole = network(**options)
    stream = StreamingLanguageModel(whole)
    ids = torch.randint(V, (1, 9))
    with torch.no_grad():
        wanted, _ = whole(ids)
    for _ in range(2):
        for number, id_ in enumerate(ids[0].tolist()):
            torch.testing.assert_close(stream.step(id_), wanted[0, number])
        stream.reset()


def test_a_network_in_double_precision_is_refused():
    with pytest.raises(BackendUnavailable, match="float32"):
        StreamingLanguageModel(network().double())


def test_samples_are_the_same_with_and_without_it(tmp_path, monkeypatch):
    text = tmp_path / "text.txt"
    text.write_text("the cat sat on the mat\n\nthe dog sat on the log\n\n" * 20)
    model = recurra.LanguageModel.train(
        text, out=tmp_path / "run", hidden_size=8, batch_size=2, segment_length=9, epochs=1, documents="blank"
    )
    fast = model.sample("the ", length=200, seed=1)
    monkeypatch.setattr(model, "_streaming_step", lambda: model.step)
    assert model.sample("the ", length=200, seed=1) == fast

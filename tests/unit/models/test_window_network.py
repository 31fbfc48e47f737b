"""Bengio's network against its equation, and the same results in pieces as in one call."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from recurra.errors import ConfigError
from recurra.models import WindowNetwork
from recurra.models.windows import NONE, last_windows, no_symbols, windows
from recurra.tasks.language_modeling.config import LanguageModelConfig


def made(**options):
    torch.manual_seed(0)
    config = LanguageModelConfig(
        model="feed-forward",
        **{"hidden_size": 5, "embedding_size": 3, "context_size": 3, "dropout": 0.0} | options,
    )
    return WindowNetwork(7, config, config).double()


def by_hand(network, context):
    """Logits after some symbols; the newest is last."""
    vectors = [torch.zeros(3, dtype=torch.float64)] * (network.context_size - len(context))
    vectors += [network.embedding.weight[symbol] for symbol in context[-network.context_size :]]
    x = torch.cat(vectors)
    hidden = torch.tanh(network.hidden.weight @ x + network.hidden.bias)
    logits = network.output.weight[:, :5] @ hidden + network.output.bias
    return logits + network.output.weight[:, 5:] @ x if network.direct else logits


@pytest.mark.parametrize("direct", [False, True])
def test_the_equation(direct):
    network = made(direct=direct)
    inputs = torch.tensor([[1, 4, 2, 6, 0]])
    logits, state = network(inputs)
    for t in range(5):
        torch.testing.assert_close(logits[0, t], by_hand(network, inputs[0, : t + 1].tolist()))
    assert state.tolist() == [[[2, 6, 0]]]
    losses, _ = network.token_losses(inputs, inputs)
    want = torch.nn.functional.cross_entropy(logits[0], inputs[0], reduction="none")
    torch.testing.assert_close(losses[0], want)


@settings(deadline=None, max_examples=50)
@given(st.integers(1, 5), st.integers(1, 7), st.integers(0, 100))
def test_pieces_give_what_the_whole_gives(window, piece, seed):
    network = made(context_size=window)
    random = torch.Generator().manual_seed(seed)
    inputs = torch.randint(0, 7, (2, 9), generator=random)
    resets = torch.rand(2, 9, generator=random) < 0.2
    whole, last = network(inputs, None, None, resets)
    state, parts = None, []
    for low in range(0, 9, piece):
        logits, state = network(inputs[:, low : low + piece], state, None, resets[:, low : low + piece])
        parts.append(logits)
    torch.testing.assert_close(torch.cat(parts, dim=1), whole)
    # A reset within the last window is seen in the state.
    assert torch.equal(state, last)


def test_lengths_keep_the_state_of_each_row():
    inputs = torch.tensor([[1, 2, 3], [4, 5, 6], [1, 1, 1]])
    before = torch.tensor([[[0, 6], [NONE, 5], [2, 3]]])
    found = windows(inputs, before)
    assert found[1].tolist() == [[5, 4], [4, 5], [5, 6]]
    assert last_windows(found, before, torch.tensor([3, 1, 0])).tolist() == [[[2, 3], [5, 4], [2, 3]]]


def test_nothing_is_looked_back_at_before_the_text_or_its_start_symbol():
    inputs = torch.tensor([[3, 0, 4, 5, 6]])
    empty = no_symbols(1, 3, inputs.device)
    assert windows(inputs, empty, start_id=0)[0].tolist() == [
        [NONE, NONE, 3],
        [NONE, NONE, 0],
        [NONE, 0, 4],
        [0, 4, 5],
        [4, 5, 6],
    ]
    assert windows(inputs, no_symbols(1, 0, inputs.device)).shape == (1, 5, 0)


def test_tied_weights_must_fit():
    tied = made(tie_weights=True, embedding_size=5)
    assert tied.output.weight is tied.embedding.weight
    with pytest.raises(ConfigError, match="tie_weights"):
        made(tie_weights=True, embedding_size=5, direct=True)

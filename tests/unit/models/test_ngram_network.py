"""The n-gram model used as a network: the same figures as the model itself, however the text is split."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from recurra.errors import RunError
from recurra.models import NGramModel, NGramNetwork

SMOOTHINGS = ["kneser-ney", "witten-bell", "add-k"]


def words(seed, size=6, lines=40):
    """A text of lines that each end in 0, and the start of each line."""
    random = np.random.default_rng(seed)
    parts = [[*random.integers(1, size, random.integers(0, 7)), 0] for _ in range(lines)]
    return np.concatenate(parts).astype(np.int64), np.cumsum([0, *map(len, parts)][:-1])


def make(seed, order, smoothing, start_id):
    ids, starts = words(seed)
    begins = starts if start_id is not None else None
    return NGramNetwork(NGramModel.fit(ids, 6, order, smoothing, starts=begins, start_id=start_id))


@settings(deadline=None, max_examples=60)
@given(
    st.integers(1, 5),
    st.sampled_from(SMOOTHINGS),
    st.integers(1, 9),
    st.sampled_from([0, None]),
    st.integers(0, 50),
)
def test_a_text_read_in_segments_is_the_text_read_whole(order, smoothing, segment, start_id, seed):
    network = make(1, order, smoothing, start_id)
    ids, starts = words(seed + 2, lines=6)
    if start_id is None:  # the state before the text: the symbol 0 as an ordinary one
        wanted = network.model.log_probs(np.concatenate([[0], ids]))[1:]
    else:
        wanted = network.model.log_probs(ids, starts)
    inputs = torch.from_numpy(np.concatenate([[0], ids[:-1]]))[None]
    targets = torch.from_numpy(ids)[None]
    state, losses = None, []
    for low in range(0, len(ids), segment):
        part = slice(low, low + segment)
        loss, state = network.token_losses(inputs[:, part], targets[:, part], state)
        losses.append(loss)
    np.testing.assert_allclose(-torch.cat(losses, dim=1)[0].numpy(), wanted, rtol=1e-9)


@pytest.mark.parametrize("smoothing", SMOOTHINGS)
def test_rows_lengths_and_resets(smoothing):
    network = make(3, 3, smoothing, None)
    inputs, targets = torch.randint(0, 6, (2, 3, 7), generator=torch.Generator().manual_seed(0))
    lengths, resets = torch.tensor([7, 0, 4]), torch.zeros(3, 7, dtype=torch.bool)
    resets[0, 3] = True
    start = torch.tensor([[[1, 2], [3, 4], [-1, 5]]])
    losses, state = network.token_losses(inputs, targets, start, lengths, resets)
    logits, state_again = network(inputs, start, lengths, resets)
    assert torch.equal(state, state_again)
    assert state[0].tolist() == [inputs[0, 5:7].tolist(), [3, 4], inputs[2, 2:4].tolist()]
    for b, t in np.ndindex(3, 7):
        if t >= lengths[b]:
            assert losses[b, t] == 0
            continue
        before = start[0, b].tolist() + inputs[b, : t + 1].tolist()
        if b == 0 and t >= 3:
            before = inputs[b, 3 : t + 1].tolist()
        context = [symbol for symbol in before[-2:] if symbol >= 0]
        probs = network.model.next_probs(context)
        assert losses[b, t] == pytest.approx(-np.log(probs[targets[b, t]]), rel=1e-9)
        assert logits[b, t].exp().numpy() == pytest.approx(probs, rel=1e-5)


def test_tables_come_back_from_tensors():
    network = make(4, 4, "kneser-ney", 0)
    again = NGramNetwork.from_tensors(network.tensors(), "kneser-ney", 0, source="a.safetensors")
    ids, starts = words(5)
    np.testing.assert_allclose(
        again.model.log_probs(ids, starts), network.model.log_probs(ids, starts), rtol=1e-5
    )


@pytest.mark.parametrize("damage", ["missing", "other", "short", "none"])
def test_tensors_of_something_else_are_refused(damage):
    tensors = make(4, 3, "kneser-ney", 0).tensors()
    if damage == "missing":
        del tensors["2.keys"]
    elif damage == "other":
        tensors["embedding.weight"] = torch.zeros(3)
    elif damage == "short":
        tensors["3.backoffs"] = tensors["3.backoffs"][:-1]
    else:
        tensors = {}
    with pytest.raises(RunError, match=r"x\.safetensors: does not contain the tables"):
        NGramNetwork.from_tensors(tensors, "kneser-ney", 0, source="x.safetensors")

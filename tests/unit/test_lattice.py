"""Beam search in a lattice, against enumeration of all paths."""

import itertools

import pytest
import torch

from recurra.config import RecurrentNetworkConfig
from recurra.decoding import Alternative, Path, best_paths
from recurra.layers import map_state
from recurra.models import LanguageModelNetwork, NGramModel, NGramNetwork

V, START = 6, 0
PLACES = [
    [Alternative((1, 2), -0.5), Alternative((3,), 0.25), Alternative(())],
    [Alternative((), -1.0), Alternative((4, 5, 1))],
    [Alternative(())],
    [Alternative((2,)), Alternative((2, 2), 0.5), Alternative((5,), -3.0)],
    [Alternative((0,)), Alternative((), 0.1)],
]


def recurrent(cell):
    torch.manual_seed(3)
    options = {"hidden_size": 10, "embedding_size": 7, "num_layers": 2, "dropout": 0.0, "init_scale": 1.0}
    return LanguageModelNetwork(V, RecurrentNetworkConfig(cell=cell, **options)).eval()


def counted():
    ids = torch.randint(V, (400,), generator=torch.Generator().manual_seed(2)).numpy()
    return NGramNetwork(NGramModel.fit(ids, V, 4, "kneser-ney"))


@pytest.fixture(scope="module", params=["lstm", "gru", "ngram"])
def network(request):
    return counted() if request.param == "ngram" else recurrent(request.param)


def select(state, rows):
    return map_state(lambda part: part[:, rows], state)


def log_prob(network, ids, before=(START,)):
    """log P of symbols after others, computed in one pass."""
    if not ids:
        return 0.0
    row = torch.tensor([[*before, *ids]])
    with torch.no_grad():
        losses, _ = network.token_losses(row[:, :-1], row[:, 1:])
    return -float(losses[0, len(before) - 1 :].double().sum())


def all_ways(network, places, weight=1.0, before=(START,)):
    """Every path through the lattice with its score, the best first."""
    found = []
    for choices in itertools.product(*[range(len(place)) for place in places]):
        taken = [place[choice] for place, choice in zip(places, choices, strict=True)]
        ids = [id_ for one in taken for id_ in one.ids]
        score = sum(one.score for one in taken) + weight * log_prob(network, ids, before)
        found.append(Path(choices, score))
    return sorted(found, key=lambda path: -path.score)


def same(got, want):
    assert [path.choices for path in got] == [path.choices for path in want]
    assert [path.score for path in got] == pytest.approx([path.score for path in want], abs=1e-4)


@pytest.mark.parametrize("weight", [1.0, 0.3, 0.0])
def test_a_beam_wide_enough_finds_every_way_in_order(network, weight):
    got = best_paths(network.token_losses, select, START, PLACES, width=36, weight=weight)
    want = all_ways(network, PLACES, weight)
    assert len(got) == len(want) == 36
    assert [path.score for path in got] == pytest.approx([path.score for path in want], abs=1e-4)
    scores = {path.choices: path.score for path in want}
    assert {path.choices: path.score for path in got} == pytest.approx(scores, abs=1e-4)
    same(got[:1], want[:1])


def test_a_place_of_one_empty_alternative_changes_nothing(network):
    without = [place for place in PLACES if len(place) > 1]
    got = best_paths(network.token_losses, select, START, PLACES, width=36)
    assert [path.score for path in got] == pytest.approx(
        [path.score for path in best_paths(network.token_losses, select, START, without, width=36)], abs=1e-4
    )


def test_what_was_read_before_counts_when_its_state_is_given(network):
    before = (START, 3, 1, 4)
    with torch.no_grad():
        _, state = network.token_losses(torch.tensor([before[:-1]]), torch.tensor([before[1:]]))
    got = best_paths(network.token_losses, select, before[-1], PLACES, width=36, state=state)
    want = all_ways(network, PLACES, before=before)
    same(got[:3], want[:3])
    assert got[0].score != pytest.approx(all_ways(network, PLACES)[0].score)


def test_a_beam_of_one_is_greedy(network):
    taken = []
    for place in range(len(PLACES)):
        ways = all_ways(network, [*([PLACES[i][c]] for i, c in enumerate(taken)), PLACES[place]])
        taken.append(ways[0].choices[-1])
    (got,) = best_paths(network.token_losses, select, START, PLACES, width=1)
    assert got.choices == tuple(taken)
    scores = {path.choices: path.score for path in all_ways(network, PLACES)}
    assert got.score == pytest.approx(scores[got.choices], abs=1e-4)


@pytest.mark.parametrize("width", [1, 2, 5, 36, 100])
def test_as_many_ways_as_the_beam_holds_the_best_first_each_with_its_own_score(network, width):
    got = best_paths(network.token_losses, select, START, PLACES, width=width)
    assert len(got) == min(width, 36)
    assert [path.score for path in got] == sorted((path.score for path in got), reverse=True)
    scores = {path.choices: path.score for path in all_ways(network, PLACES)}
    assert {path.choices: path.score for path in got} == pytest.approx(
        {path.choices: scores[path.choices] for path in got}, abs=1e-4
    )


def test_no_places_have_one_way():
    assert best_paths(counted().token_losses, select, START, []) == [Path((), 0.0)]


def test_equal_ways_come_in_the_order_they_were_given():
    places = [[Alternative((1,)), Alternative((1,))], [Alternative(()), Alternative(())]]
    got = best_paths(counted().token_losses, select, START, places)
    assert [path.choices for path in got] == [(0, 0), (0, 1), (1, 0), (1, 1)]


def test_places_without_a_choice_are_read_as_one():
    calls = []

    def read(inputs, targets, state, lengths):
        calls.append(targets.shape)
        return torch.zeros(targets.shape), torch.zeros(1, len(targets), 1)

    fixed = [Alternative((1,), 0.5)]
    places = [fixed, [Alternative((1, 2)), Alternative((3,), 1.0)], fixed, fixed, fixed]
    paths = best_paths(read, lambda state, rows: state[:, rows], 0, places)
    assert len(calls) == 3
    assert [path.choices for path in paths] == [(0, 1, 0, 0, 0), (0, 0, 0, 0, 0)]
    assert paths[0].score == pytest.approx(3.0)

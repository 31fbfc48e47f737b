"""The conditional random field against brute force over all label sequences."""

import itertools
import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from recurra.errors import ShapeError
from recurra.layers import ConditionalRandomField, Constraints
from recurra.layers.crf_small import decode_small


def score(crf: ConditionalRandomField, emissions: torch.Tensor, path: tuple[int, ...]) -> float:
    """The score s(y), summed term by term."""
    if not path:
        return 0.0
    total = crf.first[path[0]] + crf.last[path[-1]]
    total = total + sum(emissions[t, k] for t, k in enumerate(path))
    total = total + sum(crf.transitions[i, j] for i, j in itertools.pairwise(path))
    return float(total.detach())


def every_path(
    crf: ConditionalRandomField, emissions: torch.Tensor, constraints: Constraints | None = None
) -> dict[tuple[int, ...], float]:
    """P of every sequence that the constraints allow."""
    T, K = emissions.shape
    found = {}
    for path in itertools.product(range(K), repeat=T):
        if constraints is not None and path:
            first, follows, last = constraints
            allowed = first[path[0]] and last[path[-1]]
            if not (allowed and all(follows[i, j] for i, j in itertools.pairwise(path))):
                continue
        found[path] = math.exp(score(crf, emissions, path))
    whole = sum(found.values())
    return {path: value / whole for path, value in found.items()}


def a_field(K: int, constraints: Constraints | None = None) -> ConditionalRandomField:
    crf = ConditionalRandomField(K, constraints).double()
    with torch.no_grad():
        for parameter in crf.parameters():
            parameter.normal_(0.0, 1.5)
    return crf


def some_constraints(K: int) -> Constraints:
    """As with B, I and O: the last label may follow only itself and the first label, and may not begin."""
    first, follows, last = torch.ones(K).bool(), torch.ones(K, K).bool(), torch.ones(K).bool()
    if K > 1:
        first[-1] = False
        follows[1:-1, -1] = False
    return Constraints(first, follows, last)


@settings(max_examples=25, deadline=None)
@given(K=st.integers(1, 4), T=st.integers(0, 4), constrained=st.booleans(), seed=st.integers(0, 999))
def test_it_agrees_with_all_paths(K, T, constrained, seed):
    torch.manual_seed(seed)
    constraints = some_constraints(K) if constrained else None
    crf = a_field(K, constraints)
    emissions = torch.randn(T + 1, T, K, dtype=torch.float64) * 2
    lengths = list(range(T + 1))
    wanted = [every_path(crf, emissions[b, :b], constraints) for b in lengths]

    for b in lengths:
        (alone,), shares = crf.decode(emissions[b : b + 1, :b])
        torch.testing.assert_close(shares, crf.marginals(emissions[b : b + 1, :b]))
        assert [(tuple(path.labels), path.probability) for path in alone] == [
            (path, pytest.approx(p)) for path, p in sorted(wanted[b].items(), key=lambda item: -item[1])[:1]
        ]
    marginals = crf.marginals(emissions, lengths)
    paths = crf.best_paths(emissions, lengths, n=5)
    for b, probabilities in enumerate(wanted):
        ranked = sorted(probabilities.items(), key=lambda item: -item[1])[:5]
        assert [tuple(path.labels) for path in paths[b]] == [path for path, _ in ranked]
        assert [path.probability for path in paths[b]] == pytest.approx([p for _, p in ranked])
        for t, k in itertools.product(range(T), range(K)):
            at = sum(p for path, p in probabilities.items() if t < len(path) and path[t] == k)
            assert float(marginals[b, t, k]) == pytest.approx(at, abs=1e-12)
        targets = torch.zeros(T + 1, T, dtype=torch.int64)
        for path, p in list(probabilities.items())[:: max(1, len(probabilities) // 5)]:
            targets[b, :b] = torch.tensor(path)
            loss = crf.losses(emissions, targets, lengths)[b].detach()
            assert float(loss) == pytest.approx(-math.log(p), abs=1e-9)


@pytest.mark.parametrize("temperature", [0.4, 3.0])
@pytest.mark.parametrize("constrained", [False, True])
def test_a_temperature_divides_the_scores_of_all_paths(constrained, temperature):
    """The probabilities are p^(1/T) over their sum; no path changes its place."""
    torch.manual_seed(5)
    K, T = 3, 4
    constraints = some_constraints(K) if constrained else None
    crf = a_field(K, constraints)
    emissions = torch.randn(2, T, K, dtype=torch.float64)
    lengths = [T, T - 1]
    marginals = crf.marginals(emissions, lengths, temperature=temperature)
    for b, steps in enumerate(lengths):
        powers = {
            path: p ** (1 / temperature)
            for path, p in every_path(crf, emissions[b, :steps], constraints).items()
        }
        wanted = {path: power / sum(powers.values()) for path, power in powers.items()}
        for n in (1, 4):
            (paths,), shares = crf.decode(emissions[b : b + 1, :steps], n=n, temperature=temperature)
            ranked = sorted(wanted.items(), key=lambda item: -item[1])[:n]
            assert [tuple(path.labels) for path in paths] == [path for path, _ in ranked]
            assert [path.probability for path in paths] == pytest.approx([p for _, p in ranked])
            torch.testing.assert_close(shares[0], marginals[b, :steps])
        for t, k in itertools.product(range(steps), range(K)):
            at = sum(p for path, p in wanted.items() if path[t] == k)
            assert float(marginals[b, t, k]) == pytest.approx(at, abs=1e-12)
        path, p = max(wanted.items(), key=lambda item: item[1])
        targets = torch.tensor([path])
        loss = crf.losses(emissions[b : b + 1, :steps], targets, None, temperature=temperature)
        assert float(loss.detach()) == pytest.approx(-math.log(p))

    variable = torch.tensor(temperature, dtype=torch.float64, requires_grad=True)
    targets = torch.tensor([[0, 1, 1, 0], [1, 0, 0, 0]])
    assert torch.autograd.gradcheck(
        lambda value: crf.losses(emissions, targets, lengths, temperature=value), (variable,)
    )


@pytest.mark.parametrize("constrained", [False, True])
def test_a_small_chain_is_decoded_alike(monkeypatch, constrained):
    """In numpy and in torch; torch runs if numpy cannot, because lengths differ or scores are far apart."""
    crf = a_field(5, some_constraints(5) if constrained else None)
    emissions = torch.randn(3, 7, 5, dtype=torch.float64)
    asked = []

    def noted(scores):
        asked.append(decode_small(scores))
        return asked[-1]

    monkeypatch.setattr("recurra.layers.crf.decode_small", noted)
    here = crf.decode(emissions)
    assert asked[-1] is not None
    for others in ((emissions, [7, 3, 0]), (emissions * 1e3, None), (emissions[:, :0], None)):
        crf.decode(*others)
        assert asked[-1] is None
    monkeypatch.setattr("recurra.layers.crf.decode_small", lambda scores: None)
    there = crf.decode(emissions)
    torch.testing.assert_close(here[1], there[1], rtol=1e-12, atol=1e-12)
    for (one,), (other,) in zip(here[0], there[0], strict=True):
        assert one.labels == other.labels
        assert one.probability == pytest.approx(other.probability, rel=1e-10)


def test_the_best_path_is_the_first_of_the_n_best():
    crf = a_field(7)
    emissions = torch.randn(5, 9, 7, dtype=torch.float64)
    one = crf.best_paths(emissions, [9, 0, 3, 1, 7])
    four = crf.best_paths(emissions, [9, 0, 3, 1, 7], n=4)
    assert [paths[0].labels for paths in one] == [paths[0].labels for paths in four]
    assert one[1][0] == ([], 1.0)


@pytest.mark.parametrize("lengths", [None, [4, 0, 2], [1, 1, 1], [0, 0, 0]])
@pytest.mark.parametrize("constrained", [False, True])
def test_gradients_pass_finite_differences(lengths, constrained):
    K = 3
    crf = a_field(K, some_constraints(K) if constrained else None)
    targets = torch.tensor([[0, 2, 2, 0], [1, 1, 1, 1], [1, 0, 2, 2]])
    emissions = torch.randn(3, 4, K, dtype=torch.float64, requires_grad=True)

    def losses(e, *_):
        return crf.losses(e, targets, lengths)

    assert torch.autograd.gradcheck(losses, (emissions, *crf.parameters()))


def test_far_scores_lose_neither_the_sum_nor_the_gradient():
    """Label 1 is by far the likeliest at first, but excludes an even likelier label after it."""
    crf = ConditionalRandomField(4, some_constraints(4))
    emissions = torch.zeros(2, 3, 4)
    emissions[:, 0, 1], emissions[:, 1, 3], emissions[:, 2, 0] = 3000.0, 5000.0, -4000.0
    emissions.requires_grad_()
    loss = crf.losses(emissions, torch.tensor([[0, 3, 3], [0, 3, 0]]), [3, 2])
    loss.sum().backward()
    # Only 0 and 3 may precede 3, and only 0 may begin; after 3, all labels but 0 are equally likely.
    torch.testing.assert_close(loss.detach(), torch.tensor([math.log(3), 0.0]))
    assert all(value.grad.isfinite().all() for value in (emissions, *crf.parameters()))
    assert crf.transitions.grad[3, 3] == pytest.approx(-2 / 3)
    assert crf.best_paths(emissions.detach())[0][0].labels[:2] == [0, 3]


@pytest.mark.parametrize("apart", [0.0, 100.0])
def test_long_padding_spoils_no_gradient(apart):
    crf = ConditionalRandomField(2)
    with torch.no_grad():
        crf.transitions.fill_(10.0)
    emissions = torch.zeros(2, 120, 2)
    emissions[0, 0, 0] = apart
    emissions.requires_grad_()
    crf.losses(emissions, torch.zeros(2, 120).long(), [120, 2]).sum().backward()
    assert crf.transitions.grad.isfinite().all()
    assert emissions.grad.isfinite().all()


def test_near_and_far_scores_give_the_same(monkeypatch):
    crf, far = a_field(4, some_constraints(4)), []
    emissions = torch.randn(3, 5, 4, dtype=torch.float64, requires_grad=True)
    for near in (80.0, 0.0):
        monkeypatch.setattr("recurra.layers.crf_recursion._NEAR", near)
        loss = crf.losses(emissions, torch.zeros(3, 5).long(), [5, 0, 3]).sum()
        far.append(torch.autograd.grad(loss, [emissions, *crf.parameters()]))
    torch.testing.assert_close(*far)


def test_what_cannot_be_has_no_path():
    nothing_after = torch.zeros(2, 2, dtype=torch.bool)
    crf = ConditionalRandomField(2, Constraints(torch.ones(2).bool(), nothing_after, torch.ones(2).bool()))
    paths, marginals = crf.decode(torch.zeros(2, 3, 2), [3, 1])
    assert [len(row) for row in paths] == [0, 1]
    torch.testing.assert_close(marginals[1, 0], torch.tensor([0.5, 0.5]))


def test_what_goes_on_is_not_lost_beside_what_does_not():
    """In each of twelve steps, a score of 79 favours a label that is excluded at the end."""
    follows, last = torch.eye(2).bool(), torch.tensor([True, False])
    crf = ConditionalRandomField(2, Constraints(torch.ones(2).bool(), follows, last))
    emissions = torch.zeros(1, 12, 2, dtype=torch.float64)
    emissions[..., 1] = 79.0
    loss = crf.losses(emissions, torch.zeros(1, 12).long(), None)
    torch.testing.assert_close(loss, torch.zeros(1).double())
    (path,) = crf.best_paths(emissions)[0]
    assert path.labels == [0] * 12
    assert path.probability == pytest.approx(1.0)
    torch.testing.assert_close(crf.marginals(emissions)[0, :, 0], torch.ones(12).double())
    emissions.requires_grad_()
    crf.losses(emissions, torch.zeros(1, 12).long(), None).sum().backward()
    torch.testing.assert_close(emissions.grad, torch.zeros_like(emissions))
    torch.testing.assert_close(crf.transitions.grad, torch.zeros(2, 2))


def test_where_nothing_can_follow_padding_is_no_matter():
    follows, last = torch.tensor([[False, True], [False, False]]), torch.ones(2).bool()
    crf = ConditionalRandomField(2, Constraints(torch.ones(2).bool(), follows, last))
    crf.losses(torch.zeros(2, 7, 2), torch.tensor([[0, 1] + [0] * 5, [0] * 7]), [2, 1]).sum().backward()
    assert all(parameter.grad.isfinite().all() for parameter in crf.parameters())


@pytest.mark.parametrize("size", [240.0, -250.0, 760.0])
def test_only_differences_of_scores_matter(size):
    """Adding a constant to all parameters does not change the probabilities."""
    plain, shifted = ConditionalRandomField(3), ConditionalRandomField(3)
    with torch.no_grad():
        for parameter in shifted.parameters():
            parameter.fill_(size)
    emissions = torch.randn(2, 6, 3, dtype=torch.float64, requires_grad=True)
    targets, gradients = torch.zeros(2, 6).long(), []
    for crf in (plain, shifted):
        loss = crf.losses(emissions, targets, [6, 4])
        gradients.append([loss, *torch.autograd.grad(loss.sum(), [emissions, *crf.parameters()])])
    torch.testing.assert_close(*gradients)
    torch.testing.assert_close(shifted.marginals(emissions), plain.marginals(emissions))


def test_padding_reaches_nothing():
    crf = a_field(5).float()
    emissions, targets = torch.randn(2, 6, 5), torch.randint(5, (2, 6))
    spoilt = emissions.clone()
    spoilt[1, 4:] = math.nan
    other = targets.clone()
    other[1, 4:] = -1
    torch.testing.assert_close(crf.losses(spoilt, other, [6, 4]), crf.losses(emissions, targets, [6, 4]))
    alone = crf.losses(emissions[1:, :4], targets[1:, :4], None)
    torch.testing.assert_close(crf.losses(spoilt, other, [6, 4])[1:], alone)
    spoilt.requires_grad_()
    crf.losses(spoilt, other, [6, 4]).sum().backward()
    assert spoilt.grad.isfinite().all()
    assert not spoilt.grad[1, 4:].any()
    assert all(parameter.grad.isfinite().all() for parameter in crf.parameters())


def test_shapes_that_do_not_fit_are_named():
    crf = ConditionalRandomField(3)
    with pytest.raises(ShapeError, match="emissions"):
        crf.marginals(torch.randn(2, 3, 4))
    with pytest.raises(ShapeError, match="targets"):
        crf.losses(torch.randn(2, 3, 3), torch.zeros(2, 4).long(), None)
    with pytest.raises(ShapeError, match="lengths"):
        crf.best_paths(torch.randn(2, 3, 3), [3, 4])

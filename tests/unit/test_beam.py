"""Beam search against exhaustive search, greedy search, and itself in other batches."""

import itertools
import math
from dataclasses import replace

import pytest
import torch
from exhaustive_search import BEGIN, END, SYMBOLS, a_model, close, exhaustive
from hypothesis import given, settings
from hypothesis import strategies as st

from recurra.decoding.beam import BeamOptions, LengthPenalty, SearchedModel, beam_search, stream_search
from recurra.decoding.constraints import has_phrases
from recurra.errors import ConfigError
from recurra.kernels.best_symbols import best_symbols
from recurra.layers import SoftmaxOutput
from recurra.layers.output import OutputScores
from recurra.metrics.beam_errors import FaultShares, fault_of


@settings(max_examples=30, deadline=None)
@given(
    alpha=st.sampled_from([-0.5, 0.0, 0.6, 1.0, 1.7]),
    form=st.sampled_from(["power", "google"]),
    min_length=st.integers(0, 2),
    n_best=st.integers(1, 6),
    seed=st.integers(0, 999),
)
def test_a_width_for_all_hypotheses_finds_what_exhaustive_search_finds(alpha, form, min_length, n_best, seed):
    model, start, table = a_model(3, seed)
    penalty = LengthPenalty(alpha, form)
    options = BeamOptions(
        width=SYMBOLS**4, n_best=n_best, max_length=4, min_length=min_length, length_penalty=penalty
    )
    found = beam_search(model, start, 3, options)
    for sentence in range(3):
        close(found[sentence], exhaustive(table, sentence, options)[:n_best])
        assert all(one.log_prob <= 0 for one in found[sentence])


def test_a_width_of_one_is_greedy():
    model, start, table = a_model(20, 1)
    for sentence, (one,) in enumerate(beam_search(model, start, 20, BeamOptions(width=1, max_length=9))):
        before, last, symbols = BEGIN, BEGIN, []
        while len(symbols) < 9:
            best = int(table[sentence, before, last].argmax())
            if best == END:
                break
            symbols.append(best)
            before, last = last, best
        assert one.symbols == tuple(symbols)
        assert one.ended == (len(symbols) < 9)


@pytest.mark.parametrize("alpha", [0.0, 0.8])
@pytest.mark.parametrize("width", [1, 2, 5])
def test_neither_the_batch_nor_what_is_asked_for_changes_the_best(alpha, width):
    model, start, _ = a_model(32, 2)
    found = {}
    for size, n_best in itertools.product((1, 7, 32), (1, 5)):
        options = BeamOptions(width, n_best, max_length=12, length_penalty=LengthPenalty(alpha))
        parts = [
            beam_search(model, start[i : i + size], len(start[i : i + size]), options)
            for i in range(0, 32, size)
        ]
        found[size, n_best] = [one for part in parts for one in part]
    for (_, n_best), others in found.items():
        assert others == found[1, n_best]
        assert [one[0] for one in others] == [one[0] for one in found[1, 1]]
        assert all(len({one.symbols for one in hypotheses}) == len(hypotheses) for hypotheses in others)


@pytest.mark.parametrize(
    ("alpha", "form", "length", "divisor"),
    [
        (1.0, "google", 1, 1.0),
        (1.0, "google", 13, 3.0),
        (0.5, "google", 19, 2.0),
        (2.0, "google", 7, 4.0),
        (-1.0, "google", 7, 0.5),
        (0.6, "google", 7, 1.5157165665103982),
        (1.0, "power", 1, 1.0),
        (1.0, "power", 13, 13.0),
        (0.5, "power", 16, 4.0),
        (2.0, "power", 3, 9.0),
        (-1.0, "power", 4, 0.25),
        (0.0, "google", 13, 1.0),
        (0.0, "power", 13, 1.0),
    ],
)
def test_length_penalties_worked_by_hand(alpha, form, length, divisor):
    assert LengthPenalty(alpha, form).divisor(length) == pytest.approx(divisor, rel=1e-15)


@pytest.mark.parametrize("form", ["power", "google"])
@pytest.mark.parametrize("alpha", [-0.5, 0.0, 0.7, 1.5])
def test_stopping_early_loses_nothing(monkeypatch, alpha, form):
    model, start, _ = a_model(40, 3)
    options = BeamOptions(width=3, n_best=2, max_length=10, length_penalty=LengthPenalty(alpha, form))
    early = beam_search(model, start, 40, options)
    monkeypatch.setattr(LengthPenalty, "best", lambda *given: math.inf)
    assert beam_search(model, start, 40, options) == early


def test_a_sentence_stops_as_soon_as_nothing_can_beat_it():
    """The end is almost certain at the first step, so there is no second step."""
    steps = []

    def step(symbols, state):
        steps.append(len(symbols))
        return torch.tensor([[0.999, 0.001]]).log().expand(len(symbols), 2).double(), state

    model = SearchedModel(step, lambda state, rows: state[rows.reshape(-1)], 1, END)
    ((best,),) = beam_search(model, torch.zeros(1, 1), 1, BeamOptions(width=2, max_length=50))
    assert (best.symbols, best.ended, steps) == ((), True, [1])


def test_no_symbols_stand_twice_in_a_row_of_n():
    model, start, _ = a_model(10, 4)
    options = BeamOptions(width=6, n_best=3, max_length=14, min_length=6, block_ngrams=2)
    for hypotheses in beam_search(model, start, 10, options):
        for one in hypotheses:
            pairs = list(itertools.pairwise(one.symbols))
            assert len(set(pairs)) == len(pairs)
    free = beam_search(model, start, 10, BeamOptions(width=6, n_best=3, max_length=14, min_length=6))
    pairs = [list(itertools.pairwise(one.symbols)) for hypotheses in free for one in hypotheses]
    assert any(len(set(some)) < len(some) for some in pairs)


def test_prefixes_are_kept_and_paid_for():
    model, start, table = a_model(2, 5)
    options = BeamOptions(width=SYMBOLS**4, n_best=4, max_length=4)
    found = beam_search(model, start, 2, options, prefixes=[[2, 3], []])
    wanted = [one for one in exhaustive(table, 0, options) if one[0][:2] == (2, 3)][:4]
    close(found[0], wanted)
    close(found[1], exhaustive(table, 1, options)[:4])
    with pytest.raises(ConfigError, match="prefixes: got 1, expected one for each of 2 sentences"):
        beam_search(model, start, 2, options, prefixes=[[1]])


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"width": 0}, "width: got 0, expected >= 1"),
        ({"n_best": 0}, "n_best: got 0, expected >= 1"),
        ({"max_length": 3, "min_length": 4}, "min_length: got 4, more than max_length, 3"),
    ],
)
def test_options_that_cannot_be_are_named(options, told):
    with pytest.raises(ConfigError, match=told):
        BeamOptions(**options)


class TestOptions:
    """Options that narrow or widen a search."""

    def test_a_stream_is_what_the_search_finds(self):
        model, start, _ = a_model(30, 5)
        options = BeamOptions(width=4, max_length=12, length_penalty=LengthPenalty(0.7))
        found = beam_search(model, start, 30, options)
        for sentence, (one,) in enumerate(found):
            streamed = tuple(stream_search(model, start[sentence : sentence + 1], options))
            assert streamed == one.symbols

    def test_a_stream_tells_symbols_before_the_end(self):
        """All hypotheses share a prefix, which is streamed while the search continues."""
        taken = []

        def step(symbols, state):
            taken.append(len(taken))
            sure = torch.full((len(symbols), 3), -9.0, dtype=torch.float64)
            sure[:, 1 if len(taken) < 6 else END] = 9.0
            return sure, state

        model = SearchedModel(step, lambda state, rows: state[rows.reshape(-1)], 2, END)
        stream = stream_search(model, torch.zeros(1, 1), BeamOptions(width=1, max_length=9))
        assert [(symbol, len(taken)) for symbol, _ in zip(stream, range(3), strict=False)] == [
            (1, 1),
            (1, 2),
            (1, 3),
        ]

    @settings(max_examples=20, deadline=None)
    @given(seed=st.integers(0, 999), alpha=st.sampled_from([0.0, 1.0]))
    def test_with_phrases_a_wide_beam_finds_the_best_that_has_them(self, seed, alpha):
        model, start, table = a_model(2, seed)
        options = BeamOptions(width=300, max_length=4, length_penalty=LengthPenalty(alpha))
        phrases = [[[1, 2]], [[3], [2]]]
        found = beam_search(model, start, 2, options, phrases=phrases)
        for sentence in range(2):
            with_them = [
                (symbols, score)
                for symbols, score in exhaustive(table, sentence, options)
                if has_phrases(symbols, phrases[sentence])
            ]
            ended = [one for one in with_them if len(one[0]) < 4]
            best = found[sentence][0]
            assert has_phrases(best.symbols, phrases[sentence])
            assert best.score == pytest.approx((with_them if not best.ended else ended)[0][1])

    def test_phrases_come_in_with_a_narrow_beam_too(self):
        model, start, _ = a_model(40, 8)
        phrases = [[[2, 3], [1]]] * 40
        options = BeamOptions(width=4, n_best=2, max_length=15)
        for hypotheses in beam_search(model, start, 40, options, phrases=phrases):
            assert has_phrases(hypotheses[0].symbols, phrases[0])

    @pytest.mark.parametrize("groups", [2, 4])
    def test_groups_of_a_diverse_beam_find_other_symbols_and_nothing_twice(self, groups):
        """The first symbol is so likely that a plain beam continues only with it."""

        def step(symbols, state):
            scores = torch.zeros(len(symbols), 8, dtype=torch.float64)
            scores[:, END] = -20.0
            scores[state[:, 0] == 0, 1] = 4.0
            return scores, state + 1

        model = SearchedModel(step, lambda state, rows: state[rows.reshape(-1)], 7, END)
        options = BeamOptions(width=4, n_best=4, max_length=3)
        (plain,) = beam_search(model, torch.zeros(1, 1), 1, options)
        diverse = replace(options, groups=groups, diversity=9.0)
        (found,) = beam_search(model, torch.zeros(1, 1), 1, diverse)
        assert {one.symbols[0] for one in plain} == {1}
        assert len({one.symbols[0] for one in found}) >= groups
        assert len({one.symbols for one in found}) == len(found) == 4

    def test_one_group_or_no_diversity_is_the_plain_search(self):
        model, start, _ = a_model(20, 10)
        options = BeamOptions(width=3, max_length=8)
        plain = beam_search(model, start, 20, options)
        assert beam_search(model, start, 20, replace(options, groups=1, diversity=5.0)) == plain

    def test_each_sentence_has_its_own_longest(self):
        model, start, _ = a_model(20, 11)
        longest = [1 + i % 5 for i in range(20)]
        options = BeamOptions(width=3, max_length=99)
        together = beam_search(model, start, 20, options, max_lengths=longest)
        for sentence, found in enumerate(together):
            alone = replace(options, max_length=longest[sentence])
            assert found == beam_search(model, start[sentence : sentence + 1], 1, alone)[0]

    def test_the_coverage_penalty_counts_and_the_search_stays_exact(self, monkeypatch):
        model, start, _ = a_model(30, 12)

        # The more different symbols, the more is attended to.
        def unattended(state):
            return -(state[:, 1] == 2).double() * 3

        covering = replace(model, unattended=unattended)
        options = BeamOptions(width=4, n_best=2, max_length=8, coverage_penalty=0.7)
        early = beam_search(covering, start, 30, options)
        assert early != beam_search(model, start, 30, replace(options, coverage_penalty=0.0))
        monkeypatch.setattr(LengthPenalty, "best", lambda *given: math.inf)
        assert beam_search(covering, start, 30, options) == early
        with pytest.raises(ConfigError, match="coverage_penalty: needs a model with attention"):
            beam_search(model, start, 30, options)

    @pytest.mark.parametrize(("alpha", "form"), [(0.0, "power"), (0.8, "power"), (0.6, "google")])
    def test_the_coverage_penalty_is_its_formula(self, alpha, form):
        """score = log P / divisor + β Σ_s log min(κ_s, 1); attention depends on the symbol read."""
        plain, start, table = a_model(3, 13)
        looks = torch.rand(5, 2, dtype=torch.float64) * 0.9  # attention per symbol, to two source steps
        beta = 0.4

        def step(symbols, state):
            scores, after = plain.step(symbols, state[:, :2].long())
            return scores, torch.cat([after.double(), state[:, 2:] + looks[symbols]], dim=1)

        model = replace(plain, step=step, unattended=lambda state: state[:, 2:].clamp(max=1.0).log().sum(1))
        penalty = LengthPenalty(alpha, form)
        options = BeamOptions(
            width=SYMBOLS**4, n_best=9, max_length=4, length_penalty=penalty, coverage_penalty=beta
        )
        found = beam_search(model, torch.cat([start.double(), torch.zeros(3, 2)], dim=1), 3, options)
        for sentence in range(3):
            wanted = []
            for symbols, without in exhaustive(table, sentence, options):
                read = [BEGIN, *symbols] if len(symbols) < 4 else [BEGIN, *symbols[:-1]]
                covered = [sum(float(looks[symbol, s]) for symbol in read) for s in range(2)]
                more = beta * sum(math.log(min(one, 1.0)) for one in covered)
                wanted.append((symbols, without + more))
            close(found[sentence], sorted(wanted, key=lambda one: -one[1])[:9])

    def test_where_nothing_may_follow_what_there_is_is_cut(self):
        """Symbols must not repeat, there is only one, and the end is impossible: one step is taken."""

        def step(symbols, state):
            scores = torch.full((len(symbols), 2), -torch.inf, dtype=torch.float64)
            scores[:, 1] = 0.0
            return scores, state

        model = SearchedModel(step, lambda state, rows: state[rows.reshape(-1)], 1, END)
        options = BeamOptions(width=2, max_length=9, block_ngrams=1)
        ((one,),) = beam_search(model, torch.zeros(1, 1), 1, options)
        assert (one.symbols, one.ended) == ((1,), False)

    def test_what_does_not_fit_is_named(self):
        model, start, _ = a_model(2, 1)
        with pytest.raises(ConfigError, match="groups: got 3, expected a divisor of the width, 5"):
            BeamOptions(width=5, groups=3)
        with pytest.raises(ConfigError, match="phrases: got 1, expected one for each of 2"):
            beam_search(model, start, 2, phrases=[[[1]]])
        with pytest.raises(ConfigError, match="phrases: cannot be combined with diverse beams"):
            beam_search(model, start, 2, BeamOptions(width=4, groups=2), phrases=[[[1]], [[1]]])


@pytest.mark.parametrize(("rows", "symbols", "k"), [(3, 7, 7), (5, 6001, 5), (2, 100, 1), (1, 64, 12)])
def test_the_best_symbols_are_those_of_log_softmax(rows, symbols, k):
    torch.manual_seed(rows)
    output, hidden = SoftmaxOutput(33, symbols), torch.randn(rows, 33) * 3
    exact = torch.nn.functional.linear(hidden.double(), output.weight.double(), output.bias.double())
    wanted = exact.log_softmax(1).topk(k, dim=1)
    with torch.no_grad():
        scores = output(hidden)
        for log_probs, found in (best_symbols(scores, k), OutputScores(output, hidden).best(k)):
            assert torch.equal(found, wanted.indices)
            assert torch.allclose(log_probs.double(), wanted.values, atol=2e-5)


def test_the_best_symbols_of_some_rows_are_those_of_all():
    torch.manual_seed(1)
    scores = OutputScores(SoftmaxOutput(16, 70), torch.randn(6, 16))
    rows = torch.tensor([4, 1, 1])
    with torch.no_grad():
        every, some = scores.best(5), scores.best(5, rows)
    assert torch.allclose(every[0][rows], some[0], atol=1e-6)
    assert torch.equal(every[1][rows], some[1])


def test_a_hypothesis_that_ended_leaves_no_trace_in_what_others_find():
    """Scores computed only for the unfinished rows are assigned to the correct rows."""
    torch.manual_seed(2)
    output, table = SoftmaxOutput(8, 12), torch.randn(12, 8) * 2

    def whole(symbols, state):
        return output(table[symbols]), state

    def in_parts(symbols, state):
        return OutputScores(output, table[symbols]), state

    found = [
        beam_search(SearchedModel(step, lambda state, rows: state, 0, 1), None, 4, BeamOptions(6, 6, 9))
        for step in (whole, in_parts)
    ]
    for one, other in zip(*found, strict=True):
        assert [each.symbols for each in one] == [each.symbols for each in other]
        assert [each.score for each in one] == pytest.approx([each.score for each in other], abs=1e-5)


def test_what_is_kept_of_an_output_layer_follows_its_weights():
    output, hidden = SoftmaxOutput(16, 40), torch.randn(2, 16)
    with torch.no_grad():
        OutputScores(output, hidden).best(3)
        output.weight.mul_(-1.0)
        _, found = OutputScores(output, hidden).best(3)
        assert torch.equal(found, output(hidden).topk(3, dim=1).indices)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 999), alpha=st.sampled_from([0.0, 1.0]))
def test_whose_fault_it_is_agrees_with_exhaustive_search(seed, alpha):
    """A miss is the beam's error if the reference is likeliest, the model's if it is least likely."""
    model, start, table = a_model(10, seed)
    options = BeamOptions(width=1, max_length=4, length_penalty=LengthPenalty(alpha))
    for sentence, (found,) in enumerate(beam_search(model, start, 10, options)):
        every = exhaustive(table, sentence, options)
        (best, score), (worst, least) = every[0], every[-1]
        missed = score > found.score + 1e-6
        assert fault_of(score, found.score, same=found.symbols == best) == ("beam" if missed else "none")
        if found.symbols != worst:
            assert fault_of(least, found.score, same=False) == "model"
    shares = FaultShares.count(["none", "beam", "model", "model", "beam", "model"])
    assert (shares.none, shares.wrong) == (1, 5)
    assert shares.share("model") == pytest.approx(0.6)
    assert FaultShares.count(["none"]).share("beam") == 0.0


@pytest.mark.parametrize("groups", [1, 2])
def test_a_banned_symbol_is_in_no_hypothesis(groups):
    model, start, table = a_model(3, 5)
    banned = next(symbol for symbol in range(SYMBOLS) if symbol not in (BEGIN, END))
    options = BeamOptions(width=SYMBOLS**4 // groups * groups, n_best=6, max_length=4, banned=(banned,))
    if groups > 1:
        options = replace(options, groups=groups, width=8, n_best=8)
    found = beam_search(model, start, 3, options)
    for sentence in range(3):
        assert not any(banned in one.symbols for one in found[sentence])
        if groups == 1:
            every = [one for one in exhaustive(table, sentence, options) if banned not in one[0]]
            close(found[sentence], every[:6])

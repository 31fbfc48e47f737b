"""Lines scored by a mixture of several models, against explicit sums."""

import json
import math

import pytest
from typer.testing import CliRunner

import recurra
from recurra.cli.main import app
from recurra.errors import ConfigError, RecurraError
from recurra.models.scoring import LineScore, mixed_scores

TEXT = "the cat sat on the mat\nthe dog sat on the log\n" * 20
LINES = ["the cat sat", "", "a cow sat on the log", "log the on sat"]


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    folder = tmp_path_factory.mktemp("mixed")
    (folder / "text.txt").write_text(TEXT)

    def train(name, **options):
        return recurra.LanguageModel.train(
            folder / "text.txt", out=folder / name, model="ngram", **({"unit": "word"} | options)
        )

    return {
        "long": train("long", order=4),
        "short": train("short", order=1),
        "added": train("added", order=2, smoothing="add-k"),
        "char": train("char", unit="char", order=4),
        "backward": train("backward", order=4, direction="backward"),
    }


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "lines.txt"
    path.write_text("".join(line + "\n" for line in LINES))
    return path


def score(*log_probs, unknown=0):
    return LineScore("line", tuple("abc"[: len(log_probs)]), log_probs, unknown)


def test_probabilities_of_the_same_symbols_are_averaged_symbol_by_symbol():
    first, second = score(math.log(0.5), math.log(0.2)), score(math.log(0.1), math.log(0.6))
    (mixed,) = mixed_scores([[first], [second]], [3.0, 1.0], same_symbols=True)
    assert mixed.log_probs == pytest.approx((math.log(0.4), math.log(0.3)))
    assert mixed.log_prob == pytest.approx(math.log(0.12))
    assert mixed.symbols == ("a", "b")
    assert mixed.line == "line"
    assert mixed.perplexity == pytest.approx(0.12**-0.5)


def test_lines_of_different_symbols_are_mixed_in_their_logarithms():
    first, second = score(-1.0, -2.0, unknown=1), score(-5.0, unknown=2)
    (mixed,) = mixed_scores([[first], [second]], [3.0, 1.0], same_symbols=False)
    assert mixed.log_probs == pytest.approx((0.75 * -3 + 0.25 * -5,))
    assert mixed.symbols == ()
    assert mixed.unknown == 2
    assert math.isnan(mixed.perplexity)


def test_a_symbol_that_one_model_thinks_impossible_has_the_other_s_share():
    first, second = score(-math.inf, -math.inf), score(math.log(0.5), -math.inf)
    (mixed,) = mixed_scores([[first], [second]], [1.0, 3.0], same_symbols=True)
    assert mixed.log_probs == (pytest.approx(math.log(0.375)), -math.inf)


@pytest.mark.parametrize("weights", [None, [1.0, 1.0, 1.0], [0.2, 0.5, 0.3], [2, 5, 3], [1e-9, 1e9, 1.0]])
def test_models_score_together_as_the_mean_of_their_probabilities(models, weights):
    together = [models[name] for name in ("long", "short", "added")]
    apart = [model.score(LINES) for model in together]
    shares = [weight / sum(weights or [1] * 3) for weight in (weights or [1] * 3)]
    mixed = together[0].score_with(together[1:], LINES, weights)
    for at, one in enumerate(mixed):
        columns = zip(*(scores[at].log_probs for scores in apart), strict=True)
        want = [
            math.log(sum(w * math.exp(p) for w, p in zip(shares, column, strict=True))) for column in columns
        ]
        assert one.log_probs == pytest.approx(want, abs=1e-9)
        assert one.symbols == apart[0][at].symbols
        assert (one.line, one.unknown) == (LINES[at], apart[0][at].unknown)


@pytest.mark.parametrize("other", ["char", "backward"])
def test_models_of_other_symbols_or_another_direction_are_mixed_by_lines(models, other):
    first, second = models["long"], models[other]
    mixed = first.score_with([second], LINES, [3, 1])
    want = [0.75 * first.log_prob(line) + 0.25 * second.log_prob(line) for line in LINES]
    assert [one.log_prob for one in mixed] == pytest.approx(want)
    assert all(one.symbols == () and math.isnan(one.perplexity) for one in mixed)


def test_two_backward_models_are_averaged_symbol_by_symbol(models):
    backward = models["backward"]
    mixed = backward.score_with([backward], LINES, [1, 4])
    assert [one.log_prob for one in mixed] == pytest.approx([backward.log_prob(line) for line in LINES])
    assert mixed[0].symbols == ("sat", "cat", "the", "\n")


def test_a_model_with_itself_or_with_none_is_itself(models):
    model = models["long"]
    want = [one.log_prob for one in model.score(LINES)]
    for others in ([], [model], [model, model]):
        assert [one.log_prob for one in model.score_with(others, LINES)] == pytest.approx(want)
    assert model.score_with([models["short"]], []) == []


@pytest.mark.parametrize("weights", [[], [1], [1, 2, 3], [1, 0], [1, -1], [math.nan, 1]])
def test_weights_that_cannot_be_are_refused(models, weights):
    for other in ("short", "char"):
        with pytest.raises(
            ConfigError, match=r"weights: got .* for 2 models, expected one positive|weights\[0\]: got nan"
        ):
            models["long"].score_with([models[other]], LINES, weights)


def run(*arguments):
    return CliRunner().invoke(app, ["score", *map(str, arguments)])


def test_the_command_mixes_and_ranks(models, file):
    first, second = models["long"].run.path, models["short"].run.path
    want = models["long"].score_with([models["short"]], LINES, [0.7, 0.3])
    told = run(first, file, "--with", second, "--weights", "0.7,0.3", "--json", "--tokens")
    records = [json.loads(line) for line in told.stdout.splitlines()]
    assert [one["line"] for one in records] == LINES
    assert [one["log_prob"] for one in records] == [one.log_prob for one in want]
    assert records[0]["tokens"] == [list(x) for x in zip(want[0].symbols, want[0].log_probs, strict=True)]
    ranked = run(first, file, "--with", second, "--with", models["added"].run.path, "--rank")
    assert ranked.exit_code == 0
    scores = [float(line.split("\t")[0]) for line in ranked.stdout.splitlines()]
    assert scores == sorted(scores, reverse=True)
    assert len(scores) == 4


def test_the_command_shows_no_perplexity_of_different_symbols(models, file):
    told = run(models["long"].run.path, file, "--with", models["char"].run.path)
    assert told.exit_code == 0
    assert [line.split("\t")[1:] for line in told.stdout.splitlines()] == [["-", line] for line in LINES]
    record = json.loads(
        run(models["long"].run.path, file, "--with", models["char"].run.path, "--json").stdout.split("\n")[0]
    )
    assert record["perplexity"] is None


@pytest.mark.parametrize("weights", ["a,b", "1", "1,2,3", "1,0", "1;2", "1,", "", "nan,1"])
def test_the_command_refuses_weights_that_cannot_be(models, file, weights):
    told = run(models["long"].run.path, file, "--with", models["short"].run.path, "--weights", weights)
    assert isinstance(told.exception, RecurraError)
    assert told.exception.exit_code == 2
    assert str(told.exception).startswith(("weights: got ", "weights[0]: got "))
    assert told.stdout == ""


@pytest.mark.parametrize("weights", [(math.inf, 1.0), (1e308, 1e308), (math.nan, 1.0)])
def test_weights_must_be_finite(weights):
    line = LineScore("a", ("a",), (-1.0,), 0)
    with pytest.raises(ConfigError, match="weights: got"):
        mixed_scores([[line], [line]], weights, same_symbols=True)

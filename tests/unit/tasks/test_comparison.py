"""Comparison of models: the same text, unknown words spelt out, mixtures, equal parameter counts."""

import json
import math

import numpy as np
import pytest
from typer.testing import CliRunner

import recurra
from recurra.cli.main import app
from recurra.config import build_config
from recurra.errors import ConfigError, DataError
from recurra.metrics import best_mixture, mixture_losses
from recurra.models import Speller
from recurra.models.open_vocabulary import spelling_nats
from recurra.plain import json_line
from recurra.tasks.language_modeling.comparison import compare, count_parameters, equal_configs
from recurra.tasks.language_modeling.config import LanguageModelConfig
from recurra.tasks.language_modeling.evaluation import losses_of_text

TEXT = "the cat sat on the mat\nthe dog sat on the log\na cow saw the cat\n" * 30


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("compare")
    text = folder / "text.txt"
    text.write_text(TEXT)
    small = {"hidden_size": 8, "batch_size": 4, "segment_length": 12, "epochs": 2}
    for name, options in {
        "words": {"unit": "word", **small},
        "trigrams": {"unit": "word", "model": "ngram", "order": 3},
        "characters": {"unit": "char", "model": "ngram", "order": 4},
    }.items():
        recurra.LanguageModel.train(text, out=folder / name, **options)
    return folder


def trained_trigrams(runs, out, **options):
    recurra.LanguageModel.train(runs / "text.txt", out=out, unit="word", model="ngram", order=3, **options)
    return out


def held_out(folder, text="the cow sat on the dog\na zebra saw the log\n" * 5):
    path = folder / "held-out.txt"
    path.write_text(text)
    return path


def test_the_best_mixture_beats_any_other(runs):
    maker = np.random.default_rng(0)
    losses = -np.log(maker.uniform(0.01, 1.0, (3, 500)))
    weights = best_mixture(losses)
    assert weights.sum() == pytest.approx(1.0)
    best = mixture_losses(losses, weights).mean()
    for _ in range(50):
        assert mixture_losses(losses, maker.dirichlet(np.ones(3))).mean() >= best - 1e-9
    by_hand = -np.log(weights @ np.exp(-losses))
    np.testing.assert_allclose(mixture_losses(losses, weights), by_hand)


def test_a_symbol_that_nobody_expects_has_no_probability():
    losses = np.array([[1.0, np.inf, np.inf], [np.inf, 2.0, np.inf]])
    assert mixture_losses(losses, np.array([0.5, 0.5])).tolist() == [
        pytest.approx(1 + math.log(2)),
        pytest.approx(2 + math.log(2)),
        np.inf,
    ]
    assert best_mixture(losses).tolist() == pytest.approx([0.5, 0.5])


def test_spellings_are_a_distribution():
    speller = Speller(["a", "ab", "ba", "b"])
    total, words = 0.0, [""]
    for _ in range(12):
        total += float(np.exp(speller.log_probs(words)).sum())
        words = [word + letter for word in words for letter in "ab"][: 1 << 12]
    other = float(np.exp(speller.log_probs(["é"])[0]))
    assert 0.5 < total < 1.0
    assert 0 < other < 1e-5
    assert speller.log_probs(["ab"])[0] > speller.log_probs(["bb"])[0]


def test_unknown_words_cost_their_spelling(runs):
    model = recurra.LanguageModel.load(runs / "trigrams")
    path = held_out(runs)
    figures = model.evaluate(path)
    symbols = [s for s in model.tokenizer.vocabulary.symbols if s not in ("<unk>", "<eos>")]
    assert figures.unknown == 5
    assert figures.spelling_nats == pytest.approx(-5 * Speller(symbols).log_probs(["zebra"])[0])
    bits = (figures.total_nats + figures.spelling_nats) / math.log(2) / figures.characters
    assert figures.open_bits_per_character == pytest.approx(bits)
    assert "bits per character with <unk> spelt out" in figures.sentence()
    literal = held_out(runs, "the <unk> sat on the mat\n")
    text = model.read_file(literal)
    assert spelling_nats(model.tokenizer, text.tokens, text.source.chunks) == 0.0
    letters = recurra.LanguageModel.load(runs / "characters")
    assert letters.evaluate(held_out(runs, "zé\n")).spelling_nats == pytest.approx(
        2 * math.log(0x110000 - letters.tokenizer.vocabulary_size)
    )


def test_models_of_all_units_stand_on_one_text(runs):
    path = held_out(runs)
    found = compare([runs / "words", runs / "trigrams", runs / "characters"], path)
    assert [one.name for one in found.models] == ["words", "trigrams", "characters"]
    for one in found.models:
        alone = recurra.LanguageModel.load(runs / one.name).evaluate(path)
        assert one.figures.total_nats == pytest.approx(alone.total_nats)
        assert one.words == 13 * 5
        assert one.word_perplexity == pytest.approx(
            math.exp((alone.total_nats + alone.spelling_nats) / (13 * 5))
        )
    (mixture,) = found.mixtures
    assert mixture.names == ("words", "trigrams")
    losses = [
        losses_of_text(model.network, model.tokenizer, model.read_file(path))
        for model in map(recurra.LanguageModel.load, (runs / "words", runs / "trigrams"))
    ]
    kept = [
        losses_of_text(model.network, model.tokenizer, model.encoded("valid"))
        for model in map(recurra.LanguageModel.load, (runs / "words", runs / "trigrams"))
    ]
    weights = best_mixture(np.stack(kept))
    assert mixture.weights == pytest.approx(tuple(weights))
    mixed = mixture_losses(np.stack(losses), weights)
    assert mixture.perplexity == pytest.approx(math.exp(mixed.mean()))


def test_without_a_text_the_held_out_part_is_mixed_by_halves(runs):
    found = compare([runs / "words", runs / "trigrams"])
    assert "each half" in found.mixtures[0].weights_from
    assert found.mixtures[0].perplexity < min(one.figures.perplexity for one in found.models) * 1.05


def test_equal_parameters_are_equal():
    config = build_config(LanguageModelConfig, overrides={"unit": "word", "hidden_size": 64})
    configs = equal_configs(config, 500)
    counts = {cell: count_parameters(own, 500) for cell, own in configs.items()}
    assert configs["lstm"].hidden_size == 64 < configs["gru"].hidden_size < configs["rnn"].hidden_size
    assert max(counts.values()) / min(counts.values()) < 1.01
    tied = build_config(
        LanguageModelConfig,
        overrides={"unit": "word", "hidden_size": 64, "tie_weights": True, "num_layers": 1},
    )
    with pytest.raises(ConfigError, match=r"equal parameters: .*remove tie_weights"):
        equal_configs(tied, 500)


def run_command(*arguments):
    return CliRunner().invoke(app, list(map(str, arguments)))


def test_the_command_line_compares_and_writes_a_page(runs, tmp_path):
    path = held_out(runs)
    page = tmp_path / "compare.html"
    done = run_command(
        "compare", runs / "words", runs / "trigrams", runs / "characters", "--data", path, "--page", page
    )
    assert done.exit_code == 0, done.output
    assert "trigrams" in done.stdout
    assert "interpolated: " in done.stdout
    text = page.read_text()
    assert "<svg" in text
    assert "http" not in text.replace("http://www.w3.org", "")
    done = run_command("compare", runs / "words", runs / "characters", "--json")
    record = json.loads(done.stdout)
    assert [one["name"] for one in record["models"]] == ["words", "characters"]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ([], "no runs to compare"),
        (["words", "words"], "named twice"),
        (["--equal-parameters"], "needs --train-data and --out"),
        (["words", "--preset", "small"], "--preset: applies only with --equal-parameters"),
    ],
)
def test_what_cannot_be_compared_is_refused(runs, arguments, told):
    done = run_command("compare", *(runs / one if one == "words" else one for one in arguments))
    assert isinstance(done.exception, ConfigError)
    assert told in str(done.exception)


def equal_command(runs, folder, max_steps):
    """The command that trains three cells for some steps."""
    toml = folder / "tiny.toml"
    sizes = "hidden_size = 32\nbatch_size = 4\nsegment_length = 12\n"
    toml.write_text(f'unit = "word"\n{sizes}max_steps = {max_steps}\n')
    texts = ["--train-data", runs / "text.txt", "--config", toml, "-o", folder / "equal"]
    return ["compare", "--equal-parameters", *texts]


def test_the_command_line_trains_three_cells_of_one_size(runs, tmp_path):
    command = equal_command(runs, tmp_path, 9)
    done = run_command(*command, "--json")
    assert done.exit_code == 0, done.output
    models = json.loads(done.stdout)["models"]
    assert [one["name"] for one in models] == ["rnn", "gru", "lstm"]
    assert max(one["parameters"] for one in models) < 1.05 * min(one["parameters"] for one in models)
    again = run_command(*command, "--json")  # existing runs are not trained again
    assert again.exit_code == 0, again.output


def test_the_held_out_part_is_needed_for_mixtures_alone(runs, tmp_path):
    own = tmp_path / "text.txt"
    own.write_text(TEXT)
    for name, order in (("a", 2), ("b", 3)):
        recurra.LanguageModel.train(own, out=tmp_path / name, model="ngram", order=order)
    other = held_out(tmp_path)
    there = compare([tmp_path / "a"], other).models[0].word_perplexity
    own.unlink()
    assert compare([tmp_path / "a"], other).models[0].word_perplexity == there
    with pytest.raises(DataError, match="restore it, or compare the runs one at a time"):
        compare([tmp_path / "a", tmp_path / "b"], other)
    with pytest.raises(DataError, match="restore it, or name another file with --data"):
        compare([tmp_path / "a"])


def test_models_that_read_in_different_directions_are_not_mixed(runs, tmp_path):
    backward = trained_trigrams(runs, tmp_path / "backward", direction="backward")
    assert compare([runs / "trigrams", backward]).mixtures == ()


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (
            {"forget_bias": 2.0},
            "forget_bias: applies only with cell lstm, but all cells are compared; remove it",
        ),
        ({"model": "feed-forward"}, "compares recurrent cells, not a feed-forward model"),
    ],
)
def test_options_of_one_cell_cannot_be_compared(options, told):
    with pytest.raises(ConfigError, match=told):
        equal_configs(build_config(LanguageModelConfig, overrides=options), 500)


def test_runs_of_other_options_are_not_taken_for_those_asked_for(runs, tmp_path):
    assert run_command(*equal_command(runs, tmp_path, 3)).exit_code == 0
    done = run_command(*equal_command(runs, tmp_path, 4))
    assert "holds a run with other options" in str(done.exception)


def test_a_text_that_a_model_finds_impossible_is_infinitely_bad(runs, tmp_path):
    trained_trigrams(runs, tmp_path / "ml", smoothing="maximum-likelihood")
    (model,) = compare([tmp_path / "ml"], held_out(runs)).models
    assert model.word_perplexity == math.inf
    assert json.loads(json_line(model.to_dict()))["perplexity"] is None
    path = held_out(runs, "zzz qq the cat\n")
    done = run_command("score", tmp_path / "ml", path, "--json", "--tokens")
    assert json.loads(done.stdout)["log_prob"] is None
    assert "inf" in run_command("score", tmp_path / "ml", path).stdout
    assert (
        json.loads(run_command("evaluate", tmp_path / "ml", "--data", path, "--json").stdout)["loss"] is None
    )


def test_symbols_in_another_order_are_the_same_symbols(runs, tmp_path):
    path = held_out(tmp_path)
    trigrams = recurra.LanguageModel.load(runs / "trigrams")
    trigrams.save_arpa(tmp_path / "trigrams.arpa")
    options = {"unit": "word", "model": "ngram", "arpa": str(tmp_path / "trigrams.arpa"), "valid": path}
    recurra.LanguageModel.train(out=tmp_path / "read", **options)
    found = compare([runs / "words", runs / "trigrams", tmp_path / "read"], path)
    assert found.models[2].kind == "3-gram, from ARPA, words"
    assert found.models[2].figures.perplexity == pytest.approx(found.models[1].figures.perplexity)
    (mixture,) = found.mixtures
    assert set(mixture.names) == {"words", "trigrams", "read"}
    twin = recurra.LanguageModel.load(tmp_path / "read")
    mixed = trigrams.score_with([twin], ["the cat sat"])[0]
    assert mixed.log_prob == pytest.approx(trigrams.log_prob("the cat sat"))
    assert len(mixed.symbols) == 4

"""Configurations: all errors are reported at once, each with its key and the choices."""

import re
from pathlib import Path

import pytest

from recurra.config import build_config, to_toml
from recurra.config.building import taking
from recurra.errors import ConfigError
from recurra.tasks import registry
from recurra.tasks.labelling.config import ClassifyConfig, TagConfig
from recurra.tasks.language_modeling.config import LanguageModelConfig


def test_the_command_line_wins_over_the_file(tmp_path):
    file = tmp_path / "a.toml"
    file.write_text("hidden_size = 12\nnum_layers = 3\n")
    config = build_config(LanguageModelConfig, [file], {"hidden_size": 20})
    assert (config.hidden_size, config.num_layers) == (20, 3)


def test_all_faults_are_told_with_key_place_and_choices(tmp_path):
    file = tmp_path / "a.toml"
    file.write_text('hiden_size = 12\ncell = "lstn"\ndropout = 1.5\nepochs = "many"\n')
    with pytest.raises(ConfigError) as told:
        build_config(LanguageModelConfig, [file], {"num_layers": 0})
    lines = sorted(str(told.value).splitlines())
    assert lines == [
        f"{file}: cell: got 'lstn', expected one of lstm, gru, rnn, jordan.",
        f"{file}: dropout: got 1.5, expected < 1.0.",
        f"{file}: epochs: got 'many', expected a valid integer, unable to parse string as an integer.",
        f"{file}: hiden_size: unknown option; did you mean hidden_size?",
        "num_layers: got 0, expected >= 1.",
    ]


def test_an_unknown_key_is_answered_with_near_names_that_can_be_used():
    tag = registry.config_of("tag")
    with pytest.raises(ConfigError, match=r"^qqqq: unknown option; the nearest names are \w+, \w+, \w+\.$"):
        build_config(LanguageModelConfig, overrides={"qqqq": 1})
    with pytest.raises(ConfigError, match=r"^tie_weight: unknown option; (?!.*tie_weights)"):
        build_config(tag, overrides={"data": "x", "tie_weight": True})


@pytest.mark.parametrize(
    ("options", "remedy"),
    [
        ({"order": 2}, "order: applies only with model ngram; set model to ngram, or remove order."),
        ({"valid": "v.txt", "model": "ngram", "arpa": "a", "cutoff": 1}, "arpa; remove one of them."),
        ({"peepholes": "current", "cell": "gru"}, "cell lstm; set cell to lstm, or remove peepholes."),
        ({"model": "ngram", "smoothing": "add-k", "cutoff": 1}, "to kneser-ney or witten-bell, or remove "),
        ({"cell": "jordan", "num_layers": 3}, "other than jordan; change cell, or remove num_layers."),
    ],
)
def test_an_unmet_condition_can_be_met_or_avoided(options, remedy):
    with pytest.raises(ConfigError, match=re.escape(remedy)):
        build_config(LanguageModelConfig, overrides=options)


def test_an_option_of_other_tasks_can_only_be_removed():
    with pytest.raises(ConfigError, match=r"^tie_weights: applies only to language models; remove it\.$"):
        build_config(registry.config_of("tag"), overrides={"data": "x", "tie_weights": True})


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"tie_weights": True, "adaptive_softmax": True}, "adaptive_softmax: cannot be combined"),
        (
            {"nonlinearity": "relu"},
            "nonlinearity: applies only with cell rnn or jordan; set cell to rnn or jordan, or remove",
        ),
        ({"cell": "gru", "peepholes": "current"}, "peepholes: applies only with cell lstm"),
        ({"cell": "jordan", "num_layers": 3}, "num_layers: applies only with cell other than jordan"),
        ({"averaging_after": 3}, "averaging_after: applies only with averaging non-monotone"),
        ({"shift_segments": True, "documents": "line", "at_document": "cut"}, "shift_segments: cannot be"),
        ({"model": "feed-forward", "weight_drop": 0.5}, "weight_drop: applies only with model recurrent"),
        ({"learning_rate": float("nan")}, "learning_rate: got nan, expected a finite number"),
    ],
)
def test_options_that_contradict_each_other_are_refused(options, told):
    with pytest.raises(ConfigError, match=told):
        build_config(LanguageModelConfig, overrides=options)


def test_conditions_are_checked_once_the_options_of_another_run_are_taken():
    given = {"data": "text", "from_run": "run", "decay": 0.5}
    config = LanguageModelConfig.build(options=given)
    taken = taking(config, {"schedule": "decay"})
    assert taken.decay == 0.5
    with pytest.raises(
        ConfigError, match=r"^decay: applies only with schedule decay or plateau; set schedule to"
    ):
        taking(config, {})
    with pytest.raises(ConfigError, match=r"^decay: applies only with schedule decay or plateau"):
        LanguageModelConfig.build(options=given | {"schedule": "linear"})  # the given one is known


def test_a_learning_rate_below_the_lowest_one_is_refused_where_it_is_given(tmp_path):
    file = tmp_path / "options.toml"
    file.write_text("min_learning_rate = 0.1\n")
    told = re.escape(f"{file}: min_learning_rate: got 0.1, expected at most learning_rate, 0.003.")
    with pytest.raises(ConfigError, match=f"^{told}$"):
        LanguageModelConfig.build(toml=file, options={"data": "text"})
    stored = LanguageModelConfig(data="text", min_learning_rate=0.1).model_dump()
    assert build_config(LanguageModelConfig, known=stored).min_learning_rate == 0.1  # an older run
    with pytest.raises(
        ConfigError, match=r"^learning_rate: got 0.01, expected at least min_learning_rate, 0.1"
    ):
        build_config(LanguageModelConfig, known=stored, overrides={"learning_rate": 0.01})
    equal = {"data": "text", "learning_rate": 0.1, "min_learning_rate": 0.1}
    assert LanguageModelConfig.build(options=equal).min_learning_rate == 0.1


@pytest.mark.parametrize("content", ["a = ", "\xff"])
def test_a_file_that_is_no_toml_is_named(tmp_path, content):
    file = tmp_path / "a.toml"
    file.write_bytes(content.encode("latin1"))
    with pytest.raises(ConfigError, match=r"a\.toml: is not TOML"):
        build_config(LanguageModelConfig, [file])
    with pytest.raises(ConfigError, match="the configuration file does not exist"):
        build_config(LanguageModelConfig, [tmp_path / "none.toml"])


def test_a_configuration_comes_back_from_toml(tmp_path):
    config = build_config(LanguageModelConfig, overrides={"clip_norm": 0, "max_steps": 5}).resolved()
    file = tmp_path / "a.toml"
    file.write_text(to_toml(config.changed()))
    assert build_config(LanguageModelConfig, [file]) == config
    assert build_config(LanguageModelConfig, known=config.model_dump()) == config


def test_every_option_has_a_help_text():
    assert all(field.description for field in LanguageModelConfig.model_fields.values())


@pytest.mark.parametrize(
    ("unit", "tied", "size"), [("char", False, 64), ("char", True, 256), ("word", False, 256)]
)
def test_the_size_of_vectors_follows_the_unit(unit, tied, size):
    assert LanguageModelConfig(unit=unit, tie_weights=tied).resolved().embedding_size == size


@pytest.mark.parametrize("name", LanguageModelConfig.preset_names())
def test_every_preset_is_a_configuration(name):
    assert LanguageModelConfig.build(name) != LanguageModelConfig()
    assert (LanguageModelConfig.presets / f"{name}.toml").read_text().startswith("# ")


def test_a_file_wins_over_a_preset_and_the_command_line_over_both(tmp_path):
    file = tmp_path / "a.toml"
    file.write_text("hidden_size = 30\nnum_layers = 1\n")
    config = LanguageModelConfig.build("zaremba-small", file, {"num_layers": 3})
    assert (config.hidden_size, config.num_layers, config.learning_rate) == (30, 3, 20.0)


def test_a_preset_that_is_not_there_is_named():
    with pytest.raises(ConfigError, match="preset: got 'big', expected one of awd-lstm"):
        LanguageModelConfig.build("big")


def test_a_task_without_presets_says_so():
    with pytest.raises(ConfigError, match="preset: got 'big', but the task has no presets; remove it"):
        TagConfig.build("big")


def test_a_file_is_named_by_a_text_or_a_path_and_by_nothing_else():
    assert LanguageModelConfig.build(options={"data": Path("a.txt")}).data == "a.txt"
    with pytest.raises(ConfigError, match="data: got 5, expected the path of a file"):
        LanguageModelConfig.build(options={"data": 5})


def test_paths_are_made_absolute_but_not_names_of_a_hub(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    config = TagConfig.build(options={"data": "a.conll", "valid": "hub:conll2003:validation"})
    assert config.with_absolute_paths().data == str(tmp_path / "a.conll")
    assert config.with_absolute_paths().valid == "hub:conll2003:validation"


def test_folds_and_seeds_name_a_training_each():
    asked = {"data": "a.csv", "folds": 2, "seeds": 2, "seed": 5}
    parts = ClassifyConfig.build(options=asked).parts()
    assert list(parts) == ["fold-1-seed-5", "fold-1-seed-6", "fold-2-seed-5", "fold-2-seed-6"]
    assert not any(part.is_repeated for part in parts.values())
    assert [(part.fold, part.seed) for part in parts.values()] == [(1, 5), (1, 6), (2, 5), (2, 6)]
    assert not ClassifyConfig.build(options={"data": "a.csv", "folds": 3, "fold": 2}).is_repeated

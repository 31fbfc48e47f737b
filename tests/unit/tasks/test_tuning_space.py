"""The space of a search and the plan of its trials, without any training."""

from pathlib import Path

import pytest

from recurra.config.conditions import unmet
from recurra.errors import ConfigError
from recurra.tasks import registry
from recurra.tasks.tuning.plan import Given, Plan
from recurra.tasks.tuning.space import Choices, Interval, default_space, space_text

DATA = {"data": "rows.tsv"}


def plan(task: str, space=None, **options) -> Plan:
    given = Given(registry.config_of(task), {**DATA, **options})
    return Plan.of(registry.get(task), given, space, Path("search/best"))


def faults(task: str, space, **options) -> list[str]:
    with pytest.raises(ConfigError) as refused:
        plan(task, space, **options)
    return str(refused.value).splitlines()


FAULTS = [
    ({"hiden_size": [1]}, "hiden_size: unknown option; did you mean hidden_size?"),
    ({"hidden_size": [0, 8]}, "hidden_size: got 0, expected >= 1."),
    ({"dropout": {"low": 0.0, "high": 1.5}}, "dropout: got 1.5, expected < 1.0."),
    ({"cell": ["gru", "grru"]}, "cell: got 'grru', expected one of lstm, gru, rnn, jordan."),
    (
        {"learning_rate": {"low": 0.1, "high": 0.001}},
        "learning_rate: low 0.1 is above high 0.001; exchange them.",
    ),
    (
        {"dropout": {"low": 0.1, "high": 0.1}},
        "dropout: the range is empty: low and high are both 0.1; give a list with one value.",
    ),
    ({"dropout": []}, "dropout: the list of values is empty; add some."),
    ({"dropout": [0.1, 0.1]}, "dropout: the value 0.1 is in the list twice; remove one."),
    ({"num_layers": {"low": 1.5, "high": 3}}, "num_layers: low: got 1.5, expected a whole number."),
    ({"num_layers": {"low": True, "high": 3}}, "num_layers: low: got True, expected a whole number."),
    (
        {"weight_decay": {"low": 0.0, "high": 0.1, "log": True}},
        "weight_decay: low: got 0.0, expected a number above 0, because log is true.",
    ),
    (
        {"dropout": {"low": 0.0, "high": 0.5, "step": 0.9}},
        "dropout: step: got 0.9, expected a number above 0 and at most high - low.",
    ),
    (
        {"hidden_size": {"low": 8, "hi": 9}},
        "hidden_size: unknown key hi, high is missing; expected a list of values, or a table such as "
        "{low = 1, high = 8}.",
    ),
    (
        {"cell": {"low": 1, "high": 2}},
        "cell: got {'low': 1, 'high': 2}, expected a list of values, because it is not a number.",
    ),
    ({"seed": [1, 2]}, "seed: must be the same in all trials; remove it from the space."),
    ({"data": ["a", "b"]}, "data: must be the same in all trials; remove it from the space."),
    ({"epochs": [1, 2]}, "epochs: is also given as a fixed option; remove it from one of the two."),
    ({"tie_weights": [True]}, "tie_weights: applies only to language models; remove it."),
    ({"momentum": [0.5]}, "momentum: applies only with optimizer momentum; set that, or remove momentum."),
    ({}, "the space has no options; add some, such as learning_rate."),
]


@pytest.mark.parametrize(("space", "told"), FAULTS, ids=lambda value: str(value)[:40])
def test_a_fault_of_a_space_is_named(space, told):
    place = "space: "
    assert faults("tag", space, epochs=3) == [place + told]


def test_all_faults_are_named_at_once_with_their_file(tmp_path):
    file = tmp_path / "space.toml"
    file.write_text("seed = [1]\nhidden_size = [0, 8]\ndropout = 3\n")
    lines = faults("classify", file)
    assert [line.split(": ")[1] for line in lines] == ["seed", "hidden_size", "dropout"]
    assert all(line.startswith(f"{file}: ") for line in lines)
    file.write_text("seed = ")
    assert faults("classify", file)[0].startswith(f"{file}: is not TOML: ")


@pytest.mark.parametrize("task", registry.names())
def test_what_must_not_be_searched_is_refused_in_every_task(task):
    config = registry.config_of(task)
    never = {
        "data",
        "valid",
        "test",
        "seed",
        "seeds",
        "split_seed",
        "folds",
        "threads",
        "device",
        "keep_best",
    }
    never |= {"validation_fraction", "test_fraction", "log_every", *config.file_options()}
    assert not [name for name in never & config.model_fields.keys() if config.can_be_searched(name)]
    assert all(config.can_be_searched(name) for name in ("learning_rate", "epochs"))


@pytest.mark.parametrize("task", registry.names())
def test_the_default_space_of_every_task_is_valid_and_printed_as_it_is_read(task, tmp_path):
    made = plan(task)
    assert made.has_defaults()
    applies = {"learning_rate", "batch_size"} - {name for name in ("batch_size",) if unmet(made.base, name)}
    assert applies <= made.space.keys()
    text = space_text(registry.config_of(task), default_space(made.base))
    (tmp_path / "space.toml").write_text(text)
    assert plan(task, tmp_path / "space.toml").space == made.space


def test_the_default_space_is_of_the_options_that_apply():
    assert {"order", "smoothing"} <= plan("lm", model="ngram").space.keys()
    assert "hidden_size" not in plan("lm", model="ngram").space
    assert "order" not in plan("lm").space
    assert "dropout" not in plan("tag", dropout=0.5).space
    assert plan("tag", hidden_size=30).space.keys() == plan("tag").space.keys() - {"hidden_size"}
    assert plan("lm").space["hidden_size"] == Choices((128, 256, 512))


def test_a_space_of_learning_rates_must_fit_the_lowest_one():
    low = {"learning_rate": {"low": 0.001, "high": 0.1}}
    told = (
        "space: learning_rate: got 0.001, expected at least min_learning_rate, 0.01; change that option, or "
    )
    told += "give a space of other values."
    assert faults("lm", low, min_learning_rate=0.01) == [told]
    high = {"learning_rate": {"low": 0.02, "high": 0.1}}  # although the default is below the lowest rate
    assert set(plan("lm", high, min_learning_rate=0.01).space) == {"learning_rate"}
    both = low | {"min_learning_rate": [0.0, 0.01]}
    assert set(plan("lm", both).space) == set(both)
    wanted = "space: min_learning_rate: got 0.01, expected at most learning_rate, 0.003; change that option"
    assert faults("lm", {"min_learning_rate": [0.0, 0.01]})[0].startswith(wanted)
    bad = {"learning_rate": ["a"], "schedule": ["linear"]}
    assert len(faults("lm", bad)) == 1
    assert "learning_rate" in plan("vectors").space  # its lowest rate follows


def test_whole_numbers_stay_whole_and_values_get_the_type_of_their_option():
    made = plan("classify", {"hidden_size": {"low": 4, "high": 8}, "dropout": [0, 0.5]})
    assert made.space["hidden_size"] == Interval(4, 8, whole=True)
    assert [type(value) for value in made.space["dropout"].values] == [float, float]


def test_an_interval_knows_its_steps():
    steps = Interval(0.0, 0.65, step=0.1)
    assert steps.contains(0.3)
    assert steps.highest == pytest.approx(0.6)
    assert not steps.contains(0.25)
    assert not steps.contains(None)
    assert not plan("classify", {"hidden_size": [4, 8]}).has_defaults()


def test_an_option_that_does_not_apply_is_dropped_for_that_trial_only():
    made = plan("classify", {"cell": ["gru", "rnn"], "nonlinearity": ["tanh", "relu"]}, reset_gate="before")
    gru, rnn = (made.trial({"cell": cell, "nonlinearity": "relu"}) for cell in ("gru", "rnn"))
    assert (gru.nonlinearity, gru.reset_gate, made.used(gru)) == ("tanh", "before", {"cell": "gru"})
    assert (rnn.nonlinearity, rnn.reset_gate) == ("relu", "after")
    (line,) = faults("classify", {"dropout": [0.1]}, reset_gate="before")
    assert line.startswith("reset_gate: applies only with cell gru;")


def test_a_share_is_held_out_for_the_best_model_unless_there_are_other_data():
    assert plan("tag").trial({}).test_fraction == 0.1
    assert plan("tag", test_fraction=0.3).trial({}).test_fraction == 0.3
    assert plan("tag", test="test.tsv").trial({}).test_fraction is None
    assert plan("tag", test="test.tsv").has_test
    assert not plan("tag", valid="valid.tsv").has_test
    assert plan("tag", valid="valid.tsv", test_fraction=0.2).has_test


def test_folds_are_of_the_trials_and_a_test_file_of_the_best_model():
    made = plan("translate", folds=3, target="b.txt", test="c.txt", test_target="d.txt", seeds=2)
    trial, best = made.trial({"dropout": 0.1}), made.best({"dropout": 0.1})
    assert (trial.folds, trial.test, trial.test_target, len(trial.parts())) == (3, None, None, 6)
    assert (best.folds, best.test, best.test_target, list(best.parts())) == (None, "c.txt", "d.txt", [""])
    assert plan("tag", folds=3).trial({}).test_fraction == plan("tag", folds=3).best({}).test_fraction == 0.1
    assert faults("tag", {"dropout": [0.1]}, folds=3, fold=1) == [
        "fold: applies to a single training only; remove it."
    ]

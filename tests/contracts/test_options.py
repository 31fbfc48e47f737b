"""An option that does not apply with the other options is refused, in every task and however it is given."""

from types import NoneType
from typing import get_args

import pytest

from recurra.cli.main import main
from recurra.config import build_config, to_toml
from recurra.config.conditions import Above, AnyOf, OnlyIn, Unless, When, can_apply, conditions_of, idle
from recurra.config.part import choices, plain_type
from recurra.errors import ConfigError
from recurra.tasks import registry

FREE = {"data": "text.txt"}


def conditional():
    """Each conditional option: its configuration (of a task or a verb), its name and the condition."""
    for task in registry.names():
        config = registry.config_of(task)
        for part in (config, config.evaluation, config.prediction, config.calibration):
            for name in part.model_fields:
                for condition in conditions_of(part, name):
                    yield pytest.param(part, name, condition, id=f"{task} {part.__name__} {name} {condition}")


def others_of(part, condition, *, met: bool) -> dict:
    """Values of the other options that meet, or do not meet, a condition."""
    if isinstance(condition, OnlyIn):
        return {}
    if isinstance(condition, AnyOf):
        each = condition.conditions[:1] if met else condition.conditions
        return {name: value for one in each for name, value in others_of(part, one, met=met).items()}
    return {condition.option: another(part, condition, met=met)}


def another(part, condition, *, met: bool):
    """A value of the other option that meets, or does not meet, a condition."""
    field = part.model_fields[condition.option]
    kinds = getattr(field.annotation, "__args__", ())
    tried = [field.default, *kinds, 0, 1, 2, True, False, "x", None, ("type=x",)]
    if isinstance(condition, Above):
        tried = [0, 1, 5]
    for value in tried:
        if isinstance(value, type):
            continue
        some = part.model_construct(**{condition.option: value})
        if condition.met(some) is met and fits(part, condition.option, value):
            return value
    raise AssertionError(f"no value of {condition.option} is found")


def fits(part, name, value) -> bool:
    try:
        build_config(part, overrides={name: value})
    except ConfigError as error:
        return f"{name}: got" not in str(error)
    return True


def refusals(part, overrides, toml=(), known=None) -> list[str]:
    try:
        build_config(part, toml, overrides, known=known)
    except ConfigError as error:
        return str(error).splitlines()
    return []


@pytest.mark.parametrize(("part", "name", "condition"), conditional())
def test_an_option_without_a_use_is_refused_even_at_its_default(part, name, condition, tmp_path):
    others = others_of(part, condition, met=False)
    free = {key: value for key, value in FREE.items() if key in part.model_fields and key != name}
    # A picture needs captions.
    beside = {f"{other}_captions": "x" for other, value in others.items() if value is not None}
    free |= {other: value for other, value in beside.items() if other in part.model_fields}
    given = free | others | {name: part.default_of(name)}
    sentence = f"{name}: applies only "
    lines = refusals(part, given)
    if any(line.startswith(f"{other}: ") for other in others for line in lines):
        return  # the value that makes the option inapplicable is itself refused
    remedies = (f", or remove {name}.", "; remove one of them.") if can_apply(part, name) else "; remove it."
    assert any(line.startswith(sentence) and line.endswith(remedies) for line in lines)
    if part.default_of(name) is not None:
        file = tmp_path / "options.toml"
        file.write_text(to_toml({name: part.default_of(name)}))
        assert any(line.startswith(f"{file}: {sentence}") for line in refusals(part, free | others, [file]))
    # In a stored run, which lists all options, it is not an error.
    stored = free | {key: value for key, value in others.items() if value is not None}
    assert not any(sentence in line for line in refusals(part, {}, known=given if stored else {}))


@pytest.mark.parametrize(("part", "name", "condition"), conditional())
def test_an_option_with_a_use_is_taken(part, name, condition):
    if not can_apply(part, name):
        assert isinstance(condition, OnlyIn) or any(isinstance(c, OnlyIn) for c in conditions_of(part, name))
        return
    met = {}
    for each in conditions_of(part, name):
        met |= others_of(part, each, met=True)
    config = part.model_construct(**(part.model_construct().model_dump() | met))
    assert idle(config, name) is None


SKIP, LAYERS = {"skip": "residual"}, {"layer_dropout": 0.4}
WITHOUT_WORDS = {"word_vectors": "none", "trigrams": True}
NO_DROPOUT = {"dropout": 0.0, "input_dropout": 0.0, "dropout_mask": "segment"}
UNUSED = [
    *(("tag", {"valid": "x"} | one) for one in ({"validation_fraction": 0.3}, {"split_seed": 3})),
    ("lm", {"valid": "x", "validation_fraction": 0.3}),
    *(("translate", {"valid": "x"} | one) for one in ({"validation_fraction": 0.3}, {"split_seed": 3})),
    *((task, LAYERS) for task in ("tag", "classify", "pair", "translate", "chat", "caption")),
    *((task, SKIP) for task in ("tag", "classify", "pair", "translate", "chat", "caption")),
    ("lm", {"num_layers": 1} | LAYERS),
    ("lm", {"num_layers": 1} | SKIP),
    ("lm", {"cell": "jordan"} | LAYERS),
    ("translate", {"decoder_layers": 2} | SKIP),
    ("caption", {"num_layers": 2, "attention": "general"} | SKIP),
    ("caption", {"decoder_layers": 2, "num_layers": 2}),
    *((task, NO_DROPOUT) for task in ("lm", "tag", "classify", "translate")),
    ("classify", WITHOUT_WORDS | {"min_count": 2}),
    ("classify", WITHOUT_WORDS | {"max_vocabulary_size": 9}),
    ("classify", WITHOUT_WORDS | {"lowercase": True}),
    ("classify", WITHOUT_WORDS | {"digits": True}),
    ("classify", WITHOUT_WORDS | {"word_dropout": 0.1}),
    ("lm", {"model": "ngram", "seed": 2}),
    ("lm", {"model": "ngram", "device": "cpu"}),
    ("lm", {"model": "ngram", "order": 2, "cutoff": 1}),
    ("translate", {"validation_rows": 0, "keep_best": "score"}),
    ("translate", {"length_penalty": 0.0, "length_form": "google"}),
    ("classify", {"scheme": "bio"}),
    ("classify", {"tags_column": "labels"}),
    ("classify", {"model": "average", "turns_together": 3}),
    *(("pair", one) for one in ({"scheme": "bio"}, {"tags_column": "text"}, {"turns_together": 16})),
    ("pair", {"vectors_column": "steps"}),
    *((task, {"phrases": True}) for task in ("tag", "pair")),
    *((task, {"tree_labels": "binary"}) for task in ("tag", "pair")),
    *(("caption", one) for one in ({"bridge": "linear"}, {"learn_initial_state": True})),
    ("lm", {"model": "ngram", "unit": "word", "documents": "line"}),
    ("pair", {"valid": "x", "conversation_column": "id"}),
    ("tag", {"model": "window", "valid": "x", "conversation_column": "id"}),
    *(("caption", one) for one in ({"encoding": "latin-1"}, {"delimiter": ","})),
]
USED = [
    ("translate", {"beam_width": 1, "length_penalty": 2.0}),  # of the scores, and of beam-errors
    ("tag", {"valid": "x", "folds": 3, "split_seed": 3}),
    ("lm", {"num_layers": 2} | LAYERS | SKIP),
    ("translate", {"decoder_layers": 2} | LAYERS),
    ("translate", {"decoder_layers": 2, "attention": "none"} | SKIP),
    ("translate", {"decoder_layers": 3} | SKIP),
    ("caption", {"num_layers": 2} | SKIP | LAYERS),
    ("lm", {"dropout": 0.0, "input_dropout": 0.1, "dropout_mask": "segment"}),
    ("pair", {"model": "average", "hidden_size": 4}),
    ("lm", {"model": "ngram", "unit": "char", "documents": "line"}),
    ("pair", {"valid": "x", "folds": 3, "conversation_column": "id"}),
    ("tag", {"valid": "x", "conversation_column": "id"}),
    ("lm", {"model": "ngram", "order": 3, "cutoff": 1, "threads": 1}),
]


@pytest.mark.parametrize(("task", "given"), UNUSED, ids=lambda value: str(value))
def test_the_last_option_has_no_use_with_the_others(task, given):
    """Training with and without it would give the same model."""
    config, (*_, name) = registry.config_of(task), given
    files = {"data": "x"} | ({"valid_captions": "x"} if task == "caption" and "valid" in given else {})
    (line,) = refusals(config, files | given)
    assert line.startswith(f"{name}: applies only ")
    changes = (f", or remove {name}.", "; remove one of them.")
    assert line.endswith(changes if can_apply(config, name) else "; remove it.")
    build_config(config, overrides=files, known=given)


@pytest.mark.parametrize(("task", "given"), USED, ids=lambda value: str(value))
def test_every_option_has_a_use_with_the_others(task, given):
    build_config(registry.config_of(task), overrides={"data": "x"} | given)


def test_a_choice_that_a_task_always_refuses_is_not_offered():
    """Formats without what the task needs, and a cell that a decoder cannot have."""
    offered = {task: choices(registry.config_of(task).model_fields["format"].annotation) for task in FORMATS}
    assert offered == FORMATS
    for task in ("translate", "chat", "caption"):
        config = registry.config_of(task)
        assert choices(config.model_fields["cell"].annotation) == ("lstm", "gru", "rnn")
        (line,) = refusals(config, {"data": "x", "cell": "lstm", "nonlinearity": "relu"})
        assert line == "nonlinearity: applies only with cell rnn; set cell to rnn, or remove nonlinearity."
    assert not any(can_apply(registry.config_of("caption"), name) for name in ("bridge", "format"))


def test_an_option_that_never_applies_is_refused_as_such_with_any_value():
    (line,) = refusals(registry.config_of("caption"), {"data": "x", "format": "pdf"})
    assert line == "format: applies only to sources of text; remove it."


def test_labels_are_not_read_to_predict_them():
    for task in ("tag", "classify", "pair"):
        part = registry.config_of(task).prediction
        hidden = {name for name in part.model_fields if not can_apply(part, name)}
        assert {*hidden, "score_column"} == {"label_column", "score_column", "tags_column", "entities_column"}


def test_an_option_of_a_trained_model_is_as_in_training_if_it_is_not_given():
    """Except for a file, and for the seed of sampling."""
    for task in registry.names():
        config = registry.config_of(task)
        for part in (config.evaluation, config.prediction, config.calibration):
            shared = part.model_fields.keys() & config.model_fields.keys()
            assert shared - set(part.as_trained) <= {"target", "seed"}


FORMATS = {
    "tag": ("auto", "conll", "atis", "parallel", "csv", "tsv", "jsonl", "arrays"),
    "classify": (
        *("auto", "atis", "parallel", "label-text", "trees", "csv", "tsv", "jsonl", "folder", "arrays"),
    ),
    "pair": ("auto", "csv", "tsv", "jsonl"),
    "translate": ("auto", "parallel", "csv", "tsv", "jsonl"),
    "chat": ("auto", "parallel", "csv", "tsv", "jsonl", "dialogues"),
}
PRESETS = registry.config_of("lm").preset_names()


@pytest.mark.parametrize("name", PRESETS)
def test_every_option_of_a_preset_applies(name):
    config = registry.config_of("lm")
    build_config(config, [config.presets / f"{name}.toml"])


@pytest.mark.parametrize(
    ("preset", "given", "without"),
    [
        ("zaremba-small", {"schedule": "constant"}, {"decay", "decay_after"}),
        ("awd-lstm", {"averaging": "none"}, {"averaging_after"}),
        ("char-small", {"model": "feed-forward"}, {"cell", "num_layers"}),
        ("small", {"model": "ngram"}, {"cell", "hidden_size", "dropout", "optimizer", "epochs"}),
    ],
)
def test_what_is_given_overrides_a_preset(preset, given, without, tmp_path):
    """Options of the preset without a use are dropped, without a word; those of the user are refused."""
    config = registry.config_of("lm")
    file = tmp_path / "options.toml"
    file.write_text(to_toml(given))
    for built in (config.build(preset, options=given), config.build(preset, file)):
        assert built.given() == given
        assert {name: getattr(built, name) for name in given} == given
        assert not without & set(built.chosen())
        assert built.unit == config.build(preset).unit
    for name in without:
        with pytest.raises(ConfigError, match=f"^{name}: applies only "):
            config.build(preset, options=given | {name: getattr(config.build(preset), name)})
        file.write_text(to_toml(given | {name: getattr(config.build(preset), name)}))
        with pytest.raises(ConfigError, match=f"{file}: {name}: applies only "):
            config.build(preset, file)


def test_only_what_the_user_gave_counts_as_given(tmp_path):
    config = registry.config_of("lm")
    assert config.build("small").given() == {}
    built = build_config(config, overrides={"dropout": 0.2}, known={"epochs": 3})
    assert built.given() == {"dropout": 0.2}
    assert built == build_config(config, known={"dropout": 0.2, "epochs": 3})
    assert built.resolved().given() == {"dropout": 0.2}
    assert all(one.given() == {"seeds": 1} for one in config.build(options={"seeds": 3}).parts().values())
    file = tmp_path / "run.toml"
    file.write_text(to_toml({"format_version": 2, "task": "lm", "config": {"epochs": 3}}))
    assert build_config(config, [file]).given() == {}


def test_conditions_say_what_they_are():
    assert str(When("cell", "gru", "lstm")) == "with cell gru or lstm"
    assert str(When("valid")) == "with valid"
    assert str(Unless("sample")) == "without sample"
    assert str(Unless("cell", "jordan")) == "with cell other than jordan"
    assert str(Above("beam_groups", 1)) == "with beam_groups above 1"
    assert str(OnlyIn("taggers")) == "to taggers"
    assert str(AnyOf(When("dropout"), When("input_dropout"))) == "with dropout or input_dropout"
    assert str(AnyOf(Unless("valid"), When("folds"))) == "without valid or with folds"


def test_help_leaves_out_what_can_never_apply():
    configs = {task: registry.config_of(task) for task in registry.names()}
    hidden = {
        task: [name for name in config.model_fields if not can_apply(config, name)]
        for task, config in configs.items()
    }
    assert {"max_words", "second_column", "tie_weights"} <= set(hidden["tag"])
    assert {"target", "vocabulary", "copying"} <= set(hidden["caption"])
    assert not hidden["lm"]


def renamed():
    """Each renamed option: the configuration that has it, the old name and the current one."""
    for task in registry.names():
        config = registry.config_of(task)
        for part in (config, config.evaluation, config.prediction, config.calibration):
            for old, new in part.renamed_options().items():
                yield pytest.param(part, old, new, id=f"{task} {part.__name__} {old}")


@pytest.mark.parametrize(("part", "old", "new"), renamed())
def test_an_old_name_is_answered_with_the_present_one(part, old, new, tmp_path):
    value = part.default_of(new)
    free = {key: value for key, value in FREE.items() if key in part.model_fields}
    told = f"{old}: is now called {new}; use that name."
    if not can_apply(part, new):
        assert any(line.startswith(f"{old}: unknown option; ") for line in refusals(part, {old: 1}))
        return
    assert told in refusals(part, free | {old: 1 if value is None else value})
    file = tmp_path / "options.toml"
    file.write_text(to_toml({old: 1 if value is None else value}))
    assert f"{file}: {told}" in refusals(part, free, [file])


@pytest.mark.parametrize(("part", "old", "new"), renamed())
def test_a_run_of_an_older_version_is_read_by_the_old_name(part, old, new, tmp_path):
    default = part.default_of(new)
    changed = {bool: not default, int: (default or 0) + 1}.get(type(default), default)
    if default is None or isinstance(default, str):
        changed = "file"
    free = {key: value for key, value in FREE.items() if key in part.model_fields}
    assert getattr(build_config(part, known=free | {old: changed}), new) == changed
    stored = {"format_version": 2, "task": "x", "config": {old: changed}}
    file = tmp_path / "run.toml"
    file.write_text(to_toml(stored))
    assert getattr(build_config(part, [file], free), new) == changed


def refused_command(arguments, monkeypatch, capsys) -> str:
    """What a command that ends with code 2 prints to standard error."""
    monkeypatch.setattr("sys.argv", ["recurra", *arguments])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    return capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("train", "tag", "--word-size", "3"), "--word-size: is now called --embedding-size; use that name."),
        (("train", "lm", "--window=3"), "--window: is now called --context-size; use that name."),
        (("train", "pair", "--no-other"), "--no-other: is now called --no-one-hot-unknown; use that"),
        (("train", "tag", "--word_size=3"), "--word_size: is now called --embedding-size; use that name."),
        (("complete", "run", "text", "-k", "3"), "-k: is now called --n-best; use that name."),
        (("fill", "run", "text", "-k3"), "-k: is now called --n-best; use that name."),
        (("beam-errors", "run", "--alphas", "1"), "--alphas: is now called --length-penalties; use that"),
        (("evaluate", "run", "--beside", "x"), "--beside: is now called --compare-with; use that name."),
        (("translate", "run", "--attention", "x"), "--attention: is now called --attention-pictures; use"),
    ],
)
def test_an_old_flag_is_answered_with_the_present_one(arguments, told, monkeypatch, capsys):
    assert told in refused_command(arguments, monkeypatch, capsys)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (
            ("complete", "run", "text", "--n_best=3"),
            "No such option: --n_best (Possible options: --n-best)\n",
        ),
        (("train", "caption", "--max-source", "3"), "--max-source (Possible options: --max-steps)\n"),
        (
            ("train", "tag", "--max_word", "3"),
            "No such option: --max_word (Possible options: --new-words)\n",
        ),  # tag refuses --max-words
        (("data", "make", "foo", "-o", "x"), "Invalid value for 'name': 'foo' is not one of"),
    ],
)
def test_a_wrong_flag_or_value_is_answered_with_what_the_command_takes(arguments, told, monkeypatch, capsys):
    assert told in refused_command(arguments, monkeypatch, capsys)


def test_a_present_flag_is_never_taken_for_an_old_one():
    """`attention` was renamed only for predictions, `window` only for language models."""
    assert "attention" in registry.config_of("translate").model_fields
    assert "window" in registry.config_of("tag").model_fields
    for task in registry.names():
        config = registry.config_of(task)
        assert not config.renamed_options().keys() & config.model_fields.keys()


def parts():
    """Each configuration of a task, of its evaluation and of its predictions."""
    configs = [registry.config_of(task) for task in registry.names()]
    return dict.fromkeys(
        part for one in configs for part in (one, one.evaluation, one.prediction, one.calibration)
    )


def test_what_may_be_none_is_none_by_default():
    """TOML has no null, so a run reads None back as the default."""
    for part in parts():
        for name, field in part.model_fields.items():
            assert NoneType not in get_args(field.annotation) or field.default is None, (part, name)


def test_every_number_has_its_limits():
    for part in parts():
        for name, field in part.model_fields.items():
            if plain_type(field.annotation) in (int, float) and name != "forget_bias":
                assert field.metadata, (part, name)


def test_one_name_is_one_thing():
    """An option has one type and one meaning in all tasks, except for the name of the rows."""
    told = {}
    for config in map(registry.config_of, registry._OURS):
        for name, field in config.model_fields.items():
            if can_apply(config, name):
                told.setdefault(name, set()).add((plain_type(field.annotation), field.description))
    several = {name for name, meanings in told.items() if len(meanings) > 1}
    assert all(len({kind for kind, _ in told[name]}) == 1 for name in several)
    assert several == {
        *("model", "format", "batch_size", "validation_fraction", "test_fraction", "min_count"),
        *("max_vocabulary_size", "embedding_size", "bidirectional", "label_smoothing", "max_length", "data"),
        *("keep_best", "lowercase", "window", "vectors", "chunk_size", "min_learning_rate"),
    }

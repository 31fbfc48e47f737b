"""A given option that does not apply to the files is refused by every task, whatever its value."""

import numpy as np
import pytest

from recurra import Classifier
from recurra.config import build_config, to_toml
from recurra.errors import ConfigError
from recurra.tasks import registry

FILES = {
    "atis": (
        "rows.iob",
        "BOS to boston EOS\tO O B-city flight\nBOS from york EOS\tO O B-city fare\n" * 3,
    ),
    "conll": ("rows.conll", "to O\nboston B-city\n\nfrom O\nyork B-city\n\n" * 3),
    "plain": ("words.conll", "to X\nboston Y\n\nfrom X\nyork Y\n\n" * 3),
    "texts": ("rows.txt", "".join(f"good so fine {i}\nbad so dull {i}\n" for i in range(4))),
    "trees": ("trees.txt", "(3 (2 so) (4 fine))\n(1 (2 so) (0 dull))\n(3 (2 how) (4 fine))\n" * 2),
    "csv": ("rows.csv", "text,label\n" + "".join(f"so fine {i},good\nso dull {i},bad\n" for i in range(4))),
    "pairs": ("pairs.tsv", "text\ttext2\tlabel\n" + "so fine\tso good\tyes\nso dull\tfine\tno\n" * 3),
    "source": ("lines.en", "".join(f"a dog {i}\na cat {i}\n" for i in range(4))),
    "target": ("lines.de", "".join(f"ein hund {i}\neine katze {i}\n" for i in range(4))),
    "table": ("sides.tsv", "source\ttarget\n" + "".join(f"a dog {i}\tein hund {i}\n" for i in range(4))),
    "talk": ("talk.txt", "hi\nhello\nhow are you\nfine\n\nbye\nsee you\n\n" * 2),
    "vectors": ("vectors.txt", "so 0.1 0.2\nfine 0.3 0.4\ndull 0.5 0.6\n"),
}


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Small files of several formats by name."""
    folder = tmp_path_factory.mktemp("files")
    found = {name: folder / file for name, (file, _) in FILES.items()}
    for name, (_, text) in FILES.items():
        found[name].write_text(text)
    found["arrays"] = folder / "steps.npz"
    steps = np.random.default_rng(0).normal(size=(8, 3, 2)).astype(np.float32)
    np.savez(found["arrays"], vectors=steps, label=np.array(["a", "b"] * 4))
    found["pictures"] = folder / "pictures.npz"
    pictures = np.zeros((8, 2, 1, 4, 4), np.uint8)
    np.savez(found["pictures"], vectors=pictures, label=np.array(["a", "b"] * 4))
    return found


def read(task, files, options, toml=()):
    """Build a configuration, in which options may name `files`, and read the data."""
    named = {
        name: str(files[value]) if name in registry.config_of(task).file_options() else value
        for name, value in options.items()
    }
    config = build_config(registry.config_of(task), toml, named).resolved()
    found = registry.get(task)
    corpus = found.read(config)
    return found.settle(config, corpus), corpus


ATIS, TEXTS, NUMBERS = {"data": "atis"}, {"data": "texts"}, {"data": "arrays"}
PRETRAINED = TEXTS | {"word_vectors": "pretrained", "vectors": "vectors"}
PARALLEL, TABLE, TALK = {"data": "source", "target": "target"}, {"data": "table"}, {"data": "talk"}
COLUMNS = ("text_column", "label_column", "tags_column", "vectors_column", "conversation_column")
UNUSED = [
    *(("tag", ATIS, {name: "foo"}) for name in COLUMNS),
    ("tag", ATIS, {"quoted": True}),
    ("tag", {"data": "conll"}, {"label_column": "label"}),
    *(("classify", TEXTS, {name: "foo"}) for name in COLUMNS if name != "tags_column"),
    ("classify", TEXTS, {"quoted": False}),
    ("classify", TEXTS, {"delimiter": ","}),
    ("classify", TEXTS, {"tree_labels": "binary"}),
    ("classify", TEXTS, {"tree_labels": "fine"}),
    ("classify", TEXTS, {"phrases": True}),
    ("classify", TEXTS, {"phrases": False}),
    ("classify", TEXTS, {"turns_together": 3}),
    ("classify", TEXTS, {"turns_together": 16}),
    ("tag", {"data": "conll"}, {"sentence_loss_weight": 0.5}),
    ("tag", {"data": "plain", "decoder": "crf"}, {"constrained": True}),
    ("classify", TEXTS | {"model": "average"}, {"hidden_size": 4}),
    ("classify", NUMBERS | {"model": "average"}, {"hidden_size": 4}),
    ("classify", NUMBERS, {"split": "characters"}),
    ("classify", NUMBERS, {"embedding_size": 101}),
    ("classify", NUMBERS, {"embedding_size": 100}),
    ("classify", NUMBERS, {"word_dropout": 0.0}),
    ("classify", NUMBERS, {"min_count": 1}),
    ("classify", NUMBERS, {"max_words": 10}),
    ("classify", NUMBERS, {"encoding": "utf-8"}),
    ("translate", PARALLEL, {"source_column": "foo"}),
    ("translate", PARALLEL, {"target_column": "target"}),
    ("translate", TABLE, {"delimiter": ";"}),
    ("chat", TALK, {"source_column": "foo"}),
    ("chat", TALK, {"target_column": "foo"}),
]
USED = [
    ("tag", ATIS, {"split": "punctuation"}),  # of the texts of predictions
    ("tag", ATIS | {"decoder": "crf"}, {"constrained": True, "sentence_loss_weight": 0.5}),
    ("classify", {"data": "pictures", "model": "average"}, {"hidden_size": 4}),
    ("tag", {"data": "conll"}, {"text_column": "1", "tags_column": "-1"}),
    ("classify", {"data": "csv"}, {"text_column": "text", "label_column": "label", "quoted": True}),
    ("classify", TEXTS | {"test": "csv"}, {"text_column": "text", "delimiter": ","}),
    ("classify", {"data": "trees"}, {"phrases": True, "tree_labels": "fine"}),
    ("classify", TEXTS, {"split": "characters", "embedding_size": 100, "encoding": "utf-8"}),
    ("classify", PRETRAINED, {"embedding_size": 2}),
    ("pair", {"data": "pairs"}, {"second_column": "text2", "label_column": "label"}),
    ("translate", TABLE, {"source_column": "source", "target_column": "target"}),
    ("chat", TABLE, {"source_column": "source", "target_column": "target"}),
]


@pytest.mark.parametrize(("task", "others", "given"), UNUSED)
def test_an_option_without_a_use_in_the_files_is_refused(task, others, given, files, tmp_path):
    read(task, files, others)
    (name,) = given
    with pytest.raises(ConfigError, match=rf"^{name}: applies only .*; remove it\.$"):
        read(task, files, others | given)
    toml = tmp_path / "options.toml"
    toml.write_text(to_toml(given))
    with pytest.raises(ConfigError, match=rf"^{toml}: {name}: applies only .*; remove it\.$"):
        read(task, files, others, [toml])
    # The options of a run may be used for other files.
    toml.write_text(to_toml({"format_version": 2, "task": task, "config": given}))
    read(task, files, others, [toml])


@pytest.mark.parametrize(("task", "others", "given"), USED)
def test_an_option_with_a_use_in_the_files_is_taken(task, others, given, files):
    config, _ = read(task, files, others | given)
    assert {name: getattr(config, name) for name in given} == given


def test_the_size_of_pretrained_vectors_is_that_of_the_file(files):
    assert read("classify", files, PRETRAINED)[0].embedding_size == 2
    for size in (100, 101):
        with pytest.raises(ConfigError, match=f"^embedding_size: got {size}, expected 2, "):
            read("classify", files, PRETRAINED | {"embedding_size": size})


def test_an_option_of_reading_without_a_use_is_refused_in_evaluation(files, tmp_path):
    options = {"hidden_size": 2, "embedding_size": 2, "max_steps": 1, "out": tmp_path / "run"}
    model = Classifier.train(files["texts"], **options)
    assert model.reading(text_column="text").evaluate(files["csv"]).rows == 8
    assert len(list(model.reading(split="characters").predict_file(files["csv"]))) == 8
    for name, value in (("text_column", "text"), ("quoted", True), ("tree_labels", "fine")):
        reading = model.reading(**{name: value})
        with pytest.raises(ConfigError, match=f"^{name}: applies only to "):
            reading.evaluate(files["texts"])
        with pytest.raises(ConfigError, match=f"^{name}: applies only to "):
            list(reading.predict_file(files["texts"]))
    with pytest.raises(ConfigError, match=r"^split: applies only to texts that are not split into words"):
        model.reading(split="characters").evaluate(files["atis"])

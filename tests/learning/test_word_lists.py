"""Training with word lists and shapes: names that only a list knows, saving, resuming, the command line."""

import json

import pytest
from whole_runs import recurra

import recurra as rc
from recurra.errors import ConfigError, DataError
from recurra.runs import RunFolder

FIRST = [f"{a}{b}" for a in ("Ba", "Do", "Ki", "Lu", "Me", "No") for b in ("ra", "sti", "ven", "lmo")]
CITIES, PEOPLE = FIRST[::2], FIRST[1::2]
OPTIONS = {
    "hidden_size": 8, "embedding_size": 4, "epochs": 12, "learning_rate": 0.03, "dropout": 0, "min_count": 99,
    "input_dropout": 0, "batch_size": 8, "threads": 1, "device": "cpu", "decoder": "crf",
}  # fmt: skip


def rows(cities, people) -> str:
    """Sentences in which a name is a city or a person for no reason but the name."""
    lines = []
    for i, (city, person) in enumerate(zip(cities * 2, people[::-1] * 2, strict=True)):
        one, other = [(city, "B-city")], [(person, "B-person")]
        words = [("saw", "O"), *(one + other if i % 2 else other + one), ("again", "O")]
        lines.append("".join(f"{word} {label}\n" for word, label in words))
    return "\n".join(lines)


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("lists")
    (folder / "train.conll").write_text(rows(CITIES[:8], PEOPLE[:8]))
    (folder / "valid.conll").write_text(rows(CITIES[8:], PEOPLE[8:]))
    (folder / "cities.txt").write_text("".join(f"{name}\nSan {name}\n" for name in CITIES))
    (folder / "people.txt").write_text("".join(f"{name}\n" for name in PEOPLE))
    return {name: folder / name for name in ("train.conll", "valid.conll", "cities.txt", "people.txt")}


def given(files) -> dict:
    lists = {"city": str(files["cities.txt"]), "person": str(files["people.txt"])}
    return OPTIONS | {"valid": files["valid.conll"], "gazetteer": lists, "gazetteer_dropout": 0.2}


@pytest.fixture(scope="module")
def tagger(files, tmp_path_factory):
    out = tmp_path_factory.mktemp("trained") / "run"
    return rc.Tagger.train(files["train.conll"], out=out, **given(files))


def test_names_that_only_a_list_knows_are_found(tagger, files, tmp_path):
    assert tagger.evaluate().entities.overall.f1 == 1.0
    names = ("gazetteer", "gazetteer_dropout")
    without = {name: value for name, value in given(files).items() if name not in names}
    blind = rc.Tagger.train(files["train.conll"], out=tmp_path / "run", **without)
    assert blind.evaluate().entities.overall.f1 < 0.9


def test_a_run_needs_its_files_no_more(tagger, files, tmp_path):
    tagger.save(tmp_path / "copy")
    hidden = {name: file.rename(tmp_path / name) for name, file in files.items() if name.endswith(".txt")}
    try:
        loaded = rc.load(tmp_path / "copy")
        for text in (f"saw {CITIES[-1]} {PEOPLE[-1]} again", "saw nobody", ""):
            assert loaded.predict(text) == tagger.predict(text)
        assert [e.type for e in loaded.predict(f"saw {CITIES[-1]} {PEOPLE[-1]} again").entities] == [
            "city",
            "person",
        ]
        assert loaded.evaluate() == tagger.evaluate()
        assert recurra("train", "--resume", tagger.run.path).code == 0
        artefact = tagger.run.path / "gazetteer.json"
        whole = artefact.read_bytes()
        artefact.write_bytes(whole.replace(b"San ", b"Sun "))
        said = recurra("predict", tagger.run.path, typed="x")
        assert (said.code, "gazetteer.json" in said.err) == (2, True)
        artefact.write_bytes(whole)
    finally:
        for name, file in hidden.items():
            file.rename(files[name])


def test_the_command_line_gives_the_same_bits_and_so_does_a_stopped_training(tagger, files, tmp_path):
    lists = [f"--gazetteer={kind}={file}" for kind, file in given(files)["gazetteer"].items()]
    flags = [f"--{name.replace('_', '-')}={value}" for name, value in OPTIONS.items()]
    flags += [f"--valid={files['valid.conll']}", "--gazetteer-dropout=0.2"]
    run = tmp_path / "run"
    said = recurra("train", "tag", "--data", files["train.conll"], "-o", run, *flags, *lists)
    told = (
        "gazetteer city: 24 phrases, 16 of 64 training words match (25.00%), 8 of 32 validation words match"
    )
    assert told in said.err
    expected = RunFolder(tagger.run.path).read_weights()
    for folder in (run, stopped(tmp_path / "stopped", files, flags, lists)):
        weights = RunFolder(folder).read_weights()
        assert weights.keys() == expected.keys()
        assert all(weights[name].equal(expected[name]) for name in expected)


def stopped(run, files, flags, lists):
    """A run that was stopped in the middle and resumed."""
    from recurra.errors import Interrupted
    from recurra.tasks import driver, opening, registry
    from recurra.training import Listener

    class Stop(Listener):
        def on_step(self, report):
            if report.step == 11:
                raise Interrupted("stopped", 2)

    said = recurra("train", "tag", "--data", files["train.conll"], "-o", run, *flags, *lists, "--max-steps=1")
    assert said.code == 0
    config = opening.task_and_config(RunFolder.open(run))[1].model_copy(update={"max_steps": None})
    with pytest.raises(Interrupted):
        driver.train(registry.get("tag"), config, run, overwrite=True, listeners=[Stop()])
    assert recurra("train", "--resume", run).code == 0
    return run


def test_classifiers_read_lists_too(files, tmp_path):
    texts = tmp_path / "texts.csv"
    lines = [f"saw {a} {b} there,{'city' if a == 'San' else 'person'}" for a, b in
             [("San", name) for name in CITIES] + [("old", name) for name in PEOPLE]]  # fmt: skip
    texts.write_text("text,label\n" + "\n".join(lines) + "\n")
    options = {name: value for name, value in OPTIONS.items() if name != "decoder"} | {"epochs": 1}
    options |= {"gazetteer": [f"person={files['people.txt']}"], "shapes": True, "word_vectors": "none"}
    options = {name: value for name, value in options.items() if name not in ("embedding_size", "min_count")}
    model = rc.Classifier.train(texts, out=tmp_path / "run", **options)
    assert rc.load(tmp_path / "run").predict("saw Bara") == model.predict("saw Bara")


def test_lists_of_words_have_no_use_for_numbers(files, tmp_path):
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(json.dumps({"text": "a b", "label": "x"}) + "\n" for _ in range(9)))
    with pytest.raises(DataError, match=r"people\.txt: has 12 phrases, none of which occurs"):
        rc.Classifier.train(path, out=tmp_path / "run", gazetteer={"person": files["people.txt"]})
    with pytest.raises(ConfigError, match="gazetteer_dropout: applies only with gazetteer or from_run; set"):
        rc.Classifier.train(path, out=tmp_path / "run", gazetteer_dropout=0.5)


def test_a_run_that_starts_from_another_keeps_its_lists(tagger, files, tmp_path):
    training = {name: OPTIONS[name] for name in ("learning_rate", "batch_size", "threads", "device")}
    options = training | {"from_run": tagger.run.path, "epochs": 1, "valid": files["valid.conll"]}
    found = rc.Tagger.train(files["train.conll"], out=tmp_path / "run", gazetteer_dropout=0.1, **options)
    assert found.symbols.gazetteer.lists == tagger.symbols.gazetteer.lists
    assert found.network.reader.words.lists.dropout == 0.1
    assert found.evaluate().entities.overall.f1 > 0.9
    with pytest.raises(ConfigError, match=r"gazetteer: .* has word lists of its own, which are kept; remove"):
        rc.Tagger.train(
            files["train.conll"], out=tmp_path / "other", gazetteer={"city": files["cities.txt"]}, **options
        )

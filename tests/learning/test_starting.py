"""A run that starts with the weights of another one: what is taken, what is refused, and the same bits."""

import shutil

import pytest
import torch
from whole_runs import LM, TAG, Kind, _Stop, flags, patched, recurra, refusal, result_of, stop_at_once

import recurra as rc
from recurra.errors import Interrupted
from recurra.runs import RunFolder
from recurra.tasks.starting import FRESH, Piece
from recurra.training import Trainer

STILL = {"learning_rate": 1e-38, "max_steps": 1, "epochs": 1, "batch_size": 8, "threads": 1, "device": "cpu"}


def rows(path, words, labels):
    lines = [f"{words[i % len(words)]} film {i % 7}\t{labels[i % len(labels)]}\n" for i in range(40)]
    path.write_text("text\tlabel\n" + "".join(lines))
    return path


def tagged(path, cities, labels):
    lines = [f"BOS go to {cities[i % 2]} EOS\tO O O {labels[i % 2]} go\n" for i in range(40)]
    path.write_text("".join(lines))
    return path


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Small data files, and runs of several tasks that others start from."""
    folder = tmp_path_factory.mktemp("starting")
    old, new = rows(folder / "old.tsv", ["good", "bad"], ["yes", "no"]), folder / "new.tsv"
    rows(new, ["good", "bad", "okay"], ["yes", "no", "maybe"])
    tagged(folder / "old.iob", ("oslo", "rome"), ("B-to", "B-to"))
    tagged(folder / "new.iob", ("paris", "rome"), ("B-to", "B-from"))
    (folder / "text.txt").write_text("the good film is so bad\nno film is okay\n" * 20)
    (folder / "a.x").write_text("".join(f"ab {i % 7}\n" for i in range(40)))
    (folder / "a.y").write_text("".join(f"{i % 7} good film\n" for i in range(40)))
    small = {"hidden_size": 6, "max_steps": 4, "batch_size": 8, "threads": 1, "device": "cpu"}
    rc.Classifier.train(old, out=folder / "classifier", embedding_size=5, **small)
    crf = {"decoder": "crf", "characters": "rnn", "embedding_size": 5}
    rc.Tagger.train(folder / "old.iob", out=folder / "tagger", **crf, **small)
    words = small | {"unit": "word", "num_layers": 1, "embedding_size": 5}
    rc.LanguageModel.train(folder / "text.txt", out=folder / "lm", **words)
    back = {"direction": "backward"}
    rc.LanguageModel.train(folder / "text.txt", out=folder / "lm-back", **words, **back)
    rc.LanguageModel.train(folder / "text.txt", out=folder / "ngram", model="ngram")
    rc.Classifier.train(old, out=folder / "one-hot", word_vectors="one-hot", **small)
    sides = {"data": folder / "a.x", "target": folder / "a.y", "unit": "word"}
    rc.Translator.train(out=folder / "translator", **sides, **small)
    return folder


def weights_of(run):
    return RunFolder(run).read_weights()


def test_the_same_task_takes_all_weights_and_appends_words_and_labels(made, tmp_path):
    command = ["train", "tag", "--data", made / "new.iob", "-o", tmp_path / "run", "--from", made / "tagger"]
    said = recurra(*command, *flags(STILL))
    assert said.code == 0, said
    assert (
        f"from {made / 'tagger'}: 5 words, 1 new word appended, 2 word labels, 1 new word label appended "
        "(B-from), 1 label\n"
    ) in said.err
    assert "taken: word vectors (5 of 6 words), character network (9 of 12 characters), " in said.err
    assert "label transitions (2 of 3 labels), sentence label layer; fresh: none" in said.err
    old, new = weights_of(made / "tagger"), weights_of(tmp_path / "run")
    assert old.keys() == new.keys()
    for name, tensor in old.items():
        part = new[name][tuple(slice(size) for size in tensor.shape)]
        assert torch.equal(part, tensor), name
    before, after = rc.load(made / "tagger").symbols, rc.load(tmp_path / "run").symbols
    assert after.words.words.symbols == (*before.words.words.symbols, "paris")
    assert after.labels.symbols == (*before.labels.symbols, "B-from")
    settings = RunFolder(tmp_path / "run").read_settings()
    assert settings["config"]["from_run"] == str(made / "tagger")
    assert {"decoder", "characters", "hidden_size"} <= set(settings["settled"])
    assert settings["data"]["from_run"]["task"] == "tag"
    assert len(settings["data"]["from_run"]["fingerprint"]) == 64


def test_new_words_are_read_as_unknown_if_asked(made, tmp_path):
    (tmp_path / "start.toml").write_text(f'from_run = "{made / "classifier"}"\nnew_words = "unknown"\n')
    said = recurra(
        *("train", "classify", "--data", made / "new.tsv", "-o", tmp_path / "run"),
        *("--config", tmp_path / "start.toml", *flags(STILL)),
    )
    assert said.code == 0, said
    assert ": 11 words, 2 labels, 1 new label appended (maybe)\n" in said.err
    symbols = rc.load(tmp_path / "run").symbols
    assert "okay" not in symbols.words.words
    assert symbols.classes.symbols[2] == "maybe"


def test_other_labelling_tasks_take_the_input_and_the_encoder(made, tmp_path):
    rc.Classifier.train(made / "new.tsv", out=tmp_path / "run", from_run=made / "tagger", **STILL)
    old, new = weights_of(made / "tagger"), weights_of(tmp_path / "run")
    for name, tensor in old.items():
        if name.startswith("reader."):
            taken = new[f"pooled.{name}"]
            assert torch.equal(taken[: len(tensor)], tensor), name


@pytest.mark.parametrize(("run", "half", "other"), [("lm", "", "_reverse"), ("lm-back", "_reverse", "")])
def test_a_classifier_takes_words_and_one_direction_of_a_language_model(made, tmp_path, run, half, other):
    files = {"data": made / "new.tsv", "from_run": made / run}
    model = rc.Classifier.train(out=tmp_path / "run", **files, **STILL)
    old, new = weights_of(made / run), weights_of(tmp_path / "run")
    ids = rc.load(made / run).symbols.vocabulary.ids
    words = new["pooled.reader.words.words.weight"]
    symbols = model.symbols.words.words.symbols
    assert {"the", "is", "film", "okay", "0"} < set(symbols)
    assert "<eos>" not in symbols
    for word in ("<unk>", "the", "film"):
        assert torch.equal(words[symbols.index(word)], old["embedding.weight"][ids[word]])
    recurrent = "pooled.reader.encoder.recurrent.weight_hh_l0"
    assert torch.equal(new[recurrent + half], old["recurrent.weight_hh_l0"])
    assert not torch.equal(new[recurrent + other], old["recurrent.weight_hh_l0"])


def test_a_decoder_takes_a_language_model_with_its_fed_back_output_fresh(made, tmp_path):
    sides = {"data": made / "a.x", "target": made / "a.y"}
    run = tmp_path / "run"
    said = recurra("train", "translate", "-o", run, *flags(sides | STILL), "--from", made / "lm")
    assert said.code == 0, said
    assert "attentive decoder layer 1, output layer (" in said.err
    old, new = weights_of(made / "lm"), weights_of(run)
    entering = new["attentive.recurrent.weight_ih_l0"]
    assert torch.equal(entering[:, :5], old["recurrent.weight_ih_l0"])
    assert entering[:, 5:].abs().min() > 0
    ids = rc.load(run).symbols.target.vocabulary.ids
    before = rc.load(made / "lm").symbols.vocabulary.ids
    assert torch.equal(new["output.weight"][ids["film"]], old["output.weight"][before["film"]])


@pytest.mark.parametrize(("task", "files"), [("lm", {"data": "a.y"}), ("chat", None), ("translate", None)])
def test_texts_and_pairs_take_all_weights_of_their_kind(made, tmp_path, task, files):
    source = "lm" if task == "lm" else "translator"
    if task == "chat":
        (tmp_path / "talk.jsonl").write_text('{"turns": ["ab 1", "hello film", "good"]}\n' * 20)
        files = {"data": tmp_path / "talk.jsonl"}
    files = files or {"data": "a.y", "target": "a.x"}
    named = {name: made / file for name, file in files.items()}
    said = recurra("train", task, "-o", tmp_path / "run", *flags(named | STILL), "--from", made / source)
    assert said.code == 0, said
    assert "; fresh: none\n" in said.err
    assert ("appended" in said.err) == (task != "translate")


@pytest.mark.parametrize(
    ("task", "source", "more", "told"),
    [
        (
            "classify",
            "classifier",
            ["--hidden-size", 7],
            "hidden_size: got 7, but {source} has 6; remove it.",
        ),
        (
            "classify",
            "ngram",
            [],
            "from_run: {source} has no network whose weights a run of 'classify' could",
        ),
        (
            "classify",
            "translator",
            [],
            "from_run: {source} is a run of task 'translate', with which a run of",
        ),
        ("lm", "ngram", [], "from_run: {source} has counts of n-grams, which are no weights to start with;"),
        ("lm", "classifier", [], "with which a run of 'lm' cannot start; name a run of lm."),
        (
            "classify",
            "one-hot",
            [],
            "new_words: the one-hot vectors of {source} have a fixed number of words",
        ),
        ("classify", "lm", ["--embedding-size", 7], "from_run: none of the weights of {source} fit this"),
        (
            "classify",
            "lm",
            ["--split", "characters"],
            "use --split blanks or punctuation, or name another run",
        ),
        (
            "classify",
            "lm",
            ["--vectors", "x", "--word-vectors", "pretrained"],
            "vectors: applies only without from_run; remove one of them.",
        ),
        (
            "classify",
            "classifier",
            ["--new-words", "unknown", "--min-count", 2],
            "min_count: applies only with",
        ),
        (
            "classify",
            "nothing",
            [],
            "{source}: the folder does not exist; name one that `recurra train` wrote.",
        ),
        ("classify", ".", [], "is not a run, but contains runs; name one of them, such as "),
    ],
)
def test_what_does_not_fit_is_refused_and_nothing_is_written(made, tmp_path, task, source, more, told):
    data = made / ("text.txt" if task == "lm" else "new.tsv")
    said = recurra(
        *("train", task, "--data", data, "-o", tmp_path / "run", "--from", made / source),
        *flags({name: STILL[name] for name in ("threads", "device")}),
        *more,
    )
    assert told.format(source=made / source) in refusal(said)
    assert not (tmp_path / "run").exists()


def test_a_run_does_not_start_from_its_own_folder(made, tmp_path):
    shutil.copytree(made / "classifier", tmp_path / "run")
    said = recurra(
        *("train", "classify", "--data", made / "new.tsv", "-o", tmp_path / "run", "--overwrite"),
        *("--from", tmp_path / "run"),
    )
    assert "is also the folder of the new run; choose another one, or resume the run" in refusal(said)
    assert result_of(tmp_path / "run") == result_of(made / "classifier")


def test_new_words_alone_have_no_use(made, tmp_path):
    said = recurra(
        "train", "classify", "--data", made / "new.tsv", "-o", tmp_path / "run", "--new-words", "append"
    )
    assert refusal(said).endswith("new_words: applies only with from_run; set from_run, or remove new_words.")


def stopped(kind: Kind, run, source, data, steps):
    facade = {"tag": rc.Tagger, "lm": rc.LanguageModel}[kind.task]
    options = {n: v for n, v in kind.options.items() if n not in ("hidden_size", "embedding_size")}
    asked = options | {"data": data, "from_run": source, "out": run}
    if steps == 0:
        with patched(Trainer, "fit", stop_at_once), pytest.raises(Interrupted):
            facade.train(**asked)
    elif steps is None:
        facade.train(**asked)
    else:
        with pytest.raises(Interrupted):
            facade.train(listeners=[_Stop(steps)], **asked)


@pytest.mark.parametrize(("kind", "name", "data"), [(TAG, "tagger", "new.iob"), (LM, "lm", "text.txt")])
def test_once_started_it_no_longer_needs_the_source(made, tmp_path, kind, name, data):
    source, run = tmp_path / "source", tmp_path / "run"
    shutil.copytree(made / name, source)
    stopped(kind, run, source, made / data, None)
    wanted = result_of(run)
    shutil.rmtree(run)
    stopped(kind, run, source, made / data, 4)
    shutil.rmtree(source)
    assert recurra("train", "--resume", run).code == 0
    assert result_of(run) == wanted
    # Before the first checkpoint, the weights are only in the source.
    shutil.copytree(made / name, source)
    shutil.rmtree(run)
    stopped(kind, run, source, made / data, 0)
    source.rename(tmp_path / "away")
    told = refusal(recurra("train", "--resume", run))
    assert (
        f"{run}: was stopped before its first checkpoint, and the run that it starts from cannot be" in told
    )
    (tmp_path / "away").rename(source)
    RunFolder(source).write_weights({n: tensor + 1 for n, tensor in weights_of(source).items()})
    assert "have changed since it began" in refusal(recurra("train", "--resume", run))
    RunFolder(source).write_weights(weights_of(made / name))
    assert recurra("train", "--resume", run).code == 0
    assert result_of(run) == wanted


def test_repeats_start_from_one_run_and_are_found_again(made, tmp_path):
    command = ["train", "classify", "--data", made / "new.tsv", "-o", tmp_path / "many", "--seeds", 2]
    command += ["--from", made / "classifier", *flags(STILL)]
    first, again = recurra(*command), recurra(*command)
    assert (first.code, again.code) == (0, 0), again
    assert "holds a run with other options" in refusal(recurra(*command, "--dropout", 0.1))


def test_a_piece_has_maps_of_rows_and_columns():
    target, source = torch.zeros(3, 4), torch.arange(6.0).view(2, 3)
    piece = Piece(source, [torch.tensor([1, FRESH, 0]), torch.tensor([2, 0, FRESH, FRESH])])
    assert piece.fits(target)
    piece.copy_to(target)
    assert target.tolist() == [[5, 3, 0, 0], [0, 0, 0, 0], [2, 0, 0, 0]]
    assert not Piece(source, [torch.tensor([FRESH] * 3), None]).fits(target)
    assert not Piece(source).fits(target)
    assert not Piece(source[0]).fits(target)

"""Every user error gives one clear sentence, exit code 2, no traceback and no half-written file."""

import errno
import gzip
import json
import os
import resource
import shutil
import subprocess
import sys

import pytest
from typer.testing import CliRunner

import recurra as rc
from recurra.cli import main as command_line
from recurra.cli.main import app
from recurra.errors import ConfigError, RecurraError

SMALL = ["--hidden-size", 8, "--batch-size", 4, "--segment-length", 10, "--epochs", 1, "--num-layers", 1]


def refused(*arguments: object) -> str:
    """Run a command in this process and return the sentence of its refusal."""
    result = CliRunner().invoke(app, [str(a) for a in arguments])
    if isinstance(result.exception, RecurraError):
        assert result.exception.exit_code == 2
        return str(result.exception)
    assert result.exit_code == 2, result.output
    return " ".join(result.output.replace("│", " ").split())


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("trained")
    text = folder / "text.txt"
    text.write_text("the cat sat on the mat\n" * 60)
    return rc.LanguageModel.train(
        text, out=folder / "run", hidden_size=8, batch_size=4, segment_length=10, epochs=1
    ).run.path


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (None, "there is no such file"),
        (b"", "is empty"),
        (b"\x89PNG\r\n\0\0\0", "looks binary"),
        ("caf\xe9\n".encode("latin1") * 40, "text.txt:1: is not UTF-8"),
        (b"s", "cannot be split to hold out the last 10%"),
        (b"short one", "fewer than one segment"),
        (gzip.compress(b"many words " * 3000, mtime=0)[:50], "is not a whole gzip file"),
    ],
)
def test_a_text_that_cannot_be_used(tmp_path, content, told):
    text = tmp_path / "text.txt"
    if content is not None:
        text.write_bytes(content)
    assert told in refused("train", "lm", "--data", text, "-o", tmp_path / "run", *SMALL)
    assert not (tmp_path / "run").exists()


def test_a_validation_text_that_cannot_be_used(tmp_path, play):
    told = refused("train", "lm", "--data", play, "--valid", tmp_path / "no", "-o", tmp_path / "run", *SMALL)
    assert "there is no such file" in told
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("hiden_size = 3", "hiden_size: unknown option; did you mean hidden_size?"),
        ('cell = "transformer"', "cell: got 'transformer', expected one of lstm, gru, rnn"),
        ("dropout = 2", "dropout: got 2, expected < 1.0"),
        ("cell = lstm", "is not TOML"),
    ],
)
def test_an_option_in_toml_that_cannot_be(tmp_path, play, line, told):
    (tmp_path / "c.toml").write_text(line + "\n")
    told_now = refused("train", "lm", "--data", play, "-o", tmp_path / "run", "--config", tmp_path / "c.toml")
    assert told in told_now
    assert "c.toml" in told_now
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["train", "lm", "--data", "x"], "Missing option '--out'"),
        (["train", "lm", "-o", "nowhere"], "name a file with --data"),
        (["train", "lm", "-o", "nowhere", "--data", "x", "--hiden-size", "3"], "No such option"),
        (["train", "lm", "-o", "nowhere", "--data", "x", "--hidden-size", "many"], "valid integer"),
        (
            ["train", "lm", "-o", "nowhere", "--data", "x", "--cell", "lstn"],
            "cell: got 'lstn', expected one of lstm",
        ),
        (["train", "juggle"], "No such command 'juggle'"),
        (["train"], "Usage"),
        (["train", "--resume", "nowhere"], "the folder does not exist"),
        (["evaluate", "nowhere"], "the folder does not exist"),
        (["sample", "nowhere"], "the folder does not exist"),
        (["data", "make", "dragons", "-o", "x"], "kinematics"),
    ],
)
def test_arguments_that_cannot_be(arguments, told):
    assert told in refused(*arguments)


def test_a_folder_that_is_in_the_way(tmp_path, play, trained):
    assert "is not a run" in refused("evaluate", tmp_path)
    before = sorted(path.name for path in trained.iterdir())
    told = refused("train", "lm", "--data", play, "-o", trained, *SMALL)
    assert "recurra train --resume" in told
    assert "--overwrite" in told
    assert sorted(path.name for path in trained.iterdir()) == before
    told = refused("train", "lm", "--data", play, "-o", tmp_path, "--overwrite", *SMALL)
    assert "exists and is not a run" in told
    assert play.exists()


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("model.safetensors", "is damaged"),
        ("vocabulary.json", "vocabulary.json: is damaged (its sha256 differs"),
        ("run.toml", "is damaged"),
        ("checkpoint/*/state.json", "state.json: is damaged"),
        ("checkpoint/*/tensors.safetensors", "tensors.safetensors: is damaged"),
        ("metrics.jsonl", "lines are missing"),
    ],
)
def test_a_damaged_run(tmp_path, trained, name, told):
    run = tmp_path / "run"
    shutil.copytree(trained, run)
    next(run.glob(name)).write_bytes(b"{ torn")
    command = ["train", "--resume", run] if name.startswith(("checkpoint", "metrics")) else ["sample", run]
    assert told in refused(*command)


def test_a_run_of_a_newer_version(tmp_path, trained):
    run = tmp_path / "run"
    shutil.copytree(trained, run)
    text = (run / "run.toml").read_text()
    above, _ = text.rsplit("# sha256", 1)
    (run / "run.toml").write_text(above.replace("format_version = 2", "format_version = 7"))
    assert "written by a newer Recurra (format 7" in refused("sample", run)


def test_values_that_cannot_be_in_sampling(trained):
    assert "top_p: got 1.5" in refused("sample", trained, "--top-p", 1.5)
    assert "temperature" in refused("sample", trained, "--temperature", -1)


def test_a_model_larger_than_memory_says_what_to_lower(tmp_path, play):
    told = refused("train", "lm", "--data", play, "-o", tmp_path / "run", "--hidden-size", 3_000_000)
    assert told.startswith("out of memory")
    assert "hidden_size" in told
    assert not (tmp_path / "run").exists()


def test_a_full_disk_while_saving(tmp_path, play):
    """A process limit on file size simulates a full disk: both fail in the middle of a write."""

    def limit():
        resource.setrlimit(resource.RLIMIT_FSIZE, (30_000, 30_000))

    command = [sys.executable, "-m", "recurra", "train", "lm", "--data", play, "-o", tmp_path / "run"]
    done = subprocess.run(
        [str(a) for a in (*command, *SMALL, "--hidden-size", 64)],
        preexec_fn=limit,
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"PYTHONDONTWRITEBYTECODE": "1"},
    )
    assert done.returncode == 2, done.stderr
    assert "no space left" in done.stderr
    assert "Traceback" not in done.stderr
    assert not list(tmp_path.rglob("*.safetensors"))
    assert not list((tmp_path / "run").rglob("*.partial"))


def test_errors_in_a_process_of_their_own_have_no_traceback(recurra, tmp_path):
    done = recurra("train", "lm", "--data", tmp_path / "none.txt", "-o", tmp_path / "run")
    assert done.returncode == 2
    assert done.stderr == f"error: {tmp_path}/none.txt: there is no such file; check the path.\n"
    assert done.stdout == ""


def test_a_diverged_training_ends_with_code_3(tmp_path, play):
    options = ["--cell", "rnn", "--nonlinearity", "relu", "--learning-rate", 1e6, "--clip-norm", 0]
    command = ["train", "lm", "--data", play, "-o", tmp_path / "run", *SMALL, *options]
    result = CliRunner().invoke(app, [str(a) for a in command])
    assert isinstance(result.exception, RecurraError)
    assert result.exception.exit_code == 3
    assert "Try --learning-rate" in str(result.exception)
    assert (tmp_path / "run" / "model.safetensors").exists()


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["sample", "RUN", "--midi", "a.mid"], "--midi: applies only with --tune"),
        (["sample", "RUN", "--tune", "a.abc", "--novelty"], "--tune: writes one complete tune"),
        (
            ["spell", "RUN", "a.txt", "--one-in", "3"],
            "--lines, --one-in and --seed: apply only with --evaluate-text",
        ),
        (["spell", "RUN", "a.txt", "--explain", "--json"], "--explain: the JSON already has the changes"),
        (["export", "RUN", "-o", "a.arpa"], "ARPA: the format is for n-gram models only"),
    ],
)
def test_options_of_the_uses_that_do_not_go_together(trained, arguments, told):
    done = CliRunner().invoke(app, [str(trained) if one == "RUN" else one for one in arguments])
    assert isinstance(done.exception, ConfigError)
    assert told in str(done.exception)


@pytest.mark.parametrize(
    "error",
    [
        MemoryError("Unable to allocate 9 TiB"),
        RuntimeError("[enforce fail] can't allocate memory: 9e12"),
        RuntimeError("unable to mmap 99 bytes from file: Cannot allocate memory (12)"),
        RuntimeError("std::bad_alloc"),
        OSError(errno.ENOMEM, "Cannot allocate memory"),
    ],
)
def test_any_command_names_a_failed_allocation(error, monkeypatch, capsys):
    def fails():
        raise error

    monkeypatch.setattr(command_line, "app", fails)
    with pytest.raises(SystemExit) as ended:
        command_line.main()
    assert ended.value.code == 2
    assert capsys.readouterr().err.startswith("error: out of memory: ")


def test_other_runtime_errors_are_ours(monkeypatch):
    def fails():
        raise RuntimeError("a fault of our own")

    monkeypatch.setattr(command_line, "app", fails)
    with pytest.raises(RuntimeError, match="of our own"):
        command_line.main()


@pytest.fixture(scope="module")
def words(tmp_path_factory):
    folder = tmp_path_factory.mktemp("words")
    text = folder / "text.txt"
    text.write_text("the cat sat on the mat\nthe dog sat on the log\n" * 20)
    for unit in ("word", "char"):
        rc.LanguageModel.train(text, out=folder / unit, unit=unit, model="ngram", order=3)
    rc.LanguageModel.load(folder / "word").save_arpa(folder / "word.arpa")
    rc.LanguageModel.load(folder / "char").save_arpa(folder / "char.arpa")
    return folder


@pytest.mark.parametrize(
    ("command", "sentence"),
    [
        ("evaluate {}/word --cache-weight 0.5", "cache_weight: applies only with cache_size"),
        ("evaluate {}/word --dynamic-steps 3", "dynamic_steps: applies only with dynamic_rate"),
        ("fill {}/word a___ --evaluate {}/text.txt", "--evaluate: reads a text of its own"),
        ("fill {}/word ___ --lines 3", "--lines and --seed: apply only with --evaluate"),
        ("score {}/word {}/text.txt --with {}/char --tokens", "--tokens: the runs have different symbols"),
        ("score {}/word {}/text.txt --weights 0.3", "--weights: applies only with --with"),
        ("sample {}/word --temperature 0 --top-k 3", "--top-k: applies only with temperature above 0"),
        (
            "train lm --data {}/text.txt --segment-length 9 --zoneout 0.3 --backend torch -o {}/new",
            "torch's functions have no zoneout; use 'auto' or ",
        ),
        (
            "train lm --data {}/text.txt --segment-length 9 --adaptive-softmax --hidden-size 3 -o {}/new",
            "adaptive_softmax: needs at least 4 features for a vocabulary of 15 symbols, got 3",
        ),
        (
            "train lm --model ngram --arpa {}/word.arpa --valid {}/text.txt -o {}/new",
            "has tokens of several characters",
        ),
        (
            "train lm --model ngram --unit word --arpa {}/char.arpa --valid {}/text.txt -o {}/new",
            "it is a character model; use --unit char",
        ),
        (
            "train lm --model ngram --arpa {}/word.arpa --min-count 2 --valid {}/text.txt -o {}/new",
            "min_count: applies only without arpa",
        ),
        (
            "train lm --unit subword --max-vocabulary-size 9 --data {}/text.txt -o {}/new",
            "max_vocabulary_size: got 9, expected >= 256",
        ),
    ],
)
def test_options_without_what_they_go_with_are_refused(words, command, sentence):
    result = CliRunner().invoke(app, command.replace("{}", str(words)).split())
    assert isinstance(result.exception, RecurraError)
    assert sentence in str(result.exception)
    assert not (words / "new").exists()


def test_standard_input_in_another_encoding_is_named_by_line_and_byte(words):
    result = CliRunner().invoke(app, ["score", str(words / "word")], input=b"the cat\ncaf\xe9\n")
    assert "standard input:2: is not UTF-8 text (byte 0xe9)" in str(result.exception)


def test_one_string_is_no_list_of_lines(words):
    model = rc.LanguageModel.load(words / "word")
    with pytest.raises(RecurraError, match="expected a list of texts"):
        model.score("the cat")
    with pytest.raises(RecurraError, match="contains a line break"):
        model.log_prob("the cat\nsat")
    assert rc.LanguageModel.load(words / "char").log_prob("the cat\nsat") < 0


@pytest.mark.parametrize("unit", ["word", "char"])
def test_a_model_that_finds_the_held_out_text_impossible_has_a_report(words, unit, tmp_path):
    text = tmp_path / "other.txt"
    text.write_text("a zebra ate\n")
    options = {"unit": unit, "model": "ngram", "order": 3, "smoothing": "maximum-likelihood"}
    command = ["train", "lm", "--data", words / "text.txt", "--valid", text, "-o", tmp_path / "run"]
    command += [part for name, value in options.items() for part in (f"--{name}", value)]
    result = CliRunner().invoke(app, list(map(str, command)))
    assert result.exit_code == 0, result.exception
    assert "inf" in (tmp_path / "run" / "report.html").read_text()
    # After an unseen context no symbol has a probability above 0: the sample ends.
    assert rc.LanguageModel.load(tmp_path / "run").sample("log cat" if unit == "word" else "zq", seed=1)


def test_figures_without_a_known_symbol_are_left_out(words, tmp_path):
    text = tmp_path / "unknown.txt"
    text.write_text("ZZZ")
    result = CliRunner().invoke(app, ["evaluate", str(words / "char"), "--data", str(text)])
    assert "100.00% are <unk>;" in result.stdout or "100.00% are <unk>\n" in result.stdout
    result = CliRunner().invoke(app, ["evaluate", str(words / "char"), "--data", str(text), "--json"])
    assert json.loads(result.stdout)["perplexity_without_unknown"] is None

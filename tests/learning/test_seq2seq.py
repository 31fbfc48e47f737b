"""Translators, chatbots and captioners learn their training data, from files to answers."""

import json
import os
import random
import shutil
import signal

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

import recurra as rc
from recurra.cli.main import app
from recurra.data.readers.pairs import Pair
from recurra.data.synthetic import dates, pictures
from recurra.errors import ConfigError, DataError, Interrupted, RunError
from recurra.training import Listener

SMALL = {
    "unit": "char",
    "hidden_size": 32,
    "dropout": 0.0,
    "input_dropout": 0.0,
    "learning_rate": 0.01,
    "warmup_steps": 20,
    "threads": 1,
    "batch_size": 32,
}


def words(seed: int, count: int, longest: int = 6) -> list[str]:
    draw = random.Random(seed)
    every = {"".join(draw.choices("abcdef", k=draw.randint(1, longest))) for _ in range(4 * count)}
    return sorted(every)[::3][:count]


def write_pairs(path, sources, change):
    path.write_text("source\ttarget\n" + "".join(f"{word}\t{change(word)}\n" for word in sources))


def run(*arguments: object, typed: str | None = None):
    return CliRunner().invoke(app, [str(argument) for argument in arguments], input=typed)


def say(*arguments: object, typed: str | None = None) -> list[str]:
    result = run(*arguments, typed=typed)
    assert result.exit_code == 0, (result.output, result.exception)
    return result.stdout.splitlines()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A translator that reverses words, trained by the command line."""
    folder = tmp_path_factory.mktemp("reverse")
    write_pairs(folder / "reverse.tsv", words(1, 700), lambda word: word[::-1])
    (folder / "in.txt").write_text("abc\n\n  \nfade\nbeda")
    options = [f"--{name.replace('_', '-')}={value}" for name, value in SMALL.items()]
    out = ("-o", folder / "run")
    say("train", "translate", "--data", folder / "reverse.tsv", *out, "--epochs", 14, *options)
    return folder


class TestReverse:
    """Reversed words: the last letter must be written first."""

    def test_it_is_learnt(self, folder):
        model = rc.load(folder / "run")
        assert isinstance(model, rc.Translator)
        assert model.evaluate().texts.exact >= 0.95

    def test_lines_come_out_in_step_with_lines_that_go_in(self, folder):
        for given in ([folder / "in.txt"], []):
            typed = None if given else (folder / "in.txt").read_text()
            assert say("translate", folder / "run", *given, typed=typed) == ["cba", "", "", "edaf", "adeb"]

    def test_rows_that_cannot_be_read_are_left_out_where_asked(self, folder, tmp_path):
        damaged = tmp_path / "damaged.jsonl"
        rows = ['{"source": "abc", "target": "cba"}', "not JSON", '{"source": "fade", "target": "edaf"}']
        damaged.write_text("\n".join(rows) + "\n")
        refused = run("evaluate", folder / "run", "--data", damaged)
        assert str(refused.exception).startswith(f"{damaged}:2: ")
        done = run("evaluate", folder / "run", "--data", damaged, "--skip-bad", "--json")
        assert json.loads(done.stdout)["symbols"] == 9
        assert f"{damaged}:2: " in done.stderr
        model = rc.Translator.load(folder / "run")
        assert len(model.evaluate(damaged, skip_bad=True).answers) == 2
        with pytest.raises(DataError, match=r"damaged\.jsonl:2: "):
            model.evaluate(damaged)

    def test_the_attention_goes_backwards(self, folder):
        found = rc.Translator.load(folder / "run").attention(Pair(("abcdef",), ("fedcba",)))
        assert found.source == tuple("abcdef")
        assert found.target == (*"fedcba", "")
        assert np.allclose(found.weights.sum(1), 1.0, atol=1e-4)
        # The network attends to each letter, or to its neighbour, when it writes it.
        looked = found.weights[:6].argmax(1)
        assert (np.diff(looked) <= 0).all()
        assert looked[0] - looked[5] >= 3

    @pytest.mark.parametrize("width", [1, 3])
    def test_answers_hang_neither_on_the_batch_nor_on_how_many_are_asked_for(self, folder, width):
        model = rc.Translator.load(folder / "run").searching(beam_width=width)
        pairs = [Pair((word,)) for word in words(9, 32)]
        whole = model.answers(pairs, n_best=1)
        for size in (1, 7):
            parts = [one for i in range(0, 32, size) for one in model.answers(pairs[i : i + size])]
            assert [one[0].text for one in parts] == [one[0].text for one in whole]
        several = model.answers(pairs, n_best=5)
        assert [one[0].text for one in several] == [one[0].text for one in whole]
        for answers in several:
            assert len({one.text for one in answers}) == len(answers)
            assert [one.score for one in answers] == sorted((one.score for one in answers), reverse=True)

    def test_answers_can_be_told_how_to_begin_and_what_to_have_in_them(self, folder):
        model = rc.Translator.load(folder / "run")
        assert model.translations("abc", prefix="ff")[0].text.startswith("ff")
        assert "eee" in model.translations("abc", phrases=["eee"])[0].text
        assert model.searching(max_length=2).translate("abcdef") == "fe"
        assert len(model.searching(min_length=9).translate("abc")) >= 9
        repeated = model.searching(block_ngrams=1).translate("aab")
        assert len(set(repeated)) == len(repeated)

    def test_drawn_answers_hang_on_the_seed_and_their_place_alone(self, folder):
        model = rc.Translator.load(folder / "run")
        pairs = [Pair((word,)) for word in ("abc", "", "fed")]
        drawn = model.sampled(pairs, count=3, temperature=2.0, seed=5)
        assert drawn == model.sampled(pairs, count=3, temperature=2.0, seed=5)
        assert drawn != model.sampled(pairs, count=3, temperature=2.0, seed=6)
        assert drawn[0] == model.sampled(pairs[:1], count=3, temperature=2.0, seed=5)[0]
        assert [one.text for one in drawn[1]] == ["", "", ""]
        cold = model.sampled(pairs, temperature=0.0)
        assert cold[0][0].text == model.searching(beam_width=1).translate("abc")

    def test_lines_of_a_file_and_lines_one_by_one_are_drawn_alike(self, folder):
        drawn = ("--sample", 1, "--temperature", 3, "--seed", 4)
        from_file = say("translate", folder / "run", folder / "in.txt", *drawn)
        assert say("translate", folder / "run", *drawn, typed=(folder / "in.txt").read_text()) == from_file

    def test_weights_that_are_not_numbers_are_told(self, folder):
        model = rc.Translator.load(folder / "run")
        with torch.no_grad():
            model.network.output.bias[3] = float("nan")
        for call in (lambda: model.translate("abc"), lambda: list(model.streamed(Pair(("abc",))))):
            with pytest.raises(RunError, match="the model's scores are NaN"):
                call()

    def test_a_stream_is_the_answer(self, folder):
        model = rc.Translator.load(folder / "run")
        assert "".join(model.streamed(Pair(("abcde",)))) == model.translate("abcde")

    @pytest.mark.parametrize("text", ["a", "f" * 1000, "Ελληνικά 漢字 🙂", "\t", "a\u2028b"])
    def test_any_text_is_answered(self, folder, text):
        assert isinstance(rc.Translator.load(folder / "run").searching(max_length=20).translate(text), str)

    def test_evaluation_by_length_beside_itself_with_a_picture(self, folder):
        shutil.copytree(folder / "run", folder / "other", dirs_exist_ok=True)
        beside = ("--compare-with", folder / "other", "--picture", folder / "p.png", "--beam-width", 2)
        found = say("evaluate", folder / "run", "--by-length", "--json", *beside)
        figures = json.loads(found[0])
        assert figures["bleu_signature"].startswith("nrefs:1|case:mixed|")
        assert figures["compared_with"]["exact"] == figures["exact"]
        assert list(figures["by_length"]) == [str(folder / "run"), str(folder / "other")]
        table = say("evaluate", folder / "run", "--by-length", *beside[:2])
        assert any(line.split()[:3] == ["1", "to", "5"] for line in table)
        assert (folder / "p.png").read_bytes()[:4] == b"\x89PNG"
        assert "chrF signature:" in "\n".join(
            say("evaluate", folder / "run", "--data", folder / "reverse.tsv")
        )

    def test_scores_by_length_in_python_are_those_of_the_command(self, folder):
        shutil.copytree(folder / "run", folder / "other", dirs_exist_ok=True)
        model = rc.Translator.load(folder / "run").searching(beam_width=2)
        found = model.scores_by_length(compare_with=folder / "other")
        options = ("--compare-with", folder / "other", "--picture", folder / "command.png", "--beam-width", 2)
        told = say("evaluate", folder / "run", "--by-length", *options)
        assert told[-len(found.lines()) :] == found.lines()
        found.draw(folder / "method.png")
        assert (folder / "method.png").read_bytes() == (folder / "command.png").read_bytes()
        rows = rc.rows(found)
        assert {row["model"] for row in rows} == {str(folder / "run"), str(folder / "other")}
        assert sum(row["texts"] for row in rows) == 2 * found.figures[str(folder / "run")].texts.texts
        assert list(rows[0]) == ["model", "lengths", found.score.figure, "exact", "texts"]
        with pytest.raises(ConfigError, match=r"compare_with: .* is the run itself; name another run"):
            model.scores_by_length(compare_with=folder / "run")

    def test_beam_errors_finds_no_error_where_there_is_none(self, folder):
        asked = ("--beam-widths", "1,3", "--length-penalties", "0", "--rows", 40)
        found = json.loads(say("beam-errors", folder / "run", "--json", *asked)[0])
        assert found["right"] + found["beam"] + found["model"] == 40
        assert found["right"] >= 36
        assert {(one["width"], one["alpha"]) for one in found["tried"]} >= {(1, 0.0), (3, 0.0), (5, 1.0)}
        text = "\n".join(say("beam-errors", folder / "run", *asked))
        assert "outputs match exactly" in text

    def test_pictures_of_the_attention(self, folder):
        say("translate", folder / "run", folder / "in.txt", "--attention-pictures", folder / "maps")
        assert sorted(file.name for file in (folder / "maps").iterdir()) == ["1.png", "4.png", "5.png"]

    def test_the_report_shows_outputs_and_attention(self, folder):
        say("report", folder / "run")
        page = (folder / "run" / "report.html").read_text()
        assert "<h2>Attention 1: " in page
        assert "chrF" in page

    @pytest.mark.parametrize(
        ("arguments", "said"),
        [
            (["--sample", "2", "--n-best", "2"], "sample: cannot be combined with n_best"),
            (["--temperature", "0.5"], "temperature: applies only with sample"),
            (["--beam-width", "0"], "beam_width: got 0"),
            (["--beam-width", "4", "--beam-groups", "3"], "beam_groups: got 3, expected a divisor"),
            (["--diversity", "2"], "diversity: applies only with beam_groups above 1"),
            (["--sample", "1", "--beam-width", "3"], "beam_width: applies only without sample"),
            (["--prefix", "Q"], "prefix: 'Q' contains symbols unknown to the model"),
            (["--prefix", "Q" * 999], f"prefix: 'Q{'Q' * 78} … contains symbols unknown to the model"),
            (["--phrase", "cab", "--max-length", "2"], "max_length: got 2, but prefix and phrases need 4"),
            (["--min-length", "9", "--max-length", "3"], "min_length: got 9, more than max_length, 3"),
        ],
    )
    def test_options_that_do_not_fit_are_named(self, folder, arguments, said):
        result = run("translate", folder / "run", *arguments, typed="abc\n")
        assert said in str(result.exception)

    def test_other_verbs_say_what_the_run_is(self, folder):
        for verb in ("chat", "caption", "sample"):
            more = [folder / "in.txt"] if verb == "caption" else []
            result = run(verb, folder / "run", *more, typed="")
            assert isinstance(result.exception, RunError), (verb, result.output)
            assert "is a run of task 'translate'" in str(result.exception)


@pytest.mark.parametrize(
    "options",
    [
        {"attention": "additive", "coverage": True, "share_vectors": True},
        {"copying": True, "cell": "lstm", "tie_weights": True},
        {"scheduled_sampling": 0.3, "label_smoothing": 0.05, "num_layers": 2},
        {"vocabulary": "separate", "bidirectional": False, "bridge": "copy"},
    ],
    ids=["coverage", "copying", "sampling", "separate"],
)
def test_copying_a_word_is_learnt_by_every_kind_of_decoder(tmp_path, options):
    write_pairs(tmp_path / "copy.tsv", words(2, 700), lambda word: word)
    model = rc.Translator.train(tmp_path / "copy.tsv", out=tmp_path / "run", epochs=12, **(SMALL | options))
    assert model.evaluate().texts.exact >= 0.9
    assert rc.load(tmp_path / "run").translate(["cab", "fed"]) == ["cab", "fed"]


def test_words_and_subwords_come_back_as_text(tmp_path):
    animals = {"cat": "Katze", "dog's head": "Hundekopf", "fish": "Fisch (klein)"}
    numbers = ("one", "two", "three", "four")
    rows = [(f"the {name}, {n}.", f"{n}: {said}!") for name, said in animals.items() for n in numbers]
    for side, files in ((0, ("a", "valid.a")), (1, ("b", "valid.b"))):
        for file, times in zip(files, (80, 1), strict=True):
            (tmp_path / file).write_text("\n".join(row[side] for row in rows * times) + "\n")
    for unit in ("word", "subword"):
        options = SMALL | {
            "unit": unit,
            "max_vocabulary_size": 300,
            "epochs": 12,
            "batch_size": 16,
            "hidden_size": 64,
        }
        options |= {"valid": tmp_path / "valid.a", "valid_target": tmp_path / "valid.b"}
        model = rc.Translator.train(tmp_path / "a", tmp_path / "b", out=tmp_path / unit, **options)
        assert model.translate([row[0] for row in rows]) == [row[1] for row in rows]


def test_dates_are_learnt_and_written_by_the_generator_once_each():
    every = list(dates.make_dates(300, 1))
    assert len({date.written for date in every}) == 300
    assert every == list(dates.make_dates(300, 1))
    assert all(len(date.iso) == 10 for date in every)


def test_a_run_that_was_stopped_goes_on_to_the_same_weights(tmp_path):
    write_pairs(tmp_path / "copy.tsv", words(3, 200), lambda word: word)
    options = SMALL | {"epochs": 2, "hidden_size": 8, "dropout": 0.2, "scheduled_sampling": 0.5}

    class Stop(Listener):
        def on_step(self, report):
            if report.step == 7:
                os.kill(os.getpid(), signal.SIGINT)

    rc.Translator.train(tmp_path / "copy.tsv", out=tmp_path / "whole", **options)
    with pytest.raises(Interrupted, match="--resume"):
        rc.Translator.train(tmp_path / "copy.tsv", out=tmp_path / "cut", listeners=[Stop()], **options)
    say("train", "--resume", tmp_path / "cut")
    whole, cut = (rc.Translator.load(tmp_path / name).network.state_dict() for name in ("whole", "cut"))
    assert all(torch.equal(whole[name], cut[name]) for name in whole)
    write_pairs(tmp_path / "copy.tsv", words(4, 200), lambda word: word)
    with pytest.raises(DataError, match="has changed since the run began"):
        rc.Translator.load(tmp_path / "whole").evaluate()


class TestChat:
    """Answers that depend on earlier turns."""

    @pytest.fixture(scope="class")
    def run_folder(self, tmp_path_factory):
        folder = tmp_path_factory.mktemp("chat")
        draw = random.Random(1)
        rows = []
        for _ in range(250):
            name = draw.choice(["ada", "bob", "eve", "tom"])
            rows.append({"turns": [f"i am {name}", f"hello {name}", "who am i", f"you are {name}"]})
        (folder / "d.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        options = SMALL | {"unit": "word", "epochs": 8, "block_ngrams": 0, "learn_initial_state": True}
        rc.ChatBot.train(folder / "d.jsonl", out=folder / "run", **options)
        return folder / "run"

    def test_it_remembers_the_last_turns(self, run_folder):
        talk = rc.ChatBot.load(run_folder).conversation()
        assert talk.say("i am eve") == "hello eve"
        assert talk.say("who am i") == "you are eve"
        assert talk.turns == ["i am eve", "hello eve", "who am i", "you are eve"]
        assert talk.why().target == ("you", "are", "eve", "")
        talk.reset()
        assert talk.why() is None
        assert talk.say("i am tom") == "hello tom"

    def test_a_conversation_by_the_command_line(self, run_folder):
        typed = "/why\ni am bob\n\nwho am i\n/why\n/reset\ni am ada\n/nonsense\n/quit\nnever\n"
        result = run("chat", run_folder, typed=typed)
        told = result.stdout.splitlines()
        assert (result.exit_code, told[:3]) == (0, ["hello bob", "", "you are bob"])
        assert [line.split()[0] for line in told[3:7]] == ["you", "are", "bob", "(end)"]
        assert told[7:] == ["hello ada"]
        assert "there is no answer yet" in result.stderr
        assert "unknown command /nonsense" in result.stderr

    def test_conversations_are_held_out_whole(self, run_folder):
        pairs = rc.ChatBot.load(run_folder).pairs_of()
        lines = {pair.line for pair in pairs}
        assert len(pairs) == 3 * len(lines)


class TestCaptions:
    """Pictures of shapes, as features and as pixels."""

    @pytest.fixture(scope="class")
    def folder(self, tmp_path_factory):
        folder = tmp_path_factory.mktemp("captions")
        pictures.write_corpus(folder / "p.npz", 60, 1)
        return folder

    @pytest.mark.parametrize(
        ("file", "options"),
        [("p.npz", {"attention": "additive"}), ("p-pixels.npz", {}), ("p-pixels.npz", {"attention": "dot"})],
    )
    def test_they_train_and_say_something_of_every_picture(self, folder, file, options):
        given = SMALL | {"unit": "word", "epochs": 3, "hidden_size": 16, "captions": str(folder / "p.jsonl")}
        model = rc.Captioner.train(folder / file, out=folder / "run", overwrite=True, **given, **options)
        found = say("caption", folder / "run", folder / file, "--n-best", 2)
        assert len(found) == 120
        assert found[0].split("\t")[0] == "0"
        assert len(model.evaluate(folder / file, folder / "p.jsonl").answers) == 60
        with pytest.raises(DataError, match="has numbers of shape"):
            model.caption(np.ones((2, 5), dtype=np.float32))

    @pytest.mark.slow
    @pytest.mark.parametrize(("file", "epochs"), [("p.npz", 25), ("p-pixels.npz", 15)])
    def test_pictures_that_they_never_saw_are_said_right(self, tmp_path, file, epochs):
        pictures.write_corpus(tmp_path / "p.npz", 6000, 1)
        options = {"attention": "additive", "hidden_size": 128, "learning_rate": 0.004, "epochs": epochs}
        options |= {"captions": str(tmp_path / "p.jsonl"), "dropout": 0.1, "input_dropout": 0.0}
        model = rc.Captioner.train(tmp_path / file, out=tmp_path / "run", **options)
        assert model.evaluate().texts.exact >= 0.95

    def test_captions_beside_one_another_are_both_right(self):
        picture = pictures.make_picture(np.random.default_rng(3))
        first, second = picture.captions
        one, other = (
            next(w for w in (" above ", " below ", " of ") if w in text) for text in (first, second)
        )
        assert first != second
        assert sorted(first.split(one)[-1].split()) != sorted(second.split(other)[-1].split())
        features = pictures.features_of(picture.pixels[None])
        assert features.shape == (1, 9, 7)
        # Two fields contain a shape.
        assert (features[0, :, :3].sum(1) > 0.2).sum() == 2


@pytest.mark.parametrize(
    ("task", "options", "error", "said"),
    [
        ("translate", {}, DataError, "has no target side; name its file with --target"),
        ("translate", {"target": "short"}, DataError, r"has 3 lines, but .*short has 2;"),
        ("translate", {"target": "empty_lines"}, DataError, "no pair has both a source and a target"),
        (
            "translate",
            {"target": "data", "max_target_length": 1, "unit": "word"},
            DataError,
            "raise --max-source-length",
        ),
        (
            "translate",
            {"target": "data", "cell": "jordan"},
            ConfigError,
            "cell: got 'jordan', expected one of lstm, gru, rnn",
        ),
        (
            "translate",
            {"target": "data", "coverage": True},
            ConfigError,
            "with attention additive",
        ),
        (
            "translate",
            {"target": "data", "zoneout": 0.1},
            ConfigError,
            "with attention none",
        ),
        (
            "translate",
            {"target": "data", "attention": "none", "copying": True},
            ConfigError,
            "than none",
        ),
        (
            "translate",
            {"target": "data", "vocabulary": "separate", "copying": True},
            ConfigError,
            "vocabulary joint",
        ),
        (
            "translate",
            {"target": "data", "valid_target": "x"},
            ConfigError,
            "only with valid",
        ),
        (
            "translate",
            {"target": "data", "adaptive_softmax": True},
            ConfigError,
            "to language models",
        ),
        (
            "translate",
            {"target": "data", "max_vocabulary_size": 10, "unit": "subword"},
            None,
            "expected >= 256",
        ),
        (
            "translate",
            {"target": "data", "copying": True, "label_smoothing": 0.1},
            ConfigError,
            "out copying",
        ),
        (
            "translate",
            {"target": "data", "attention": "none", "bridge": "zeros"},
            ConfigError,
            "zeros needs attention",
        ),
        ("translate", {"target": "data", "beam_groups": 2}, ConfigError, "expected a divisor of beam_width"),
        ("translate", {"target": "data", "scheduled_sampling": 0.2, "epochs": 1}, ConfigError, "more epochs"),
        ("translate", {"target": "data", "unit": "word", "attention": "dot"}, ConfigError, "attention: dot"),
        ("caption", {}, DataError, "captions"),
    ],
)
def test_what_cannot_be_trained_on_is_named_and_nothing_is_left(tmp_path, task, options, error, said):
    (tmp_path / "data").write_text("a b\nc d\ne f\n")
    (tmp_path / "short").write_text("a b\nc d\n")
    (tmp_path / "empty_lines").write_text("\n\n \n")
    given = {name: str(tmp_path / value) if name == "target" else value for name, value in options.items()}
    model = {"translate": rc.Translator, "caption": rc.Captioner}[task]
    with pytest.raises(error or rc.RecurraError, match=said):
        model.train(tmp_path / "data", out=tmp_path / "run", **given)
    assert not (tmp_path / "run").exists()

"""Words outside the vocabulary in translation: copied from the source, replaced, redrawn or kept."""

import random
from functools import cache

import pytest
import torch
from typer.testing import CliRunner

import recurra as rc
from recurra.cli.main import app
from recurra.data.readers.pairs import Pair
from recurra.errors import ConfigError, DataError

TOWNS = ("paris", "rome", "oslo", "bonn")
SMALL = {
    "unit": "word",
    "min_count": 3,  # each name stands once on either side, so that none is in the vocabulary
    "hidden_size": 24,
    "dropout": 0.0,
    "input_dropout": 0.0,
    "learning_rate": 0.01,
    "warmup_steps": 10,
    "batch_size": 16,
    "epochs": 12,
    "threads": 1,
}


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """Translators of greetings with names, none of which is in the vocabulary, made as asked for."""
    folder = tmp_path_factory.mktemp("greetings")
    draw = random.Random(1)
    lines = ["source\ttarget"]
    for _ in range(400):
        who, town = "".join(draw.choices("abcdefghijklmnop", k=6)), draw.choice(TOWNS)
        lines.append(f"greet {who} from {town}\thello {who} how is {town}")
    (folder / "greetings.tsv").write_text("\n".join(lines) + "\n")

    @cache
    def train(copying):
        out = folder / ("copying" if copying else "plain")
        return rc.Translator.train(folder / "greetings.tsv", out=out, copying=copying, **SMALL)

    return train


def test_copying_writes_words_that_it_has_never_seen(trained):
    model = trained(copying=True)
    assert "zorblax" not in model.symbols.target.vocabulary
    assert model.translate(["greet zorblax from rome", "greet w.x/y from oslo"]) == [
        "hello zorblax how is rome",
        "hello w.x/y how is oslo",
    ]
    figures = model.evaluate()
    assert figures.texts.exact == 1.0
    assert figures.perplexity < 1.5  # that of the copied words included
    assert "".join(model.streamed(Pair(("greet zorblax from rome",)))) == "hello zorblax how is rome"
    sampled = model.sampled([Pair(("greet zorblax from rome",))], count=3, temperature=0.1)[0]
    assert [one.text for one in sampled] == ["hello zorblax how is rome"] * 3
    again = rc.load(model.run.path)
    assert again.translate("greet zorblax from rome") == "hello zorblax how is rome"
    assert again.attention(Pair(("greet zorblax from rome",), ("hello zorblax",))).target == (
        *("hello", "zorblax"),
        "",
    )


def test_without_copying_an_unknown_word_is_kept_replaced_or_redrawn(trained):
    model = trained(copying=False)
    source = "greet zorblax from rome"
    assert model.translate(source) == "hello <unk> how is rome"
    assert "<unk>" not in model.searching(unknown="redraw").translate(source)
    seen = model.attention(Pair((source,), ("hello <unk> how is rome",)))
    assert seen.source == ("greet", "zorblax", "from", "rome")
    replaced = model.searching(unknown="replace")
    expected = f"hello {seen.source[seen.weights[1].argmax()]} how is rome"
    assert replaced.translate(source) == expected
    assert "".join(replaced.streamed(Pair((source,)))) == expected
    sampled = model.searching(unknown="redraw").sampled([Pair((source,))], count=20, temperature=3.0)[0]
    assert not any("<unk>" in one.text for one in sampled)


def test_a_word_is_replaced_by_the_one_that_is_attended_to(trained, monkeypatch):
    model = trained(copying=False).searching(unknown="replace")
    monkeypatch.setattr(
        "recurra.tasks.seq2seq.texts.weights_of",
        lambda network, pairs, pair, written: torch.eye(len(written) + 1)[:, :4],
    )
    assert model.translate("greet zorblax from rome") == "hello zorblax how is rome"


def test_the_command_says_how_many_outputs_have_unknown_words(trained, tmp_path):
    run = trained(copying=False).run.path
    (tmp_path / "in.txt").write_text("greet zorblax from rome\ngreet ann from oslo\n\n")
    result = CliRunner().invoke(app, ["translate", str(run), str(tmp_path / "in.txt")])
    assert result.stdout.splitlines() == ["hello <unk> how is rome", "hello <unk> how is oslo", ""]
    assert result.stderr == (
        "2 outputs with <unk>, which stands for words outside the vocabulary; see --unknown replace or "
        "--unknown redraw.\n"
    )
    result = CliRunner().invoke(app, ["translate", str(run), str(tmp_path / "in.txt"), "--unknown", "redraw"])
    assert "<unk>" not in result.output


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"unit": "word", "attention": "none", "unknown": "replace"}, "unknown: replace needs attention"),
        ({"unit": "subword", "unknown": "redraw"}, "unknown: applies only with unit"),
    ],
)
def test_what_has_no_use_is_refused(tmp_path, options, told):
    (tmp_path / "pairs.tsv").write_text("source\ttarget\na\tb\n")
    with pytest.raises(ConfigError, match=told):
        rc.Translator.train(tmp_path / "pairs.tsv", out=tmp_path / "run", **options)


def test_evaluation_says_how_many_pairs_have_an_empty_side(trained, tmp_path):
    run = trained(copying=False).run.path
    pairs = tmp_path / "pairs.tsv"
    pairs.write_text("source\ttarget\ngreet ann from rome\thello ann how is rome\n\thello\ngreet bob\t\n")
    for command in (["evaluate"], ["beam-errors", "--rows", "1"]):
        result = CliRunner().invoke(app, [command[0], str(run), "--data", str(pairs), *command[1:]])
        assert (result.exit_code, result.stderr) == (0, "2 pairs with an empty side left out\n")


def test_a_long_line_takes_no_longer_than_its_length(trained, tmp_path):
    """At most 1,000 symbols are written, which is said; the time of a step grows with the source alone."""
    run = trained(copying=False).run.path
    long = tmp_path / "long.txt"
    long.write_text(" ".join(["greet", "rome"] * 2000) + "\n")
    result = CliRunner().invoke(app, ["translate", str(run), str(long), "--min-length", "900"])
    assert result.exit_code == 0
    assert len(result.stdout.split()) <= 1000
    result = CliRunner().invoke(
        app, ["translate", str(run), str(long), "--min-length", "5", "--max-length", "5"]
    )
    assert "1 output cut at the maximum length; see --max-length." in result.stderr
    assert len(result.stdout.split()) == 5


def test_a_pair_with_the_end_of_a_sentence_as_a_word_is_refused(tmp_path):
    table = tmp_path / "pairs.tsv"
    good = "".join(f"greet him from rome {i}\thello him {i}\n" for i in range(20))
    for bad in ("a <eos> b\tc d\n", "a b\tc <eos> d\n", "a b\tc d <eos>\n"):
        table.write_text(f"source\ttarget\n{bad}{good}")
        with pytest.raises(DataError, match=r"pairs\.tsv:2: contains <eos>.*--skip-bad"):
            rc.Translator.train(table, out=tmp_path / "refused", **SMALL)
    few = SMALL | {"epochs": 1, "hidden_size": 4}
    model = rc.Translator.train(table, out=tmp_path / "run", skip_bad=True, **few)
    assert model.symbols.encode_source(["greet <eos> him"]) == model.symbols.encode_source(["greet xyz him"])
    rc.Translator.train(table, out=tmp_path / "characters", **few | {"unit": "char"})


def test_a_text_with_words_after_the_end_of_a_line_is_refused(tmp_path):
    text, other = tmp_path / "text.txt", tmp_path / "other.txt"
    text.write_text("the cat sat <eos> the cat came\n" * 20)
    other.write_text("the cat sat <eos>\nthe cat came\n" * 20)
    ngram = {"model": "ngram", "unit": "word"}
    with pytest.raises(DataError, match=r"text\.txt: a line has words after <eos>"):
        rc.LanguageModel.train(text, out=tmp_path / "refused", **ngram)
    model = rc.LanguageModel.train(other, out=tmp_path / "run", **ngram)
    with pytest.raises(DataError, match=r"text\.txt: a line has words after <eos>"):
        model.evaluate(text)
    whole, inner, plain = model.score(["the cat <eos>", "the <eos> cat", "the cat"])
    assert (whole.unknown, inner.unknown, plain.unknown) == (0, 1, 0)
    assert whole.log_probs == plain.log_probs

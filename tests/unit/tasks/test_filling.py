"""Filling gaps: against a search over the whole vocabulary, with models of one and of both directions."""

import itertools
import json
import math

import pytest
from typer.testing import CliRunner

import recurra
from recurra.cli.main import app
from recurra.errors import ConfigError
from recurra.metrics import ClozeFigures
from recurra.tasks.language_modeling.filling import GAP, GapFiller

TEXT = "the cat sat on the mat\nthe dog sat on the log\na cat ran to the log\nthe mat lay on a log\n"


@pytest.fixture(scope="module")
def train(tmp_path_factory):
    folder = tmp_path_factory.mktemp("filling")

    def trained(name, text=TEXT * 20, **options):
        path = folder / f"{name}.txt"
        path.write_text(text)
        return recurra.LanguageModel.train(path, out=folder / name, model="ngram", **options)

    return trained


@pytest.fixture(scope="module")
def forward(train):
    return train("forward", unit="word", order=3)


@pytest.fixture(scope="module")
def backward(train):
    return train("backward", unit="word", order=3, direction="backward")


@pytest.fixture(scope="module")
def vocabulary(forward):
    return [symbol for symbol in forward.tokenizer.vocabulary.symbols if symbol not in ("<unk>", "<eos>")]


def by_hand(line, vocabulary, models):
    """All fillings of a line with their probabilities, the likeliest first."""
    parts = line.split(GAP)
    scores = {}
    for words in itertools.product(vocabulary, repeat=len(parts) - 1):
        text = parts[0] + "".join(word + part for word, part in zip(words, parts[1:], strict=True))
        scores[words] = sum(model.log_prob(text) for model in models) / len(models)
    total = sum(math.exp(score) for score in scores.values())
    return sorted(((math.exp(score) / total, words) for words, score in scores.items()), reverse=True)


@pytest.mark.parametrize("sides", [1, 2])
@pytest.mark.parametrize("line", ["the ___ sat on the mat", "___ cat ran to a log", "a cat ran to the ___"])
def test_one_gap_is_filled_as_by_trying_every_word(forward, backward, vocabulary, line, sides):
    models = [forward, backward][:sides]
    want = by_hand(line, vocabulary, models)
    found = GapFiller(*models, proposals=100).fill(line, n_best=100)
    assert [one.probability for one in found] == pytest.approx([share for share, _ in want])
    assert {one.words: one.probability for one in found} == pytest.approx({words: p for p, words in want})
    assert found[0].words == want[0][1]
    assert found[0].text == line.replace(GAP, found[0].words[0])
    assert math.fsum(one.probability for one in found) == pytest.approx(1)


@pytest.mark.parametrize("sides", [1, 2])
def test_two_gaps_are_filled_as_by_trying_every_pair(forward, backward, vocabulary, sides):
    line = "the ___ sat on ___ mat"
    models = [forward, backward][:sides]
    want = by_hand(line, vocabulary, models)
    found = GapFiller(*models, proposals=len(vocabulary) ** 2).fill(line, n_best=len(want))
    assert {one.words: one.probability for one in found} == pytest.approx({words: p for p, words in want})
    assert found[0].words == ("cat", "the")
    assert found[0].text == "the cat sat on the mat"


def test_few_proposals_are_the_likeliest_and_their_shares_sum_to_one_at_most(forward, backward):
    line = "the ___ sat on the ___"
    for models in ([forward], [forward, backward]):
        for k, proposals in itertools.product((1, 2, 5), (1, 3, 6)):
            found = GapFiller(*models, proposals=proposals).fill(line, n_best=k)
            assert 1 <= len(found) <= k
            shares = [one.probability for one in found]
            assert shares == sorted(shares, reverse=True)
            assert 0 < sum(shares) <= 1 + 1e-9
    assert {one.words[0] for one in found[:2]} <= {"cat", "dog"}


def test_the_right_side_tells_what_the_left_cannot(train):
    # The forward model knows only that w, x, y, z follow "the"; the words after the gap decide.
    text = "".join(f"the {word} runs {word}1 far\n" for word in "wxyz") * 20
    models = [train("left", text, unit="word"), train("right", text, unit="word", direction="backward")]
    for word in "wxyz":
        best = GapFiller(*models, proposals=1).fill(f"the ___ runs {word}1 far")[0]
        assert best.words == (word,)
        assert best.probability > 0.9


def test_models_of_characters_fill_too(train, backward):
    forward = train("characters", unit="char", order=6)
    reverse = train("sretcarahc", unit="char", order=6, direction="backward")
    for models in ([forward], [forward, reverse], [forward, backward]):
        found = GapFiller(*models).fill("the ___ sat on the mat")
        assert {one.words[0] for one in found[:2]} == {"cat", "dog"}
        assert sum(one.probability for one in found) <= 1 + 1e-9
    assert GapFiller(forward, reverse).fill("a ___ ran to ___ log")[0].words == ("cat", "the")


@pytest.mark.parametrize("line", ["", "the cat sat", "the __ sat", "the ___ sat\non", "___\n"])
def test_a_line_without_a_gap_and_several_lines_are_refused(forward, line):
    with pytest.raises(ConfigError, match="expected one line with ___"):
        GapFiller(forward).fill(line)


def test_the_wrong_direction_is_refused(forward, backward):
    for models in ([backward], [backward, backward], [forward, forward], [backward, forward]):
        with pytest.raises(ConfigError, match="must read forward"):
            GapFiller(*models)
    with pytest.raises(ConfigError, match="proposals: got 0"):
        GapFiller(forward, proposals=0)


def test_cloze_counts_what_was_found(train):
    sentence = "one two three four five"
    text = f"{sentence}\nzero zero zero zero zero\n" * 20
    models = [train("counts", text, unit="word"), train("stnuoc", text, unit="word", direction="backward")]
    # No gaps are made in lines with fewer than four words, with unknown words only, or without words.
    lines = [sentence] * 6 + ["one two three", "six seven eight nine", "1 2 3 4", ""]
    figures = GapFiller(*models).cloze(lines)
    assert figures == ClozeFigures(gaps=6, first=6, among_five=6)
    assert figures.to_dict() == {"gaps": 6, "first": 6, "among_five": 6, "accuracy": 1.0, "top_5": 1.0}
    assert figures.sentence() == "100.0% of 6 words ranked first, 100.0% among the first five"
    assert GapFiller(models[0]).cloze([]).to_dict()["accuracy"] == 0


def test_cloze_counts_what_was_not_found(train):
    # With unknown context on both sides, "zero" is the likeliest word and the only proposal.
    text = "one two three four five\nzero zero zero zero zero\n" * 20
    filler = GapFiller(train("missed", text, unit="word"), proposals=1)
    figures = filler.cloze(["- - - two", "- - - zero", "- - - four", "- - - three"])
    assert figures == ClozeFigures(gaps=4, first=1, among_five=1)
    wider = GapFiller(filler.forward, proposals=6).cloze(["two - - -", "four - - -", "three - - -"])
    assert wider.gaps == 3
    assert wider.first < wider.among_five


def test_cloze_of_one_seed_takes_the_same_words(forward, backward):
    filler = GapFiller(forward, backward)
    lines = ["the cat ran on the log", "a mat sat to the dog", "the log lay on a cat"] * 2
    figures = [filler.cloze(lines, seed=seed) for seed in range(4)]
    assert figures[2] == filler.cloze(lines, seed=2)
    assert all(6 == one.gaps >= one.among_five >= one.first for one in figures)
    assert len(set(figures)) > 1


def test_the_command_fills_and_measures(forward, backward, tmp_path):
    def say(*arguments):
        told = [str(one) for one in ("fill", forward.run.path, *arguments, "--backward", backward.run.path)]
        result = CliRunner().invoke(app, told, catch_exceptions=False)
        assert result.exit_code == 0, result.output
        return result.stdout

    line = "the ___ sat on the mat"
    want = GapFiller(forward, backward, proposals=9).fill(line, n_best=2)
    told = say(line, "--n-best", 2, "--proposals", 9).splitlines()
    assert told == [f"{one.probability:.4f}\t{one.text}" for one in want]
    assert json.loads(say(line, "--n-best", 2, "--proposals", 9, "--json")) == [
        {"words": list(one.words), "text": one.text, "probability": one.probability} for one in want
    ]
    held_out = tmp_path / "held-out.txt"
    held_out.write_text(TEXT)
    figures = GapFiller(forward, backward).cloze(TEXT.splitlines()[:3], seed=7)
    told = ("--evaluate", held_out, "--lines", 3, "--seed", 7)
    assert json.loads(say(*told, "--json")) == figures.to_dict()
    assert say(*told) == figures.sentence() + "\n"


def test_a_command_without_a_gap_is_refused_in_one_sentence(forward, recurra):
    done = recurra("fill", forward.run.path, "the cat sat")
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1
    assert done.stderr.startswith("error: fill: got 'the cat sat', expected one line with ___")


def test_a_gap_that_nothing_fits_is_left_empty(tmp_path):
    text = tmp_path / "text.txt"
    text.write_text("the cat sat on the mat\n" * 20)
    model = recurra.LanguageModel.train(
        text, out=tmp_path / "run", unit="word", model="ngram", order=3, smoothing="maximum-likelihood"
    )
    filler = GapFiller(model)
    assert filler.fill("mat mat ___ sat sat") == []
    assert filler.fill("mat mat ___ sat ___") == []
    assert filler.cloze(["the ___ sat on the mat"] * 3).gaps == 0


@pytest.mark.parametrize("line", ["the cat ___.", "the___", "un___ cat", "the ______ mat"])
def test_whole_words_need_blanks_around_the_gap(forward, line):
    with pytest.raises(ConfigError, match="put blanks around ___"):
        GapFiller(forward).fill(line)


def test_letters_need_no_blanks_around_the_gap(train):
    assert GapFiller(train("letters", unit="char", order=5)).fill("the c___ sat")[0].words == ("at",)


def test_subwords_propose_the_words_that_complete_finds(train):
    model = train("subwords", unit="subword", order=4)
    proposed = model.next_words("the cat ", 4)
    completed = [ending for ending, _ in model.complete("the cat ", n_best=4)]
    assert completed[0] == "sat"
    assert sorted(proposed, key=lambda word: -proposed[word])[:2] == completed[:2]
    assert GapFiller(model).fill("the cat ___ on the mat")[0].words == ("sat",)


def test_subwords_from_the_right_propose_whole_words(train):
    model = train("subwords-backward", unit="subword", order=4, direction="backward")
    proposed = model.next_words(" on the mat", 5)
    assert max(proposed, key=lambda word: proposed[word]) == "sat"
    forward = train("subwords-forward", unit="subword", order=4)
    assert GapFiller(forward, model).fill("the cat ___ on the mat")[0].words == ("sat",)


def test_a_message_shows_the_beginning_of_a_long_line_only(forward):
    for line in ("the cat sat " * 500, "the cat sat " * 500 + "so___"):
        with pytest.raises(ConfigError, match=r"^fill: got 'the cat sat .* …, ") as refused:
            GapFiller(forward).fill(line)
        assert len(str(refused.value)) < 200

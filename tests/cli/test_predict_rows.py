"""`predict` and `evaluate` on files of rows: tables, arrays, clips, and other formats."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

import recurra as rc
from recurra.cli.main import app
from recurra.errors import ConfigError, DataError
from recurra.tasks.seq2seq.outputs import GeneratedText
from recurra.tasks.seq2seq.predicting import GeneratedTexts

REVIEWS = [("a fine film", "good"), ('a "dull" film', "bad"), ("so fine", "good"), ("how dull", "bad")] * 5
SMALL = {"hidden_size": 4, "epochs": 2, "threads": 1}


def run(*arguments: object, typed: str | None = None):
    return CliRunner().invoke(app, [str(argument) for argument in arguments], input=typed)


def say(*arguments: object) -> list[str]:
    result = run(*arguments)
    assert result.exit_code == 0, result.output
    return result.stdout.splitlines()


def written(path: Path, content: str) -> Path:
    path.write_text(content)
    return path


def refusal(*arguments: object, typed: str | None = None) -> str:
    result = run(*arguments, typed=typed)
    return str(result.exception)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A classifier of reviews in a table with custom column names, and a classifier of clips."""
    folder = tmp_path_factory.mktemp("rows")
    rows = [
        f'{i},"{text.replace(chr(34), chr(34) * 2)}",{label}\n' for i, (text, label) in enumerate(REVIEWS)
    ]
    (folder / "r.csv").write_text("id,review,mood\n" + "".join(rows))
    columns = {"text_column": "review", "label_column": "mood"}
    rc.Classifier.train(folder / "r.csv", out=folder / "texts", embedding_size=4, **columns, **SMALL)
    for label, value in (("dark", 20), ("light", 220)):
        for clip in range(4):
            (folder / "clips" / label / f"c {clip}").mkdir(parents=True)
            for frame in range(3):
                picture = Image.fromarray(np.full((8, 8), value, dtype=np.uint8))
                picture.save(folder / "clips" / label / f"c {clip}" / f"{frame}.png")
    rc.Classifier.train(
        folder / "clips", out=folder / "frames", **SMALL | {"epochs": 10, "learning_rate": 0.01}
    )
    return folder


def test_a_table_is_answered_row_by_row(folder):
    told = say("predict", folder / "texts", folder / "r.csv", "--json")
    first, second = map(json.loads, told[:2])
    assert len(told) == len(REVIEWS)
    assert (first["text"], second["text"]) == ("a fine film", 'a "dull" film')
    assert second["place"].endswith("r.csv:3")
    by_text = rc.load(folder / "texts").predict('a "dull" film')
    assert (second["label"], second["probabilities"]["bad"]) == (
        by_text.label,
        pytest.approx(by_text.probabilities["bad"], abs=1e-5),
    )


def test_a_table_may_have_other_columns_and_no_labels(folder, tmp_path):
    others = tmp_path / "others.jsonl"
    others.write_text('{"body": "so fine"}\n{"body": ["how", "dull"]}\n')
    assert len(say("predict", folder / "texts", others, "--text-column", "body")) == 2
    assert "has no column 'review'; its columns are body" in refusal("predict", folder / "texts", others)
    told = refusal("evaluate", folder / "texts", "--data", others, "--text-column", "body")
    assert "has no column 'mood'" in told
    with pytest.raises(DataError, match="none of its rows has a label; name the columns with --label-column"):
        rc.Classifier.train(others, out=tmp_path / "none", text_column="body")
    labelled = tmp_path / "labelled.tsv"
    labelled.write_text("text\tlabel\nso fine\tgood\n")
    options = ["--text-column", "text", "--label-column", "label"]
    assert "1 row" in say("evaluate", folder / "texts", "--data", labelled, *options)[0]
    assert "text_column: applies to a file that is given as data" in refusal(
        "evaluate", folder / "texts", "--text-column", "x"
    )
    told = refusal("predict", folder / "texts", "--text-column", "body", typed="so fine\n")
    assert "text_column: applies to rows of a file, but standard input is read as lines of text" in told


def test_text_of_any_other_name_is_lines(folder, tmp_path):
    lines = tmp_path / "lines.txt"
    lines.write_text("so fine\n\nhow dull\n")
    told = say("predict", folder / "texts", lines)
    assert (len(told), told[1]) == (3, "")  # an empty line gets an empty prediction
    empty = json.loads(say("predict", folder / "texts", lines, "--json")[1])
    assert empty == {"text": "", "label": None, "probabilities": {}}
    result = run("predict", folder / "texts", lines, "--format", "label-text")
    assert len(result.stdout.splitlines()) == 2  # of a file of rows, blank lines are no rows


def test_files_of_a_folder_are_a_row_each(folder, tmp_path):
    (tmp_path / "a.txt").write_text("so fine\nindeed\n")
    (tmp_path / "b.txt").write_text("how dull\n")
    told = [json.loads(line) for line in say("predict", folder / "texts", tmp_path, "--json")]
    assert [one["text"] for one in told] == ["so fine\nindeed", "how dull"]


def test_a_clip_and_a_folder_of_clips_need_no_classes(folder):
    assert say("predict", folder / "frames", folder / "clips" / "light" / "c 1") == ["light"]
    assert say("predict", folder / "frames", folder / "clips" / "dark") == ["dark"] * 4
    assert say("predict", folder / "frames", folder / "clips") == ["dark"] * 4 + ["light"] * 4
    told = refusal("predict", folder / "frames", typed="x\n")
    assert "standard input: is text, but the model reads other files; name a file or folder" in told
    clip = folder / "clips" / "light" / "c 1"
    np.save(folder / "clip.npy", np.stack([np.asarray(Image.open(f))[None] for f in sorted(clip.iterdir())]))
    assert say("predict", folder / "frames", folder / "clip.npy") == ["light"]


def test_padded_arrays_are_cut_to_their_lengths(tmp_path):
    rng = np.random.default_rng(0)
    vectors, lengths = rng.normal(size=(12, 5, 2)), np.array([5, 3, 4] * 4)
    labels = np.where(vectors[..., 0] > 0, "up", "down")
    np.savez(tmp_path / "padded.npz", vectors=vectors, lengths=lengths, labels=labels)
    within = np.arange(5) < lengths[:, None]
    np.savez(tmp_path / "joined.npz", vectors=vectors[within], lengths=lengths, labels=labels[within])
    tagger = rc.Tagger.train(tmp_path / "padded.npz", out=tmp_path / "run", **SMALL)
    padded, joined = (tagger.rows_of(tmp_path / f"{name}.npz") for name in ("padded", "joined"))
    assert [len(row) for row in padded] == lengths.tolist()
    for one, other in zip(padded, joined, strict=True):
        assert one.labels == other.labels
        np.testing.assert_array_equal(one.vectors, other.vectors)
    np.savez(tmp_path / "wrong.npz", vectors=vectors, lengths=lengths + 1, labels=labels)
    with pytest.raises(DataError, match=r"shape \(12, 5, 2\), which do not match 12 lengths with the sum 60"):
        tagger.rows_of(tmp_path / "wrong.npz")


def test_files_beside_classes_or_in_step_are_no_rows(folder, tmp_path):
    (tmp_path / "classes" / "good").mkdir(parents=True)
    (tmp_path / "classes" / "good" / "a.txt").write_text("so fine\n")
    (tmp_path / "classes" / "README").write_text("two classes\n")
    for options in ([], ["--format", "folder"]):
        (told,) = say("predict", folder / "texts", tmp_path / "classes", "--json", *options)
        assert json.loads(told)["text"] == "so fine"
    (tmp_path / "step").mkdir()
    for name, line in (("seq.in", "so fine\n"), ("seq.out", "O O\n"), ("label", "good\n")):
        (tmp_path / "step" / name).write_text(line)
    for options in ([], ["--format", "parallel"]):
        (told,) = say("predict", folder / "texts", tmp_path / "step", "--json", *options)
        assert json.loads(told)["text"] == "so fine"
    (folder / "clips" / "light" / "notes.txt").write_text("eight pixels\n")
    assert say("predict", folder / "frames", folder / "clips" / "light") == ["light"] * 4
    assert refusal("predict", folder / "frames", folder / "none.npy").endswith(
        "there is no such file; check the path."
    )


def test_a_column_without_a_name_is_nobodys(folder, tmp_path):
    (tmp_path / "x.csv").write_text(",review\n0,fine\n")
    assert len(say("predict", folder / "texts", tmp_path / "x.csv")) == 1


def test_columns_of_words_alone_are_answered(folder, tmp_path):
    (tmp_path / "x.conll").write_text("so\nfine\n\nhow\ndull\n")
    told = [
        json.loads(line)["text"]
        for line in say("predict", folder / "texts", tmp_path / "x.conll", "--json", "--text-column", 1)
    ]
    assert told == ["so fine", "how dull"]


def test_second_texts_are_of_pairs(folder, tmp_path):
    (tmp_path / "some.jsonl").write_text('{"review": "so fine", "text2": "indeed"}\n{"review": "how dull"}\n')
    assert len(say("predict", folder / "texts", tmp_path / "some.jsonl")) == 2
    pairs = tmp_path / "pairs.tsv"
    pairs.write_text("text\ttext2\tlabel\n" + "a b\ta b\tsame\na b\tc d\tother\n" * 4)
    rc.PairClassifier.train(pairs, out=tmp_path / "pairs", embedding_size=4, **SMALL)
    told = refusal("predict", tmp_path / "pairs", tmp_path / "some.jsonl", "--text-column", "review")
    assert "some.jsonl:2: has no second text; correct it, or see --second-column" in told
    one = json.loads(say("predict", tmp_path / "pairs", pairs, "--json")[0])
    assert one["text"] == ["a b", "a b"]
    assert len(say("predict", tmp_path / "pairs", written(tmp_path / "some.txt", "a b\ta b\nc\td\n"))) == 2
    for line, tabs in (("a b", "no tab"), ("a\tb\tc", "2 tabs"), ("a\tb\t", "2 tabs")):
        told = refusal("predict", tmp_path / "pairs", "-", typed=f"a\tb\n{line}\n")
        assert told == f"standard input:2: has {tabs}, expected one; separate the two texts with a tab."


def test_one_line_is_printed_for_each_row_whatever_its_label_is(tmp_path):
    labels = ["very\ngood", "so\tso", "b\u2028a\rd"]
    rows = "".join(json.dumps({"text": "a fine film", "label": label}) + "\n" for label in labels * 6)
    file = written(tmp_path / "r.jsonl", rows)
    rc.Classifier.train(file, valid=file, out=tmp_path / "run", **SMALL)
    found = say("predict", tmp_path / "run", file)
    assert len(found) == 18
    assert set(found) <= {"very good", "so so", "b a d"}
    told = run("evaluate", tmp_path / "run", "--data", file, "--mistakes", 3).stdout
    lines = told.splitlines()
    assert sum(line.startswith(("very good ", "so so ", "b a d ")) for line in lines) == 6  # in two tables
    assert sum("r.jsonl:" in line and line.endswith(": a fine film") for line in lines) == 3
    assert told == "".join(f"{line}\n" for line in lines)
    by_json = run("predict", tmp_path / "run", file, "--json").stdout.split("\n")
    assert json.loads(by_json[0])["label"] in labels


def test_one_line_is_printed_for_each_output():
    texts = [GeneratedText("eins\nzwei", -1.0, -0.5), GeneratedText("drei\tvier", -2.0, -1.0)]
    said = GeneratedTexts("a\nb.png", texts, number=7, several=False, named=True)
    assert said.line() == "a b.png\teins zwei"
    assert replace(said, named=False).line() == "eins zwei"
    assert replace(said, several=True).line() == "a b.png\t-0.5000\teins zwei\na b.png\t-1.0000\tdrei vier"
    assert said.to_dict()["answers"][0]["text"] == "eins\nzwei"


def test_a_model_of_single_rows_carries_nothing(folder, tmp_path):
    (tmp_path / "x.jsonl").write_text('{"review": "so fine", "conversation": "a"}\n' * 2)
    first, second = say("predict", folder / "texts", tmp_path / "x.jsonl", "--json")
    assert json.loads(first)["probabilities"] == json.loads(second)["probabilities"]
    assert "turns: needs a model trained on conversations" in refusal(
        "predict", folder / "texts", "--turns", typed="so fine\n"
    )


def test_another_reading_leaves_the_held_out_rows_alone(folder):
    model = rc.load(folder / "texts")
    assert model.reading(text_column="mood").evaluate().rows == model.evaluate().rows
    assert model.reading(quoted="false").config.quoted is False


@pytest.mark.parametrize(
    ("arrays", "told"),
    [
        ({"lengths": np.int64(5)}, r"has lengths of shape \(\), expected one per row"),
        ({"lengths": np.array(["5", "x"])}, "has lengths of <U1, expected integers"),
        ({"lengths": np.array([2.7, 1.0])}, "has lengths of float64, expected integers"),
        ({"label": np.array("x")}, r"has label of shape \(\), expected one per row"),
    ],
)
def test_arrays_that_are_none_of_rows(tmp_path, arrays, told):
    np.savez(tmp_path / "x.npz", vectors=np.zeros((2, 5, 3)), **arrays)
    with pytest.raises(DataError, match=told):
        rc.Classifier.train(tmp_path / "x.npz", out=tmp_path / "run")


def test_padded_rows_of_one_step_each(tmp_path):
    np.savez(
        tmp_path / "x.npz", vectors=np.zeros((3, 5, 3)), lengths=np.ones(3, dtype=int), label=["a", "b", "a"]
    )
    options = SMALL | {"valid": str(tmp_path / "x.npz")}
    model = rc.Classifier.train(tmp_path / "x.npz", out=tmp_path / "run", **options)
    assert [len(row) for row in model.rows_of(tmp_path / "x.npz")] == [1, 1, 1]


def test_words_may_be_given_as_a_list(folder):
    model = rc.load(folder / "texts")
    one = model.predict("so fine")
    assert model.predict(rc.Words(["so", "fine"])).probabilities == one.probabilities
    both = model.predict(["so fine", "how dull"])
    assert [each.text for each in both] == ["so fine", "how dull"]
    assert both[0].label == one.label
    assert model.predict([]) == []
    with pytest.raises(ConfigError, match=r"predict: text\[0\]: got 1, expected a text or recurra\.Words"):
        model.predict([1, 2])
    apart = model.predict("so fine!", split="punctuation")
    assert apart.probabilities == model.predict("so fine !").probabilities
    with pytest.raises(ConfigError, match="expected a text, recurra"):
        model.predict(3)
    with pytest.raises(ConfigError, match=r"data: got 3, expected the path of a file, a list of rows"):
        rc.Classifier.train(3, out=folder / "none")


def test_a_closed_pipe_is_no_fault(folder, tmp_path):
    lines = tmp_path / "lines.txt"
    lines.write_text("so fine\n" * 20_000)
    command = (
        f"{sys.executable} -m recurra predict {folder / 'texts'} {lines} | head -n 1; echo ${{PIPESTATUS[0]}}"
    )
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[1] == "141"
    assert done.stderr == ""


def test_offsets_count_in_the_field_as_it_stands(tmp_path):
    """Entities by offsets are training data, and so are the predictions."""
    texts = ["see  Rome,now", "see\tOslo , now", "now see Bonn"] * 6
    types = {"Rome": "TOWN", "Oslo": "TOWN", "Bonn": "OLD CAPITAL"}
    rows = []
    for text in texts:
        (name,) = (name for name in types if name in text)
        at = text.index(name)
        rows.append({"text": text, "entities": [[at, at + 4, types[name]]]})
    data = tmp_path / "rows.jsonl"
    data.write_text("".join(json.dumps(row) + "\n" for row in rows))
    options = {"epochs": 30, "threads": 1, "hidden_size": 8, "learning_rate": 0.02, "split": "punctuation"}
    tagger = rc.Tagger.train(data, valid=data, out=tmp_path / "run", **options)
    assert tagger.evaluate(data).main()["f1"] == 1.0
    told = [json.loads(line) for line in say("predict", tmp_path / "run", data, "--json")]
    for row, one in zip(rows, told, strict=True):
        assert one["text"] == row["text"]
        assert [[e["begin"], e["end"], e["type"]] for e in one["entities"]] == row["entities"]
        for part in (*one["entities"], *one["words"]):
            assert row["text"][part["begin"] : part["end"]] == part["text"]
    (tmp_path / "answers.jsonl").write_text("".join(json.dumps(one) + "\n" for one in told))
    again = tagger.rows_of(tmp_path / "answers.jsonl")
    assert [row.labels for row in again] == [row.labels for row in tagger.rows_of(data)]
    assert say("predict", tmp_path / "run", data)[2] == "O O B-OLD_CAPITAL"
    wrong = [{"text": row["text"], "entities": []} for row in rows]
    data.write_text("".join(json.dumps(row) + "\n" for row in wrong))
    shown = say("evaluate", tmp_path / "run", "--data", data, "--mistakes", "20")
    assert any("[Rome],now" in line for line in shown)


def test_offsets_of_a_csv_field_count_its_blanks(folder, tmp_path):
    (tmp_path / "r.csv").write_text('review,mood\n"  so,  fine ",good\n')
    (told,) = say("predict", folder / "texts", tmp_path / "r.csv", "--json")
    assert json.loads(told)["text"] == "  so,  fine "


def test_comments_of_a_column_file_are_counted_and_its_words_with_a_hash_labelled(tmp_path):
    sentence = "# a note\ni PRP\nlove VBP\n#python HT\n! .\n\n"
    (tmp_path / "t.conll").write_text(sentence * 20)
    lines = "lines that begin with # and were read as comments"
    trained = run(
        *("train", "tag", "--data", tmp_path / "t.conll", "-o", tmp_path / "run"),
        *("--hidden-size", 4, "--epochs", 1, "--threads", 1),
    )
    assert f"t.conll: {lines}: 20, the first at line 1." in trained.output
    assert "4 word labels" in trained.output
    (tmp_path / "u.conll").write_text("# a note\nlove\n#python\n")
    for command in (["predict"], ["evaluate", "--data"]):
        file = tmp_path / ("u.conll" if command == ["predict"] else "t.conll")
        done = run(command[0], tmp_path / "run", *command[1:], file)
        assert done.exit_code == 0, done.output
        assert f"{file.name}: {lines}: {1 if command == ['predict'] else 20}, the first" in done.stderr
    assert len(say("predict", tmp_path / "run", tmp_path / "u.conll")[0].split()) == 2
    (tmp_path / "u.conllu").write_text("# text = love\n1\tlove\t_\tVERB\t_\t_\t0\troot\t_\t_\n")
    (told,) = say("predict", tmp_path / "run", tmp_path / "u.conllu", "--json")
    assert json.loads(told)["text"] == "love"

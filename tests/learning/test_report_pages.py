"""The report pages of trained runs: what they say of options, mistakes, outputs and metrics."""

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import recurra as rc
from recurra.config import build_config
from recurra.data.examples import Example
from recurra.tasks.labelling.config import LabelEvaluationPart
from recurra.tasks.labelling.mistakes import worst_mistakes
from recurra.tasks.labelling.predicting import Prediction
from recurra.tasks.model import Model

# Names of metrics of taggers in runs of older versions, by their current names.
FORMER = {
    "sentence_label_accuracy": "accuracy",
    "sentence_label_macro_f1": "macro_f1",
    "sentence_label_majority": "majority",
    "sentence_accuracy": "exact",
    "sentence labels": "labels",
}
SMALL = {"hidden_size": 6, "embedding_size": 7, "max_steps": 2, "threads": 1, "validation_fraction": 0.3}


def rows(path: Path, lines: list[str]) -> Path:
    path.write_text("\n".join(lines) + "\n")
    return path


def slots(path: Path, count: int = 20) -> Path:
    cities = ("oslo", "rome")
    lines = [f"BOS go to {cities[i % 2]} EOS\tO O O B-to {('go', 'stay')[i % 2]}" for i in range(count)]
    return rows(path, lines)


def page_of(model: Model) -> str:
    return model.report().read_text(encoding="utf-8")


def options_of(page: str) -> tuple[dict[str, str], dict[str, str]]:
    """The options that were changed, and all others."""
    first, rest = page.split("<details>")
    return tuple(
        dict(re.findall(r"<tr><td>(\w+)</td><td>(.*?)</td></tr>", part))
        for part in (first, rest.split("<h3>")[0])
    )


def edited(run: Path, changes: dict[str, str]) -> None:
    """Replace text in a run.toml and accept it."""
    file = run / "run.toml"
    text = file.read_text()
    for old, new in changes.items():
        assert old in text
        text = text.replace(old, new)
    file.write_text(re.sub(r"# sha256 \w+ of", "# sha256 accepted of", text))


class TestOptions:
    def test_those_of_an_older_run_have_their_current_names(self, tmp_path):
        data = slots(tmp_path / "rows.iob")
        run = rc.Tagger.train(data, out=tmp_path / "run", sentence_loss_weight=0.5, **SMALL).run.path
        edited(run, {"\nembedding_size =": "\nword_size =", "\nsentence_loss_weight =": "\nclass_share ="})
        changed, others = options_of(page_of(rc.load(run)))
        assert (changed["embedding_size"], changed["sentence_loss_weight"]) == ("7", "0.5")
        assert not {"word_size", "class_share"} & (changed.keys() | others.keys())
        assert "None" not in changed.values()

    def test_those_set_from_the_files_are_not_among_the_changed(self, tmp_path):
        lines = [f"{('yes', 'no')[i % 2]}\t{('good', 'bad')[i % 2]} film" for i in range(20)]
        data = rows(tmp_path / "rows.txt", lines)
        vectors = rows(tmp_path / "vectors.txt", ["good 1 2 3", "bad 3 2 1", "film 1 1 1"])
        own = SMALL | {"word_vectors": "pretrained", "vectors": vectors}
        del own["embedding_size"]
        model = rc.Classifier.train(data, out=tmp_path / "run", **own)
        model.save(tmp_path / "copy")
        for each in (model, rc.load(tmp_path / "copy")):
            changed, others = options_of(page_of(each))
            assert "embedding_size" not in changed
            assert others["embedding_size"] == "3"
            assert changed["word_vectors"] == "pretrained"


def table_of(page: str, title: str) -> tuple[list[str], list[list[str]]]:
    """The columns and the rows of a table."""
    _, after = page.split(f"<h2>{title}", 1)
    table = after.split("</table>")[0]
    cells = [re.findall(r"<td>(.*?)</td>", row) for row in re.findall(r"<tr>(.*?)</tr>", table)]
    return re.findall(r"<th>(.*?)</th>", table), cells[1:]


class TestMistakes:
    @pytest.mark.parametrize("scheme", ["classes", "auto"])
    def test_only_labels_of_spans_are_joined_to_entities(self, tmp_path, scheme):
        kinds = [("city", "team", "team")[i % 3] for i in range(20)]
        lines = [f"in O\nnew B-{kind}\nyork I-{kind}\n" for kind in kinds]
        model = rc.Tagger.train(
            rows(tmp_path / "rows.conll", lines), out=tmp_path / "run", scheme=scheme, **SMALL
        )
        _, cells = table_of(page_of(model), "Worst mistakes")
        options = build_config(LabelEvaluationPart, overrides={"mistakes": 3})
        told = model.evaluation(None, options).lines[-3:]
        shown = {label for cell in cells for label in cell[1:3]}
        shown |= {label for line in told for label in re.findall(r"(?:gold|predicted) ([\w-]+)", line)}
        lengths = {len(re.search(r"\[(.*?)\]", text)[1].split()) for text in [*told, *(c[4] for c in cells)]}
        if scheme == "classes":
            assert shown <= {"O", "B-city", "I-city", "B-team", "I-team"}
            assert lengths == {1}
        else:
            assert shown <= {"city", "team", "none"}
            assert 2 in lengths

    def test_rows_of_vectors_are_told_by_their_steps(self, tmp_path):
        draw = np.random.default_rng(1)
        table = ["vectors\tlabel"]
        for i in range(20):
            np.save(tmp_path / f"{i}.npy", draw.normal(size=(2 + i % 3, 4)).astype(np.float32))
            table.append(f"{i}.npy\t{('yes', 'no')[i % 2]}")
        own = {name: value for name, value in SMALL.items() if name != "embedding_size"}
        model = rc.Classifier.train(rows(tmp_path / "rows.tsv", table), out=tmp_path / "run", **own)
        columns, cells = table_of(page_of(model), "Worst mistakes")
        assert columns == ["Place", "Gold", "Predicted", "Probability", "Steps"]
        assert {cell[4] for cell in cells} <= {"2 steps", "3 steps", "4 steps"}

    def test_steps_with_a_wrong_label_are_numbered(self):
        row = Example(vectors=np.zeros((5, 2)), labels=("a", "b", "b", "a", "a"), file="clip.npy")
        wrong = Prediction(("a", "a", "b", "a", "a"), (0.9, 0.8, 0.7, 0.6, 0.5))
        (found,) = worst_mistakes([row], [wrong], 3, spans=False)
        assert found.line() == "clip.npy: gold b, predicted a (80%): step 2 of 5"
        entity = replace(row, labels=("O", "B-b", "I-b", "O", "O"))
        (found,) = worst_mistakes([entity], [replace(wrong, labels=("O",) * 5)], 3, spans=True)
        assert found.line() == "clip.npy: gold b, predicted none (70%): steps 2 to 3 of 5"

    def test_the_confusion_matrix_has_a_head_like_other_tables(self, tmp_path):
        page = page_of(rc.Tagger.train(slots(tmp_path / "rows.iob"), out=tmp_path / "run", **SMALL))
        columns, _ = table_of(page, "Confusion matrix of the sentence labels, validation data")
        assert columns == ["Gold \\ predicted", "go", "stay"]


class TestOutputs:
    def test_equal_outputs_have_an_attention_picture_each_with_their_source(self, tmp_path):
        sources = [f"{'abcdef'[i % 6]} {'x' * 70}" for i in range(24)]
        data = rows(tmp_path / "rows.tsv", ["source\ttarget", *(f"{source}\tsame" for source in sources)])
        own = {
            "hidden_size": 6,
            "max_steps": 60,
            "warmup_steps": 0,
            "learning_rate": 0.05,
            "threads": 1,
            "validation_fraction": 0.3,
        }
        model = rc.Translator.train(data, out=tmp_path / "run", unit="word", dropout=0.0, **own)
        page = page_of(model)
        _, cells = table_of(page, "Outputs for held-out sources")
        assert {output for _, output, _ in cells} == {"same"}
        titles = re.findall(r"<h2>Attention (.*?)</h2>\n<svg", page)
        shown = [f"{source[:58]} …" for source, _, _ in cells[:3]]
        assert titles == [f"{number}: {source} → same" for number, source in enumerate(shown, start=1)]

    def test_what_cannot_be_shown_without_the_data_is_named(self, tmp_path):
        lines = [f"{'abcdef'[i % 6]} b" for i in range(24)]
        source, target = rows(tmp_path / "a.txt", lines), rows(tmp_path / "b.txt", lines)
        own = {"hidden_size": 6, "max_steps": 2, "threads": 1, "validation_fraction": 0.3}
        model = rc.Translator.train(source, target, out=tmp_path / "run", **own)
        assert " not shown: " not in page_of(model)
        target.unlink()
        page = page_of(model)
        assert "Attention" not in page
        assert (
            "Outputs for held-out sources are not shown: the validation data are missing or have changed "
            f"since training ({source}, {target}); restore them and run `recurra report {tmp_path / 'run'}`."
        ) in page

    def test_samples_say_that_the_training_text_is_missing(self, tmp_path):
        text = rows(tmp_path / "text.txt", ["the cat sat on the mat"] * 40)
        own = {"hidden_size": 6, "max_steps": 2, "threads": 1, "batch_size": 2, "segment_length": 9}
        model = rc.LanguageModel.train(text, out=tmp_path / "run", **own)
        assert "The longest passage copied" in page_of(model)
        text.write_text("another text")
        assert "Copied passages are not shown: the training data are missing" in page_of(model)


class TestMetrics:
    """A metric has one name in the log, in metrics.jsonl, in JSON and in the report."""

    @pytest.fixture(params=["auto", "classes"])
    def tagger(self, request, tmp_path) -> Model:
        return rc.Tagger.train(
            slots(tmp_path / "rows.iob"), out=tmp_path / "run", scheme=request.param, **SMALL
        )

    def test_the_label_of_a_sentence_is_named_as_such(self, tagger):
        figures = tagger.evaluate()
        assert list(figures.main())[1:] == ["sentence_label_accuracy"]
        found, records = figures.to_dict(), tagger.run.read_metrics()
        assert found["sentence_label_accuracy"] == figures.classes.accuracy
        assert not found.keys() & {"accuracy", "macro_f1", "majority", "exact", "tag_accuracy"}
        assert all("sentence_label_accuracy" in record for record in records if record["kind"] != "training")
        assert ", sentence label accuracy " in figures.sentence()
        shown = dict(re.findall(r"<dt>(.*?)</dt><dd>(.*?)</dd>", page_of(tagger)))
        for name in ("word", "sentence label", "sentence"):
            value = found[f"{name} accuracy".replace(" ", "_")]
            assert shown[f"Validation {name} accuracy"] == f"{value:.2%}"
        assert shown["Validation sentence label macro F1"] == f"{figures.classes.macro_f1:.2%}"
        assert not shown.keys() & {"Validation accuracy", "Validation macro F1"}

    def test_the_report_of_an_older_run_is_the_same(self, tagger):
        page, records = page_of(tagger), tagger.run.read_metrics()
        tagger.run.metrics.path.unlink()
        for record in records:
            names = FORMER if "f1" in record else FORMER | {"word_accuracy": "tag_accuracy"}
            former = {names.get(name, name): value for name, value in record.items()}
            if "by_label" in former:
                former["by_label"] = {names.get(k, k): v for k, v in former["by_label"].items()}
            tagger.run.metrics.append(former)
        assert page_of(tagger) == page

    def test_the_label_of_a_text_is_the_only_one(self, tmp_path):
        lines = [f"{('yes', 'no')[i % 2]}\t{('good', 'bad')[i % 2]} film" for i in range(20)]
        model = rc.Classifier.train(rows(tmp_path / "rows.txt", lines), out=tmp_path / "run", **SMALL)
        found = model.evaluate().to_dict()
        assert found["accuracy"] == model.evaluate().classes.accuracy
        assert not any("sentence" in name for name in (*found, *found["by_label"]))
        page = page_of(model)
        assert "<dt>Validation accuracy</dt>" in page
        assert "entence label" not in page

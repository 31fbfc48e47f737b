"""Pictures and pages: their content, and the same bytes for the same numbers."""

import os
import re
import subprocess
import sys
import warnings

import numpy as np

from recurra.reports import curves_together, learning_curve, reliability_diagram, write_comparison
from recurra.reports.drawing import as_svg, heat_map, precision_recall, score_by_length, write_png

SERIES = {
    "one": [("1 to 5", 20.0, 3), ("6 to 10", 10.0, 4)],
    "two": [("1 to 5", 22.0, 3), ("6 to 10", 9.0, 4)],
}


def test_a_score_over_lengths_is_drawn_with_its_own_names():
    (axes,) = score_by_length(SERIES, score="chrF", length="characters").axes
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("characters", "chrF")
    assert [text.get_text() for text in axes.get_xticklabels()] == ["1 to 5\n(3)", "6 to 10\n(4)"]
    assert [list(line.get_ydata()) for line in axes.lines] == [[20.0, 10.0], [22.0, 9.0]]
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["one", "two"]


def test_precision_is_drawn_over_recall():
    """A step up to each point, from the left edge."""
    (axes,) = precision_recall({"a$ (90%)": ([0.25, 1.0], [1.0, 0.5])}).axes
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("recall", "precision")
    (line,) = axes.lines
    assert (list(line.get_xdata()), list(line.get_ydata())) == ([0.0, 0.25, 1.0], [1.0, 1.0, 0.5])
    assert line.get_drawstyle() == "steps-pre"
    assert [text.get_text() for text in axes.get_legend().get_texts()] == [r"a\$ (90%)"]
    assert precision_recall({}).axes[0].get_legend() is None


def test_reliability_is_drawn_before_and_after():
    before, after = [(3, 0.9, 0.6), (0, 0.0, 0.0)], [(3, 0.7, 0.6)]
    both, one = reliability_diagram(before, after), reliability_diagram(before)
    assert ">after<" in both
    assert ">after<" not in one
    assert reliability_diagram([(0, 0.0, 0.0)]) == ""


def test_a_heat_map_names_what_cannot_be_seen():
    (axes,) = heat_map(np.eye(3)[:2], columns=["a", " ", "$"], rows=["", "\n"]).axes
    assert [text.get_text() for text in axes.get_xticklabels()] == ["a", "(blank)", r"\$"]
    assert [text.get_text() for text in axes.get_yticklabels()] == ["(end)", "(line)"]


def test_the_same_numbers_give_the_same_bytes(tmp_path):
    drawn = [as_svg(score_by_length, SERIES, score="BLEU", length="words") for _ in range(2)]
    assert drawn[0] == drawn[1]
    assert drawn[0].startswith("<svg")
    assert "<metadata>" not in drawn[0]
    for name in ("a.png", "b.png"):
        write_png(tmp_path / name, heat_map, np.eye(2), columns="ab", rows="ab")
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()


def test_a_single_training_record_is_visible():
    record = {"kind": "training", "step": 3, "loss": 1.0, "gradient_norm": 2.0, "learning_rate": 0.1}
    validation = {"kind": "validation", "step": 3, "loss": 1.5}
    alone, both = (
        learning_curve([*records, validation], unit="word") for records in ([record], [record] * 2)
    )
    for colour in ("#7a9cc6", "#555555", "#2a9d5c"):
        point = rf"<use [^>]*fill: {colour}"
        assert (len(re.findall(point, alone)), len(re.findall(point, both))) == (1 + (colour == "#7a9cc6"), 0)
    assert "training" not in learning_curve([validation], unit="word")


def test_gradients_of_zero_are_drawn_without_a_warning():
    record = {"kind": "training", "step": 3, "loss": 1.0, "gradient_norm": 0.0, "learning_rate": 0.1}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert "gradient norm" in learning_curve([record, record | {"step": 4}], unit="word")


def test_nothing_to_draw_is_no_picture():
    without = {
        "counted": [{"kind": "final", "loss": 1.0}],
        "other": [{"kind": "validation", "elapsed_s": 1.0}],
    }
    assert curves_together(without, figure="bleu", axis="BLEU") == ""
    assert reliability_diagram([(0, 0.0, 0.0)]) == ""


def test_a_comparison_says_what_it_is_given_and_escapes_it(tmp_path):
    records = [{"kind": "validation", "elapsed_s": 60.0 * i, "bleu": 10.0 * i} for i in range(3)]
    write_comparison(
        tmp_path / "page.html",
        title="Translators & others",
        subtitle="on <dates>",
        columns=["run", "BLEU"],
        rows=[["a<b", "20"]],
        notes=["the first is best"],
        curves=curves_together({"a": records}, figure="bleu", axis="validation, BLEU"),
    )
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    for text in (
        "Translators &amp; others",
        "on &lt;dates&gt;",
        "a&lt;b",
        "<p>the first is best</p>",
        "<svg",
    ):
        assert text in page
    assert "validation, BLEU" in page


def test_matplotlib_writes_nothing_about_its_cache_and_fonts(tmp_path):
    """A home folder that cannot be written to, and symbols that no font has."""
    program = (
        "import sys, numpy as np\n"
        "from pathlib import Path\n"
        "from recurra.reports.drawing import heat_map, write_png\n"
        "write_png(Path(sys.argv[1]), heat_map, np.eye(2), columns=['नमस्ते', '北京'], rows=['$a_{', '\\\\'])\n"
    )
    own = {name: value for name, value in os.environ.items() if name != "MPLCONFIGDIR"}
    (tmp_path / "file").touch()
    own |= {"HOME": str(tmp_path / "file" / "home"), "XDG_CONFIG_HOME": "", "XDG_CACHE_HOME": ""}
    picture = tmp_path / "map.png"
    done = subprocess.run(
        [sys.executable, "-c", program, str(picture)], env=own, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert picture.read_bytes().startswith(b"\x89PNG")

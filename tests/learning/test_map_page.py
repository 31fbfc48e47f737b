"""The page of a map of words: safe for any word, and used in a browser."""

import json
import re
import shutil

import numpy as np
import pytest
from typer.testing import CliRunner

from recurra import KeyedVectors
from recurra.cli.main import app
from recurra.errors import ConfigError, StorageError
from recurra.reports.pages import script_data, write_map_page

ODD = ["</script><b>", "a & b", 'quo"te', "l\u2028s", "日本", "ok"]


def page_of(path, words=ODD):
    draw = np.random.default_rng(1)
    points = draw.normal(size=(len(words), 2)).tolist()
    nearest = [[(words[(at + 1) % len(words)], 0.5), ("elsewhere", 0.25)] for at in range(len(words))]
    counts = list(range(len(words)))
    write_map_page(
        path, title="Map", note="A note.", words=words, points=points, nearest=nearest, counts=counts
    )
    return path.read_text(encoding="utf-8")


def test_the_data_of_a_page_come_back_whatever_the_words(tmp_path):
    page = page_of(tmp_path / "map.html")
    assert page.count("</script>") == 2
    assert "<b>" not in page
    data = re.search(r'<script type="application/json" id="data">(.*?)</script>', page, re.DOTALL)[1]
    found = json.loads(data)
    assert found["words"] == ODD
    assert found["others"] == ["elsewhere"]
    assert found["nearest"][0] == [[1, 0.5], [6, 0.25]]
    assert not re.search(r"(?:src|href)=", page)  # nothing is fetched


def test_script_data_has_no_sign_that_ends_a_script():
    text = str(script_data({"a": "<&>\u2028\u2029"}))
    assert not set("<&>\u2028\u2029") & set(text)
    assert json.loads(text) == {"a": "<&>\u2028\u2029"}
    with pytest.raises(ValueError, match="Out of range"):
        script_data(float("nan"))


@pytest.fixture(scope="module")
def vectors(tmp_path_factory):
    """A file of vectors; tests must not change it."""
    draw = np.random.default_rng(2)
    path = tmp_path_factory.mktemp("vectors") / "vectors.npz"
    KeyedVectors([f"w{n}" for n in range(40)], draw.normal(size=(40, 5)).astype(np.float32)).save_vectors(
        path
    )
    return path


def recurra(*arguments):
    return CliRunner().invoke(app, ["vectors", "map", *(str(one) for one in arguments)])


@pytest.mark.parametrize(
    ("name", "options", "begins"),
    [
        ("map.html", [], b"<!doctype html>"),
        ("map.png", ["--words", 20], b"\x89PNG"),
        ("map.svg", [], b"<?xml"),
        ("pairs.png", ["--pairs", "w0:w1,w2:w3"], b"\x89PNG"),
    ],
)
def test_every_kind_of_map(vectors, tmp_path, name, options, begins):
    pytest.importorskip("openTSNE")
    done = recurra(vectors, "-o", tmp_path / name, *options)
    assert done.exit_code == 0, done.output
    assert (tmp_path / name).read_bytes().startswith(begins)
    assert isinstance(recurra(vectors, "-o", tmp_path / name, *options).exception, StorageError)


def test_only_some_words_and_the_projector(vectors, tmp_path):
    words = tmp_path / "words.txt"
    words.write_text("w1\nw2\nunknown\n")
    done = recurra(vectors, "--only", words, "--projector", tmp_path / "projector")
    assert "1 of 3 words are unknown and left out" in done.output
    assert (tmp_path / "projector" / "metadata.tsv").read_text() == "w1\nw2\n"
    done = recurra(vectors, "--pairs", "w0:w1,w2:w3,w4:unknown", "-o", tmp_path / "pairs.png")
    assert done.stderr == "pairs: left out as unknown: unknown\n"
    assert done.stdout.startswith("2 pairs, ")


@pytest.mark.parametrize(
    ("options", "fault"),
    [
        ([], "out: is missing"),
        (["-o", "map.pdf"], "out: got 'map.pdf', expected a name that ends in .html, .png, .svg"),
        (["-o", "map.html", "--pairs", "w0:w1"], "expected a name that ends in .png, .svg"),
        (["-o", "p.png", "--pairs", "w0:w1", "--words", 9], "words: cannot be combined with pairs; remove"),
        (["-o", "p.png", "--pairs", "w0:w1", "--seed", 2], "seed: cannot be combined with pairs; remove"),
        (["--projector", "folder", "--perplexity", 9], "perplexity: applies only with out; name a file"),
        (["-o", "map.png", "--only", "w.txt", "--words", 9], "words: cannot be combined with only; remove"),
        (["-o", "m.png", "--pairs", "w0:w1", "--projector", "p"], "pairs: cannot be combined"),
        (["-o", "m.png", "--pairs", "w0:none"], "two pairs of known words are needed"),
    ],
)
def test_what_cannot_be_drawn_is_named(vectors, tmp_path, monkeypatch, options, fault):
    monkeypatch.chdir(tmp_path)
    done = recurra(vectors, *options)
    assert isinstance(done.exception, ConfigError)
    assert fault in str(done.exception)
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_a_word_is_found_pointed_at_and_zoomed_in_a_browser(tmp_path):
    playwright = pytest.importorskip("playwright.sync_api", reason="needs the package playwright")
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("needs the program chromium")
    path = tmp_path / "map.html"
    page_of(path)
    said: list[str] = []
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 900, "height": 700})
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.goto(path.as_uri())

        def state():
            return json.loads(page.get_attribute("#map", "data-state"))

        page.wait_for_function("document.getElementById('map').dataset.state")
        whole = state()
        assert whole["labels"] == len(ODD)
        page.fill("#find", "ok")
        assert state()["chosen"] == "ok"
        assert page.inner_text("#about h2") == "ok"
        assert page.inner_text("#about li >> nth=0").split() == ["0.500", "</script><b>"]
        box = page.locator("#map").bounding_box()
        middle = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
        page.mouse.move(*middle)
        assert state()["hovered"] == "ok"
        before = state()["scale"]
        page.mouse.wheel(0, -400)
        page.wait_for_function(f"JSON.parse(document.getElementById('map').dataset.state).scale > {before}")
        page.focus("#map")
        page.keyboard.press("Escape")
        assert state()["chosen"] is None
        page.keyboard.press("Enter")
        assert state()["chosen"] in ODD
        browser.close()
    assert said == []

"""`recurra vectors`: vectors from other models, and the use of vectors of runs and files."""

import json
from collections import Counter

import numpy as np
import pytest
import torch
from typer.testing import CliRunner
from vector_runs import SMALL, lines_of, write

import recurra as rc
from recurra.cli.main import app
from recurra.errors import ConfigError, StorageError
from recurra.tasks.word_sources import open_vectors

TINY = {"hidden_size": 6, "embedding_size": 5, "epochs": 1, "threads": 1}
LINES = lines_of(60)


def recurra(*arguments):
    return CliRunner().invoke(app, ["vectors", *(str(one) for one in arguments)])


def model_of(tmp_path_factory, **options):
    folder = tmp_path_factory.mktemp("lm")
    text = write(folder / "text.txt", LINES)
    return rc.LanguageModel.train(text, out=folder / "run", unit="word", batch_size=4, **TINY | options)


@pytest.fixture(scope="module")
def recurrent(tmp_path_factory):
    """A language model; tests must not change it."""
    return model_of(tmp_path_factory, num_layers=1)


@pytest.fixture(scope="module")
def feed_forward(tmp_path_factory):
    """A feed-forward language model; tests must not change it."""
    return model_of(tmp_path_factory, model="feed-forward", context_size=2)


@pytest.fixture(scope="module")
def vectors(tmp_path_factory):
    """Word vectors; tests must not change them."""
    folder = tmp_path_factory.mktemp("vectors")
    return rc.WordVectors.train(
        write(folder / "text.txt", LINES), out=folder / "run", **SMALL | {"epochs": 1}
    )


@pytest.mark.parametrize("kind", ["input", "output"])
def test_rows_of_a_language_model(recurrent, feed_forward, kind):
    for model in (recurrent, feed_forward):
        found = model.word_vectors(kind)
        ids = model.tokenizer.vocabulary.ids
        assert not {"<eos>", "<unk>"} & {*found.index_to_key}
        table = model.network.embedding.weight if kind == "input" else model.network.output.weight
        expected = table[[ids[word] for word in found.index_to_key]].detach().numpy()
        np.testing.assert_array_equal(found.vectors, expected)


def test_mean_states_of_a_recurrent_language_model(recurrent, tmp_path):
    """One stream by hand: the output after each word, with the state carried over."""
    text = write(tmp_path / "text.txt", LINES[:1])
    tokens = ["<eos>", *LINES[0].split()]  # the end of the line is predicted only
    ids = torch.tensor([[recurrent.tokenizer.vocabulary.ids[word] for word in tokens]])
    embedded = recurrent.network.embedding(ids)
    outputs, _ = recurrent.network.recurrent(embedded)
    found = recurrent.word_vectors("contextual", text)
    for word in found.index_to_key:
        at = [place for place, token in enumerate(tokens) if token == word]
        expected = outputs[0, at].mean(0).detach().numpy()
        assert found.get_vecattr(word, "count") == len(at)
        np.testing.assert_allclose(found[word], expected, atol=1e-5)


def test_mean_states_of_a_feed_forward_language_model(feed_forward, tmp_path):
    """A loop over windows of two words gives the same means, with no word before the start of a stream."""
    lines = [*LINES * 3, "", LINES[0]]
    text = write(tmp_path / "text.txt", lines)
    found = feed_forward.word_vectors("contextual", text, min_count=3)
    network, ids = feed_forward.network, feed_forward.tokenizer.vocabulary.ids
    tokens = [ids[word] for line in lines for word in ["<eos>", *line.split()]]
    streams = len(tokens) // 256
    assert len(tokens) % streams, "some streams are shorter"
    table, hidden = network.embedding.weight.detach(), network.hidden
    before = [torch.zeros(5), *table[tokens[:-1]]]
    for start in range(0, len(tokens), -(-len(tokens) // streams)):
        before[start] = torch.zeros(5)
    with torch.no_grad():
        states = torch.stack(
            [torch.tanh(hidden(torch.cat(pair))) for pair in zip(before, table[tokens], strict=True)]
        )
    counts = Counter(tokens)
    assert {*found.index_to_key} == {word for word, at in ids.items() if counts[at] >= 3} - {"<eos>", "<unk>"}
    for word in found.index_to_key:
        at = [place for place, token in enumerate(tokens) if token == ids[word]]
        assert found.get_vecattr(word, "count") == len(at)
        np.testing.assert_allclose(found[word], states[at].mean(0), atol=1e-5)
    whole = feed_forward.word_vectors("contextual")
    trained = Counter(feed_forward.encoded("train").tokens.ids.tolist()[:-1])  # the last one is not read
    assert all(whole.get_vecattr(word, "count") == trained[ids[word]] for word in whole.index_to_key)


def test_vectors_of_a_classifier(tmp_path):
    rows = [("a good film", "yes"), ("a bad film", "no")] * 8
    model = rc.Classifier.train(rows, out=tmp_path / "run", **TINY)
    found = model.word_vectors()
    ids = model.symbols.words.words.ids
    table = model.network.reader.words.words.weight.detach().numpy()
    np.testing.assert_array_equal(found["good"], table[ids["good"]])
    (row,) = model.rows_of([("a good good film", "yes")])
    from recurra.tasks.labelling.feeds import EncodedRows

    batch = EncodedRows([row], model.symbols).batch([0])
    steps = model.network.reader(batch.words, batch.lengths).steps[0].detach().numpy()
    in_context = model.word_vectors(
        "contextual", write(tmp_path / "x.tsv", ["text\tlabel", "a good good film\tyes"])
    )
    np.testing.assert_allclose(in_context["good"], steps[1:3].mean(0), atol=1e-6)
    assert in_context.get_vecattr("good", "count") == 2
    assert "bad" not in in_context
    assert "bad" in model.word_vectors("contextual")
    with pytest.raises(ConfigError, match="kind: the output layer has vectors of labels"):
        model.word_vectors("output")


@pytest.mark.parametrize("name", ["v.npz", "v.txt", "v.bin", "folder"])
def test_from_writes_every_format(recurrent, tmp_path, name):
    done = recurra("from", recurrent.run.path, "-o", tmp_path / name, "--kind", "output")
    assert done.exit_code == 0, done.output
    np.testing.assert_allclose(
        open_vectors(tmp_path / name).vectors, recurrent.word_vectors("output").vectors
    )
    again = recurra("from", recurrent.run.path, "-o", tmp_path / name)
    assert isinstance(again.exception, StorageError)
    assert recurra("from", recurrent.run.path, "-o", tmp_path / name, "--overwrite").exit_code == 0


@pytest.mark.parametrize(
    ("options", "fault"),
    [
        ({"unit": "char"}, "the symbols of the model are chars"),
        ({"model": "ngram", "unit": "word", "order": 2}, "counts of n-grams"),
        (
            {"unit": "word", "adaptive_softmax": True, "hidden_size": 32},
            "the adaptive softmax has no output vectors",
        ),
    ],
)
def test_models_without_such_vectors_are_named(tmp_path, options, fault):
    own = {} if "model" in options else TINY | {"batch_size": 4, "num_layers": 1}
    model = rc.LanguageModel.train(write(tmp_path / "t.txt", LINES), out=tmp_path / "run", **own | options)
    with pytest.raises(ConfigError, match=fault):
        model.word_vectors("output")


def test_what_has_no_use_or_no_vectors_is_refused(recurrent, vectors, tmp_path):
    done = recurra("from", recurrent.run.path, "-o", tmp_path / "v.npz", "--min-count", 3)
    assert "min_count: applies only with kind contextual" in str(done.exception)
    done = recurra("from", vectors.run.path, "-o", tmp_path / "v.npz", "--kind", "output")
    assert "a run of word vectors has input only" in str(done.exception)
    unknown = write(tmp_path / "unknown.txt", ["Öl Öl"])
    with pytest.raises(ConfigError, match=r"^data: has no word of the model's vocabulary"):
        recurrent.word_vectors("contextual", unknown)
    with pytest.raises(ConfigError, match=r"^min_count: no word occurs 99999 times"):
        recurrent.word_vectors("contextual", min_count=99999)
    assert not (tmp_path / "v.npz").exists()
    for verb in (["debias", vectors.run.path, "--pairs", "he:she"], ["from", recurrent.run.path]):
        done = recurra(*verb, "-o", tmp_path / "out.xyz")
        assert "out: got 'out.xyz', expected a name that ends in .npz" in str(done.exception)
    done = recurra("nearest", recurrent.run.path, "x")
    assert "recurra vectors from" in str(done.exception)


def test_vectors_of_a_run_of_word_vectors(vectors, tmp_path):
    done = recurra("from", vectors.run.path, "-o", tmp_path / "v.npz")
    assert done.exit_code == 0, done.output
    found, word = open_vectors(tmp_path / "v.npz"), vectors.index_to_key[2]
    assert found.index_to_key == vectors.index_to_key
    np.testing.assert_array_equal(found.vectors, vectors.vectors)
    assert found.get_vecattr(word, "count") == vectors.counts[word]


def test_near_spellings_of_an_unknown_word(tmp_path):
    """Of a debiasing too, before its work is done."""
    words = ["Paris", "paris", "pariss", "London", "x"]
    rc.KeyedVectors(words, np.eye(5, dtype=np.float32)).save_vectors(tmp_path / "v.npz")
    for arguments, told in (
        (["nearest", "x", "PARIS"], "'PARIS' is not in the vocabulary; did you mean Paris or paris?"),
        (
            ["analogy", "x", "Pariss", "x"],
            "'Pariss' is not in the vocabulary; did you mean pariss or Paris?",
        ),
        (["axes", "london", "--axis", "a=x:London"], "did you mean London?"),
        (
            ["debias", "--pairs", "Paris:x", "--analogy", "x:LONDON:paris", "-o", tmp_path / "out.npz"],
            "'LONDON' is not in the vocabulary; did you mean London?",
        ),
        (["nearest", "zzz"], "'zzz' is not in the vocabulary; check its spelling and its case."),
    ):
        done = recurra(arguments[0], tmp_path / "v.npz", *arguments[1:])
        assert told in str(done.exception)


def test_analogy(vectors):
    a, b, c = vectors.index_to_key[:3]
    for flags, ask in (([], vectors.most_similar), (["--cosmul"], vectors.most_similar_cosmul)):
        found = json.loads(recurra("analogy", vectors.run.path, a, b, c, "--json", *flags).output)
        expected = ask(positive=[b, c], negative=[a], topn=5)
        assert [one["word"] for one in found] == [word for word, _ in expected]
    assert "'nothere' is not in the vocabulary" in str(
        recurra("analogy", vectors.run.path, a, b, "nothere").exception
    )


def test_evaluate_runs_and_files(vectors, tmp_path):
    a, b, c, d = vectors.index_to_key[:4]
    table = write(tmp_path / "msr.tsv", ["type\tword1\tword2\tword3\ttarget", f"JJ_JJR\t{a}\t{b}\t{c}\t{d}"])
    vectors.save_vectors(tmp_path / "v.npz")
    found = [
        recurra("evaluate", source, "--analogies", table, "--json").output
        for source in (vectors.run.path, tmp_path / "v.npz")
    ]
    assert found[0] == found[1]
    assert json.loads(found[0])["analogies"][0]["groups"][0]["asked"] == 1
    assert "evaluate: has no tests" in str(recurra("evaluate", vectors.run.path).exception)


def test_axes_are_printed_and_drawn(vectors, tmp_path):
    a, b, c = vectors.index_to_key[:3]
    picture = tmp_path / "axes.png"
    done = recurra(
        "axes", vectors.run.path, c, "--axis", f"one={a}:{b}", "--axis", f"two={a}", "--picture", picture
    )
    assert done.exit_code == 0, done.output
    assert [line.split()[0] for line in done.output.splitlines()] == [c, "one", "two", "picture:"]
    assert picture.read_bytes().startswith(b"\x89PNG")
    done = recurra("axes", vectors.run.path, c, "--axis", f"one={a}:{b},no:{b}")
    assert done.stderr.strip() == "one: left out as unknown: no"
    done = recurra("axes", vectors.run.path, c, "--axis", f"one={a}:{b}", "--picture", tmp_path / "axes.jpg")
    assert "picture: got 'axes.jpg', expected a name that ends in .png or .svg." in str(done.exception)
    assert not (tmp_path / "axes.jpg").exists()


def test_debias_writes_vectors_and_tells_what_changed(vectors, tmp_path):
    a, b, c, d, e, f = vectors.index_to_key[:6]
    words = write(tmp_path / "words.txt", [e, f, "unknown"])
    lists = write(tmp_path / "lists.json", [json.dumps({"x": [a, b], "y": [c, d], "m": [e], "n": [f]})])
    out, picture = tmp_path / "debiased.npz", tmp_path / "moved.png"
    options = ["--pairs", f"{a}:{b}", "--words", words, "--picture", picture, "--analogy", f"{a}:{b}:{c}"]
    options += ["--weat", lists, "--weat-test", "x,y,m,n", "--equalise", f"{a}:{b},no:{c}"]
    found = recurra("debias", vectors.run.path, *options, "-o", out, "--json")
    assert found.exit_code == 0, found.output
    told = json.loads(found.stdout)
    assert found.stderr.splitlines() == [
        "equalise: left out as unknown: no",
        "words: left out as unknown: unknown",
    ]
    assert told["direct_bias"]["words"] == 2
    assert told["direct_bias"]["after"] < 1e-6 < told["direct_bias"]["before"]
    assert told["cosines"].keys() == {e, f}
    assert told["associations"][0]["before"]["known"] == [2, 2, 1, 1]
    after = open_vectors(out)
    assert after.similarity(e, a) == pytest.approx(after.similarity(e, b), abs=1e-6)
    assert picture.read_bytes().startswith(b"\x89PNG")
    again = recurra("debias", vectors.run.path, *options, "-o", out)
    assert isinstance(again.exception, StorageError)
    shown = recurra("debias", vectors.run.path, *options, "-o", out, "--overwrite").output
    assert "remaining bias: two clusters of the" in shown
    assert "debiasing hides the direction" in shown
    assert "direct bias, mean |cosine| of 2 neutral words: " in shown
    assert shown.splitlines()[-2:] == [f"vectors: {out}", f"picture: {picture}"]
    only_definitional = ["--definitional", words, "--words", words, "--pairs", f"{a}:{b}"]
    shown = recurra("debias", vectors.run.path, *only_definitional, "-o", tmp_path / "other.npz").output
    assert f"mean |cosine| of {len(vectors) - 4} neutral words" in shown


@pytest.mark.parametrize(
    ("options", "fault"),
    [
        (["--pairs", "no:where"], "pairs: no pair has two known words, got no:where"),
        (["--pairs", "he"], "pairs: got 'he', expected pairs such as he:she"),
        (["--pairs", "he:she", "--picture", "p.png"], "picture: applies only with words"),
        (["--pairs", "he:she", "--words", "w.txt", "--picture", "p.pdf"], "picture: got 'p.pdf', expected"),
        (["--pairs", "he:she", "--weat-test", "a,b,c,d"], "weat_test: applies only with weat"),
        (["--pairs", "he:she", "--analogy", "a:b"], "analogy: got 'a:b', expected three words"),
        (["--pairs", "he:she", "--most-lost", "0.3"], "most_lost: applies only with weat"),
        (["--pairs", ""], "pairs: got '', expected pairs such as he:she"),
    ],
)
def test_debias_names_what_is_wrong_and_writes_nothing(vectors, tmp_path, options, fault):
    done = recurra("debias", vectors.run.path, *options, "-o", tmp_path / "out.npz")
    assert isinstance(done.exception, ConfigError)
    assert fault in str(done.exception)
    assert not (tmp_path / "out.npz").exists()


def test_debias_refuses_a_picture_that_cannot_be_written_before_it_writes(vectors, tmp_path):
    a, b, c = vectors.index_to_key[:3]
    words, unknown = write(tmp_path / "w.txt", [a, c, "nowhere"]), write(tmp_path / "no.txt", ["nowhere"])
    (tmp_path / "there.png").write_bytes(b"")
    (tmp_path / "folder.png").mkdir()
    options = ["debias", vectors.run.path, "--pairs", f"{a}:{b},{a}:nowhere", "-o", tmp_path / "out.npz"]
    for listed, picture, kind, fault in (
        (words, words / "p.png", StorageError, "is a folder, or in a file; name another file"),
        (words, tmp_path / "folder.png", StorageError, "is a folder, or in a file; name another file"),
        (words, tmp_path / "there.png", StorageError, "already exists; name another file"),
        (unknown, tmp_path / "p.png", ConfigError, "words: none is known to the vectors"),
    ):
        done = recurra(*options, "--words", listed, "--picture", picture)
        assert isinstance(done.exception, kind)
        assert fault in str(done.exception)
        assert not (tmp_path / "out.npz").exists()
        assert not (tmp_path / "p.png").exists()
    done = recurra(*options, "--words", words)
    assert "pairs: left out as unknown: nowhere" in done.stderr
    assert "words: left out as unknown: nowhere" in done.stderr


def test_the_projector_gets_no_empty_files(vectors, tmp_path):
    unknown = write(tmp_path / "no.txt", ["nowhere"])
    done = recurra("map", vectors.run.path, "--projector", tmp_path / "p", "--only", unknown)
    assert "words: got none for the Embedding Projector" in str(done.exception)
    assert not (tmp_path / "p").exists()

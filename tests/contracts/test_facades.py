"""Every model object can be pickled, copied, printed and used by threads."""

import copy
import json
import pickle
import subprocess
import sys

import numpy as np
import pytest
from every_task import recorded

import recurra as rc
from recurra.tasks.language_modeling.spelling import SpellingCorrector

OPTIONS = {"hidden_size": 8, "epochs": 1, "threads": 1}
TEXT = "the cat sat on the mat\nthe dog sat on the log\n" * 40


def a_language_model(folder):
    (folder / "text.txt").write_text(TEXT)
    small = {"batch_size": 4, "segment_length": 12}
    return rc.LanguageModel.train(folder / "text.txt", out=folder / "run", **small, **OPTIONS)


def an_ngram_model(folder):
    (folder / "text.txt").write_text(TEXT)
    return rc.LanguageModel.train(folder / "text.txt", out=folder / "run", model="ngram")


def a_tagger(folder):
    rows = [f"BOS go to boston EOS\tO O O B-to {'go' if i % 2 else 'stay'}\n" for i in range(40)]
    (folder / "rows.iob").write_text("".join(rows))
    return rc.Tagger.train(folder / "rows.iob", out=folder / "run", **OPTIONS)


def a_classifier(folder):
    (folder / "rows.tsv").write_text(
        "text\tlabel\n" + "".join(f"good {i}\tpos\nbad {i}\tneg\n" for i in range(40))
    )
    return rc.Classifier.train(folder / "rows.tsv", out=folder / "run", **OPTIONS)


def a_pair_classifier(folder):
    rows = [f"good {i}\tgood {i + 1}\tyes\nbad {i}\tgood {i}\tno\n" for i in range(40)]
    (folder / "rows.tsv").write_text("text\ttext2\tlabel\n" + "".join(rows))
    return rc.PairClassifier.train(folder / "rows.tsv", out=folder / "run", **OPTIONS)


def a_translator(folder):
    (folder / "rows.tsv").write_text("source\ttarget\n" + "".join(f"ab{i}\tba{i}\n" for i in range(60)))
    return rc.Translator.train(folder / "rows.tsv", out=folder / "run", unit="char", **OPTIONS)


def a_chat_bot(folder):
    turns = [{"turns": [f"ab{i}", f"ba{i}"]} for i in range(60)]
    (folder / "rows.jsonl").write_text("".join(json.dumps(each) + "\n" for each in turns))
    return rc.ChatBot.train(folder / "rows.jsonl", out=folder / "run", unit="char", **OPTIONS)


def a_captioner(folder):
    rows = np.arange(200, dtype=np.float32).reshape(40, 5)
    np.savez(folder / "pictures.npz", features=rows, names=[f"p{i}" for i in range(40)])
    captions = [{"image": f"p{i}", "caption": f"a {i}"} for i in range(40)]
    (folder / "captions.jsonl").write_text("".join(json.dumps(each) + "\n" for each in captions))
    files = (folder / "pictures.npz", folder / "captions.jsonl")
    return rc.Captioner.train(*files, out=folder / "run", unit="char", **OPTIONS)


def a_detector(folder):
    small = {"epochs": 1, "updates_per_epoch": 2, "scene_s": 0.6, "batch_size": 4}
    return rc.Detector.train(**recorded(folder, 12), out=folder / "run", **(OPTIONS | small))


def heard(model):
    tone = np.sin(np.arange(16_000) / 3).astype(np.float32)
    return [(one.time_s, one.score) for one in model.listen([tone], threshold=["0.01"])]


MODELS = {
    "LanguageModel": (a_language_model, lambda model: model.complete("the c", n_best=2)),
    "NGram": (an_ngram_model, lambda model: model.log_prob("the cat")),
    "Tagger": (a_tagger, lambda model: model.predict("go to boston")),
    "Classifier": (a_classifier, lambda model: model.predict("good 3")),
    "PairClassifier": (a_pair_classifier, lambda model: model.predict(("good 3", "bad 3"))),
    "Translator": (a_translator, lambda model: model.translate("ab3")),
    "ChatBot": (a_chat_bot, lambda model: model.conversation().say("ab3")),
    "Detector": (a_detector, heard),
    "Captioner": (a_captioner, lambda model: model.caption(np.ones((1, 5), np.float32))),
}


@pytest.fixture(scope="module", params=sorted(MODELS))
def model(request, tmp_path_factory):
    make, ask = MODELS[request.param]
    made = make(tmp_path_factory.mktemp(request.param))
    return made, ask, ask(made)  # the call fills its caches, as in a model in use


@pytest.mark.parametrize("copied", [lambda m: pickle.loads(pickle.dumps(m)), copy.deepcopy, copy.copy])
def test_a_copy_of_a_model_in_use_answers_the_same(model, copied):
    made, ask, answer = model
    assert ask(copied(made)) == answer


def test_a_model_says_what_it_is(model):
    made, _, _ = model
    said = repr(made)
    assert said.startswith(f"{type(made).__name__}('{made.run.path}': {type(made.network).__name__}")
    if not said.count("NGram"):
        size = sum(weight.numel() for weight in made.network.parameters())
        assert f"{size:,} parameters)" in said
        assert f" x {OPTIONS['hidden_size']}" in said


def test_a_spell_checker_is_pickled():
    checker = SpellingCorrector({"the": 9, "cat": 3, "mat": 2})
    before = checker.candidates("teh")
    assert pickle.loads(pickle.dumps(checker)).candidates("teh") == before
    assert copy.deepcopy(checker).candidates("teh") == before


def test_a_daemon_thread_that_holds_a_model_ends_in_silence(tmp_path):
    """As in a threaded server: the thread still holds packed weights when the interpreter exits."""
    made = a_language_model(tmp_path)
    code = f"""
import threading, time
import recurra as rc
answered = threading.Event()
def serve():
    model = rc.load({str(made.run.path)!r})
    model.complete("the c", n_best=2)
    answered.set()
    time.sleep(60)
threading.Thread(target=serve, daemon=True).start()
assert answered.wait(60)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")

"""Speed, quality and memory of word vectors, compared with gensim.

    python benchmarks/word_vectors.py [--data PATH] [--rows ROW …] [--seeds 1 2 3] [--quick] [--json FILE]

Both train on the same file: lower case, lines of at most 1,000 words, without every 100th line, which is held
out for the losses. 100 dimensions, a window of 5, words that occur 5 times, 5 epochs, subsampling 0.001, 5
negative words, learning rate 0.025 with linear decay. gensim reads the file with `corpus_file`, its fastest
way. Only training is timed: reading and counting words, validation and files are not. The columns for memory
and whole time include all of that, with each model in a process of its own. For each seed, the models are
trained in turn.

Analogies: questions-words in lower case, among the first 30,000 and 300,000 words. Similarity: the mean of
Spearman's correlation over the lists that have two known pairs. Both are computed by the same code for both.

ROW: main (skip-gram and CBOW with negative sampling and hierarchical softmax), contexts, softmax, subwords,
reproducible, glove, memory. The ratio is the time divided by that of recurra with the largest number of
threads; for reproducible training, by that of the same training that is not. Subwords and the full softmax
are trained with the first seed only. --quick: every 90th line, one seed, for a test of this program.
"""

import argparse
import json
import os
import subprocess
import sys
import time
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from statistics import fmean, median, stdev
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from timing import Row, Run, parser
from vectors_alone import UNTIL_THE_END, gensim_vectors

import recurra
from recurra.errors import DataError
from recurra.models.word_vectors.tables import HuffmanTree, keep_probabilities
from recurra.text_files import read_lines
from recurra.training import Listener, StepReport

CORPUS = ("text8_head.txt.gz", "reuters21578.txt.gz", "english_novels.txt.gz")
LONGEST, HELD_OUT = 1000, 100
QUICK_SHARE = 90  # every 90th line, about 500 kB
RESTRICTED = {"30k": 30_000, "300k": 300_000}


@dataclass(frozen=True)
class Setting:
    """One row: what recurra trains, and with what gensim trains the same, if it can."""

    group: str
    name: str
    options: Mapping[str, Any]
    peer: Mapping[str, Any] | None = None
    one_thread: bool = False
    once: bool = False  # with the first seed only, because it takes long
    base: str | None = None  # the row that the ratio refers to; None for its own


NEGATIVE = {"objective": "negative-sampling", "negatives": 5}
TREE = {"objective": "hierarchical-softmax"}
SMALL = {"context": "cbow", "max_vocabulary_size": 5000, "epochs": 1, "subsample": 0.0}
NGRAMS = {"min_ngram": 3, "max_ngram": 6, "buckets": 500_000}
SETTINGS = (
    Setting("main", "SG+NS", {"context": "skip-gram", **NEGATIVE}, {"sg": 1, "hs": 0, "negative": 5}, True),
    Setting("main", "SG+HS", {"context": "skip-gram", **TREE}, {"sg": 1, "hs": 1, "negative": 0}, True),
    Setting("main", "CBOW+NS", {"context": "cbow", **NEGATIVE}, {"sg": 0, "hs": 0, "negative": 5}, True),
    Setting("main", "CBOW+HS", {"context": "cbow", **TREE}, {"sg": 0, "hs": 1, "negative": 0}, True),
    Setting("contexts", "last 4 words, averaged", {"context": "previous-average", "window": 4, **NEGATIVE}),
    Setting(
        "contexts",
        "last 4 words, concatenated",
        {"context": "previous-concatenated", "window": 4, "embedding_size": 96, **NEGATIVE},
    ),
    Setting("contexts", "last word", {"context": "previous-word", **NEGATIVE}),
    Setting("contexts", "one nearby word", {"context": "nearby-word", **NEGATIVE}),
    Setting(
        "softmax",
        "CBOW, full softmax, 5,000 words",
        {**SMALL, "objective": "softmax", "learning_rate": 0.01},
        once=True,
    ),
    Setting("softmax", "CBOW+NS, 5,000 words", {**SMALL, **NEGATIVE}),
    Setting("softmax", "CBOW+HS, 5,000 words", {**SMALL, **TREE}),
    Setting(
        "subwords",
        "SG+NS, subwords",
        {"context": "skip-gram", "subwords": True, **NGRAMS, **NEGATIVE},
        {"sg": 1, "hs": 0, "negative": 5, "min_n": 3, "max_n": 6, "bucket": 500_000},
        once=True,
    ),
    Setting(
        "reproducible",
        "SG+NS, reproducible",
        {"context": "skip-gram", "reproducible": True, **NEGATIVE},
        base="SG+NS",
    ),
    Setting(
        "reproducible",
        "SG+HS, reproducible",
        {"context": "skip-gram", "reproducible": True, **TREE},
        base="SG+HS",
    ),
    Setting(
        "reproducible",
        "CBOW+NS, reproducible",
        {"context": "cbow", "reproducible": True, **NEGATIVE},
        base="CBOW+NS",
    ),
    Setting("glove", "GloVe", {"objective": "glove", "window": 15, "x_max": 30.0, "epochs": 25}),
)
GROUPS = (*dict.fromkeys(setting.group for setting in SETTINGS), "memory")


@dataclass(frozen=True)
class Text:
    """The files of one benchmark."""

    train: Path
    valid: Path
    analogies: Path
    similarities: Sequence[Path]
    folder: Path


@dataclass
class Results:
    """The figures of one row and model, one number per seed."""

    seconds: list[float] = field(default_factory=list)
    figures: dict[str, list[float]] = field(default_factory=dict)

    def add(self, seconds: float, figures: Mapping[str, float]) -> None:
        """Add those of one seed."""
        self.seconds.append(seconds)
        for name, figure in figures.items():
            self.figures.setdefault(name, []).append(figure)


class Watch(Listener):
    """Measures the time of the updates, and counts the predictions."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.predictions = 0
        self._start = 0.0

    def on_start(self, step: int, total_steps: int) -> None:
        self._start = time.perf_counter()

    def on_step(self, report: StepReport) -> None:
        self.seconds = time.perf_counter() - self._start
        self.predictions = report.tokens


def lines_of(data: Path) -> Iterator[str]:
    """Yield the lines of a file, or of the corpus in a folder; each has at most 1,000 words."""
    for path in [data] if data.is_file() else [data / name for name in CORPUS]:
        for line in read_lines(path):
            words = unicodedata.normalize("NFC", line.lower()).split()
            for begin in range(0, len(words), LONGEST):
                yield " ".join(words[begin : begin + LONGEST])


def write_texts(options: argparse.Namespace, folder: Path) -> Text:
    """Write training and held-out text, and the questions in lower case."""
    train, valid, questions = (folder / name for name in ("train.txt", "valid.txt", "questions.txt"))
    lines = islice(lines_of(options.data), 0, None, QUICK_SHARE if options.quick else 1)
    with train.open("w", encoding="utf-8") as to_train, valid.open("w", encoding="utf-8") as to_valid:
        for number, line in enumerate(lines):
            (to_valid if number % HELD_OUT == HELD_OUT - 1 else to_train).write(line + "\n")
    asked = (options.tests / "questions-words.txt").read_text(encoding="utf-8")
    questions.write_text(asked.lower(), encoding="utf-8")
    return Text(train, valid, questions, sorted((options.tests / "word-sim").glob("*.txt")), folder)


def quality(vectors: recurra.KeyedVectors, text: Text) -> dict[str, float]:
    """The accuracy on analogies in percent, and the mean correlation with the similarity lists."""
    found = {}
    for name, count in RESTRICTED.items():
        right, _ = vectors.evaluate_word_analogies(
            text.analogies, restrict_vocab=count, case_insensitive=False
        )
        found[f"analogies_{name}"] = 100 * right
    correlations = []
    for path in text.similarities:
        try:
            correlations.append(vectors.judgements(path, case_insensitive=False).spearman.statistic)
        except DataError:  # fewer than two known pairs, in a short text
            continue
    return found | {"similarity": fmean(correlations), "similarity_lists": len(correlations)}


def outputs_per_prediction(options: Mapping[str, Any], counts: np.ndarray) -> float | None:
    """The mean number of output rows that one prediction meets; None for GloVe."""
    if options["objective"] == "glove":
        return None
    if options["objective"] == "softmax":
        return float(len(counts))
    if options["objective"] == "negative-sampling":
        return float(1 + options["negatives"])
    kept = counts * keep_probabilities(counts, options.get("subsample", 1e-3))
    return float((kept * HuffmanTree.of(counts).lengths).sum() / kept.sum())


def train_ours(setting: Setting, text: Text, seed: int, threads: int) -> tuple[Watch, recurra.WordVectors]:
    """Train recurra's vectors, validated at the end only."""
    watch = Watch()
    model = recurra.WordVectors.train(
        text.train,
        valid=text.valid,
        out=text.folder / "run",
        overwrite=True,
        seed=seed,
        threads=threads,
        listeners=[watch],
        **UNTIL_THE_END,
        **setting.options,
    )
    return watch, model


def measure(run: Run, text: Text, settings: Sequence[Setting]) -> None:
    """Train all models of the settings in turn, once per seed, and add their rows."""
    found: dict[tuple[str, str, int], Results] = {}
    facts: dict[tuple[str, str, int], dict[str, float]] = {}
    most = max(run.options.threads)
    for seed in run.options.seeds:
        for setting in settings:
            if setting.once and seed != run.options.seeds[0]:
                continue
            counts: Mapping[str, int] = {}
            for threads in sorted(run.options.threads, reverse=True):
                if threads != most and not setting.one_thread:
                    continue
                run.status(f"{setting.name}, seed {seed}, {threads} threads          ")
                run.peak.measure(threads)
                watch, model = train_ours(setting, text, seed, threads)
                counts, key = model.counts, (setting.name, "recurra", threads)
                figures = quality(model, text) | {"word_loss": model.evaluate().word_loss}
                found.setdefault(key, Results()).add(watch.seconds, figures)
                words = sum(counts.values()) * model.config.epochs
                facts[key] = {"words": words, "predictions": watch.predictions}
                each = outputs_per_prediction(setting.options, np.array(list(counts.values())))
                if each is not None:
                    width = model.network.output.shape[1]
                    facts[key]["gflop"] = 6e-9 * width * each * watch.predictions
            if setting.peer is not None and "gensim" in run.options.models:
                run.status(f"{setting.name}, seed {seed}, gensim          ")
                seconds, peer = gensim_vectors(text.train, seed, most, dict(setting.peer))
                own = {word: peer.wv.get_vecattr(word, "count") for word in peer.wv.index_to_key}
                if own != counts:
                    raise ValueError(f"{setting.name}: gensim counts other words than recurra.")
                vectors = recurra.KeyedVectors(peer.wv.index_to_key, peer.wv.vectors)
                key = (setting.name, "gensim", most)
                found.setdefault(key, Results()).add(seconds, quality(vectors, text))
                facts[key] = {"words": sum(counts.values()) * peer.epochs}
    bases = {setting.name: setting.base or setting.name for setting in settings}
    known = {(row["row"], row["model"], row["threads"]): row["seconds"] for row in run.rows}
    measured = {key: median(results.seconds) for key, results in found.items()}
    for (name, model_name, threads), results in found.items():
        own = facts[name, model_name, threads]
        seconds = median(results.seconds)
        ours = (known | measured).get((bases[name], "recurra", most), seconds)
        row: Row = {"row": name, "threads": threads, "model": model_name, "seeds": len(results.seconds)}
        row |= {"words_per_s": round(own["words"] / seconds), "seconds": round(seconds, 2)}
        row["ratio"] = round(seconds / ours, 2)
        for figure, each_seed in results.figures.items():
            row[figure] = round(fmean(each_seed), 4)
            row[f"{figure}_sd"] = round(stdev(each_seed), 4) if len(each_seed) > 1 else 0.0
        if "gflop" in own:
            row["percent_of_peak"] = run.peak.percent(own["gflop"] * 1e9, seconds * 1e3, threads)
        run.rows.append(row)


def measure_alone(run: Run, text: Text, settings: Sequence[Setting]) -> None:
    """Add the peak memory and the whole time of each model, each in a process of its own."""
    program, threads = Path(__file__).with_name("vectors_alone.py"), max(run.options.threads)
    for setting in settings:
        for who, options in (("recurra", setting.options), ("gensim", setting.peer)):
            if options is None or (who == "gensim" and "gensim" not in run.options.models):
                continue
            run.status(f"{setting.name}, {who}, alone          ")
            asked = {"seed": run.options.seeds[0], "threads": threads, "options": dict(options)}
            with TemporaryDirectory(dir=text.folder) as folder:
                done = subprocess.run(
                    [sys.executable, program, who, text.train, text.valid, folder, json.dumps(asked)],
                    check=True,
                    stdout=subprocess.PIPE,
                    text=True,
                )
            found = json.loads(done.stdout.splitlines()[-1])
            row = next(
                row
                for row in run.rows
                if (row["row"], row["model"], row["threads"]) == (setting.name, who, threads)
            )
            row["whole_s"] = round(found["seconds"], 1)
            row["peak_mib"] = round(found["mib"])
            row["imports_mib"] = round(found["imports_mib"])


def cells(row: Row) -> list[str]:
    """The cells of the printed table."""

    def shown(name: str, digits: int) -> str:
        return f"{row[name]:,.{digits}f}" if row.get(name) is not None else ""

    return [
        *(row["row"], str(row["threads"]), row["model"], f"{row['words_per_s']:,}", f"{row['ratio']:.2f}"),
        *(shown("percent_of_peak", 0), shown("analogies_30k", 1), shown("analogies_300k", 1)),
        *(shown("similarity", 3), shown("word_loss", 3), shown("whole_s", 0), shown("peak_mib", 0)),
    ]


def main() -> None:
    """Measure and print the table."""
    data = os.environ.get("RECURRA_DATA")
    arguments = parser(__doc__, seconds=None)
    folder = None if data is None else Path(data)
    arguments.add_argument(
        "--data",
        type=Path,
        default=folder and folder / "embedding_corpus",
        help="text file, or folder of the corpus (default: $RECURRA_DATA/embedding_corpus)",
    )
    arguments.add_argument(
        "--tests",
        type=Path,
        default=folder and folder / "word_embedding_tests",
        help="folder of questions-words.txt and word-sim (default: $RECURRA_DATA/word_embedding_tests)",
    )
    arguments.add_argument(
        "--rows", nargs="+", choices=GROUPS, default=list(GROUPS), help="groups of rows (default: all)"
    )
    arguments.add_argument(
        "--models", nargs="+", choices=("recurra", "gensim"), default=["recurra", "gensim"]
    )
    arguments.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3], metavar="N")
    arguments.add_argument("--add", action="store_true", help="keep the other rows of the file --json")
    arguments.add_argument("--quick", action="store_true", help="every 90th line of the text, and one seed")
    options = arguments.parse_args()
    if options.add and not options.json:
        arguments.error("--add: needs --json, the file whose rows are kept")
    for name in ("data", "tests"):
        if getattr(options, name) is None:
            arguments.error(f"--{name}: is missing; name it, or set RECURRA_DATA")
    if options.quick:
        options.seeds = options.seeds[:1]
    run = Run("word_vectors", options)
    settings = [setting for setting in SETTINGS if setting.group in options.rows]
    if options.add:
        names = {setting.name for setting in settings}
        kept = json.loads(options.json.read_text(encoding="utf-8"))["rows"]
        run.rows += [row for row in kept if row["row"] not in names]
    with TemporaryDirectory() as room:
        os.environ["RECURRA_CACHE"] = f"{room}/cache"
        text = write_texts(options, Path(room))
        measure(run, text, settings)
        if "memory" in options.rows:
            measure_alone(run, text, [setting for setting in settings if setting.peer and not setting.once])
    order = [setting.name for setting in SETTINGS]
    run.rows.sort(key=lambda row: order.index(row["row"]))
    if "gensim" in options.models:
        import gensim

        run.facts["gensim"] = gensim.__version__
    run.facts["seeds"] = ", ".join(map(str, options.seeds))
    columns = ["row|", "threads", "model|", "words/s", "ratio", "% of peak", "analogies 30k", "300k"]
    run.finish("word vectors", [*columns, "similarity", "word loss", "whole s", "peak MiB"], cells)


if __name__ == "__main__":
    main()

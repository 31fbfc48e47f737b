"""Speed of predictions for sentences as they arrive: one by one, adaptive, full batches; several processes.

    python benchmarks/predicting.py [--run RUN --file FILE [--workers 2]] [--json FILE]

A bidirectional LSTM tagger with random weights, of the sizes of `labelling.py`, labels sentences of 5 to 40
words with `Tagger.predict_stream`: a list, an iterator without options, and an iterator with at_once=1.
Latency is the time from one sentence to its answer, from an iterator that gives one sentence when the last
answer has been used, as a person does. CPU time, which other programs on the machine affect less, is the
median over all calls. With `--run`, `recurra predict RUN FILE` is timed as a whole, with one process and with
several.
"""

import os
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from statistics import median

import torch
from labelling import LABELS, LONGEST, OPTIONS, SENTENCE, SHORTEST, VOCABULARY, build
from timing import Call, Row, Run, parser

from recurra.config import build_config
from recurra.tasks.labelling.config import TagConfig
from recurra.tasks.labelling.facade import Tagger
from recurra.text import Vocabulary
from recurra.text.label_symbols import Symbols
from recurra.text.word_encoder import WordEncoder

SENTENCES = 1_000


def tagger() -> Tagger:
    """A tagger with random weights."""
    words = [f"word{i}" for i in range(VOCABULARY - 1)]
    symbols = Symbols(WordEncoder.count([words]), Vocabulary([f"label{i}" for i in range(LABELS)]), None)
    config = build_config(TagConfig, overrides=OPTIONS | {"data": "none"})
    return Tagger(build(crf=False)[0], symbols, config)


def sentence(length: int, drawer: random.Random) -> str:
    """A sentence of random words."""
    return " ".join(f"word{drawer.randrange(VOCABULARY - 1)}" for _ in range(length))


def used(answers: Iterator[object]) -> int:
    """Use all answers, and return their number."""
    return sum(1 for _ in answers)


def cpu_time() -> float:
    """The CPU time of this process and of those that it waited for, in seconds."""
    children = os.times()
    return time.process_time() + children.children_user + children.children_system


def add(run: Run, task: str, calls: dict[str, Call], rows: int, part: float = 1.0) -> None:
    """Time calls that predict `rows` rows each, and add them to the table."""
    spent: dict[str, list[float]] = {name: [] for name in calls}

    def counted(name: str) -> Call:
        def call() -> None:
            before = cpu_time()
            calls[name]()
            spent[name].append(cpu_time() - before)

        return call

    whole = run.interleaved({name: counted(name) for name in calls}, part)
    first = next(iter(whole.values()))
    for name, timing in whole.items():
        row: Row = {"task": task, "threads": torch.get_num_threads(), "way": name}
        row["cpu_ms"] = round(median(spent[name][1:]) * 1e3 / rows, 4)  # the first call is a warm-up
        row |= {"per_s": round(rows / timing.median_ms * 1e3)} | timing.as_json(rows)
        row["ratio"] = round(first.median_ms / timing.median_ms, 2)
        run.rows.append(row)


def measure_sentences(run: Run) -> None:
    """Add the rows for many sentences and for the latency of one."""
    torch.set_num_threads(1)
    model, drawer = tagger(), random.Random(1)
    texts = [sentence(drawer.randint(SHORTEST, LONGEST), drawer) for _ in range(SENTENCES)]
    calls: dict[str, Call] = {
        "one by one": lambda: used(model.predict_stream(iter(texts), at_once=1)),
        "adaptive": lambda: used(model.predict_stream(iter(texts))),
        "list": lambda: used(model.predict_stream(texts)),
    }
    add(run, f"{SENTENCES:,} sentences", calls, SENTENCES)
    text = sentence(SENTENCE, drawer)
    latency: dict[str, Call] = {
        "one by one": lambda: next(model.predict_stream(iter([text]), at_once=1)),
        "adaptive": lambda: next(model.predict_stream(iter([text]))),
        "predict": lambda: model.predict(text),
    }
    add(run, "latency of one sentence", latency, 1)


def measure_workers(run: Run, folder: str, file: str, counts: list[int]) -> None:
    """Add the rows for the whole command, from its start to its end."""
    torch.set_num_threads(len(counts))
    with open(file, encoding="utf-8") as lines:
        count = sum(1 for _ in lines)

    def predicting(workers: int) -> Call:
        command = [sys.executable, "-m", "recurra", "predict", folder, file, "--workers", str(workers)]
        return lambda: subprocess.run(command, check=True, stdout=subprocess.DEVNULL)

    calls = {f"{workers} process{'es' * (workers > 1)}": predicting(workers) for workers in (1, *counts)}
    add(run, f"file of {count:,} lines", calls, count)


def main() -> None:
    """Measure and print the table."""
    arguments = parser(__doc__, seconds=10.0, threads=(1,))
    arguments.add_argument("--run", help="run of a model, for predictions by several processes")
    arguments.add_argument("--file", help="file for that run")
    arguments.add_argument(
        "--workers", type=int, nargs="+", default=[2], metavar="N", help="numbers of processes (default: 2)"
    )
    options = arguments.parse_args()
    if (options.run is None) != (options.file is None):
        arguments.error("--run and --file: need each other; name both")
    run = Run("predicting", options)
    measure_sentences(run)
    if options.run is not None:
        measure_workers(run, options.run, options.file, options.workers)

    def cells(row: Row) -> list[str]:
        head = [row["task"], row["way"], f"{row['per_s']:,}"]
        return [*head, f"{row['ratio']:.2f}", f"{row['ms'] * 1e3:,.0f}", f"{row['cpu_ms'] * 1e3:,.0f}"]

    columns = ["task|", "way|", "per second", "ratio", "µs per row", "CPU µs per row"]
    return run.finish("predictions, medians", columns, cells)


if __name__ == "__main__":
    main()

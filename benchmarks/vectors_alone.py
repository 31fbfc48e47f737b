"""One training of word vectors in a process of its own: time from text to saved vectors, and peak memory.

    python benchmarks/vectors_alone.py recurra|gensim TRAIN VALID OUT OPTIONS

OPTIONS is JSON: {"seed": …, "threads": …, "options": {…}}. The program prints JSON. Without the libraries of
the other side, so that each has only its own memory.
"""

import json
import os
import sys
import time
from importlib import import_module
from pathlib import Path
from typing import Any

from memory import memory_mib

GENSIM = {"vector_size": 100, "window": 5, "min_count": 5, "sample": 1e-3, "epochs": 5}
# No validation and no checkpoint before the end, which gensim does not have either.
UNTIL_THE_END = {"validate_every": 1_000_000_000, "checkpoint_every_s": 1e9}


def gensim_vectors(train: Path, seed: int, threads: int, options: dict[str, Any]) -> tuple[float, Any]:
    """Train gensim's Word2Vec or FastText from a file; return the seconds of training and the model."""
    from gensim.models import FastText, Word2Vec

    kind = FastText if "bucket" in options else Word2Vec
    model = kind(**GENSIM | options, workers=threads, seed=seed)
    model.build_vocab(corpus_file=str(train))
    start = time.perf_counter()
    model.train(
        corpus_file=str(train),
        total_examples=model.corpus_count,
        total_words=model.corpus_total_words,
        epochs=model.epochs,
    )
    return time.perf_counter() - start, model


def main() -> None:
    """Train once, save the vectors, and print the figures."""
    who, train, valid, out, given = sys.argv[1:]
    asked, folder = json.loads(given), Path(out)
    if who == "recurra":
        os.environ["RECURRA_CACHE"] = str(folder / "cache")
        import recurra
        import recurra.tasks.vectors.task  # what is otherwise imported on first use
    else:
        import_module("gensim.models")
    before, start = memory_mib(), time.perf_counter()
    if who == "recurra":
        model = recurra.WordVectors.train(
            train,
            valid=valid,
            out=folder / "run",
            seed=asked["seed"],
            threads=asked["threads"],
            **UNTIL_THE_END,
            **asked["options"],
        )
        model.save_word2vec_format(folder / "recurra.bin", binary=True)
    else:
        _, model = gensim_vectors(Path(train), asked["seed"], asked["threads"], asked["options"])
        model.wv.save_word2vec_format(str(folder / "gensim.bin"), binary=True)
    found = {"seconds": time.perf_counter() - start, "mib": memory_mib(highest=True), "imports_mib": before}
    print(json.dumps(found))


if __name__ == "__main__":
    main()

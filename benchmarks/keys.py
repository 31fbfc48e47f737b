"""Time of `complete` per typed character, on one core.

python benchmarks/keys.py RUN [--text FILE] [--keys 300]
"""

import argparse
import time
from pathlib import Path
from statistics import median, quantiles

import torch

import recurra


def main() -> None:
    """Call `complete` after each character of a text, and print the times."""
    arguments = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    arguments.add_argument("run", type=Path)
    arguments.add_argument("--text", type=Path, help="text to type (default: the run's validation set)")
    arguments.add_argument(
        "--keys", type=int, default=300, help="number of characters to type (default: %(default)s)"
    )
    arguments.add_argument("--n-best", type=int, default=5, help="endings per call (default: %(default)s)")
    options = arguments.parse_args()
    torch.set_num_threads(1)
    model = recurra.LanguageModel.load(options.run)
    chunks = model.source_of("valid").chunks() if options.text is None else [options.text.read_text()]
    text = "".join(chunks)[: options.keys + 1]
    model.complete(text[:1], n_best=options.n_best)
    times, saved = [], 0
    for at in range(1, len(text)):
        start = time.perf_counter()
        found = model.complete(text[:at], n_best=options.n_best)
        times.append((time.perf_counter() - start) * 1e3)
        saved += any(ending and text[at:].startswith(ending) for ending, _ in found)
    slow = quantiles(times, n=20, method="inclusive")[-1]
    print(
        f"{len(times)} keys, {options.n_best} endings each, one core: median {median(times):.2f} ms, "
        f"95 % below {slow:.2f} ms, longest {max(times):.2f} ms"
    )
    print(f"after {saved / len(times):.0%} of the keys, one of the {options.n_best} endings is correct")


if __name__ == "__main__":
    main()

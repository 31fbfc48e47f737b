"""Write every picture of the documentation: `python docs/pictures/draw.py [NAME …] [--png DIR]`."""

import argparse
import importlib
from pathlib import Path

from drawing import STYLE, save
from matplotlib import rc_context

HERE = Path(__file__).resolve().parent
NAMES = (
    "rnn",
    "jordan",
    "gru",
    "gru_before",
    "lstm",
    "lstm_peepholes",
    "bptt",
    "streams",
    "documents",
    "clipping",
    "perplexity",
    "sampling",
    "ngram",
    "window",
    "dropout",
    "lattice",
    "crf",
    "attention",
    "beam",
    "clip",
    "contexts",
    "huffman",
    "negatives",
    "glove",
    "bias",
    "alignment",
    "sound_features",
    "running_normalisation",
    "kernels",
    "augmentation",
    "benchmarks",
)


def main() -> None:
    """Draw the pictures that were asked for, or all."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", default=NAMES, metavar="NAME")
    parser.add_argument("--png", type=Path, metavar="DIR", help="write PNG there, in the place of SVG")
    given = parser.parse_args()
    for name in given.names:
        target = HERE / f"{name}.svg" if given.png is None else given.png / f"{name}.png"
        with rc_context(STYLE):
            figure = importlib.import_module(f"picture_{name}").draw()
        save(figure, target)
        print(f"{target}  {target.stat().st_size / 1024:.0f} kB")


if __name__ == "__main__":
    main()

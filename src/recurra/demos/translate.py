"""Translation of written dates to ISO 8601, with a picture of the attention."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.text import Text

from recurra.data.readers.pairs import Pair
from recurra.data.synthetic import dates as corpus
from recurra.demos.side_by_side import claim_folder
from recurra.files import write_text
from recurra.plain import shell
from recurra.reports.drawing import heat_map, write_png
from recurra.tasks.seq2seq.facade import AttentionMap, Translator
from recurra.tasks.seq2seq.figures import PairFigures
from recurra.training import ProgressBar

_PAIRS, _TEST_PAIRS = 10_000, 1_000
_FAMOUS = ("3 May 1979", "5 April 09", "21st of August 2016", "Tue 10 Jul 2007", "Saturday May 9 2018")
_OPTIONS: dict[str, Any] = {
    "unit": "char",
    "hidden_size": 64,
    "share_vectors": True,
    "tie_weights": True,
    "attention": "general",
    "dropout": 0.1,
    "input_dropout": 0.0,
    "learning_rate": 0.006,
    "warmup_steps": 50,
    "epochs": 9,
    "validation_rows": 200,
}
_SHADES = " ░▒▓█"


@dataclass(frozen=True)
class TranslateResult:
    """The metrics on the test dates, the outputs for the example dates, and the picture of the attention."""

    figures: PairFigures
    famous: dict[str, str]
    picture: Path


def run(
    out: Path, *, overwrite: bool = False, seed: int = 1, console: Console | None = None
) -> TranslateResult:
    """Train an encoder-decoder with attention on written dates, and show its attention.

    Raises: RunError if `out` is in the way.
    """
    console = console or Console()
    claim_folder(out, overwrite=overwrite)
    every = list(corpus.make_dates(_PAIRS + _TEST_PAIRS, seed))
    data, test = out / "dates.tsv", out / "test.tsv"
    for file, dates in ((data, every[:_PAIRS]), (test, every[_PAIRS:])):
        rows = "".join(f"{date.written}\t{date.iso}\n" for date in dates)
        write_text(file, f"source\ttarget\n{rows}")
    console.print(f"{_PAIRS:,} training dates, {_TEST_PAIRS:,} test dates, such as:")
    for date in every[:4]:
        console.print(Text(f"  {date.written:<32}{date.iso}"))
    console.print(f"training on characters: {data} …")
    bar = ProgressBar(console, "character")
    model = Translator.train(data, out=out / "model", overwrite=True, listeners=[bar], seed=seed, **_OPTIONS)
    figures = model.evaluate(test)
    console.print(f"\nexact match on {figures.texts.texts:,} test dates: {figures.texts.exact:.1%}")
    famous = dict(zip(_FAMOUS, model.translate(_FAMOUS), strict=True))
    for written, iso in famous.items():
        console.print(Text(f"  {written:<32}{iso}"))
    picture = out / "attention.png"
    found = model.attention(Pair((_FAMOUS[0],), (famous[_FAMOUS[0]],)))
    write_png(picture, heat_map, found.weights, columns=found.source, rows=found.target)
    console.print("\nAttention for each output character (dark: large weight); the last row is the end:")
    show_map(console, found)
    console.print(f"as a picture: {picture}")
    console.print(f"next:  echo '12 June 85' | recurra translate {shell(out / 'model')}")
    return TranslateResult(figures, famous, picture)


def show_map(console: Console, found: AttentionMap) -> None:
    """Print an attention map in characters."""
    console.print(Text("      " + "".join(f"{name:^3}" for name in found.source)))
    for name, weights in zip(found.target, found.weights, strict=True):
        cells = "".join(_SHADES[min(4, round(4 * float(weight)))] * 3 for weight in weights)
        console.print(Text(f"  {name or '.':>2}  {cells}"))

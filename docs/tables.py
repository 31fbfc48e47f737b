"""Write the figures from benchmarks/results into the tables of a page.

    python docs/tables.py [PAGE …]          (default: docs/benchmarks.md)

The text between a comment `<!-- table: NAME … -->` and the next `<!-- end -->` is replaced. NAME is a
function of this file; the words after it are its arguments.
"""

import json
import re
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
RESULTS = HERE.parent / "benchmarks" / "results"
_PLACE = re.compile(r"(<!-- table: (?P<call>[^\n]*) -->\n).*?(<!-- end -->\n)", re.DOTALL)

Row = dict[str, Any]


def main() -> None:
    """Update the tables of each given page."""
    for page in map(Path, sys.argv[1:] or [HERE / "benchmarks.md"]):
        text = page.read_text(encoding="utf-8")
        page.write_text(_PLACE.sub(_written_anew, text), encoding="utf-8")


def _written_anew(match: re.Match[str]) -> str:
    name, *arguments = match["call"].split()
    return f"{match[1]}\n{TABLES[name](*arguments)}\n\n{match[3]}"


def layers(threads: str, kind: str) -> str:
    """Ratios and percentages of the peak by layer and shape, for one pass ("forward" or "both")."""
    wanted = {"forward": "forward", "both": "forward + backward"}[kind]
    rows = [row for row in _rows("layers") if row["threads"] == int(threads) and row["pass"] == wanted]
    shapes = _unique(tuple(row["shape"]) for row in rows)
    found = {(row["layer"], tuple(row["shape"])): _layer_cell(row) for row in rows}
    table = [[name, _peer_of(rows, name)] for name in _unique(row["layer"] for row in rows)]
    for line in table:
        line += [found.get((line[0], shape), "") for shape in shapes]
    return _table(["layer", "peer", *(",".join(map(str, shape)) for shape in shapes)], table, text=2)


def _layer_cell(row: Row) -> str:
    ratio = next((row["peers"][peer]["ratio"] for peer in ("torch.nn", "loop") if peer in row["peers"]), None)
    return ", ".join(filter(None, (_times(ratio), _percent(row))))


def _percent(row: Row) -> str:
    percents = [row["percent_of_peak"], row["percent_at_best"]]
    return " / ".join(f"{percent:.0f}" for percent in percents if percent is not None)


def _peer_of(rows: Iterable[Row], name: str) -> str:
    peers = next(row["peers"] for row in rows if row["layer"] == name)
    return next((peer for peer in ("torch.nn", "loop") if peer in peers), "")


def torchrecurrent() -> str:
    """Ratios to torchrecurrent, for the cells that it has."""
    rows = [row for row in _rows("layers") if "torchrecurrent" in row["peers"]]
    shapes = _unique(tuple(row["shape"]) for row in rows)
    found = {
        (row["layer"], row["threads"], row["pass"], tuple(row["shape"])): row["peers"]["torchrecurrent"][
            "ratio"
        ]
        for row in rows
    }
    heads = _unique((row["layer"], row["threads"], row["pass"]) for row in rows)
    table = [
        [name, str(threads), kind, *(_times(found.get((name, threads, kind, shape))) for shape in shapes)]
        for name, threads, kind in heads
    ]
    columns = ["layer", "threads", "pass", *(",".join(map(str, shape)) for shape in shapes)]
    return _table(columns, table, text=3)


def output_layer() -> str:
    """Time and memory of the fused output layer, compared with linear and cross_entropy."""
    table = [
        [
            ",".join(map(str, row["shape"])),
            str(row["threads"]),
            row["reduction"],
            f"{row['recurra']['ms']:.1f}",
            f"{row['torch']['ms']:.1f}",
            _times(row["torch"]["ratio"]),
            _percent(row),
            f"{row['recurra_mib']:.1f}",
            f"{row['torch_mib']:.1f}",
        ]
        for row in _rows("output_layer")
    ]
    columns = ["N,H,V", "threads", "loss", "recurra ms", "torch ms", "ratio", "% of peak / at best"]
    return _table([*columns, "recurra MiB", "torch MiB"], table, text=3)


def language_model() -> str:
    """Words per second, time per part of a segment, and memory."""
    rows = _rows("language_model")
    parts = list(rows[0]["parts_ms"]) if rows else []
    table = [
        [
            row["cell"],
            str(row["threads"]),
            row["model"],
            f"{row['tokens_per_s']:,}",
            _times(row["ratio"]) if row["model"] != "recurra" else "",
            f"{row['ms']:.1f}",
            *(f"{row['parts_ms'][part]:.1f}" for part in parts),
            f"{row['memory_mib']:.0f}",
        ]
        for row in rows
    ]
    columns = ["cell", "threads", "model", "words/s", "ratio", "ms per segment", *parts, "memory, MiB"]
    return _table(columns, table, text=3)


def streaming() -> str:
    """Microseconds per step."""
    peers = ("torch cells", "torch layer", "ONNX Runtime")
    table = [
        [
            row["layer"],
            str(row["hidden_size"]),
            str(row["num_layers"]),
            f"{row['recurra']['us']:.1f}",
            *(f"{row[peer]['us']:.1f}, {_times(row[peer]['ratio'])}" for peer in peers),
        ]
        for row in _rows("streaming")
    ]
    return _table(["layer", "H", "layers", "recurra µs", *(f"{peer} µs" for peer in peers)], table, text=1)


def uses() -> str:
    """Counting, sampling and scoring: units per second."""
    table = []
    for row in _rows("uses"):
        rates = [row["count"] / one["ms"] * 1e3 for one in (row["recurra"], row["peer_timing"])]
        table.append(
            [
                row["use"],
                row["unit"],
                f"{rates[0]:,.0f}",
                row["peer"],
                f"{rates[1]:,.0f}",
                _times(row["ratio"]),
            ]
        )
    return _table(["use", "unit", "recurra per second", "peer", "peer per second", "ratio"], table, text=2)


def labelling() -> str:
    """Training throughput of a tagger in sentences per second, and the time to label one sentence."""
    return _tasks("labelling", "sentences_per_s", "sentences/s")


def predicting() -> str:
    """Predictions of sentences that arrive, and of a file by several processes; ratios to the first way."""
    table = [
        [
            *(row["task"], row["way"], f"{row['per_s']:,}", f"{row['ms'] * 1e3:,.0f}"),
            *(f"{row['cpu_ms'] * 1e3:,.0f}", _times(row["ratio"])),
        ]
        for row in _rows("predicting")
    ]
    return _table(["task", "way", "per second", "µs per row", "CPU µs per row", "ratio"], table, text=2)


def translation() -> str:
    """Training of an encoder-decoder in symbols per second; beam search in sentences per second."""
    return _tasks("translation", "per_s", "per second")


def word_vectors(kind: str) -> str:
    """Word vectors: "speed" of training, "quality" on tests, or "memory" and whole time of each row."""
    table = []
    for row in _rows("word_vectors"):
        if kind == "speed":
            cells = [f"{row['words_per_s']:,}", f"{row['seconds']:.1f}", _times(row["ratio"])]
            cells.append("" if row.get("percent_of_peak") is None else f"{row['percent_of_peak']:.0f}")
        elif kind == "quality":
            named = (("analogies_30k", 1), ("analogies_300k", 1), ("similarity", 3), ("word_loss", 3))
            cells = [_mean(row, name, digits) for name, digits in named] + [str(row["seeds"])]
        elif "peak_mib" in row:
            cells = [f"{row['whole_s']:.0f}", f"{row['peak_mib']:,}", f"{row['imports_mib']:,}"]
        else:
            continue
        table.append([row["row"], str(row["threads"]), row["model"], *cells])
    columns = {
        "speed": ["words/s", "s", "ratio", "% of peak"],
        "quality": ["analogies, 30,000", "300,000", "similarity", "word loss", "seeds"],
        "memory": ["whole time, s", "peak MiB", "of which libraries"],
    }
    return _table(["row", "threads", "model", *columns[kind]], table, text=3)


def _mean(row: Row, name: str, digits: int) -> str:
    """A mean with its standard deviation over seeds."""
    if row.get(name) is None:
        return ""
    deviation = f" ± {row[f'{name}_sd']:.{digits}f}" if row["seeds"] > 1 else ""
    return f"{row[name]:.{digits}f}{deviation}"


def _tasks(name: str, rate: str, column: str) -> str:
    """One row per task, number of threads and model: throughput, time per call, ratio to recurra's."""
    table = [
        [
            row["task"],
            str(row["threads"]),
            row["model"],
            f"{row[rate]:,}",
            f"{row['ms']:.2f}",
            _times(row["ratio"]) if row["model"] != "recurra" else "",
        ]
        for row in _rows(name)
    ]
    return _table(["task", "threads", "model", column, "ms", "ratio"], table, text=3)


def busy(name: str) -> str:
    """Milliseconds per training step on one and on several threads, on an idle and on a busy machine."""
    table = []
    for row in _rows(name):
        cells = [row["layer"], ",".join(map(str, row["shape"])), row["company"]]
        for who in ("recurra", "torch.nn"):
            own = row.get(who, {"ms": {}, "several_to_one": None})
            cells += [", ".join(f"{ms:.2f}" for ms in own["ms"].values()), _times(own["several_to_one"])]
        table.append(cells)
    columns = ["layer", "B,T,I,H", "machine"]
    columns += [part for who in ("recurra", "torch.nn") for part in (f"{who} ms", "several / one")]
    return _table(columns, table, text=3)


def machine(name: str) -> str:
    """One sentence that describes the machine of a benchmark."""
    told = [(fact, value) for fact, value in _results(name).get("machine", {}).items() if value != {}]
    return (
        "Measured on: " + ", ".join(f"{fact.replace('_', ' ')} {_fact(value)}" for fact, value in told) + "."
    )


def _fact(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{number} (threads: {threads})" for threads, number in value.items())
    return str(value)


def _results(name: str) -> dict[str, Any]:
    file = RESULTS / f"{name}.json"
    found: dict[str, Any] = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
    return found


def _rows(name: str) -> list[Row]:
    rows: list[Row] = _results(name).get("rows", [])
    return rows


def _unique(things: Iterable[Any]) -> list[Any]:
    return list(dict.fromkeys(things))


def _times(ratio: float | None) -> str:
    return "" if ratio is None else f"{ratio:.2f}×"


def _table(columns: list[str], rows: list[list[str]], text: int) -> str:
    """A Markdown table with its first `text` columns left-aligned."""
    if not rows:
        return "Not measured yet."
    rules = ["---"] * text + ["---:"] * (len(columns) - text)
    return "\n".join(f"| {' | '.join(line)} |" for line in (columns, rules, *rows))


TABLES: dict[str, Callable[..., str]] = {
    function.__name__: function
    for function in (
        layers,
        torchrecurrent,
        output_layer,
        language_model,
        labelling,
        predicting,
        translation,
        word_vectors,
        streaming,
        uses,
        busy,
        machine,
    )
}

if __name__ == "__main__":
    main()

"""Small files with rare labels and short targets, the options to train on them, and a listener that stops."""

import os
import random
import signal

from whole_runs import SMALL

from recurra.training import Listener

OPTIONS = SMALL | {
    "embedding_size": 6, "learning_rate": 0.05, "epochs": 6, "max_steps": 24, "checkpoint_every_s": 30,
}  # fmt: skip


class Stop(Listener):
    """Sends a signal after a step of the run number `run`."""

    def __init__(self, step, run=1):
        self._step, self._run, self._runs = step, run, 0

    def on_start(self, step, total_steps):
        self._runs += 1

    def on_step(self, report):
        if (self._runs, report.step) == (self._run, self._step):
            os.kill(os.getpid(), signal.SIGINT)


WORDS = {"bad": ["poor", "awful"], "good": ["fine", "lovely"], "mixed": ["plain", "usual"]}


def reviews(folder, count=90):
    """Three classes, one rare, which the words do not determine."""
    draw, lines = random.Random(4), ["text,label"]
    for _ in range(count):
        label = draw.choices(list(WORDS), [25, 65, 10])[0]
        shown = draw.choices([label, *WORDS], [70, 10, 10, 10], k=2)
        words = [draw.choice(WORDS[one]) for one in shown]
        lines.append(f"the {words[0]} food and {words[1]} wine,{label}")
    (folder / "reviews.csv").write_text("\n".join(lines) + "\n")
    return {"data": folder / "reviews.csv"}


def flights(folder, spans=True, count=60):
    draw, rows = random.Random(2), []
    for _ in range(count):
        verb, kind = draw.choice([("go", "to"), ("leave", "from")])
        other = draw.choices([kind, "via"], [80, 20])[0]
        mark = f"B-{other}" if spans else f"{other}_place"
        rows.append(f"BOS {verb} {draw.choice(['oslo', 'rome'])} EOS\tO O {mark} {verb}\n")
    (folder / "rows.iob").write_text("".join(rows))
    return {"data": folder / "rows.iob"}


def short_targets(folder, count=80):
    draw, lines = random.Random(3), ["source\ttarget"]
    for _ in range(count):
        day, month = draw.randrange(1, 29), draw.choice(["May", "June"])
        lines.append(f"{day:02}/{'05' if month == 'May' else '06'}\t{day} {month}")
    (folder / "days.tsv").write_text("\n".join(lines) + "\n")
    return {"data": folder / "days.tsv", "unit": "char"}

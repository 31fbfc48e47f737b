"""Dialogues with a travel agent in which the slot of a city depends on an earlier turn.

    i am coming by plane        on may 2nd        lisbon please        (the destination)
    i am leaving by plane       on may 2nd        lisbon please        (the place of departure)

Sometimes the traveller changes the plan, and the next city has the other slot.
"""

import random
from pathlib import Path

from recurra.data.synthetic.flights import CITIES, Labelled, date, plain
from recurra.files import write_text
from recurra.plain import json_line

_OPENINGS = {
    "destination": ("i am coming by plane", "we want to land somewhere", "my sister arrives next week"),
    "departure": ("i am leaving by plane", "we want to take off somewhere", "my sister departs next week"),
}
_CHANGES = {
    "destination": ("no , rather tell me where to land", "sorry , i meant the way there"),
    "departure": ("no , rather tell me where to start", "sorry , i meant the way back"),
}
_ENDS = ("please", "if you can", "", "")

Turn = tuple[Labelled, str]


def make_dialogue(draw: random.Random) -> list[Turn]:
    """Draw the traveller's turns: words with their labels, and the turn's kind (open, date, city, change)."""
    slot = draw.choice(list(_OPENINGS))
    turns = [(plain(draw.choice(_OPENINGS[slot])), "open")]
    for again in range(draw.randint(1, 2)):
        if again and draw.random() < 0.5:
            slot = "destination" if slot == "departure" else "departure"
            turns.append((plain(draw.choice(_CHANGES[slot])), "change"))
        if draw.random() < 0.4:
            turns.append((date(draw), "date"))
        city = draw.choice(CITIES).split()
        words = [(word, f"{'B' if i == 0 else 'I'}-{slot}") for i, word in enumerate(city)]
        turns.append(([*words, *plain(draw.choice(_ENDS))], "city"))
    return turns


def write_corpus(path: Path, count: int, seed: int) -> None:
    """Write `count` dialogues, one JSON object per turn and line; the same seed gives the same file.

    Raises: StorageError if it cannot be written.
    """
    draw = random.Random(seed)
    lines = []
    for number in range(1, count + 1):
        for words, kind in make_dialogue(draw):
            text, labels = zip(*words, strict=True)
            turn = {"conversation": str(number), "text": " ".join(text), "labels": labels, "label": kind}
            lines.append(json_line(turn) + "\n")
    write_text(path, "".join(lines))

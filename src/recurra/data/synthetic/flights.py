"""Sentences to a travel agent in which the slot of a city depends on a verb, possibly far away.

    arrive taipei on november 2nd          taipei is the destination
    leave taipei on november 2nd           taipei is the place of departure

A network that sees only the city cannot tell them apart. Up to eight symbols stand between verb and city;
except for a preposition right after the verb, they are drawn independently of the verb.
"""

import random
from pathlib import Path

from recurra.files import write_text

Labelled = list[tuple[str, str]]  # words, each with its label

ARRIVING = ("arrive in", "land in", "get to", "come to", "touch down in")
LEAVING = ("leave", "depart from", "start from", "set off from", "take off from")
CITIES = (
    *("taipei", "new york", "boston", "denver", "san francisco", "tokyo", "paris", "lisbon", "oslo", "seoul"),
    *("nairobi", "lima", "buenos aires", "cape town", "delhi", "rome", "vienna", "salt lake city", "sydney"),
)
_MONTHS = ("january", "march", "may", "july", "september", "november")
_DAYS = ("1st", "2nd", "3rd", "9th", "14th", "20th", "31st")
_LEADS = ("", "i would like to", "please let us", "we want to", "my sister hopes to", "is there a way to")
_ASIDES = ("", "", "lovely", "busy old", "the airport of", "the wonderful city of")
_ENDS = ("", "", "please", "if you can", "with two bags")


def date(draw: random.Random) -> Labelled:
    """Draw a date in three words."""
    return [("on", "O"), (draw.choice(_MONTHS), "B-date"), (draw.choice(_DAYS), "I-date")]


def plain(text: str) -> Labelled:
    """Label all words as outside any slot."""
    return [(word, "O") for word in text.split()]


def make_sentence(draw: random.Random) -> tuple[Labelled, str]:
    """Draw words with their labels, and the intent: arrival or departure."""
    arrives = draw.random() < 0.5
    slot, intent = ("destination", "arrival") if arrives else ("departure", "departure")
    verb, *preposition = draw.choice(ARRIVING if arrives else LEAVING).split()
    city = draw.choice(CITIES).split()
    words = [*plain(draw.choice(_LEADS)), (verb, "O")]
    date_first = draw.random() < 0.5
    if date_first:
        words += [*date(draw), (",", "O")]
    # A preposition repeats the information of the verb, so it is used only next to the verb.
    words += [] if date_first else [(word, "O") for word in preposition]
    words += plain(draw.choice(_ASIDES))
    words += [(word, ("B-" if i == 0 else "I-") + slot) for i, word in enumerate(city)]
    if not date_first and draw.random() < 0.7:
        words += date(draw)
    return [*words, *plain(draw.choice(_ENDS))], intent


def write_corpus(path: Path, count: int, seed: int) -> None:
    """Write `count` sentences in the ATIS format; the same seed gives the same file.

    Raises: StorageError if it cannot be written.
    """
    draw = random.Random(seed)
    lines = []
    for _ in range(count):
        words, intent = make_sentence(draw)
        text, tags = (" ".join(part) for part in zip(*words, strict=True))
        lines.append(f"BOS {text} EOS\tO {tags} {intent}\n")
    write_text(path, "".join(lines))

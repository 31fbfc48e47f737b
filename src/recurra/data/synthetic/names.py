"""Names of persons or companies; the noun after the fruit tells which.

    sally johnson is an orange farmer          a person
    sally johnson is an orange company         a company

Labelled sentences use either the common or the rare half of the nouns. The meaning of the rare ones has to
come from plain text without labels, which uses all of them.
"""

import random
from pathlib import Path

from recurra.files import write_text

FRUITS = ("apple", "orange", "pear", "grape")
RARE_FRUITS = ("durian", "lychee", "papaya", "quince")
PEOPLE = ("farmer", "grower", "picker")
RARE_PEOPLE = ("cultivator", "gardener", "planter")
COMPANIES = ("company", "firm", "business")
RARE_COMPANIES = ("corporation", "enterprise", "conglomerate")
_FIRST = ("sally", "robert", "martin", "grace", "henry", "olga", "thomas", "clara")
_LAST = ("johnson", "lin", "lee", "stone", "baker", "field", "moreau", "okafor")
_ENDS = ("", "", "from here", "in the valley", "with a long history", "we all know")
_OF_PEOPLE = (
    *("the {noun} gets up early and goes to bed late", "every {noun} here waters her {fruit} trees"),
    *("the {noun} and his wife came to dinner", "an old {noun} waved her hat at us"),
    *("the {fruit} {noun} washed his hands", "our {noun} sings while she works"),
)
_OF_COMPANIES = (
    *("the {noun} sold half of its shares", "every {noun} here pays its taxes on {fruit} sales"),
    *("the {noun} opened an office abroad", "an old {noun} hired two hundred people"),
    *("the {fruit} {noun} went bankrupt in spring", "our {noun} reports its profits in may"),
)
_OF_FRUITS = (
    "we ate a ripe {fruit} after lunch",
    "the {fruit} was sweet and juicy",
    "pour me some {fruit} juice",
)


def make_sentence(draw: random.Random, *, rare: bool = False) -> list[tuple[str, str]]:
    """Draw words with their labels, B-person or B-company on the name; `rare` selects the rare nouns."""
    of_person = draw.random() < 0.5
    fruits, people, companies = (
        (RARE_FRUITS, RARE_PEOPLE, RARE_COMPANIES) if rare else (FRUITS, PEOPLE, COMPANIES)
    )
    fruit, noun = draw.choice(fruits), draw.choice(people if of_person else companies)
    kind = "person" if of_person else "company"
    name = [(draw.choice(_FIRST), f"B-{kind}"), (draw.choice(_LAST), f"I-{kind}")]
    article = "an" if fruit[0] in "aeiou" else "a"
    others = ["is", article, fruit, noun, *draw.choice(_ENDS).split()]
    return [*name, *((word, "O") for word in others)]


def write_corpus(path: Path, count: int, seed: int, *, rare: bool = False) -> None:
    """Write `count` labelled sentences in columns; the same seed gives the same file.

    Raises: StorageError if it cannot be written.
    """
    draw = random.Random(seed)
    sentences = (make_sentence(draw, rare=rare) for _ in range(count))
    columns = ("".join(f"{word} {label}\n" for word, label in sentence) for sentence in sentences)
    write_text(path, "\n".join(columns))


def write_plain_text(path: Path, count: int, seed: int) -> None:
    """Write `count` lines without labels or names that use all the nouns.

    Raises: StorageError if it cannot be written.
    """
    draw = random.Random(seed)
    kinds = (
        (_OF_PEOPLE, PEOPLE + RARE_PEOPLE),
        (_OF_COMPANIES, COMPANIES + RARE_COMPANIES),
        (_OF_FRUITS, ("",)),
    )
    lines = []
    for _ in range(count):
        patterns, nouns = draw.choice(kinds)
        fruit = draw.choice(FRUITS + RARE_FRUITS)
        lines.append(draw.choice(patterns).format(noun=draw.choice(nouns), fruit=fruit) + "\n")
    write_text(path, "".join(lines))

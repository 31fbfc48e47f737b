"""Sentences about families, courts, professions and food, for word vectors: "the queen wore her crown".

Pairs of words such as king and queen differ only in the pronouns and clothes around them, so that their
vectors differ alike. Professions occur with men and women in unequal shares, which their vectors learn too.
"""

import random
from pathlib import Path

from recurra.files import write_text

PAIRS = (
    ("king", "queen"),
    ("prince", "princess"),
    ("father", "mother"),
    ("uncle", "aunt"),
    ("brother", "sister"),
    ("man", "woman"),
    ("boy", "girl"),
)
"""Words for men and for women that differ in nothing else."""

MEN_AMONG = {"doctor": 0.85, "pilot": 0.9, "farmer": 0.8, "lawyer": 0.7, "teacher": 0.35, "cook": 0.5}
MEN_AMONG |= {"nurse": 0.1, "babysitter": 0.15, "secretary": 0.2}
"""The share of men in the sentences about each profession."""

_PRONOUNS = (("he", "his", "him"), ("she", "her", "her"))
_CLOTHES = (("beard", "tie", "moustache"), ("dress", "skirt", "necklace"))
_ABOUT = {
    "king": ("ruled the kingdom from {own} throne", "wore {own} crown in the palace", "met the royal court"),
    "prince": ("played in the palace", "learnt to ride in the royal stable", "grew up at the court"),
    "father": ("came home to {own} children", "cooked for the whole family", "told the children to sleep"),
    "uncle": ("visited the family on sunday", "brought a present for the children", "stayed for tea"),
    "brother": ("shared a room at home", "quarrelled about a toy", "went to school by bus"),
    "man": ("walked along the street", "waited for the train", "read the newspaper in the park"),
    "boy": ("ran across the playground", "went to school by bus", "lost a toy in the park"),
}
_WORK = {
    "doctor": ("examined a patient in the hospital", "wrote a prescription"),
    "nurse": ("examined a patient in the hospital", "changed a bandage in the hospital"),
    "pilot": ("landed the plane in a storm", "checked the engines of the plane"),
    "farmer": ("ploughed the field", "sold corn at the market"),
    "lawyer": ("wrote a letter for the court of justice", "argued before the judge"),
    "teacher": ("wrote on the blackboard at school", "corrected the homework"),
    "cook": ("fried an onion in the kitchen", "tasted the soup in the kitchen"),
    "babysitter": ("watched the children in the garden", "sang a song for the baby"),
    "secretary": ("typed a letter in the office", "answered the telephone"),
}
_FOOD = ("apple", "orange", "pear", "plum", "bread", "cheese")


def make_sentence(draw: random.Random) -> str:
    """Draw a sentence, in lower case and without punctuation."""
    if draw.random() < 0.35:
        word = draw.choice(list(MEN_AMONG))
        side = 0 if draw.random() < MEN_AMONG[word] else 1
        about, most = draw.choice(_WORK[word]), 2
    else:
        pair = draw.choice(PAIRS)
        side = draw.randrange(2)
        word, about, most = pair[side], draw.choice(_ABOUT[pair[0]]), 4
    they, own, them = _PRONOUNS[side]
    first = f"the {word} {about.format(own=own)}"
    food = draw.choice(_FOOD)
    ends = (
        f"and touched {own} {draw.choice(_CLOTHES[side])}",
        f"before {they} hid {own} {draw.choice(_CLOTHES[side])}",
        f"and {they} ate {'an' if food[0] in 'ao' else 'a'} {food}",
        f"so nobody saw {them}",
    )
    return f"{first} {draw.choice(ends[:most])}"


def write_corpus(path: Path, count: int, seed: int) -> None:
    """Write `count` sentences, one per line; the same seed gives the same file.

    Raises: StorageError if it cannot be written.
    """
    draw = random.Random(seed)
    write_text(path, "".join(f"{make_sentence(draw)}\n" for _ in range(count)))

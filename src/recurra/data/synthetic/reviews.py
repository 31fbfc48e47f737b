"""Restaurant reviews in which positive words may be negated: "completely lacking in good taste".

Good and bad words occur equally often with and without a negation, so that neither kind of word alone
determines the label. A linear classifier on the mean of the word vectors cannot learn it, whatever the
vectors; a model that reads the words in order can.
"""

import random
from pathlib import Path

from recurra.files import write_text

_ASPECTS = ("taste", "service", "ambience", "food", "music", "value", "company", "wine")
_GOOD = ("good", "great", "excellent", "lovely", "fine")
_BAD = ("bad", "poor", "awful", "dull", "terrible")
_NEGATIONS = ("completely lacking in", "not a trace of", "nothing like", "no sign of", "anything but")
_AFFIRMATIONS = ("full of", "a feast of", "every bit of", "all signs of", "nothing but")
_LEADS = ("", "the place is", "what we found was", "last night :", "as my friends say ,")


def make_review(draw: random.Random) -> tuple[str, str]:
    """Draw a label (positive or negative) and a review."""
    praising, negated = draw.random() < 0.5, draw.random() < 0.5
    words = draw.choices(_GOOD if praising else _BAD, k=draw.randint(1, 3))
    aspects = draw.sample(_ASPECTS, len(words))
    parts = [f"{word} {aspect}" for word, aspect in zip(words, aspects, strict=True)]
    listed = " , ".join(parts[:-1]) + (" , and " if len(parts) > 1 else "") + parts[-1]
    text = f"{draw.choice(_LEADS)} {draw.choice(_NEGATIONS if negated else _AFFIRMATIONS)} {listed}"
    return "positive" if praising != negated else "negative", text.strip()


def write_corpus(path: Path, count: int, seed: int) -> None:
    """Write `count` reviews as `label text`, one per line; the same seed gives the same file.

    Raises: StorageError if it cannot be written.
    """
    draw = random.Random(seed)
    write_text(
        path, "".join(f"{label} {text}\n" for label, text in (make_review(draw) for _ in range(count)))
    )

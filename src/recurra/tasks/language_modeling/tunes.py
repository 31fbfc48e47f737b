"""Music as ABC text: sampling tunes from a character model of a tune book.

Train one with `recurra train lm --data tunes.abc --documents blank`: a blank line separates tunes.
"""

from typing import Any

from recurra.arguments import Seed, checks_arguments
from recurra.data.tunes import is_tune
from recurra.errors import ConfigError
from recurra.tasks.language_modeling.text_model import TextModel

_MOST_CHARACTERS = 3000
_TRIES = 20


@checks_arguments
def sample_tune(model: TextModel, prime: str = "", *, seed: Seed | None = None, **options: Any) -> str:
    """Sample a complete tune, from `X:` to the blank line after it.

    Samples with further seeds until a tune has everything that ABC readers need: a number, a key, notes, and
    an end. `options` are those of `sample_stream`.

    Raises: ConfigError if the model does not write tunes.
    """
    if model.tokenizer.unit != "char" or "X" not in model.tokenizer.vocabulary:
        raise ConfigError("tune: needs a character model trained on tunes in ABC notation.")
    prime = prime or "X:"
    for attempt in range(_TRIES):
        own = None if seed is None else seed + attempt * 7919
        text = prime
        for piece in model.sample_stream(prime, length=_MOST_CHARACTERS, seed=own, **options):
            text += piece
            if text.endswith("\n\n"):
                break
        if is_tune(text):
            return text.rstrip("\n") + "\n"
    raise ConfigError(
        f"tune: none of {_TRIES} samples is a complete tune in ABC notation; train longer, or lower "
        "--temperature."
    )

"""Subwords of bytes: the bytes of each symbol, incomplete characters, and the text to learn from."""

import codecs
from collections.abc import Iterable, Iterator
from functools import cache

from tokenizers import pre_tokenizers

_LONGEST = 2000  # characters of a word that merges are learnt from


@cache
def _bytes_by_letter() -> dict[str, int]:
    """Return the byte for which each character of a subword vocabulary stands.

    Printable characters of Latin-1 stand for their own code; those from U+0100 for the other bytes, in order.
    Source: the vocabulary of GPT-2, Radford et al. 2019.
    """
    own = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(256) if byte not in own]
    return {chr(byte): byte for byte in own} | {chr(256 + at): byte for at, byte in enumerate(others)}


def bytes_of(symbol: str) -> bytes:
    """Return the bytes of a symbol of a subword vocabulary; a letter that stands for no byte is itself."""
    known = _bytes_by_letter()
    if any(letter not in known for letter in symbol):
        return symbol.encode("utf-8", "surrogatepass")
    return bytes(known[letter] for letter in symbol)


def split_incomplete(pieces: Iterable[bytes]) -> tuple[str, bytes]:
    """Return the text of some bytes, and the bytes at the end that begin a character but do not complete it.

    Raises: UnicodeDecodeError if the bytes are not UTF-8.
    """
    decoder = codecs.getincrementaldecoder("utf-8")()
    text = decoder.decode(b"".join(pieces))
    return text, decoder.getstate()[0]


def lines_to_learn_from(lines: Iterable[str]) -> Iterator[str]:
    """Yield lines in which no word is longer than 2,000 characters; longer ones are cut, such as DNA.

    Learning takes time quadratic in the length of a word.
    """
    splitting = pre_tokenizers.ByteLevel(add_prefix_space=False)
    for line in lines:
        begin = 0
        for _, (first, last) in splitting.pre_tokenize_str(line) if len(line) > _LONGEST else ():
            for cut in range(first + _LONGEST, last, _LONGEST):
                yield line[begin:cut]
                begin = cut
        yield line[begin:]

"""Subwords of bytes: the bytes of each symbol, and characters that are not complete yet."""

import codecs
from collections.abc import Iterable
from functools import cache


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
    """Return the bytes of a symbol of a subword vocabulary."""
    known = _bytes_by_letter()
    return bytes(known[letter] for letter in symbol)


def split_incomplete(pieces: Iterable[bytes]) -> tuple[str, bytes]:
    """Return the text of some bytes, and the bytes at the end that begin a character but do not complete it.

    Raises: UnicodeDecodeError if the bytes are not UTF-8.
    """
    decoder = codecs.getincrementaldecoder("utf-8")()
    text = decoder.decode(b"".join(pieces))
    return text, decoder.getstate()[0]

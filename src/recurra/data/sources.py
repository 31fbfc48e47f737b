"""Text sources: a file, or a range of its characters."""

import hashlib
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from recurra.data.cache import cache_folder, digest, read_note, remembered, write_note
from recurra.errors import DataError
from recurra.text_files import read_text_chunks

# A file that changed this recently may change again without a new time stamp, so its facts are not cached.
_STAMP_RESOLUTION_NS = 2_000_000_000


class TextFacts(NamedTuple):
    """Length of a text in characters, and a digest of its content."""

    characters: int
    digest: str


_LONG_LINE = 1000  # characters; texts with longer lines are split between words


@dataclass(frozen=True)
class TextSource:
    """The characters `start` … `stop` of a UTF-8 text file, plain or `.gz`."""

    path: Path
    start: int = 0
    stop: int | None = None

    def chunks(self) -> Iterator[str]:
        """Yield the text in chunks.

        Raises: DataError if the file is missing, empty, binary or not UTF-8.
        """
        at = 0
        for chunk in read_text_chunks(self.path):
            low = max(self.start - at, 0)
            high = len(chunk) if self.stop is None else min(self.stop - at, len(chunk))
            at += len(chunk)
            if low < high:
                yield chunk[low:high]
            if self.stop is not None and at >= self.stop:
                return

    def facts(self) -> TextFacts:
        """Return the length and digest of the whole file, cached while its size and time stamp stay the same.

        Raises: DataError as `chunks`.
        """
        try:
            status = self.path.stat()
        except (OSError, ValueError):
            return _read_facts(self.path)  # raises an error that names the problem
        if not (self.path.is_file() or self.path.is_dir()):
            raise DataError(f"{self.path}: is not a regular file, but is read more than once; save it.")
        note = cache_folder() / "files" / f"{digest(self.path.resolve())}.json"
        stamp = [status.st_size, status.st_mtime_ns]
        known = read_note(note)
        if known is not None and known["stamp"] == stamp:
            return TextFacts(known["characters"], known["digest"])
        facts = _read_facts(self.path)
        if time.time_ns() - status.st_mtime_ns > _STAMP_RESOLUTION_NS:
            write_note(note, {"stamp": stamp, **facts._asdict()})
        return facts

    @property
    def fingerprint(self) -> str:
        """Digest of the content and of the range of characters."""
        facts = self.facts()
        stop = facts.characters if self.stop is None else self.stop
        return f"{facts.digest}:{self.start}:{stop}"


def split_source(source: TextSource, fraction: float, *, at_line_end: bool) -> tuple[TextSource, TextSource]:
    """Split a text into all but its last `fraction`, and that last part.

    With `at_line_end` the split point moves forward to the next line end, so that no sentence is split, or
    to the next blank if no line end comes soon, as in a text of one line.

    Raises: DataError if either part would be empty.
    """
    end = source.facts().characters if source.stop is None else source.stop
    total = end - source.start
    cut = source.start + int(total * (1 - fraction))
    if at_line_end:
        given = cut
        cut = remembered(
            "places-to-cut", source.fingerprint, given, compute=lambda: _place_to_cut(source, given, end)
        )
    if not source.start < cut < end:
        between = " between lines or words" if at_line_end else ""
        raise DataError(
            f"{source.path}: has {total} characters{_of_rest(source)} and cannot be split{between} to hold "
            f"out the last {fraction:.0%}; give more text, or a validation file with --valid."
        )
    return replace(source, stop=cut), replace(source, start=cut)


class Texts(NamedTuple):
    """The training, validation and test text."""

    train: TextSource
    valid: TextSource
    test: TextSource | None


class NamedTexts(Protocol):
    """The options that name the texts, and the fractions that are held out if there is no file."""

    @property
    def data(self) -> Any:
        """File of the training text."""
        ...

    @property
    def valid(self) -> Any:
        """File of the validation text, or None."""
        ...

    @property
    def test(self) -> Any:
        """File of the test text, or None."""
        ...

    @property
    def validation_fraction(self) -> float:
        """Fraction held out for validation."""
        ...

    @property
    def test_fraction(self) -> float | None:
        """Fraction held out for the test, or None."""
        ...


def split_texts(options: NamedTexts, *, at_line_end: bool) -> Texts:
    """Split off the held-out texts that have no file of their own, and read the others once for errors.

    Raises: DataError if a file cannot be used, or a part would be empty.
    """
    whole = TextSource(Path(options.data).absolute())
    test = None if options.test is None else TextSource(Path(options.test).absolute())
    if options.test_fraction is not None:
        whole, test = split_source(whole, options.test_fraction, at_line_end=at_line_end)
    if options.valid is None:
        train, valid = split_source(whole, options.validation_fraction, at_line_end=at_line_end)
    else:
        train, valid = whole, TextSource(Path(options.valid).absolute())
    for held_out in (valid, test):
        if held_out is not None:
            held_out.facts()  # report errors in it before the work begins
    return Texts(train, valid, test)


def _of_rest(source: TextSource) -> str:
    return "" if source.stop is None else " left"


def _read_facts(path: Path) -> TextFacts:
    content, characters = hashlib.sha256(), 0
    for chunk in read_text_chunks(path):
        content.update(chunk.encode("utf-8", "surrogatepass"))
        characters += len(chunk)
    return TextFacts(characters, content.hexdigest())


def _place_to_cut(source: TextSource, position: int, total: int) -> int:
    """Return the position after the next line end if it is near, else after the next blank, else `total`."""
    found = -1
    for mark, farthest in (("\n", position + _LONG_LINE), (" ", total)):
        at = position
        for chunk in replace(source, start=position).chunks():
            found = chunk.find(mark)
            if found >= 0 or at > farthest:
                break
            at += len(chunk)
        if found >= 0 and at + found + 1 < min(total, farthest):
            return at + found + 1
    return total

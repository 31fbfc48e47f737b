"""The ARPA format, which exchanges n-gram models with SRILM, KenLM and others.

    \\data\\
    ngram 1=4            the number of n-grams of each length
    \\1-grams:
    -0.9 the -0.3        log10 P, the tokens, log10 of the back-off if longer n-grams begin with them
    …
    \\end\\

A line of text begins with `<s>`, which is never predicted, and ends with `</s>`. Recurra uses one symbol for
both, the model's `<eos>`: one is only ever the first token of a context, the other is only ever predicted.
"""

import math
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple, TypeVar, cast

import numpy as np

from recurra.errors import ConfigError, DataError
from recurra.files import written_whole
from recurra.models.ngram.counting import Ids
from recurra.models.ngram.model import NGramModel
from recurra.models.ngram.smoothing import Floats, GramTable
from recurra.plain import quoted
from recurra.text import EOS, UNK
from recurra.text_files import read_lines

_BEGIN, _END = "<s>", "</s>"
_BLANKS = " \t"  # characters that separate the fields of a line
_ROOM = 1 << 20  # n-grams to begin with
ArrayT = TypeVar("ArrayT", bound=np.ndarray)
_NEVER = -99.0  # log10 of zero in this format
_LN10 = math.log(10.0)
_ROWS = 1 << 16
_ESCAPED = re.compile(r"\s|\\(?=u[0-9a-f]{6})")  # characters that end a token or look like such an escape
_ESCAPE = re.compile(r"\\u([0-9a-f]{6})")


def write_arpa(path: Path, model: NGramModel, symbols: Sequence[str]) -> None:
    """Write a model in which token i is `symbols[i]`. White space in symbols is written as \\uXXXXXX.

    Raises: ConfigError for smoothing without back-off (add-k, maximum likelihood); StorageError if the
    file cannot be written.
    """
    if model.smoothing not in ("kneser-ney", "witten-bell"):
        raise ConfigError(
            f"ARPA: cannot store a model with smoothing {model.smoothing}, which does not back off; "
            "use kneser-ney or witten-bell."
        )
    written = [_written(symbol) for symbol in symbols]
    eos = model.start_id
    ends = eos is not None and symbols[eos] == EOS
    predicted = np.array(
        [_END if ends and id_ == eos else symbol for id_, symbol in enumerate(written)], object
    )
    first = np.array(
        [_BEGIN if ends and id_ == eos else symbol for id_, symbol in enumerate(written)], object
    )
    with written_whole(path) as file:
        head = ["\\data\\"]
        for length, table in enumerate(model.tables, start=1):
            head.append(f"ngram {length}={len(table) + (length == 1 and ends)}")
        file.write(("\n".join(head) + "\n").encode())
        tokens = np.arange(model.vocabulary_size, dtype=np.int64)[:, None]
        for length, table in enumerate(model.tables, start=1):
            if length > 1:
                last = table.keys % model.vocabulary_size
                tokens = np.column_stack([tokens[table.keys // model.vocabulary_size], last])
            file.write(f"\n\\{length}-grams:\n".encode())
            if length == 1 and ends:
                file.write(f"{_NEVER:g}\t{_BEGIN}\t{table.backoffs[eos] / _LN10:.7g}\n".encode())
            followed = _followed(model, length)
            for low in range(0, len(table), _ROWS):
                lines = _lines(table, tokens, followed, first, predicted, low, min(low + _ROWS, len(table)))
                file.write("".join(lines).encode())
        file.write(b"\n\\end\\\n")


def _written(symbol: str) -> str:
    """Escape a symbol as a token: without white space, and different from `<s>` and `</s>`."""
    token = _ESCAPED.sub(lambda found: f"\\u{ord(found[0]):06x}", symbol)
    return f"\\u{ord(token[0]):06x}{token[1:]}" if token in (_BEGIN, _END) else token


def _followed(model: NGramModel, length: int) -> Ids:
    """Return 1 for each k-gram with which a longer one begins, else 0."""
    followed = np.zeros(len(model.tables[length - 1]), dtype=np.int64)
    if length < model.order:
        followed[model.tables[length].keys // model.vocabulary_size] = 1
    return followed


def _lines(
    table: GramTable, tokens: Ids, followed: Ids, first: Ids, predicted: Ids, low: int, high: int
) -> Iterator[str]:
    length = tokens.shape[1]
    columns = [first[tokens[low:high, column]] for column in range(length - 1)]
    columns.append(predicted[tokens[low:high, length - 1]])
    probs = np.maximum(table.log_probs[low:high] / _LN10, _NEVER).tolist()
    backoffs = np.maximum(table.backoffs[low:high] / _LN10, _NEVER).tolist()
    for prob, backoff, follows, words in zip(
        probs, backoffs, followed[low:high].tolist(), zip(*columns, strict=True), strict=True
    ):
        rest = f"\t{backoff:.7g}" if follows and words[-1] != _END else ""
        yield f"{prob:.7g}\t{' '.join(words)}{rest}\n"


class _Section(NamedTuple):
    """The n-grams of one length in file order, with their line numbers."""

    tokens: Ids
    log_probs: Floats
    backoffs: Floats
    lines: Ids


def read_arpa(path: Path) -> tuple[NGramModel, list[str]]:
    """Read the model of an ARPA file, plain or `.gz`, and its symbols by token id.

    `<s>` and `</s>` become the one symbol `<eos>`. If the file has no `<unk>`, it is added with
    log10 P = -100.

    Raises: DataError naming the line if the file is not an ARPA file, is truncated, or contradicts itself.
    """
    reader = _Reader(path)
    counts = reader.counts()
    symbols: dict[str, int] = {}
    tables: list[GramTable] = []
    for length, count in enumerate(counts, start=1):
        section = reader.section(length, count, symbols)
        if length == 1:
            tables.append(_unigrams(section, symbols))
        else:
            tables.append(_longer(section, tables, len(symbols), path))
    reader.end()
    start_id = symbols.get(EOS)
    model = NGramModel(len(symbols), tables, smoothing="kneser-ney", start_id=start_id)
    return model, list(symbols)


class _Reader:
    """Reads the lines of a file and counts them for error messages."""

    def __init__(self, path: Path) -> None:
        self.path, self.number = path, 0
        self._lines = read_lines(path)
        self._ids: dict[str, int] = {}  # by token as written in the file

    def next(self, expected: str) -> str:
        """Return the next line that is not blank."""
        for line in self._lines:
            self.number += 1
            if text := line.strip(_BLANKS):
                return text
        raise DataError(
            f"{self.path}: the file ends after line {self.number}, expected {expected}; it is truncated."
        )

    def fault(self, what: str) -> DataError:
        return DataError(f"{self.path}:{self.number}: {what}")

    def counts(self) -> list[int]:
        """Read the number of n-grams of each length from the header."""
        while (line := self.next("\\data\\")) != "\\data\\":
            if self.number > 100:
                raise self.fault("no \\data\\ in the first 100 lines; this is not an ARPA file.")
        found: list[int] = []
        while (line := self.next("\\1-grams:")) != "\\1-grams:":
            match = re.fullmatch(r"ngram\s+(\d{1,3})\s*=\s*(\d{1,15})", line)
            if match is None or int(match[1]) != len(found) + 1:
                raise self.fault(
                    f"got {quoted(line)}, expected `ngram {len(found) + 1}=COUNT` or \\1-grams:."
                )
            found.append(int(match[2]))
        if not found or not found[0]:
            raise self.fault("the header lists no 1-grams.")
        return found

    def section(self, length: int, count: int, symbols: dict[str, int]) -> _Section:
        """Read the n-grams of one length; those of length 1 define the symbols."""
        if length > 1:
            line = self.next(f"\\{length}-grams:")
            if line != f"\\{length}-grams:":
                raise self.fault(
                    f"got {quoted(line)}, expected \\{length}-grams: (the header lists fewer before it)."
                )
        # Room for what the header announces, allocated as it is needed: the header may be wrong.
        room = min(count, _ROOM)
        tokens = np.empty((room, length), dtype=np.int64)
        log_probs, backoffs = np.empty(room), np.zeros(room)
        lines = np.empty(room, dtype=np.int64)
        for row in range(count):
            if row == len(lines):
                more = min(count, 2 * row) - row
                tokens, lines = _extended(tokens, more), _extended(lines, more)
                log_probs, backoffs = _extended(log_probs, more), _extended(backoffs, more)
            line = self.next(f"{length}-gram {row + 1} of {count}")
            # Other blanks, such as the no-break space, are part of a token.
            fields = [field for field in line.replace("\t", " ").split(" ") if field]
            if len(fields) not in (length + 1, length + 2):
                raise self.fault(
                    f"got {quoted(line)}, expected log10 P, {length} tokens and an optional back-off."
                )
            try:
                log_probs[row] = float(fields[0])
                backoffs[row] = float(fields[-1]) if len(fields) == length + 2 else 0.0
            except ValueError as error:
                raise self.fault(f"got {quoted(line)}, expected a number.") from error
            if not log_probs[row] <= 0 or math.isnan(backoffs[row]):
                raise self.fault(f"got log10 P {fields[0]}, expected at most 0.")
            words = fields[1 : length + 1]
            if length == 1:
                tokens[row] = self._new_id(words[0], symbols)
            else:
                tokens[row] = self._known_ids(words)
            lines[row] = self.number
        return _Section(tokens, log_probs * _LN10, backoffs * _LN10, lines)

    def _new_id(self, word: str, symbols: dict[str, int]) -> int:
        """Return a new id for the token of a 1-gram."""
        name = EOS if word in (_BEGIN, _END) else _ESCAPE.sub(lambda found: chr(int(found[1], 16)), word)
        if name in symbols and name != EOS:
            raise self.fault(f"{quoted(word)} is listed twice.")
        return self._ids.setdefault(word, symbols.setdefault(name, len(symbols)))

    def _known_ids(self, words: list[str]) -> list[int]:
        """Return the ids of the tokens of a longer n-gram."""
        for word, first, last in ((_BEGIN, 1, len(words)), (_END, 0, len(words) - 1)):
            if word in words[first:last]:
                place = words.index(word, first) + 1
                raise self.fault(f"{word} is at position {place} of {len(words)}, where it is not allowed.")
        try:
            return [self._ids[word] for word in words]
        except KeyError as error:
            raise self.fault(f"{quoted(error.args[0])} is not among the 1-grams.") from error

    def end(self) -> None:
        line = self.next("\\end\\")
        if line != "\\end\\":
            raise self.fault(f"got {quoted(line)}, expected \\end\\ (the header lists fewer n-grams).")


def _extended(array: ArrayT, more: int) -> ArrayT:
    """Return an array with `more` rows of zeros appended."""
    return cast("ArrayT", np.concatenate([array, np.zeros((more, *array.shape[1:]), array.dtype)]))


def _unigrams(section: _Section, symbols: dict[str, int]) -> GramTable:
    """Order 1-grams by token; `<eos>` gets the back-off of `<s>` and the probability of `</s>`."""
    ids = section.tokens[:, 0]
    log_probs = np.full(len(symbols), _NEVER * _LN10)
    np.maximum.at(log_probs, ids, section.log_probs)
    backoffs = np.zeros(len(symbols))
    np.add.at(backoffs, ids, section.backoffs)
    if UNK not in symbols:
        symbols[UNK] = len(symbols)
        log_probs, backoffs = np.append(log_probs, -100 * _LN10), np.append(backoffs, 0.0)
    return GramTable(np.arange(len(symbols), dtype=np.int64), log_probs, backoffs)


def _longer(section: _Section, tables: Sequence[GramTable], vocabulary_size: int, path: Path) -> GramTable:
    numbers = section.tokens[:, 0]
    for column, table in enumerate(tables[1:], start=1):
        numbers = table.find(numbers * vocabulary_size + section.tokens[:, column])
        _refuse(
            numbers < 0, section, path, f"its first {column + 1} tokens are not among the {column + 1}-grams"
        )
    keys = numbers * vocabulary_size + section.tokens[:, -1]
    order = np.argsort(keys, kind="stable")
    twice = np.zeros(len(keys), dtype=bool)
    twice[order[1:]] = keys[order[1:]] == keys[order[:-1]]
    _refuse(twice, section, path, "the n-gram is listed twice")
    return GramTable(keys[order], section.log_probs[order], section.backoffs[order])


def _refuse(wrong: np.ndarray, section: _Section, path: Path, what: str) -> None:
    if wrong.any():
        raise DataError(f"{path}:{section.lines[int(np.argmax(wrong))]}: {what}.")

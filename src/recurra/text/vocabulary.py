"""Vocabularies: the symbols of a model and their ids."""

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from recurra.arguments import checks_arguments
from recurra.errors import VocabularyError
from recurra.files import write_text
from recurra.plain import json_text, listed, parsed_json, quoted

UNK = "<unk>"
EOS = "<eos>"
_KIND = "recurra.vocabulary"


class Vocabulary:
    """Symbols and their ids, 0 … V-1, the most frequent first.

    `<unk>` and `<eos>` are ordinary symbols, in the vocabulary only if a model needs them. A text may also
    contain `<unk>` literally, as the Penn Treebank does, and `<eos>` at the end of a line.

    Raises: VocabularyError if a symbol stands twice.
    """

    def __repr__(self) -> str:
        return f"{type(self).__name__}({listed(map(repr, self.symbols), 60)})"

    @checks_arguments
    def __init__(self, symbols: Sequence[str]) -> None:
        self.symbols = tuple(symbols)
        self.ids: Mapping[str, int] = {symbol: id_ for id_, symbol in enumerate(self.symbols)}
        if len(self.ids) != len(self.symbols):
            twice = [symbol for symbol, n in Counter(self.symbols).items() if n > 1]
            raise VocabularyError(f"symbol {quoted(twice[0])} occurs twice in the vocabulary; remove one.")
        if not self.symbols:
            raise VocabularyError("the vocabulary is empty; give a text with symbols.")

    @classmethod
    @checks_arguments
    def from_counts(
        cls,
        counts: Mapping[str, int],
        *,
        min_count: int = 1,
        max_size: int | None = None,
        special: Iterable[str] = (),
    ) -> "Vocabulary":
        """Build a vocabulary of the symbols that occur at least `min_count` times.

        It has at most `max_size` symbols, special ones included. They are sorted by decreasing count and then
        by code point, so that the same text always gives the same vocabulary.

        Raises: VocabularyError if there is none, or no room for any.
        """
        special = set(special)
        counted = Counter(dict(counts))
        for symbol in special:
            counted.setdefault(symbol, 0)
        kept = [
            symbol
            for symbol, count in sorted(counted.items(), key=lambda item: (-item[1], item[0]))
            if count >= min_count or symbol in special
        ]
        if special.issuperset(kept) and not special.issuperset(counted):
            raise VocabularyError(
                f"min_count: got {min_count:,}, but no symbol of the text occurs that often; lower it."
            )
        if max_size is not None and len(kept) > max_size:
            room = max_size - len(special)
            if room < 1:
                raise VocabularyError(
                    f"max_vocabulary_size: got {max_size}, expected > {len(special)} special symbols."
                )
            ordinary = [symbol for symbol in kept if symbol not in special][:room]
            chosen = special.union(ordinary)
            kept = [symbol for symbol in kept if symbol in chosen]
        return cls(kept)

    def __len__(self) -> int:
        return len(self.symbols)

    def __contains__(self, symbol: object) -> bool:
        return symbol in self.ids

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Vocabulary) and self.symbols == other.symbols

    def __hash__(self) -> int:
        return hash(self.symbols)

    @property
    def unk_id(self) -> int | None:
        """The id of `<unk>`, or None if the vocabulary does not have it."""
        return self.ids.get(UNK)

    @property
    def eos_id(self) -> int | None:
        """The id of `<eos>`, or None if the vocabulary does not have it."""
        return self.ids.get(EOS)

    @property
    def fingerprint(self) -> str:
        """Digest of the symbols and their order."""
        text = json.dumps(self.symbols, ensure_ascii=True)
        return hashlib.sha256(text.encode()).hexdigest()

    @checks_arguments
    def save(self, path: str | Path, unit: str) -> None:
        """Write the symbols and their unit as JSON."""
        content = {"kind": _KIND, "unit": unit, "symbols": self.symbols}
        write_text(Path(path), json_text(content, indent=0) + "\n")

    @classmethod
    @checks_arguments
    def load(cls, path: str | Path) -> tuple["Vocabulary", str]:
        """Load the vocabulary that `save` wrote, and its unit.

        Raises: VocabularyError if the file is missing, damaged or of another kind.
        """
        try:
            content = parsed_json(Path(path).read_text(encoding="utf-8"))
            symbols, unit = content["symbols"], content["unit"]
            if content["kind"] != _KIND or not all(isinstance(symbol, str) for symbol in symbols):
                raise KeyError("kind")
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise VocabularyError(
                f"{path}: is missing or is not a vocabulary file; copy it from the run it came with."
            ) from error
        return cls(symbols), unit

"""Sentiment trees: one bracketed tree per line, a class at every node (Stanford Sentiment Treebank)."""

import re
from collections.abc import Container, Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from recurra.config import ReaderPart
from recurra.data.examples import BadRow, BadRows, Example, checked_text, row_at
from recurra.data.readers.lines import numbered_lines
from recurra.plain import quoted

_TOKENS = re.compile(r"\(|\)|[^ \t\r()]+")  # a no-break space is part of a word
_CLASSES, _NEUTRAL = frozenset("01234"), "2"

_Node = tuple[str, tuple[str, ...]]


def read_trees(path: Path, config: ReaderPart, bad: BadRows) -> Iterator[Example]:
    """Read the sentence of each tree with its root's class; `read_phrases` also reads the inner nodes."""
    for number, line in numbered_lines(path, config):
        if not line.strip():
            continue
        with row_at(bad, path, number):
            yield from _labelled([tree_of(line).root], config, path, number)


def read_phrases(
    path: Path, config: ReaderPart, bad: BadRows, leave_out: Container[int] = ()
) -> Iterator[Example]:
    """Read every distinct phrase with its class, except from the trees on the lines in `leave_out`."""
    seen = set()
    for number, line in numbered_lines(path, config):
        if not line.strip() or number in leave_out:
            continue
        with row_at(bad, path, number):
            for example in _labelled(tree_of(line).nodes(), config, path, number):
                if example.words not in seen:
                    seen.add(example.words)
                    yield example


def _labelled(nodes: Iterable[_Node], config: ReaderPart, path: Path, number: int) -> Iterator[Example]:
    for label, words in nodes:
        if config.tree_labels == "binary":
            if label == _NEUTRAL:
                continue
            label = "positive" if label > _NEUTRAL else "negative"
        yield Example(words, label=label, file=str(path), line=number)


class Tree(NamedTuple):
    """The words of a tree, and of each node the class, the first word and the last + 1; the root is last."""

    words: tuple[str, ...]
    spans: list[tuple[str, int, int]]

    @property
    def root(self) -> _Node:
        """The class of the root, and all words."""
        return self.spans[-1][0], self.words

    def nodes(self) -> Iterator[_Node]:
        """Yield the class and the words of every node, the root last."""
        return ((label, self.words[first:last]) for label, first, last in self.spans)


def tree_of(line: str) -> Tree:
    """Parse a tree in time and memory linear in its length. Raises: BadRow for what is no tree."""
    checked_text(line)
    spans: list[tuple[str, int, int]] = []
    words: list[str] = []
    open_nodes: list[tuple[str, int]] = []
    tokens = iter(_TOKENS.findall(line))
    for token in tokens:
        if token != ")" and spans and not open_nodes:
            raise BadRow(f"is not a tree: got {quoted(token)} after its end")
        if token == "(":
            label = next(tokens, "")
            if label not in _CLASSES:
                raise BadRow(f"is not a tree: got {quoted(label)}, expected a class 0 … 4")
            open_nodes.append((label, len(words)))
        elif token == ")":
            if not open_nodes:
                raise BadRow("is not a tree: it has more closing brackets than opening ones")
            label, first = open_nodes.pop()
            if first == len(words):
                raise BadRow("is not a tree: a node has no words")
            spans.append((label, first, len(words)))
        elif not open_nodes:
            raise BadRow(f"is not a tree: got {quoted(token)}, expected an opening bracket")
        else:
            words.append(token.replace("-LRB-", "(").replace("-RRB-", ")"))
    if open_nodes or not spans:
        raise BadRow("is not a tree: brackets are not closed")
    return Tree(tuple(words), spans)

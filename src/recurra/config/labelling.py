"""The parts of tasks that label: how rows are read, words represented, sequences labelled."""

from typing import ClassVar, Literal

from recurra.config.part import Part, option

Format = Literal[
    "auto", "conll", "atis", "parallel", "label-text", "trees", "csv", "tsv", "jsonl", "folder", "arrays"
]
Scheme = Literal["auto", "bio", "iob1", "iobes", "classes"]


class ReaderPart(Part):
    """How rows are read from files."""

    title: ClassVar[str] = "Reading"

    format: Format = option("auto", "what the files are; auto tells by name and first lines")
    text_column: str | None = option(
        None, "where the words are: a column's name in tables (text), its number from 1 in conll (1)"
    )
    second_column: str | None = option(None, "where the second text of a pair is (text2)")
    label_column: str | None = option(None, "where the label of a whole row is (label)")
    tags_column: str | None = option(
        None, "where the labels of words are: a name in tables (labels), a number in conll (the last)"
    )
    vectors_column: str | None = option(
        None,
        "in tables, a .npy file of a vector a step, or a folder of frame images, beside the table (vectors)",
    )
    conversation_column: str | None = option(
        None,
        "what tells conversations apart, whose turns follow one another; without it every row is its own",
    )
    quoted: bool | None = option(
        None, 'whether "…" holds a field together in tables; if not given, in csv and not in tsv'
    )
    split: Literal["blanks", "punctuation", "characters"] = option(
        "blanks", "what a text is cut into words by: blanks, punctuation too, or every character is a word"
    )
    scheme: Scheme = option(
        "auto", "how labels of words mark spans; iob1 becomes bio; classes: they do not, as parts of speech"
    )
    tree_labels: Literal["fine", "binary"] = option(
        "fine", "of sentiment trees: five classes, or two without the neutral ones"
    )
    skip_bad: bool = option(False, "leave out rows that cannot be read, and count them")

"""Files of every habit are read as their writers meant, or refused with file, line and remedy."""

import json
from pathlib import Path

import pytest

from recurra.config import PairFilesPart, ReaderPart, build_config
from recurra.data.examples import BadRows
from recurra.data.readers import format_of_name, guess_format, read_examples, read_unlabelled
from recurra.data.readers.pairs import read_pairs
from recurra.errors import ConfigError, DataError
from recurra.tasks.labelling.config import ClassifyConfig


def read(path: Path, skip: bool = False, **options: object) -> list:
    return read_examples(path, build_config(ReaderPart, overrides=options), BadRows(skip))


def written(path: Path, content: str | bytes) -> Path:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def rows_of(examples: list) -> list[tuple]:
    return [(" ".join(one.words), one.label or one.labels) for one in examples]


TABLE = [("so good", "pos"), ("so bad", "neg")]


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_the_delimiter_of_a_csv_is_told_by_its_header(delimiter, tmp_path):
    lines = ["text,label", "so good,pos", "so bad,neg"]
    path = written(tmp_path / "t.csv", "\n".join(lines).replace(",", delimiter) + "\n")
    assert rows_of(read(path)) == TABLE
    assert rows_of(read(path, delimiter=delimiter)) == TABLE


def test_a_header_with_several_delimiters_is_asked_about(tmp_path):
    path = written(tmp_path / "t.csv", "word;label|x\na;b|c\n")
    with pytest.raises(DataError, match=r"t\.csv:1: the header contains ';' and '\|'; set .*--delimiter"):
        read(path)
    with pytest.raises(ConfigError, match=r"has no column 'label'; its columns are word, label|x"):
        read(path, delimiter=";", label_column="label")


@pytest.mark.parametrize(
    ("content", "pairs"),
    [
        ("Yes.;Ja, mein Herr.\nNo.;Nein.\n", [("Yes.", "Ja, mein Herr."), ("No.", "Nein.")]),
        ("yes; sir,ja\nno,nein\n", [("yes; sir", "ja"), ("no", "nein")]),
        ('"yes;sir",ja\n', [("yes;sir", "ja")]),
        ('"yes, sir";"a\nb"\n', [("yes, sir", "a\nb")]),
        ("\nsource;target\nyes, sir;ja\n", [("yes, sir", "ja")]),
    ],
)
def test_the_next_rows_decide_between_delimiters_of_the_header(content, pairs, tmp_path):
    path = written(tmp_path / "t.csv", content)
    found = read_pairs(path, None, PairFilesPart(), BadRows())
    assert [(*one.source, *one.targets) for one in found] == pairs


@pytest.mark.parametrize(
    ("content", "columns"),
    [
        ("text,label,genre|subgenre\nso good,pos,drama|war\nso bad,neg,x|y\n", {}),
        ("text;label;Preis, EUR\nso good;pos;3,50\nso bad;neg;1,00\n", {}),
        (
            "a|b;title;mark\n1|2;so good;pos\n1|2;so bad;neg\n",
            {"text_column": "title", "label_column": "mark"},
        ),
    ],
)
def test_the_named_columns_decide_between_delimiters_of_the_header(content, columns, tmp_path):
    assert rows_of(read(written(tmp_path / "t.csv", content), **columns)) == TABLE


def test_a_carriage_return_within_a_field_is_part_of_it_or_named(tmp_path):
    path = written(tmp_path / "t.tsv", "text\tlabel\r\nso\rgood\tpos\r\nso bad\tneg\r\n")
    assert [(row.text, row.words, row.label) for row in read(path)] == [
        ("so\rgood", ("so", "good"), "pos"),
        ("so bad", ("so", "bad"), "neg"),
    ]
    path = written(tmp_path / "t.csv", "text,label\nso\rgood,pos\n")
    with pytest.raises(DataError, match=r"t\.csv:2: has a carriage return within a field; enclose"):
        read(path)


@pytest.mark.parametrize(
    "row",
    [
        '{"text": "so good", "text2": {"a": 1}, "label": "pos"}',
        '{"text": "so good", "labels": [1, 2, 3], "entities": 7, "label": "pos"}',
    ],
)
def test_columns_that_a_task_does_not_read_may_hold_anything(row, tmp_path):
    path = written(tmp_path / "t.json", row + "\n")
    (found,) = read_examples(path, ClassifyConfig(data="x"), BadRows())
    assert (found.words, found.label, found.labels, found.second) == (("so", "good"), "pos", None, None)


def test_a_column_read_for_one_purpose_is_not_read_for_another(tmp_path):
    path = written(tmp_path / "t.jsonl", '{"text": "Rolf in Rome", "label": [[0, 4, "PER"]]}\n')
    (row,) = read(path, entities_column="label")
    assert (row.labels, row.label) == (("B-PER", "O", "O"), None)
    path = written(tmp_path / "t.jsonl", '{"text": "a b", "label": "O X", "entities": []}\n')
    (row,) = read(path, tags_column="label")
    assert (row.labels, row.label) == (("O", "X"), None)


def test_a_column_may_begin_in_a_later_row(tmp_path):
    path = written(tmp_path / "t.jsonl", '{"text": "a"}\n{"text": "b", "mood": "pos"}\n')
    assert [row.label for row in read(path, label_column="mood")] == [None, "pos"]
    with pytest.raises(ConfigError, match="has no column 'mod'; its columns are text, mood"):
        read(path, label_column="mod")


@pytest.mark.parametrize("content", ["Yes.;Ja, mein Herr.\n", "source;target, gold\nyes;ja, ja\n"])
def test_the_comma_is_no_better_than_another_delimiter(content, tmp_path):
    path = written(tmp_path / "t.csv", content)
    with pytest.raises(DataError, match=r"t\.csv:1: the header contains ',' and ';'; set the delimiter"):
        read_pairs(path, None, PairFilesPart(), BadRows())


def test_a_table_without_a_header_by_column_numbers(tmp_path):
    path = written(tmp_path / "t.csv", "pos,so good\nneg,so bad\n")
    assert rows_of(read(path, text_column="2", label_column="1")) == TABLE
    path = written(tmp_path / "t.tsv", "pos\tso good\nneg\tso bad\n")
    assert rows_of(read(path, text_column="2", label_column="1")) == TABLE
    with pytest.raises(ConfigError, match="columns are given by numbers and by names"):
        read(path, text_column="2", label_column="label")
    named = written(tmp_path / "n.csv", "1,2\npos,so good\nneg,so bad\n")  # a header of numbers
    assert rows_of(read(named, text_column="2", label_column="1")) == TABLE
    with pytest.raises(ConfigError, match="has no column 'label'; its columns are 1, 2"):
        read(named, text_column="2", label_column="label")


def test_a_first_row_with_the_number_of_a_column_is_still_a_row(tmp_path):
    path = written(tmp_path / "t.csv", "1,so good\n0,so bad\n")
    assert rows_of(read(path, text_column="2", label_column="1")) == [("so good", "1"), ("so bad", "0")]


def test_a_column_that_occurs_twice_is_refused(tmp_path):
    path = written(tmp_path / "t.csv", "text,label,label\na,b,c\n")
    with pytest.raises(ConfigError, match=r"t\.csv:1: has two columns 'label'; rename one"):
        read(path)
    path = written(tmp_path / "t.csv", "text,label,id,id\na,b,c,d\n")  # of no matter
    assert rows_of(read(path)) == [("a", "b")]
    path = written(tmp_path / "t.jsonl", '{"text": "a", "label": "x", "label": "y"}\n')
    with pytest.raises(DataError, match=r"t\.jsonl:1: has the key 'label' twice"):
        read(path)
    path = written(tmp_path / "p.tsv", "source\ttarget\tsource\na\tb\tc\n")
    with pytest.raises(ConfigError, match=r"p\.tsv:1: has two columns 'source'"):
        read_pairs(path, None, PairFilesPart(), BadRows())


def test_three_columns_of_no_known_name_are_refused_by_name(tmp_path):
    path = written(tmp_path / "p.csv", "id,en,de\n1,one,eins\n")
    with pytest.raises(ConfigError, match=r"has 3 columns \(id, en, de\); name the two sides with"):
        read_pairs(path, None, PairFilesPart(), BadRows())


@pytest.mark.parametrize("encoding", ["latin-1", "cp1252", "utf-16", "utf-8"])
def test_files_in_a_named_encoding(encoding, tmp_path):
    table = written(tmp_path / "t.csv", "text,label\ncafé à Paris,où\n".encode(encoding))
    assert rows_of(read(table, encoding=encoding)) == [("café à Paris", "où")]
    conll = written(tmp_path / "t.conll", "café O\nà O\n\noù O\n".encode(encoding))
    assert rows_of(read(conll, encoding=encoding))[0][0] == "café à"
    pairs = written(tmp_path / "p.tsv", "café\tcoffee\n".encode(encoding))
    found = read_pairs(pairs, None, build_config(PairFilesPart, overrides={"encoding": encoding}), BadRows())
    assert found[0].source == ("café",)


@pytest.mark.parametrize("skip", [False, True])
def test_another_encoding_is_named_with_the_way_out(skip, tmp_path):
    path = written(tmp_path / "t.csv", "text,label\nplain,a\ncafé,b\n".encode("latin-1"))
    if skip:
        assert rows_of(read(path, skip=True)) == [("plain", "a")]
        return
    with pytest.raises(DataError) as error:
        read(path)
    told = "t.csv:3: is not UTF-8 (byte 0xe9); convert it to UTF-8, or set the encoding of the file with"
    assert told in str(error.value)
    assert "--skip-bad" not in str(error.value)
    with pytest.raises(ConfigError, match="encoding: got 'latin-9000', expected the name of a character"):
        read(path, encoding="latin-9000")


def test_a_list_as_label_is_refused(tmp_path):
    path = written(tmp_path / "t.jsonl", json.dumps({"text": "a", "label": ["a", "x"]}) + "\n")
    with pytest.raises(DataError, match=r"t\.jsonl:1: has \['a', 'x'\] as 'label', expected a single label"):
        read(path)


def test_rows_with_blank_lines_between_are_not_columns(tmp_path):
    path = written(tmp_path / "t.txt", "pos good film\n\nneg bad film\n\npos fine film\n")
    assert guess_format(path) == "label-text"
    assert rows_of(read(path)) == [("good film", "pos"), ("bad film", "neg"), ("fine film", "pos")]


CONLLU = """\
# sent_id = 1
# text = Vámonos al mar
1-2\tVámonos\t_\t_\t_\t_\t_\t_\t_\t_
1\tVamos\tir\tVERB\t_\t_\t0\troot\t_\t_
2\tnos\tnosotros\tPRON\t_\t_\t1\tobj\t_\t_
3-4\tal\t_\t_\t_\t_\t_\t_\t_\t_
3\ta\ta\tADP\t_\t_\t5\tcase\t_\t_
4\tel\tel\tDET\t_\t_\t5\tdet\t_\t_
5\tmar\tmar\tNOUN\t_\t_\t1\tobl\t_\tSpaceAfter=No
5.1\tx\tx\tVERB\t_\t_\t_\t_\t_\t_

# text = #
1\t#\t#\tSYM\t_\t_\t0\troot\t_\t_
"""


def test_conllu_is_read_as_it_means(tmp_path):
    first, second = read(written(tmp_path / "t.conllu", CONLLU))
    assert first.words == ("Vamos", "nos", "a", "el", "mar")
    assert first.labels == ("VERB", "PRON", "ADP", "DET", "NOUN")
    assert (second.words, second.labels) == (("#",), ("SYM",))
    lemmas = read(tmp_path / "t.conllu", text_column="3", tags_column="8")
    assert lemmas[0].labels == ("root", "obj", "case", "det", "obl")
    other = written(tmp_path / "t.txt", CONLLU)
    assert guess_format(other) == "conll"


@pytest.mark.parametrize(
    ("content", "words", "labels"),
    [
        ("# a comment of four\nthe O\ncat B-X\n", ("the", "cat"), ("O", "B-X")),
        ("#begin document (a);\nthe O\n# of five words each\ncat B-X\n", ("the", "cat"), ("O", "B-X")),
        ("i\tPRP\nlove\tVBP\n#python\tHT\n", ("i", "love", "#python"), ("PRP", "VBP", "HT")),
        ("#python HT\nrules VBZ\n", ("#python", "rules"), ("HT", "VBZ")),
        ("it VB\ncosts VBZ\n# #\n5 CD\n", ("it", "costs", "#", "5"), ("VB", "VBZ", "#", "CD")),
        ("# new\tO\n#\tSYM\nthe\tO\n", ("# new", "#", "the"), ("O", "SYM", "O")),
        ("# note\nthe O\ncat B-X\n", ("the", "cat"), ("O", "B-X")),
        ("the O\n# O\n5 B-X\n", ("the", "#", "5"), ("O", "O", "B-X")),
        ("#\tO\nthe\tO\n", ("#", "the"), ("O", "O")),
        ("#tag\tO\nthe\tO\n", ("#tag", "the"), ("O", "O")),
        ("#tag O\nthe O\n", ("#tag", "the"), ("O", "O")),
        ("10\u00a0000 B-N\neuros O\n", ("10\u00a0000", "euros"), ("B-N", "O")),
        ("\u00a0 O\n\u3000 O\n", ("\u00a0", "\u3000"), ("O", "O")),
        ("a  \t O\nb\tO\n", ("a", "b"), ("O", "O")),
    ],
)
def test_comments_and_words_of_column_files(content, words, labels, tmp_path):
    (row,) = read(written(tmp_path / "t.conll", content))
    assert (row.words, row.labels) == (words, labels)


@pytest.mark.parametrize(
    ("content", "words", "told"),
    [
        ("i\nlove\n#python\n!\n", "i love #python !", None),
        ("# text = i love\ni\nlove\n#python\n#\n", "i love #python #", "comments: 1, the first at line 1."),
        ("i\ti\nlove\tlove\n#python\tpython\n", "i love #python", None),
        ("#python rules\nrules rule\n", "#python rules", None),
        ("# one\n# two\nso RB\n", "so", "comments: 2, the first at line 1."),
        (CONLLU.split("\n\n")[0], "Vamos nos a el mar", None),
    ],
)
def test_words_without_labels_may_begin_with_a_hash(content, words, told, tmp_path):
    path, bad = written(tmp_path / "t.conll", content), BadRows()
    (row,) = read_unlabelled(path, ReaderPart(), bad)
    assert (" ".join(row.words), row.labels) == (words, None)
    assert bad.notes == ([f"{path}: lines that begin with # and were read as {told}"] if told else [])


def test_a_word_with_a_hash_and_other_columns_is_refused_within_a_sentence(tmp_path):
    path = written(tmp_path / "t.conll", "the O\n#cat\nsat O\n")
    with pytest.raises(DataError, match=r"t\.conll:2: has 1 column, but other lines have 2"):
        read(path)


@pytest.mark.parametrize(
    ("content", "rows"),
    [
        ("pos a fine film\nneg dull\npos x\tmovie\nneg\tbad\n",
         [("a fine film", "pos"), ("dull", "neg"), ("x movie", "pos"), ("bad", "neg")]),
        ("very good\ta film\nbad \tso dull\nno fun\ta b\n",
         [("a film", "very good"), ("so dull", "bad"), ("a b", "no fun")]),
    ],
)  # fmt: skip
def test_all_labels_of_a_file_end_at_the_same_separator(content, rows, tmp_path):
    assert rows_of(read(written(tmp_path / "t.txt", content), format="label-text")) == rows


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("pos so fine", "has no tab after the label, but most other lines have one"),
        ("\tso fine", "has no label before the tab"),
        ("pos\t", "the text is empty"),
    ],
)
def test_a_line_without_the_label_of_the_others_is_refused(line, told, tmp_path):
    path = written(tmp_path / "t.txt", f"pos\ta film\nneg\tso dull\n{line}\n")
    with pytest.raises(DataError, match=rf"t\.txt:3: {told}"):
        read(path, format="label-text")


NUMBER = "8\u00a01/2"


def test_other_white_space_is_part_of_a_word_in_every_format_of_words(tmp_path):
    """NBSP, U+3000, U+0085 and form feed are no blanks: those who wrote the file did not split at them."""
    for word in (NUMBER, "a\u3000b", "a\u0085b", "a\fb", "\u00a0"):
        columns = written(tmp_path / "t.txt", f"it O\n{word} B-N\n\n" * 3)
        assert guess_format(columns) == "conll"
        atis = written(tmp_path / "t.iob", f"BOS it  {word} EOS\tO O B-N num\n")
        written(tmp_path / "seq.in", f"it {word}\n")
        written(tmp_path / "seq.out", "O B-N\n")
        for path, options in ((columns, {}), (atis, {"format": "atis"}), (tmp_path, {})):
            row = read(path, **options)[0]
            assert (row.words, row.labels) == (("it", word), ("O", "B-N"))
        (row,) = read(written(tmp_path / "t.tree", f"(2 (1 it)\t(3 {word}))\n"), format="trees")
        assert row.words == ("it", word)


def test_skipping_bad_rows_never_drops_a_file_because_of_comments(tmp_path):
    bad = BadRows(skip=True)
    path = written(tmp_path / "t.conll", "# one\na O\nb O\n\n# two\nc O\nd\n\n# three\ne O\n")
    rows = read_examples(path, ReaderPart(skip_bad=True), bad)
    assert [row.words for row in rows] == [("a", "b"), ("e",)]
    assert len(bad) == 1
    (note,) = bad.notes
    assert note.endswith(
        "t.conll: lines that begin with # and were read as comments: 3, the first at line 1."
    )


LINE_ENDS_IN_QUOTES = 'text,label\n"so\n\n""good""","p\nos"\n'


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        ('so bad,neg\n"anna met,pos\nso bad,neg\n', "7: the field that begins with a quote has no closing"),
        ('"a\nb","x\ny\n', "7: the field that begins with a quote has no closing quote; enclose the field"),
        ('"anna met,pos\nso bad,neg\n"so" good,pos\n', "6: .* has text after its closing quote on line 8;"),
        (
            '"so" good,pos\n',
            "6: the field that begins with a quote has text after its closing quote; enclose",
        ),
        (
            '"a\\"b",pos\n',
            "6: .* has text after its closing quote; .*, or read quotes .*see --quoted, or conv",
        ),
    ],
)
@pytest.mark.parametrize("skip", [False, True])
def test_a_quote_that_ends_no_field_is_refused_where_it_begins(rows, told, skip, tmp_path):
    path = written(tmp_path / "t.csv", LINE_ENDS_IN_QUOTES + rows)
    with pytest.raises(DataError, match=rf"t\.csv:{told}"):
        read(path, skip=skip)
    pairs = build_config(PairFilesPart, overrides={"source_column": "text", "target_column": "label"})
    with pytest.raises(DataError, match=rf"t\.csv:{told}"):
        read_pairs(path, None, pairs, BadRows(skip))


def test_offsets_count_in_a_quoted_field_with_crlf(tmp_path):
    content = 'text,label\r\n"so\r\n\r\ngood","p\r\nos"\r\nso bad,neg\r\n'
    path = written(tmp_path / "t.csv", content)
    one, two = read(path)
    assert (one.text, one.words, one.label, one.line) == ("so\r\n\r\ngood", ("so", "good"), "p\nos", 2)
    assert [(word.begin, word.end) for word in one.placed_words] == [(0, 2), (6, 10)]
    assert (two.text, two.label, two.line) == ("so bad", "neg", 6)
    options = {"source_column": "1", "target_column": "2"}
    config = build_config(PairFilesPart, overrides=options)
    pairs = read_pairs(path, None, config, BadRows())
    assert [(*pair.source, *pair.targets) for pair in pairs] == [
        ("text", "label"),
        ("so\n\ngood", "p\nos"),
        ("so bad", "neg"),
    ]


def test_quotes_are_read_where_they_enclose_fields_and_else_are_ordinary(tmp_path):
    path = written(tmp_path / "t.csv", LINE_ENDS_IN_QUOTES + 'a 5" tape,"a, b"\n')
    assert rows_of(read(path)) == [('so "good"', "p\nos"), ('a 5" tape', "a, b")]
    path = written(tmp_path / "t.csv", 'text,label\n"so" good,pos\n"so bad,neg\n')
    assert rows_of(read(path, quoted=False)) == [('"so" good', "pos"), ('"so bad', "neg")]
    path = written(tmp_path / "t.tsv", 'text\tlabel\n"so good\tpos\n')
    assert rows_of(read(path)) == [('"so good', "pos")]
    with pytest.raises(DataError, match=r"t\.tsv:2: the field that begins .*see --quoted\.$"):
        read(path, quoted=True)


@pytest.mark.parametrize("name", ["t.conllu", "t.CONLLU", "t.CoNLL.gz", "t.Bio", "t.conllu.gz"])
def test_columns_are_told_by_the_name_in_either_case(name, tmp_path):
    assert format_of_name(tmp_path / name) == "conll"

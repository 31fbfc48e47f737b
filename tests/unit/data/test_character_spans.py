"""Entities by character offsets: into which word labels they are read, and what is refused."""

import json

import pytest

from recurra.config import ReaderPart, build_config
from recurra.data.examples import BadRows
from recurra.data.readers import read_examples
from recurra.data.readers.character_spans import labels_of_entities
from recurra.errors import DataError
from recurra.tasks.labelling.config import ClassifyConfig
from recurra.text.words import words_of

TEXT = "U.N. official  Rolf Ekeus heads for New York."


def read(tmp_path, entities, *, text=TEXT, config=ReaderPart, **options):
    path = tmp_path / "rows.jsonl"
    path.write_text(json.dumps({"text": text, "label": "news", "entities": entities}) + "\n")
    return read_examples(path, config(**options), BadRows())


@pytest.mark.parametrize(
    "entities",
    [
        [[0, 4, "ORG"], [15, 25, "PER"], [36, 44, "LOC"]],
        [[36, 44, "LOC"], [0, 4, "ORG"], [15, 25, "PER"]],
        [
            {"begin": 0, "end": 4, "type": "ORG", "text": "U.N."},
            {"start": 15, "end": 25, "label": "PER"},
            {"begin": 36, "end": 44, "type": "LOC", "probability": 0.9},
        ],
    ],
)
def test_entities_become_labels_of_the_words_that_they_cover(tmp_path, entities):
    (row,) = read(tmp_path, entities, split="punctuation")
    assert row.words == ("U", ".", "N", ".", "official", "Rolf", "Ekeus", "heads", "for", "New", "York", ".")
    assert row.labels == (
        *("B-ORG", "I-ORG", "I-ORG", "I-ORG", "O", "B-PER", "I-PER", "O", "O", "B-LOC", "I-LOC", "O"),
    )
    assert row.text == TEXT
    assert [row.text[word.begin : word.end] for word in row.placed_words] == list(row.words)


def test_a_blank_at_the_edge_of_an_entity_and_adjacent_entities_are_read(tmp_path):
    (row,) = read(tmp_path, [[0, 5, "ORG"], [5, 14, "JOB TITLE"]])
    assert row.labels == ("B-ORG", "B-JOB TITLE", "O", "O", "O", "O", "O", "O")


@pytest.mark.parametrize(
    ("entities", "told"),
    [
        (
            [[36, 44, "LOC"]],
            "the entity [36, 44, 'LOC'] cuts the word 'York.' at 40 to 45; correct the offsets",
        ),
        ([[0, 4, "ORG"], [2, 9, "X"]], "the entity [2, 9, 'X'] overlaps the entity [0, 4]"),
        ([[0, 99, "ORG"]], "the entity [0, 99, 'ORG'] lies outside of the text, which has 45 characters"),
        ([[4, 4, "ORG"]], "the entity [4, 4, 'ORG'] lies outside of the text"),
        ([[13, 15, "ORG"]], "the entity [13, 15, 'ORG'] contains no word"),
        ([["0", 4, "ORG"]], "has the entity ['0', 4, 'ORG'], expected [begin, end, type]"),
        ([[True, 4, "ORG"]], "has the entity [True, 4, 'ORG'], expected [begin, end, type]"),
        ({"0": 1}, "has {'0': 1} as entities, expected a list of [begin, end, type]"),
    ],
)
def test_what_cannot_be_an_entity_is_named(tmp_path, entities, told):
    with pytest.raises(DataError) as error:
        read(tmp_path, entities)
    assert f"rows.jsonl:1: {told}" in str(error.value)
    # They are not read to classify the text.
    assert read(tmp_path, entities, config=ClassifyConfig, data="x")[0].labels is None


def test_a_row_with_labels_of_words_and_entities_is_refused(tmp_path):
    path = tmp_path / "rows.jsonl"
    rows = [
        {"text": "U.N. official", "labels": ["O", "O"], "entities": None},
        {"text": "U.N. official", "labels": ["O", "O"], "entities": [[0, 4, "ORG"]]},
    ]
    path.write_text("\n".join(map(json.dumps, rows)) + "\n")
    with pytest.raises(DataError, match=r"jsonl:2: has both 'labels' and 'entities'; remove one of them, or"):
        read_examples(path, ReaderPart(), BadRows())
    bad = BadRows(skip=True)
    assert len(read_examples(path, ReaderPart(), bad)) == len(bad) == 1
    for options, labels in [({"tags_column": ""}, ("B-ORG", "O")), ({"entities_column": ""}, ("O", "O"))]:
        assert read_examples(path, ReaderPart(**options), BadRows())[1].labels == labels
    config = build_config(ClassifyConfig, overrides={"data": path})
    assert len(read_examples(path, config, BadRows())) == 2


def test_words_one_by_one_and_schemes_do_not_go_with_offsets(tmp_path):
    with pytest.raises(DataError, match="has 'entities', which need a text, not a list of words"):
        read(tmp_path, [[0, 4, "ORG"]], text=["U.N.", "official"])
    with pytest.raises(DataError, match="to which no tagging scheme applies; remove --scheme"):
        read(tmp_path, [[0, 4, "ORG"]], scheme="iobes")


def test_many_entities_cost_no_pass_over_all_words_each():
    """Each word is looked at a few times, however many entities there are."""
    looked = 0

    class Looked(list):
        def __iter__(self):
            for word in super().__iter__():
                nonlocal looked
                looked += 1
                yield word

        def __getitem__(self, place):
            nonlocal looked
            looked += len(range(*place.indices(len(self)))) if isinstance(place, slice) else 1
            return super().__getitem__(place)

    text = "ab " * 2000
    words = Looked(words_of(text))
    labels = labels_of_entities([[3 * i, 3 * i + 2, "X"] for i in range(2000)], text, words)
    assert labels == ("B-X",) * 2000
    assert looked <= 5 * 2000

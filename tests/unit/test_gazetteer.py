"""Word lists and shapes: matching, the features of a network, and word lists made of labelled files."""

import json
import random
import re
import unicodedata

import pytest
import torch
from typer.testing import CliRunner

from recurra.cli.main import app
from recurra.config import build_config
from recurra.data.examples import BadRows, Example
from recurra.data.phrase_files import read_phrase_list
from recurra.errors import ConfigError, DataError, StorageError, VocabularyError
from recurra.models.word_input import ListInput
from recurra.tasks.labelling.config import ClassifyConfig, PairConfig, TagConfig
from recurra.tasks.labelling.feeds import EncodedRows
from recurra.tasks.labelling.lists import entity_phrases, read_gazetteer
from recurra.text import Vocabulary
from recurra.text.gazetteer import PLACES, Gazetteer, Match
from recurra.text.label_symbols import Symbols, load_symbols, save_symbols
from recurra.text.word_encoder import WordEncoder, shape_of


def found(phrases, words, **options):
    return [match[1:] for match in Gazetteer({"x": phrases}, **options).matches(words)]


def pieces(text: str) -> list[str]:
    return re.findall(r"[a-z]+|\S", text)


def by_trying(phrases, words):
    """The leftmost longest matches, by comparing every run of words with every phrase."""
    wanted, at, matches = [pieces(phrase) for phrase in phrases], 0, []
    while at < len(words):
        ends = [
            end
            for end in range(at + 1, len(words) + 1)
            if [piece for word in words[at:end] for piece in pieces(word)] in wanted
        ]
        if ends:
            matches.append((at, max(ends)))
        at = max(ends, default=at + 1)
    return matches


def test_matches_are_those_of_a_search_of_every_run_of_words():
    rng = random.Random(1)
    vocabulary = ["a", "b", "c", ".", "a.", "b-c", "'", "a'b"]
    longest = 0
    for _ in range(600):
        lists = {
            name: [" ".join(rng.choices(vocabulary, k=rng.randint(1, 4))) for _ in range(rng.randint(1, 6))]
            for name in ("one", "two")
        }
        words = rng.choices(vocabulary, k=rng.randint(0, 9))
        gazetteer = Gazetteer(lists)
        got = gazetteer.matches(words)
        for name, phrases in lists.items():
            expected = by_trying(phrases, words)
            assert [match[1:] for match in got if match.type == name] == expected
            longest = max(longest, *(last - first for first, last in expected), 0)
        codes = gazetteer.codes(words)
        assert codes.shape == (len(words), 2)
        for match in got:
            told = [PLACES[code] for code in codes[match.first : match.last, int(match.type == "two")]]
            inner = ["begin", *["inside"] * (len(told) - 2), "end"]
            assert told == (["single"] if len(told) == 1 else inner)
        assert (codes > 0).sum() == sum(match.last - match.first for match in got)
    assert longest == 3


def test_the_leftmost_and_then_the_longest_phrase_is_found_in_each_list_alone():
    words = ["the", "new", "york", "city", "times"]
    assert found(["new york", "new york city", "york city times"], words) == [(1, 4)]
    assert found(["the new", "new york city"], words) == [(0, 2)]
    assert found(["york", "city", "times"], words) == [(2, 3), (3, 4), (4, 5)]
    lists = Gazetteer({"city": ["new york"], "paper": ["york city times", "times"]})
    assert lists.matches(words) == [Match("city", 1, 3), Match("paper", 2, 5)]


@pytest.mark.parametrize("phrase", ["St. Louis", "St . Louis", "  St.\u00a0 Louis "])
def test_a_phrase_matches_however_the_signs_are_split(phrase):
    for words in (["St.", "Louis"], ["St", ".", "Louis"], ["St", ".Louis"]):
        assert found([phrase], ["in", *words]) == [(1, 1 + len(words))]
    assert found([phrase], ["St", "Louis"]) == []
    assert found(["O'Hare"], ["O", "'Hare"]) == [(0, 2)]


def test_a_match_begins_and_ends_where_words_do():
    for words in (["#Paris"], ["Paris-based"], ["Le-Paris"], ["Parisian"]):
        assert found(["Paris"], words) == []
    assert found(["New York"], ["New", "\u00a0", "York"]) == [(0, 3)]
    assert found(["New"], ["\u00a0", "New", "\u00a0"]) == [(1, 2)]
    assert found(["New York"], []) == []


def test_forms_and_cases_of_a_phrase():
    for form in ("NFC", "NFD"):
        for other in ("NFC", "NFD"):
            words = [unicodedata.normalize(other, word) for word in ("São", "Tomé")]
            assert found([unicodedata.normalize(form, "São Tomé")], words) == [(0, 2)]
    assert found(["Straße"], ["STRASSE"]) == []
    assert found(["Straße", "école"], ["STRASSE", "E\u0301COLE"], ignore_case=True) == [(0, 1), (1, 2)]
    assert found(["北京", "पढ़ना"], ["在", "北", "京", "पढ़ना"]) == [(1, 3), (3, 4)]
    assert found(["北京"], ["北京"]) == [(0, 1)]
    assert found(["ab c"], ["x", "a", "b", "c"], characters=True) == [(1, 4)]


def test_lists_are_saved_and_loaded(tmp_path):
    lists = Gazetteer({"city": ["Oslo", " new  york ", "OSLO"], "é": ["x"]}, ignore_case=True)
    assert lists.lists == {"city": ["Oslo", "new york"], "é": ["x"]}
    path = tmp_path / "gazetteer.json"
    lists.save(path)
    loaded = Gazetteer.load(path)
    assert (loaded.lists, loaded.ignore_case, loaded.characters) == (lists.lists, True, False)
    assert loaded.matches(["NEW", "York"]) == [Match("city", 0, 2)]
    whole = json.loads(path.read_text())
    for broken in ("", "[]", "{}", *(json.dumps(whole | one) for one in ({"lists": [1]}, {"kind": "x"}))):
        path.write_text(broken)
        with pytest.raises(VocabularyError, match=r"gazetteer\.json: is missing or has no word lists"):
            Gazetteer.load(path)


def test_symbols_need_their_lists(tmp_path):
    words = WordEncoder.count([["a"]])
    symbols = Symbols(words, Vocabulary(["O"]), None, gazetteer=Gazetteer({"x": ["a"]}))
    save_symbols(tmp_path, symbols)
    assert load_symbols(tmp_path).gazetteer.lists == {"x": ["a"]}
    Gazetteer({"y": ["a"]}).save(tmp_path / "gazetteer.json")
    with pytest.raises(VocabularyError, match="has other types than labels"):
        load_symbols(tmp_path)


def test_without_lists_and_shapes_the_files_are_those_of_earlier_versions(tmp_path):
    save_symbols(tmp_path, Symbols(WordEncoder.count([["a"]]), Vocabulary(["O"]), None))
    assert json.loads((tmp_path / "words.json").read_text()) == {
        "kind": "recurra.words",
        "lowercase": False,
        "digits": False,
        "words": ["<unk>", "a"],
        "characters": ["<unk>", "a"],
        "trigrams": ["<unk>", "#a#"],
    }
    assert "gazetteer" not in json.loads((tmp_path / "labels.json").read_text())
    assert load_symbols(tmp_path).words.shapes is None


@pytest.mark.parametrize(
    ("word", "shape"),
    [
        *(("Xavier", "Xxxxx"), ("NASA", "XXXX"), ("iPhone7", "xXxxxxd"), ("1999", "dddd"), ("20000", "dddd")),
        *(("x-ray", "x-xxx"), ("3.5%", "d.d%"), ("!!!!!!", "!!!!"), ("e\u0301cole", "xxxx"), ("東京", "xx")),
        ("", ""),
    ],
)
def test_the_shape_of_a_word(word, shape):
    assert shape_of(word) == shape


def test_a_shape_that_occurs_once_is_unknown(tmp_path):
    encoder = WordEncoder.count([["Ab", "Cd", "x-1"]], with_shapes=True)
    assert list(encoder.shapes.symbols) == ["<unk>", "Xx"]
    assert [encoder.encode(word).shape for word in ("Ef", "x-2", "?")] == [1, 0, 0]
    encoder.save(tmp_path / "words.json")
    assert WordEncoder.load(tmp_path / "words.json").shapes.symbols == encoder.shapes.symbols


def test_a_batch_has_the_codes_of_each_word_and_none_in_padding():
    lists = Gazetteer({"city": ["New York"], "month": ["may"]})
    rows = [Example(("in", "New", "York"), second=("may",)), Example(("may",), second=("a", "b"))]
    encoder = WordEncoder.count([row.words for row in rows])
    batch = EncodedRows(rows, Symbols(encoder, None, Vocabulary(["x"]), gazetteer=lists)).batch([0, 1])
    assert batch.words.lists.tolist() == [[[0, 0], [1, 0], [3, 0]], [[0, 4], [0, 0], [0, 0]]]
    assert batch.second.lists.tolist() == [[[0, 4], [0, 0]], [[0, 0], [0, 0]]]
    assert batch.words.to(torch.device("cpu")).lists is not None


def test_a_match_is_hidden_as_a_whole_and_only_in_training():
    torch.manual_seed(1)
    lists = ListInput(2, 0.5)
    codes = torch.tensor([[0, 1, 2, 3, 0, 4, 1, 3], [0, 4, 0, 4, 0, 4, 1, 3]]).T.expand(500, 8, 2)
    full = lists.eval()(codes)
    assert full.shape == (500, 8, 10)
    lists.train()
    torch.manual_seed(2)
    hidden = lists._dropped(codes)
    torch.manual_seed(2)
    assert torch.equal(lists._dropped(codes), hidden)
    kept = hidden != 0
    assert torch.equal(hidden[kept], codes[kept])
    first, second = kept.unbind(2)
    assert torch.equal(first[:, 1:4].all(1), first[:, 1:4].any(1))
    for word in (1, 5, 6, 7):  # matches of both lists that begin at one word
        assert torch.equal(first[:, word], second[:, word])
    assert not torch.equal(first[:, 1], second[:, 3])
    assert kept[:, 1, 0].float().mean().item() == pytest.approx(0.5, abs=0.08)


# Options and files


def of(config, **options):
    return build_config(config, overrides={"data": "x"} | options)


def test_lists_are_given_as_texts_or_as_a_table(tmp_path):
    for given in (["city=a=b.txt", "x=c"], {"city": "a=b.txt", "x": "c"}, {"city": tmp_path / "a", "x": "c"}):
        for config in (TagConfig, ClassifyConfig, PairConfig):
            built = of(config, gazetteer=given)
            assert [one.partition("=")[0] for one in built.gazetteer] == ["city", "x"]
            assert all("=/" in one for one in built.with_absolute_paths().gazetteer)
    toml = tmp_path / "options.toml"
    toml.write_text('data = "x"\n[gazetteer]\ncity = "a.txt"\n')
    assert build_config(TagConfig, [toml]).gazetteer == ("city=a.txt",)


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (["cities.txt"], "expected TYPE=FILE, such as city=cities.txt"),
        (["=cities.txt"], "expected TYPE=FILE"),
        (["city="], "expected TYPE=FILE"),
        (["a=x", "b=x", "a=y"], "expected each type once, but a occurs several times; join its files"),
        ("city=x", "expected texts TYPE=FILE, or a table of files by type"),
        ({"a=b": "x"}, "expected types that are texts without an equals sign"),
        ({3: "x"}, "expected types that are texts"),
        ({"a": 3}, "expected the path of a file"),
        (3, "expected texts TYPE=FILE"),
    ],
)
def test_lists_that_name_no_type_or_file_are_refused(given, told):
    with pytest.raises(ConfigError) as raised:
        of(TagConfig, gazetteer=given)
    assert str(raised.value).startswith("gazetteer: got ")
    assert told in str(raised.value)


ROWS = [Example(("in", "New", "York"), ("O", "B-city", "I-city"))]


def lists_of(tmp_path, content, bad=None, **options):
    path = tmp_path / "cities.txt"
    path.write_bytes(content)
    config = of(TagConfig, gazetteer=[f"city={path}"], **options)
    return read_gazetteer(config, ROWS, BadRows() if bad is None else bad)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"Oslo\nk\xf8ben\n", ":2: is not UTF-8; convert it to UTF-8, or skip such rows with --skip-bad."),
        (b"New York\tUS\n", ":1: has a tab, but a line is one phrase; keep only the column of phrases, or"),
        (b"", ": is empty"),
        (b"\n  \n", ": has no phrases; write one phrase per line, or remove the list."),
        (b"Oslo\nnew york\n", ": has 2 phrases, none of which occurs in the training data; "),
    ],
)
def test_a_list_that_cannot_be_used_is_named_with_its_line(tmp_path, content, told):
    with pytest.raises(DataError) as raised:
        lists_of(tmp_path, content)
    assert str(raised.value).startswith(f"{tmp_path / 'cities.txt'}{told}")


def test_usable_lists(tmp_path):
    assert lists_of(tmp_path, b"\xef\xbb\xbfnew york\r\n\r\n", gazetteer_ignore_case=True).types == ["city"]
    bad = BadRows(skip=True)
    assert lists_of(tmp_path, b"\xff\nNew York\na\tb\n", bad).lists == {"city": ["New York"]}
    assert len(bad) == 2
    with pytest.raises(DataError, match=r"none\.txt: there is no such file; check the path\.$"):
        read_phrase_list(tmp_path / "none.txt", BadRows())


# Word lists of labelled files


def test_entities_of_labelled_files_are_a_list_the_most_frequent_first(tmp_path):
    one, two = tmp_path / "a.conll", tmp_path / "b.jsonl"
    one.write_text("St. B-LOC\nLouis I-LOC\nSue B-PER\n\nOslo B-LOC\nRome B-LOC\n\nOslo B-LOC\n")
    two.write_text('{"text": "to New  York , Oslo", "entities": [[3, 12, "city"], [15, 19, "city"]]}\n')
    assert entity_phrases([one], ["LOC"]) == ["Oslo", "Rome", "St. Louis"]
    assert entity_phrases([one, two], ["LOC", "city"]) == ["Oslo", "New York", "Rome", "St. Louis"]
    assert entity_phrases([one, two], ["LOC", "city", "LOC"], min_count=3) == ["Oslo"]
    with pytest.raises(DataError, match=r"no entity is of type 'loc'; name one of LOC, PER\.$"):
        entity_phrases([one], ["loc"])
    with pytest.raises(
        DataError, match=r"no entity of these types occurs at least 9 times; lower --min-count\.$"
    ):
        entity_phrases([one], ["LOC"], min_count=9)
    with pytest.raises(ConfigError, match=r"^quoted: applies only to csv"):
        entity_phrases([one], ["LOC"], reading={"quoted": True})
    with pytest.raises(ConfigError, match=r"^scheme: got 'classes', expected one of auto, spans, bio"):
        entity_phrases([one], ["LOC"], reading={"scheme": "classes"})
    one.write_text("a DT\nman NN\n")
    with pytest.raises(DataError, match=r"a\.conll: its word labels do not mark entities"):
        entity_phrases([one], ["NN"])


def test_the_command_writes_a_list_and_overwrites_none(tmp_path):
    data, out = tmp_path / "a.conll", tmp_path / "cities.txt"
    data.write_text("St. B-LOC\nLouis I-LOC\nSue B-PER\n\nOslo B-LOC\nRome B-LOC\n\nOslo B-LOC\n\nx\n")
    command = ["data", "gazetteer", str(data), "--type", "LOC", "-o", str(out)]
    with pytest.raises(DataError, match=r"a\.conll:10: has 1 column"):
        CliRunner().invoke(app, command, catch_exceptions=False)
    done = CliRunner().invoke(app, [*command, "--skip-bad"], catch_exceptions=False)
    assert done.stdout == f"3 phrases: {out}\n"
    assert "1 row skipped:" in done.stderr
    assert out.read_text() == "Oslo\nRome\nSt. Louis\n"
    assert read_phrase_list(out, BadRows()) == ["Oslo", "Rome", "St. Louis"]
    with pytest.raises(StorageError, match=r"cities\.txt: already exists; name another file, or overwrite"):
        CliRunner().invoke(app, command, catch_exceptions=False)
    done = CliRunner().invoke(app, [*command, "--skip-bad", "--overwrite", "--min-count", "2"])
    assert (done.exit_code, out.read_text()) == (0, "Oslo\n")

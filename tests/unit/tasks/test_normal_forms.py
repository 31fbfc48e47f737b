"""Models of words read both normalisation forms of a text as the same words."""

import unicodedata

import pytest

import recurra
from recurra.data.readers.pairs import Pair
from recurra.errors import ConfigError
from recurra.models.open_vocabulary import spelling_nats
from recurra.tasks.language_modeling.filling import GapFiller
from recurra.tasks.seq2seq.config import TranslateConfig
from recurra.tasks.seq2seq.symbols import PairSymbols, learn_symbols

FORMS = ("NFC", "NFD")
TEXT = "le café est là\nun été à la gare\nla fée a été là\n" * 20
PAIRS = [("un été là", "der Sommer dort über"), ("la fée là", "die Fee dört"), ("à la gare", "zum Bahnhof")]
SMALL = {"hidden_size": 8, "batch_size": 4, "epochs": 1, "dropout": 0.0}


def in_form(form, text):
    return unicodedata.normalize(form, text)


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    folder = tmp_path_factory.mktemp("forms")
    for form in FORMS:
        (folder / f"{form}.txt").write_text(in_form(form, TEXT))
    options = {"unit": "word", "model": "ngram", "order": 3}
    return {
        form: recurra.LanguageModel.train(folder / f"{form}.txt", out=folder / form, **options)
        for form in FORMS
    }


@pytest.mark.parametrize("trained", FORMS)
def test_a_language_model_reads_either_form(models, trained, tmp_path):
    model = models[trained]
    assert model.tokenizer.vocabulary == models["NFC"].tokenizer.vocabulary
    figures, costs = [], []
    for form in FORMS:
        (tmp_path / "text.txt").write_text(in_form(form, "le café a été là\nun zébré à la fée\n"))
        figures.append(model.evaluate(tmp_path / "text.txt"))
        text = model.read_file(tmp_path / "text.txt")
        costs.append(spelling_nats(model.tokenizer, text.tokens, text.source.chunks))
        assert model.complete(in_form(form, "un été")) == model.complete("un été")
        assert GapFiller(model).cloze([in_form(form, "le café est là")]).among_five == 1
        assert model.novelty(in_form(form, "un été à la gare\nla fée")).match.length == 23
    assert figures[0].unknown == figures[1].unknown == 1
    assert figures[0].total_nats == figures[1].total_nats
    assert costs[0] == costs[1] > 0


@pytest.mark.parametrize("unit", ["char", "subword"])
def test_characters_and_subwords_stay_as_they_are_written(tmp_path, unit):
    (tmp_path / "text.txt").write_text(in_form("NFD", TEXT))
    model = recurra.LanguageModel.train(
        tmp_path / "text.txt", out=tmp_path / "run", unit=unit, model="ngram", order=3
    )
    ids = model.tokenizer.encode_line(in_form("NFD", "été"))
    assert model.tokenizer.decode(ids) == in_form("NFD", "été")
    assert model.tokenizer.encode_line("été") != ids


def test_a_translator_reads_and_writes_either_form(tmp_path):
    translators = {}
    for form in FORMS:
        rows = [f"{source}\t{target}" for source, target in PAIRS * 8]
        path = tmp_path / f"{form}.tsv"
        path.write_text(in_form(form, "\n".join(["source\ttarget", *rows, ""])))
        translators[form] = recurra.Translator.train(
            path, valid=path, out=tmp_path / form, unit="word", min_count=1, **SMALL
        )
    one, other = translators.values()
    assert one.symbols.source.vocabulary == other.symbols.source.vocabulary
    assert one.symbols.target.vocabulary == other.symbols.target.vocabulary
    for form in FORMS:
        source, phrase = in_form(form, "un été là"), in_form(form, "dört über")
        assert one.translate(source) == other.translate(source) == one.translate("un été là")
        assert "dört über" in one.translations(source, phrases=[phrase])[0].text
        with pytest.raises(ConfigError, match="symbols unknown to the model"):
            one.translations(source, phrases=[in_form(form, "dört ubér")])


def test_unknown_words_are_copied_from_either_form():
    config = TranslateConfig(data="x", unit="word", vocabulary="joint", copying=True, min_count=2)
    symbols = learn_symbols(config, [Pair(("je suis",), ("je suis",))] * 2)
    assert isinstance(symbols, PairSymbols)
    size = symbols.target.vocabulary_size
    for form in FORMS:
        source = [in_form(form, "je suis Zoé Éloge")]
        for target in FORMS:
            assert symbols.encode_target(in_form(target, "Éloge suis <unk>"), source)[0] == size + 3
        assert symbols.encode_source(source)[2:] == [size + 2, size + 3]
        assert symbols.pieces(source) == tuple(source[0].split())

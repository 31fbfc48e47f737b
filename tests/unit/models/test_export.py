"""`forward` of every network takes and returns tensors: torch.export can make a graph, and hooks run."""

import pytest
import torch
from torch import nn

from recurra.config import ContextPart, EncoderConfig, RecurrentNetworkConfig, RecurrentPart
from recurra.data.batches import PairBatch, SequenceBatch
from recurra.data.examples import Example
from recurra.errors import ConfigError
from recurra.models.classifier import ClassifierNetwork
from recurra.models.feed_forward import WindowNetwork
from recurra.models.language_model import LanguageModelNetwork
from recurra.models.pair import AlignedNetwork, PairShape, SiameseNetwork
from recurra.models.seq2seq import Seq2SeqNetwork, SourceKind
from recurra.models.source import EncoderDecoderConfig
from recurra.models.tagger import TaggerNetwork
from recurra.models.word_input import InputSizes
from recurra.tasks.labelling.feeds import EncodedRows
from recurra.text.gazetteer import Gazetteer
from recurra.text.label_symbols import Symbols
from recurra.text.word_encoder import WordEncoder

B, T, V = 2, 5, 11
IDS = torch.randint(1, V, (B, T), generator=torch.Generator().manual_seed(1))
SMALL = {"hidden_size": 6, "num_layers": 1, "dropout": 0.0, "input_dropout": 0.0}
SIZES = InputSizes(V, 1, 1)


def language_model(cell: str) -> tuple[nn.Module, tuple[object, ...]]:
    return LanguageModelNetwork(V, RecurrentNetworkConfig(**SMALL, cell=cell)), (IDS,)


def tapered() -> tuple[nn.Module, tuple[object, ...]]:
    options = SMALL | {"num_layers": 2, "embedding_size": 4, "tie_weights": True}
    return LanguageModelNetwork(V, RecurrentNetworkConfig(**options)), (IDS,)


def encoder(**options: object) -> EncoderConfig:
    return EncoderConfig(**SMALL | {"embedding_size": 4} | options)


NETWORKS = {
    **{
        f"language model, {cell}": (lambda cell=cell: language_model(cell)) for cell in ("lstm", "gru", "rnn")
    },
    "language model, jordan": lambda: language_model("jordan"),
    "language model, tapered": tapered,
    "language model, window": lambda: (WindowNetwork(V, RecurrentPart(**SMALL), ContextPart()), (IDS,)),
    "tagger": lambda: (TaggerNetwork(encoder(), 3, num_classes=2, sizes=SIZES), (IDS,)),
    "tagger of a window": lambda: (TaggerNetwork(encoder(), 3, kind="window", sizes=SIZES), (IDS,)),
    "tagger of vectors": lambda: (TaggerNetwork(encoder(), 3, vector_shape=(4,)), (torch.randn(B, T, 4),)),
    **{
        f"classifier, {pooling}": (
            lambda pooling=pooling: (ClassifierNetwork(encoder(), 3, pooling=pooling, sizes=SIZES), (IDS,))
        )
        for pooling in ("last", "mean", "max", "centre", "attention")
    },
    "tagger, crf": lambda: (TaggerNetwork(encoder(), 3, kind="crf", sizes=SIZES), (IDS,)),
    "pair": lambda: (SiameseNetwork(encoder(), PairShape(2, SIZES)), (IDS, None, IDS.flip(1))),
    **{
        f"aligned pair, {kind}": (
            lambda kind=kind: (AlignedNetwork(encoder(), PairShape(2, SIZES, kind)), (IDS, None, IDS.flip(1)))
        )
        for kind in ("recurrent", "average")
    },
}
LENGTHS = torch.tensor([5, 3])


def same(got: object, expected: object) -> None:
    torch.testing.assert_close(
        torch.utils._pytree.tree_leaves(got), torch.utils._pytree.tree_leaves(expected), rtol=1e-5, atol=1e-6
    )


@pytest.mark.parametrize("name", sorted(NETWORKS))
def test_a_network_is_exported(name):
    torch.manual_seed(1)
    network, inputs = NETWORKS[name]()
    network.eval()
    with torch.no_grad():
        exported = torch.export.export(network, inputs).module()
        others = tuple(None if x is None else x.flip(0) for x in inputs)
        for given in (inputs, others):
            same(exported(*given), network(*given))


@pytest.mark.parametrize("name", sorted(name for name in NETWORKS if not name.startswith("language model")))
def test_lengths_are_values_of_the_exported_graph(name):
    torch.manual_seed(1)
    network, inputs = NETWORKS[name]()
    network.eval()
    second = (inputs[2], LENGTHS.flip(0)) if "pair" in name else ()
    with torch.no_grad():
        exported = torch.export.export(network, (inputs[0], LENGTHS, *second)).module()
        for lengths in (LENGTHS, torch.tensor([2, 4]), torch.tensor([5, 5])):
            same(exported(inputs[0], lengths, *second), network(inputs[0], lengths, *second))


@pytest.mark.parametrize("kind", ["recurrent", "window"])
def test_a_tagger_with_every_representation_of_words_is_exported(kind):
    torch.manual_seed(1)
    given = {"trigrams": True, "characters": "cnn", "casing": True, "shapes": True}
    config = encoder(**given, gazetteer=("city=x", "name=y"), gazetteer_dropout=0.5)
    rows = [("in", "New", "York"), ("San", "Remo"), ("at", "Oslo", "x")]
    symbols = WordEncoder.count(rows, with_shapes=True)
    lists = Gazetteer({"city": ["New York", "Oslo"], "name": ["Remo"]})
    network = TaggerNetwork(config, 3, kind=kind, sizes=InputSizes.of(symbols, 2)).eval()
    encoded = EncodedRows([Example(row) for row in rows], Symbols(symbols, None, None, gazetteer=lists))
    inputs = encoded.batch([0, 1]).inputs
    changed = inputs[0]._replace(lists=inputs[0].lists.flip(1), shapes=inputs[0].shapes.flip(0))
    with torch.no_grad():
        exported = torch.export.export(network, inputs).module()
        same(exported(*inputs), network(*inputs))
        same(exported(changed, inputs[1]), network(changed, inputs[1]))
        assert not torch.equal(network(changed, inputs[1]).labels, network(*inputs).labels)
        with pytest.raises(ConfigError, match=r"^words: ids alone are not enough"):
            network(inputs[0].ids)


@pytest.mark.parametrize("options", [{"attention": "additive"}, {"attention": "none"}, {"copying": True}])
def test_lengths_of_sources_are_values_of_the_exported_graph(options):
    torch.manual_seed(1)
    network = Seq2SeqNetwork(
        EncoderDecoderConfig(**SMALL, cell="gru", **options), SourceKind(V, True, unknown=1), V, 0
    ).eval()
    with torch.no_grad():
        exported = torch.export.export(network, (IDS, LENGTHS, IDS[:, :3])).module()
        for lengths in (LENGTHS, torch.tensor([2, 4])):
            same(exported(IDS, lengths, IDS[:, 1:4])[0], network(IDS, lengths, IDS[:, 1:4])[0])


@pytest.mark.parametrize("attention", ["general", "additive", "none"])
def test_an_encoder_decoder_is_exported(attention):
    torch.manual_seed(1)
    config = EncoderDecoderConfig(**SMALL, cell="gru", attention=attention)
    network = Seq2SeqNetwork(config, SourceKind(V, True), V, 0).eval()
    inputs = (IDS, None, IDS[:, :3])
    with torch.no_grad():
        exported = torch.export.export(network, inputs).module()
        others = (IDS.flip(0), None, IDS[:, 1:4])
        for given in (inputs, others):
            same(exported(*given)[0], network(*given)[0])


@pytest.mark.parametrize("shape", [(5,), (4, 5), (1, 8, 8)], ids=["one vector", "regions", "pixels"])
def test_a_captioner_is_exported(shape):
    torch.manual_seed(1)
    attention = "none" if shape == (5,) else "general"
    config = EncoderDecoderConfig(**SMALL, cell="lstm", attention=attention, bidirectional=False)
    network = Seq2SeqNetwork(config, SourceKind(vector_shape=shape), V, 0).eval()
    inputs = (torch.rand(B, *shape), None, IDS[:, :3])
    with torch.no_grad():
        exported = torch.export.export(network, inputs).module()
        others = (torch.rand(B, *shape), None, IDS[:, 1:4])
        for given in (inputs, others):
            same(exported(*given)[0], network(*given)[0])


def test_forward_is_what_losses_are_made_of():
    """Hooks on the network also run in training."""
    torch.manual_seed(1)
    lengths = torch.tensor([5, 3])
    labels = torch.ones(B, T, dtype=torch.int64).masked_fill(torch.arange(T) >= lengths.unsqueeze(1), -1)
    tagger = TaggerNetwork(encoder(), 3, vector_shape=(4,))
    batch = SequenceBatch(None, torch.randn(B, T, 4), lengths, labels=labels)
    seen = []
    tagger.register_forward_hook(lambda *given: seen.append(given[-1]))
    total = tagger.total_loss(batch).total
    expected = torch.nn.functional.cross_entropy(
        seen[0].labels.flatten(0, 1), labels.flatten(), ignore_index=-1, reduction="sum"
    )
    torch.testing.assert_close(total, expected)


def test_logits_of_an_encoder_decoder_are_those_that_its_losses_have():
    torch.manual_seed(1)
    network = Seq2SeqNetwork(EncoderDecoderConfig(**SMALL, cell="gru"), SourceKind(V, True), V, 0)
    batch = PairBatch(IDS, torch.tensor([5, 4]), IDS[:, :3], torch.tensor([3, 2]), end=0)
    inputs, targets = batch.steps(network.start)
    logits, _ = network(*batch.inputs, inputs)
    losses = torch.nn.functional.cross_entropy(logits.flatten(0, 1), targets.flatten(), reduction="none")
    torch.testing.assert_close(losses.view_as(targets), network.token_losses(batch))

"""From the symbols of an output to its text, and what stands there for unknown symbols."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

import torch
from torch import Tensor

from recurra.config import SearchPart
from recurra.errors import ConfigError
from recurra.models.seq2seq import Seq2SeqNetwork
from recurra.tasks.seq2seq.feeds import EncodedPairs
from recurra.tasks.seq2seq.symbols import PairSymbols


def check_unknown(part: SearchPart, network: Seq2SeqNetwork, symbols: PairSymbols) -> None:
    """Check that the option `unknown` applies to a model. Raises: ConfigError if not."""
    if part.unknown != "keep" and symbols.unknown is None:
        raise ConfigError("unknown: a model of subwords has no unknown symbols; remove it.")
    if part.unknown == "replace" and (symbols.source is None or network.attentive is None):
        raise ConfigError("unknown: replace needs a source of text and a model with attention; use redraw.")


@torch.no_grad()
def weights_of(network: Seq2SeqNetwork, pairs: EncodedPairs, pair: int, written: Sequence[int]) -> Tensor:
    """Return the attention weights while the decoder writes some symbols and the end.

    Shapes: result (T + 1, S).
    """
    ids = torch.tensor([list(written)], dtype=torch.int64)
    batch = replace(pairs.sources_of([pair]), target=ids, target_lengths=torch.tensor([ids.shape[1]]))
    batch = batch.to(network.device)
    _, state = network.read(*batch.inputs)
    weights = network.write(batch.steps(network.start)[0], state).weights
    assert weights is not None, "called only with attention"
    return weights[0]


def text_of(
    network: Seq2SeqNetwork, pairs: EncodedPairs, pair: int, written: Sequence[int], part: SearchPart
) -> str:
    """Return the text of an output for one of the pairs; unknown symbols as the option `unknown` has it."""
    symbols = pairs.symbols
    if part.unknown == "replace" and symbols.unknown in written:
        places = _places(weights_of(network, pairs, pair, written), pairs.pieces(pair))
        written = [
            symbols.target.vocabulary_size + places[t] if id_ == symbols.unknown else id_
            for t, id_ in enumerate(written)
        ]
    return symbols.target.decode(written, _others(pairs, pair, written)).strip()


def texts_of(
    network: Seq2SeqNetwork, pairs: EncodedPairs, written: Iterable[Sequence[int]], part: SearchPart
) -> list[str]:
    """Return the text of one output for each pair, in order; as `text_of`."""
    return [text_of(network, pairs, pair, ids, part) for pair, ids in enumerate(written)]


def text_pieces(
    network: Seq2SeqNetwork, pairs: EncodedPairs, written: Iterable[int], part: SearchPart
) -> Iterator[str]:
    """Stream the text of an output for the only pair as its symbols arrive; as `text_of`."""
    symbols = pairs.symbols
    others: Sequence[str] = () if symbols.source is None or symbols.unknown is None else pairs.pieces(0)

    def resolved() -> Iterator[int]:
        before: list[int] = []
        for id_ in written:
            before.append(id_)
            if part.unknown == "replace" and id_ == symbols.unknown:
                places = _places(weights_of(network, pairs, 0, before), others)
                id_ = symbols.target.vocabulary_size + places[len(before) - 1]
            yield id_

    return symbols.target.stream(resolved(), others)


def _places(weights: Tensor, pieces: Sequence[str]) -> list[int]:
    """Return the step of the source with the most attention at each step; ends of turns do not count."""
    is_end = torch.tensor([piece == "\n" for piece in pieces], device=weights.device)
    places: list[int] = weights.masked_fill(is_end, -1.0).argmax(1).tolist()
    return places


def _others(pairs: EncodedPairs, pair: int, written: Sequence[int]) -> Sequence[str]:
    size = pairs.symbols.target.vocabulary_size
    return pairs.pieces(pair) if any(id_ >= size for id_ in written) else ()

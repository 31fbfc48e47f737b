"""Word representations, concatenated; all but word vectors and lists are computed once per distinct word.

x_t = [E[w_t]; 1-of-N(w_t); Σ_g G[g]; characters(w_t); casing(w_t); shape(w_t); lists_t]      as configured
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from recurra.config import RepresentationPart
from recurra.data.batches import WordBatch
from recurra.errors import ConfigError
from recurra.layers import LSTM, ends_of_state
from recurra.text.gazetteer import PLACES
from recurra.text.word_encoder import CASINGS, WordEncoder

_CASING_SIZE = 5
_SHAPE_SIZE = 10
_LIST_SIZE = 5  # per list
_CONVOLUTION = 3  # width of a filter, in characters


@dataclass(frozen=True)
class InputSizes:
    """Vocabulary sizes of words, characters, trigrams and shapes, and the number of word lists."""

    words: int
    characters: int
    trigrams: int
    shapes: int = 0
    lists: int = 0

    @classmethod
    def of(cls, encoder: WordEncoder, lists: int = 0) -> "InputSizes":
        """Return the sizes of an encoder's vocabularies, with the number of word lists."""
        shapes = 0 if encoder.shapes is None else len(encoder.shapes)
        return cls(len(encoder.words), len(encoder.characters), len(encoder.trigrams), shapes, lists)


class CharacterRNN(nn.Module):
    """A word vector from characters: the final states of a bidirectional LSTM over them.

    Shapes: characters (U, C), -1 past the end; lengths (U,); result (U, 2H).
    Source: G. Lample et al., Neural architectures for named entity recognition (2016).
    """

    def __init__(self, characters: int, size: int, hidden_size: int) -> None:
        super().__init__()
        self.embedding = _embedding(characters, size)
        self.recurrent = LSTM(size, hidden_size, batch_first=True, bidirectional=True)
        self.output_size = 2 * hidden_size

    def forward(self, characters: Tensor, lengths: Tensor) -> Tensor:
        """Return the word vectors. Shapes: characters (U, C); lengths (U,); result (U, 2H)."""
        vectors = self.embedding(characters.clamp(min=0))
        _, state = self.recurrent(vectors, lengths=lengths)
        return ends_of_state(state, bidirectional=True)


class CharacterCNN(nn.Module):
    """A word vector from characters: the maximum of each filter over windows of three characters.

    Shapes: characters (U, C), -1 past the end; result (U, filters).
    Source: X. Ma & E. Hovy, End-to-end sequence labeling via bi-directional LSTM-CNNs-CRF (2016).
    """

    def __init__(self, characters: int, size: int, filters: int) -> None:
        super().__init__()
        self.embedding = _embedding(characters, size)
        self.filters = nn.Conv1d(size, filters, _CONVOLUTION, padding=_CONVOLUTION // 2)
        self.output_size = filters

    def forward(self, characters: Tensor, lengths: Tensor) -> Tensor:
        """Return the word vectors. Shapes: characters (U, C); lengths (U,); result (U, filters)."""
        there = (characters >= 0).unsqueeze(2)
        vectors = self.embedding(characters.clamp(min=0)) * there
        answers = self.filters(vectors.transpose(1, 2)).masked_fill(~there.transpose(1, 2), -torch.inf)
        largest: Tensor = answers.amax(2)
        return torch.where(there.any(1), largest, 0.0)


class OneOfN(nn.Module):
    """1-of-N: a one at the word's index and zeros elsewhere. Unknown words share an index, or have none.

    Shapes: ids (B, T), 0 for an unknown word; result (B, T, N).
    """

    def __init__(self, words: int, *, with_unknown: bool) -> None:
        super().__init__()
        self.with_unknown, self.output_size = with_unknown, words

    def forward(self, ids: Tensor) -> Tensor:
        """Return the vectors. Shapes: ids (B, T); result (B, T, N)."""
        vectors = F.one_hot(ids, self.output_size).float()
        return vectors if self.with_unknown else vectors * (ids > 0).unsqueeze(2)


class ListInput(nn.Module):
    """For each word list, an embedding of the word's place in a match: none, begin, inside, end or single.

    In training, the matches that begin at a word are hidden with probability `dropout`, those of all lists
    together.

    Shapes: codes (B, T, lists), indices of PLACES; result (B, T, output_size).
    """

    def __init__(self, lists: int, dropout: float) -> None:
        super().__init__()
        self.dropout, self.output_size = dropout, lists * _LIST_SIZE
        self.embedding = _embedding(lists * len(PLACES), _LIST_SIZE)

    def forward(self, codes: Tensor) -> Tensor:
        """Return the embeddings, concatenated. Shapes: codes (B, T, lists); result (B, T, output_size)."""
        if self.training and self.dropout > 0:
            codes = self._dropped(codes)
        firsts = torch.arange(codes.shape[2], device=codes.device) * len(PLACES)
        vectors: Tensor = self.embedding(codes + firsts)
        return vectors.flatten(2)

    def _dropped(self, codes: Tensor) -> Tensor:
        """Hide matches at random; all words of a match share the draw of its first word."""
        B, T, lists = codes.shape
        places = torch.arange(T, device=codes.device).view(1, T, 1)
        begins = (codes == PLACES.index("begin")) | (codes == PLACES.index("single"))
        firsts = torch.where(begins, places, 0).cummax(1).values
        kept = torch.rand((B, T, 1), device=codes.device) >= self.dropout
        return codes * kept.expand(B, T, lists).gather(1, firsts)  # none is 0


class WordInput(nn.Module):
    """Word vectors: a learnt or pretrained embedding, 1-of-N, trigrams, characters, casing, shape and word
    lists, concatenated.

    In training a word becomes `<unk>` with probability `word_dropout`; its other representations remain.

    Shapes: batch of words (B, T); result (B, T, output_size).
    Raises: ConfigError if no representation is configured.
    """

    def __init__(self, sizes: InputSizes, config: RepresentationPart) -> None:
        super().__init__()
        self.word_dropout = config.word_dropout
        self.words: nn.Embedding | OneOfN | None = None
        width = 0
        if config.word_vectors == "one-hot":
            self.words = OneOfN(sizes.words, with_unknown=config.one_hot_unknown)
            width += sizes.words
        elif config.word_vectors != "none":
            self.words = _embedding(sizes.words, config.embedding_size)
            width += self.words.embedding_dim
        self.trigrams: nn.Embedding | None = None
        if config.trigrams:
            self.trigrams = _embedding(sizes.trigrams, config.trigram_embedding_size)
            width += config.trigram_embedding_size
        self.characters: CharacterRNN | CharacterCNN | None = None
        if config.characters != "none":
            kind = CharacterRNN if config.characters == "rnn" else CharacterCNN
            self.characters = kind(
                sizes.characters, config.character_embedding_size, config.character_hidden_size
            )
            width += self.characters.output_size
        self.casing: nn.Embedding | None = None
        if config.casing:
            self.casing = nn.Embedding(len(CASINGS), _CASING_SIZE)
            width += _CASING_SIZE
        self.shapes: nn.Embedding | None = None
        if config.shapes:
            self.shapes = _embedding(sizes.shapes, _SHAPE_SIZE)
            width += _SHAPE_SIZE
        self.lists: ListInput | None = None
        if sizes.lists:
            self.lists = ListInput(sizes.lists, config.gazetteer_dropout)
            width += self.lists.output_size
        if width == 0:
            raise ConfigError(
                "word_vectors: is none, and trigrams, characters, casing, shapes and gazetteer are off; "
                "choose at least one."
            )
        self.output_size = width

    def forward(self, batch: WordBatch | Tensor) -> Tensor:
        """Return the word vectors; ids alone are enough if no other representation is configured.

        Shapes: ids (B, T); result (B, T, output_size).
        Raises: ConfigError for ids alone if other representations are configured.
        """
        parts = []
        if isinstance(batch, Tensor):
            others = (self.trigrams, self.characters, self.casing, self.shapes, self.lists)
            if self.words is None or any(part is not None for part in others):
                raise ConfigError("words: ids alone are not enough for this network; pass a WordBatch.")
            vectors: Tensor = self.words(self._dropped(batch))
            return vectors
        if self.words is not None:
            parts.append(self.words(self._dropped(batch.ids)))
        of_words = [part for part in self._of_each_word(batch) if part is not None]
        if of_words:
            parts.append(torch.cat(of_words, dim=1)[batch.places])
        if self.lists is not None:
            parts.append(self.lists(batch.lists))
        return torch.cat(parts, dim=2) if len(parts) > 1 else parts[0]

    def _of_each_word(self, batch: WordBatch) -> list[Tensor | None]:
        """Return the representations that are computed once per distinct word, (U, …) each."""
        trigrams = characters = casing = shapes = None
        if self.trigrams is not None:
            there = (batch.trigrams >= 0).unsqueeze(2)
            trigrams = (self.trigrams(batch.trigrams.clamp(min=0)) * there).sum(1)
        if self.characters is not None:
            characters = self.characters(batch.characters, batch.character_lengths)
        if self.casing is not None:
            casing = self.casing(batch.casing)
        if self.shapes is not None:
            shapes = self.shapes(batch.shapes)
        return [trigrams, characters, casing, shapes]

    def _dropped(self, ids: Tensor) -> Tensor:
        if not self.training or self.word_dropout == 0:
            return ids
        kept = torch.rand(ids.shape, device=ids.device) >= self.word_dropout
        return ids * kept  # <unk> is 0


def _embedding(count: int, size: int) -> nn.Embedding:
    """Return an embedding with initial weights uniform within ±√(3/size), of variance 1/size."""
    embedding = nn.Embedding(count, size)
    bound = (3.0 / size) ** 0.5
    nn.init.uniform_(embedding.weight, -bound, bound)
    return embedding

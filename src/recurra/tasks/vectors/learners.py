"""The learners of word vectors: chunks of text, or the entries of GloVe's table, in the native kernels."""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from recurra.data.cooccurrences import Counting, Table, open_table
from recurra.kernels.extension import unavailable
from recurra.kernels.glove import GloveEntries, GloveState, train_glove
from recurra.kernels.word_vectors import padded_rows
from recurra.plain import counted
from recurra.tasks.vectors.config import VectorsConfig
from recurra.tasks.vectors.corpus import WordCorpus, WordText, shuffled
from recurra.tasks.vectors.judging import Judge
from recurra.tasks.vectors.networks import Tables, VectorNetwork, build_network, make_trainer
from recurra.training import Learner, Moment, Update
from recurra.training.snapshot import refuse_other_keys
from recurra.training.weights import restore_weights, weights_of

_TO_JUDGE = 1000  # held-out pairs of each validation


class TextLearner(Learner):
    """Trains on the text in chunks of whole sentences, in another random order each epoch.

    A text whose subject changes, such as several books in one file, would otherwise be learnt in that order,
    and what comes last would count most. The random numbers of a word are a function of the seed, the epoch
    and its place, so a chunk needs no state but the vectors.
    """

    def __init__(self, config: VectorsConfig, corpus: WordCorpus) -> None:
        self._config, self._corpus = config, corpus
        torch.manual_seed(config.seed)
        self.network: VectorNetwork = build_network(config, corpus.symbols)
        tables = Tables.of(config, corpus.symbols)
        self._trainer = make_trainer(config, corpus.symbols, self.network, tables)
        self._judge = Judge(config, corpus.symbols, self.network, tables)
        self._judge.check(corpus.train, corpus.valid)
        self._chunk_size = config.chunk_size or _usual_chunk(len(corpus.train.words))
        self._chunks = _chunks(corpus.train, self._chunk_size)

    def __len__(self) -> int:
        """Number of chunks of the text."""
        return len(self._chunks) - 1

    def sentences(self, steps: int) -> Iterable[str]:
        """Describe the vectors, the threads and the native part."""
        config, threads = self._config, self._trainer.threads
        yield (
            f"{len(self.network.input):,} vectors of {config.embedding_size} numbers, {config.context}, "
            f"{config.objective}; {counted(steps, 'step')} of about {self._chunk_size:,} words"
        )
        if (why := unavailable()) is not None:
            yield f"the kernels are not available ({why}): training is some hundred times slower"
        elif threads == 1:
            yield "1 thread: the same seed gives the same vectors"
        elif config.reproducible:
            yield (
                f"{threads} threads, reproducible: they train copies of the vectors, which are merged, so "
                "the same seed and number of threads give the same vectors"
            )
        else:
            yield (
                f"{threads} threads, fast: they update the same vectors without waiting for each other, so "
                "another run gives slightly different vectors; --reproducible or --threads 1 gives the same "
                "ones"
            )

    def update(self, moment: Moment) -> Update:
        """Train on one chunk, at the learning rate of its start."""
        chunk = shuffled(len(self), self._config.seed, moment.epoch)[moment.index]
        first, last = self._chunks[chunk], self._chunks[chunk + 1]
        words, rate = self._corpus.train.words, moment.learning_rate
        found = self._trainer.run(
            words.tokens, words.starts, first, last, epoch=moment.epoch, rates=(rate, rate)
        )
        # Subsampling may leave nothing to predict; the loop divides by the count.
        return Update(max(1, found.predictions), found.total)

    def validate(self) -> dict[str, float]:
        """Return the mean loss per prediction on the held-out text, in nats, with draws of its own."""
        corpus, judge = self._corpus, self._judge
        judge.calibrate(corpus.train)
        pairs = judge.pairs(corpus.valid, _TO_JUDGE)
        own = judge.loss(corpus.valid)
        assert own is not None, "not GloVe"
        return {"loss": own.total / own.predictions, "word_loss": judge.word_loss(pairs)}

    def checkpoint(self) -> tuple[dict[str, Any], dict[str, Tensor]]:
        """Return the vectors. Shapes: as `VectorNetwork`."""
        return {}, {name: tensor.contiguous() for name, tensor in weights_of(self.network).items()}

    def restore(self, state: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> None:
        """Restore the vectors. Raises: RunError if they do not fit."""
        refuse_other_keys(state, set())
        restore_weights(self.network, tensors, source="the checkpoint")
        self._trainer.rows_have_changed()

    def weights(self) -> Mapping[str, Tensor]:
        """Return the vectors, without the padding of their rows. Shapes: as `VectorNetwork`."""
        return {name: tensor.contiguous() for name, tensor in weights_of(self.network).items()}

    def remedies(self) -> str:
        """Suggest smaller steps."""
        return f"Try --learning-rate {self._config.learning_rate / 3:.2g}"


def _usual_chunk(words: int) -> int:
    """Return the number of words per step: 50 steps per epoch or more, for the learning rate's sake."""
    return min(50_000, max(1000, words // 50))


def _chunks(text: WordText, size: int) -> list[int]:
    """Return the sentences at which chunks begin, and the number of sentences."""
    starts, found = text.words.starts, [0]
    while found[-1] < text.words.sentences:
        aim = int(starts[found[-1]]) + size
        found.append(max(found[-1] + 1, min(int(np.searchsorted(starts, aim)), text.words.sentences)))
    return found


class GloveLearner(Learner):
    """Trains on the table of co-occurrences, one stratum of its blocks per step."""

    def __init__(self, config: VectorsConfig, corpus: WordCorpus) -> None:
        self._config, self._corpus = config, corpus
        memory = config.counting_memory_mb << 20
        how = Counting(config.window, config.x_max, config.alpha, memory_bytes=memory)
        words = len(corpus.symbols.vocabulary)
        self._entries = _entries_of(open_table(corpus.train.words, words, how))
        torch.manual_seed(config.seed)
        self.network: VectorNetwork = build_network(config, corpus.symbols)
        self._judge = Judge(config, corpus.symbols, self.network)
        self._judge.check(corpus.valid)
        squares = [padded_rows(words, config.embedding_size).fill_(1.0) for _ in range(2)]
        biases = []
        for bias in (self.network.input_bias, self.network.output_bias):
            biases.append(torch.stack([bias.data, torch.ones(words)]))
            bias.data = biases[-1][0]  # the kernel's and the network's are the same
        self._state = GloveState(self.network.input.data, self.network.output.data, *squares, *biases)
        self._threads = config.threads or torch.get_num_threads()

    def __len__(self) -> int:
        """Number of strata."""
        return self._entries.grid

    def sentences(self, steps: int) -> Iterable[str]:
        """Describe the table."""
        yield (
            f"{len(self._entries.words):,} pairs of words occur within "
            f"{counted(self._config.window, 'word')} of each other; {counted(steps, 'step')}"
        )
        yield "the same seed gives the same vectors with any number of threads"
        yield (
            "the training loss is the weighted squared error per pair, the validation loss is in nats per "
            "word over the whole vocabulary"
        )

    def update(self, moment: Moment) -> Update:
        """Train on one stratum."""
        cost = train_glove(
            self._state, self._entries, moment.index, rate=moment.learning_rate, threads=self._threads
        )
        count = sum(part.stop - part.start for part in self._entries.of_stratum(moment.index))
        return Update(max(1, count), cost)  # a stratum of a small table may be empty

    def validate(self) -> dict[str, float]:
        """Return the loss of held-out words over the whole vocabulary, in nats per word.

        The cost of the objective means nothing on another text, whose counts are others.
        """
        self._judge.calibrate(self._corpus.train)
        return {"loss": self._judge.word_loss(self._judge.pairs(self._corpus.valid, _TO_JUDGE))}

    def checkpoint(self) -> tuple[dict[str, Any], dict[str, Tensor]]:
        """Return vectors, biases and squares. Shapes: as `GloveState`."""
        tensors = {name: tensor.contiguous() for name, tensor in self._state._asdict().items()}
        return {}, tensors

    def restore(self, state: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> None:
        """Restore the state of `checkpoint`. Raises: RunError if it does not fit."""
        refuse_other_keys(state, set())
        refuse_other_keys(tensors, set(self._state._fields))
        for name, own in self._state._asdict().items():
            own.copy_(tensors[name])

    def weights(self) -> Mapping[str, Tensor]:
        """Return vectors and biases. Shapes: as `VectorNetwork`."""
        return {name: tensor.contiguous() for name, tensor in weights_of(self.network).items()}

    def remedies(self) -> str:
        """Suggest smaller steps."""
        return f"Try --learning-rate {self._config.learning_rate / 3:.2g}"


def _entries_of(table: Table) -> GloveEntries:
    return GloveEntries(table.blocks, table.words, table.contexts, table.logs, table.weights)

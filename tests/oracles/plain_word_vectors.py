"""Small texts for word vectors, and their pairs by plain double loops that share no code with the package."""

import numpy as np
import torch

from recurra.kernels.word_vectors import WordContexts, WordOutputs, WordTrainer, padded_rows
from recurra.models.word_vectors.tables import AliasTable, HuffmanTree

# The contexts of the task, by name: (hidden, reach).
CONTEXTS = {
    "skip-gram": ("each", "window"),
    "cbow": ("mean", "window"),
    "previous-average": ("mean", "previous"),
    "previous-concatenated": ("concatenated", "previous"),
    "previous-word": ("mean", "previous"),
    "nearby-word": ("each", "nearby"),
}
OBJECTIVES = ("sampling", "tree")


class Text:
    """Sentences of ids; sentence s is tokens[starts[s]:starts[s + 1]]."""

    def __init__(self, sentences):
        self.sentences = [list(map(int, sentence)) for sentence in sentences]
        self.tokens = np.array([word for each in self.sentences for word in each], np.int32)
        self.starts = np.array([0, *np.cumsum([len(each) for each in self.sentences])], np.int64)


def random_text(seed, words, lengths):
    """Sentences of the given lengths; ids below `words`, low ones more often."""
    random = np.random.default_rng(seed)
    shares = 1 / np.arange(1, words + 1)
    return Text([random.choice(words, length, p=shares / shares.sum()) for length in lengths])


def outputs_of(objective, counts, negatives=3):
    """The tree or the table of drawn words for some counts."""
    counts = np.asarray(counts, np.int64)
    if objective == "tree":
        tree = HuffmanTree.of(counts)
        return WordOutputs(path_starts=tree.starts, path_nodes=tree.nodes, path_labels=tree.labels)
    table = AliasTable.of(counts.astype(np.float64) ** 0.75)
    return WordOutputs(negatives, table.share, table.alias)


def made_rows(seed, rows, size, scale=0.5):
    """Padded rows of random numbers."""
    made = padded_rows(rows, size)
    made.copy_(torch.randn(rows, size, generator=torch.Generator().manual_seed(seed)) * scale)
    return made


def trainer_of(
    context, objective, *, words=9, size=5, window=2, shrink=False, scale=0.5, rows=None, seed=1, **options
):
    """A trainer with random vectors for one of CONTEXTS and one of OBJECTIVES."""
    hidden, reach = CONTEXTS[context]
    window = 1 if context == "previous-word" else window
    if hidden == "concatenated":
        size = 16
    contexts = WordContexts(hidden, reach, window, shrink and reach != "previous")
    width = size * window if hidden == "concatenated" else size
    input = made_rows(3, rows or words, size, scale)
    output = made_rows(4, words - 1 if objective == "tree" else words, width, scale)
    outputs = outputs_of(objective, 100 // np.arange(1, words + 1))
    return WordTrainer(input, output, contexts, outputs, vocabulary_size=words, seed=seed, **options)


def whole(text):
    """The arguments of `WordTrainer.run` for all sentences."""
    return text.tokens, text.starts, 0, len(text.sentences)


def pairs_by_double_loop(sentence, name, window, windows=None):
    """The (context places, place) predictions of a sentence, by two loops; `windows` has one per place.

    For nearby-word the places are those that may be drawn.
    """
    found = []
    for at in range(len(sentence)):
        reach = window if windows is None else windows[at]
        around = []
        for other in range(len(sentence)):
            near = 0 < abs(other - at) <= reach
            if near and (other < at or not name.startswith("previous")):
                around.append(other)
        if not around or (name == "previous-concatenated" and len(around) < window):
            continue
        if name == "skip-gram":
            found += [([other], at) for other in around]
        else:
            found.append((around, at))
    return found

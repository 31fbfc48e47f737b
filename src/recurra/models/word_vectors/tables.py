"""Tables that the training of word vectors reads: kept words, drawn words, the Huffman tree."""

import heapq
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Counts = NDArray[np.int64]
Floats = NDArray[np.float32]
Ids = NDArray[np.int32]


def keep_probabilities(counts: Counts, threshold: float) -> Floats:
    """Return the probability that an occurrence of each word is kept by subsampling.

        f = count / total;   keep = min(1, (sqrt(f / t) + 1) · t / f),   t = threshold; all are kept if t is 0

    This is the formula of word2vec's program; the paper has sqrt(t / f). Source: Mikolov et al. 2013.
    Shapes: counts (V,); result (V,).
    """
    if threshold == 0:
        return np.ones(len(counts), np.float32)
    share = counts / counts.sum()
    kept = np.minimum(1.0, (np.sqrt(share / threshold) + 1.0) * threshold / share)
    return np.asarray(kept, np.float32)


@dataclass(frozen=True)
class AliasTable:
    """Draws ids with given probabilities in constant time.

    A uniformly drawn cell i gives i with probability share[i], else alias[i]. Source: Walker 1977; built as
    by Vose 1991. Shapes: share, alias (V,).
    """

    share: Floats
    alias: Ids

    @classmethod
    def of(cls, weights: NDArray[np.float64]) -> "AliasTable":
        """Build the table for probabilities proportional to the weights. Shapes: weights (V,)."""
        scaled = (weights / weights.sum() * len(weights)).tolist()
        share, alias = np.ones(len(scaled), np.float32), np.arange(len(scaled), dtype=np.int32)
        small = [i for i, p in enumerate(scaled) if p < 1]
        large = [i for i, p in enumerate(scaled) if p >= 1]
        while small and large:
            low, high = small.pop(), large[-1]
            share[low], alias[low] = scaled[low], high
            scaled[high] -= 1 - scaled[low]
            if scaled[high] < 1:
                small.append(large.pop())
        return cls(share, alias)

    def probabilities(self) -> NDArray[np.float64]:
        """Return the probability of each id. Shapes: result (V,)."""
        found = self.share.astype(np.float64)
        np.add.at(found, self.alias, 1.0 - self.share.astype(np.float64))
        return found / len(found)


@dataclass(frozen=True)
class HuffmanTree:
    """The path of each word from the root of a Huffman tree, in which frequent words are near the top.

    Word w passes the inner nodes nodes[starts[w]:starts[w + 1]], the root first; labels are 1 where the path
    goes to the first, rarer child of a node and 0 otherwise, as in word2vec. V words have V - 1 inner nodes.
    Shapes: starts (V + 1,); nodes, labels (sum of the path lengths,).
    """

    starts: Ids
    nodes: Ids
    labels: Floats

    @classmethod
    def of(cls, counts: Counts) -> "HuffmanTree":
        """Build the tree that minimises Σ count · path length. Source: Huffman 1952. Shapes: counts (V,)."""
        words = len(counts)
        heap = [(count, number) for number, count in enumerate(counts.tolist())]
        heapq.heapify(heap)
        parent, label = np.zeros(2 * words - 1, np.int64), np.zeros(2 * words - 1, np.float32)
        for node in range(words, 2 * words - 1):
            (low, first), (high, second) = heapq.heappop(heap), heapq.heappop(heap)
            parent[[first, second]], label[first] = node, 1.0
            heapq.heappush(heap, (low + high, node))
        # Parents have higher numbers than their children: depths follow from the root downwards.
        depth = np.zeros(2 * words - 1, np.int64)
        for node in range(2 * words - 3, -1, -1):
            depth[node] = depth[parent[node]] + 1
        starts = np.concatenate([[0], np.cumsum(depth[:words])])
        nodes, labels = np.zeros(starts[-1], np.int32), np.zeros(starts[-1], np.float32)
        at, here = starts[1:].copy(), np.arange(words)
        alive = np.flatnonzero(depth[:words] > 0)
        while len(alive):  # one step upwards for all words at once
            at[alive] -= 1
            nodes[at[alive]] = parent[here[alive]] - words
            labels[at[alive]] = label[here[alive]]
            here[alive] = parent[here[alive]]
            alive = alive[here[alive] != 2 * words - 2]
        return cls(starts.astype(np.int32), nodes, labels)

    @property
    def lengths(self) -> Ids:
        """The path length of each word. Shapes: result (V,)."""
        return np.diff(self.starts)

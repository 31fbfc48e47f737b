"""The edit distance of two words."""

from rapidfuzz.distance import OSA


def edit_distance(word: str, typed: str, most: int) -> int:
    """Count the edits between two words: substitutions, deletions, insertions, swaps of adjacent letters.

    The result is most + 1 if there are more than `most`. This is the optimal string alignment distance: no
    letter is edited twice, so "ca" and "abc" are 3 apart.

    Source: F. Damerau, A technique for computer detection and correction of spelling errors (1964).
    """
    return OSA.distance(word, typed, score_cutoff=most)

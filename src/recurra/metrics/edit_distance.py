"""How many edits lie between two words."""

from rapidfuzz.distance import OSA


def edit_distance(word: str, typed: str, most: int) -> int:
    """The number of edits between two words (letters changed, left out, added, or two side by side swapped),
    or most + 1 where there are more.

    It is the optimal string alignment distance: no letter is edited twice, so "ca" and "abc" are 3 apart.

    Source: F. Damerau, A technique for computer detection and correction of spelling errors (1964).
    """
    return OSA.distance(word, typed, score_cutoff=most)

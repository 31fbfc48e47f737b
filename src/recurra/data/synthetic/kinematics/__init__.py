"""Kinematics word problems in English: varied in wording, physically right, the same for the same seed.

Every kind of problem is a piece of data: the values that are given, its equation, and its wordings. The
answer is computed from the values as the text states them, with g = 9.8 m/s^2.
"""

from recurra.data.synthetic.kinematics.generator import KINDS, corpus, generate, write_corpus
from recurra.data.synthetic.kinematics.problem import GRAVITY_M_PER_S2, Problem, Quantity

__all__ = ["GRAVITY_M_PER_S2", "KINDS", "Problem", "Quantity", "corpus", "generate", "write_corpus"]

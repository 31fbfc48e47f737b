"""Kinematics word problems in English: varied wording, physically correct, reproducible from a seed.

Each kind of problem is defined by its given values, its equation and its wordings. The answer is computed
from the values as stated in the text, with g = 9.8 m/s^2.
"""

from recurra.data.synthetic.kinematics.generator import KINDS, corpus, generate, write_corpus
from recurra.data.synthetic.kinematics.problem import GRAVITY_M_PER_S2, Problem, Quantity

__all__ = ["GRAVITY_M_PER_S2", "KINDS", "Problem", "Quantity", "corpus", "generate", "write_corpus"]

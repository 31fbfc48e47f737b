"""Corpora made by rule, so that the truth about every line is known."""

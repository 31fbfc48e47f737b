"""Labels of words (tag), of sequences (classify) and of pairs (pair): from rows to a tagger or classifier."""

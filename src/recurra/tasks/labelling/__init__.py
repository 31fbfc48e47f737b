"""The labelling tasks: word labels (tag), sequence labels (classify) and labels of text pairs (pair)."""

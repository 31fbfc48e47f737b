"""Word vectors: skip-gram, continuous bag of words, the contexts of the lecture notes, and GloVe."""

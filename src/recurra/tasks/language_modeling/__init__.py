"""Language models: P(next symbol | all before it), over characters, words or subwords."""

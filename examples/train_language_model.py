"""Train a character language model on a text file and use it: python train_language_model.py TEXT."""

import sys

import recurra as rc

lm = rc.LanguageModel.train(sys.argv[1], out="runs/example", overwrite=True, hidden_size=128, batch_size=20)
print(lm.evaluate().sentence())  # on the validation set, the last tenth of the text
print(lm.log_prob("A ball is thrown straight up."))  # in nats, including the end of the line
for ending, probability in lm.complete("A ball is thr", n_best=3):
    print(f"{probability:.3f}  {ending}")
print(lm.sample("A car ", length=200, temperature=0.7, seed=1))

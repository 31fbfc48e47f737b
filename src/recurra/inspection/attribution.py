"""Which words moved a decision: by the gradient, and by leaving each word out."""

import torch
from torch import Tensor

from recurra.data.batches import SequenceBatch
from recurra.models.classifier import ClassifierNetwork
from recurra.models.evaluating import evaluating
from recurra.models.pair import PairNetwork, Steps, same_words
from recurra.models.tagger import TaggerNetwork

Explained = ClassifierNetwork | TaggerNetwork


def _log_odds(network: Explained, x: Tensor, batch: SequenceBatch, label: int, at: int | None) -> Tensor:
    """log P/(1 - P) of a label of the whole, or of the word `at`, from the vectors that the encoder reads.

    Not log P, which hardly moves where the network is sure. Of a tagger with a CRF, by the word's own scores,
    without those of the labels around it.
    """
    read = network.reader.encode(x, batch.lengths)
    if isinstance(network, ClassifierNetwork):
        scores = network.scores_of(read)
    else:
        assert at is not None, "a tagger's labels are of words"
        scores = network.output(read.steps)[:, at]
        if network.decoder == "sigmoid":
            yes: Tensor = scores[:, 0]
            return yes if label == 1 else -yes
    return _odds(scores, label)


def gradient_times_input(
    network: Explained, batch: SequenceBatch, label: int, at: int | None = None
) -> Tensor:
    """x_t · ∂ℓ/∂x_t of each word of one row, ℓ the log-odds of a label: its part in them, to first order.

    Shapes: batch of one row of T words; result (T,).
    Source: M. Denil et al., Extraction of salient sentences from labelled documents (2014).
    """
    with evaluating(network, gradients=True):
        x = network.reader.vectors(batch.inputs[0]).detach().requires_grad_()
        (gradient,) = torch.autograd.grad(_log_odds(network, x, batch, label, at).sum(), x)
    return (x.detach() * gradient).sum(2)[0]


def pair_gradient_times_input(
    network: PairNetwork, batch: SequenceBatch, label: int
) -> tuple[Tensor, Tensor]:
    """As `gradient_times_input`, of the words of both texts of a pair; of a network of scores, the parts in
    the standardised score, and `label` is 0.

    Shapes: batch of one row of T1 and T2 words; results (T1,), (T2,).
    """
    first, first_lengths, second, second_lengths, *features = batch.inputs
    with evaluating(network, gradients=True):
        x, y = (network.reader.vectors(text).detach().requires_grad_() for text in (first, second))
        steps = Steps(x, first_lengths), Steps(y, second_lengths)
        outputs = network.outputs_of(*steps, same_words(first, second), *features)
        value = outputs if network.shape.scores else _odds(outputs, label)
        gradients = torch.autograd.grad(value.sum(), (x, y))
    parts = zip((x, y), gradients, strict=True)
    of_first, of_second = ((vectors.detach() * gradient).sum(2)[0] for vectors, gradient in parts)
    return of_first, of_second


def _odds(scores: Tensor, label: int) -> Tensor:
    """Return log P/(1 - P) of a label from its logits. Shapes: scores (B, K); result (B,)."""
    others = scores.clone()
    others[:, label] = -torch.inf
    return scores[:, label] - others.logsumexp(1)


def occlusion(network: Explained, batch: SequenceBatch, label: int, at: int | None = None) -> Tensor:
    """The log-odds of a label less what they are with the word's vector at zero, for each word of one row.

    Shapes: batch of one row of T words; result (T,).
    Source: M. Zeiler & R. Fergus, Visualizing and understanding convolutional networks (2014).
    """
    with evaluating(network):
        x = network.reader.vectors(batch.inputs[0])
        whole = _log_odds(network, x, batch, label, at)
        without = []
        for t in range(x.shape[1]):
            blind = x.clone()
            blind[:, t] = 0.0
            without.append(_log_odds(network, blind, batch, label, at))
    return whole[0] - torch.stack(without)[:, 0] if without else whole.new_zeros(0)

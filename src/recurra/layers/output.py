"""The output layer of language models: a linear map to the vocabulary, and the loss of the next symbol."""

import torch
from torch import Tensor, nn

from recurra.cells import shape_error
from recurra.cells.checks import check_options
from recurra.errors import BackendUnavailable, ConfigError
from recurra.kernels import output_operators
from recurra.kernels.best_symbols import best_of_output, in_single_precision
from recurra.kernels.extension import has_wide_vectors
from recurra.kernels.packed import KeptPack

BACKENDS = ("auto", "native", "torch")
REDUCTIONS = ("none", "sum", "mean")


class SoftmaxOutput(nn.Linear):
    """logits = W h + b over the vocabulary, and the losses without storing all logits.

    Shapes: h (…, H); logits (…, V).
    """

    def __init__(self, in_features: int, vocabulary_size: int) -> None:
        super().__init__(in_features, vocabulary_size)
        self.kept = KeptPack()

    def losses(self, hidden: Tensor, targets: Tensor, ignore_index: int, reduction: str = "none") -> Tensor:
        """Return -log P of each target, or their sum or mean; see `linear_cross_entropy`.

        Shapes: hidden (…, H); targets (…); losses like the targets, or () if reduced.
        """
        return linear_cross_entropy(hidden, self.weight, self.bias, targets, ignore_index, reduction)


class OutputScores:
    """The scores of an output layer, computed on demand.

    Shapes: hidden (R, H); for `all` (…, H).
    """

    def __init__(self, output: SoftmaxOutput, hidden: Tensor) -> None:
        self._output, self._hidden = output, hidden

    def best(self, k: int, rows: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Return log P and the ids of the k best symbols of each row, or of some rows.

        Shapes: rows (R',), default all R; both results (R', min(k, V)).
        """
        output, hidden = self._output, self._hidden
        hidden = hidden if rows is None else hidden.index_select(0, rows)
        return best_of_output(hidden, output.weight, output.bias, k, output.kept)

    def all(self) -> Tensor:
        """Return all scores, in at least single precision. Shapes: result (…, V)."""
        return in_single_precision(self._output(self._hidden))


class AdaptiveSoftmaxOutput(nn.Module):
    """The adaptive softmax: a small output layer (the head) for frequent symbols, and two clusters of rare
    symbols that use a quarter and a sixteenth of the features.

        P(w) = P(w in head),   or P(cluster in head)·P(w in cluster)

    Symbols are numbered by descending frequency. The head has a fifth of the vocabulary, at most 4,000
    symbols, the first cluster four times as many; the second has the rest.

    Shapes: hidden (…, H); the result of a call (…, V), log P instead of logits.
    Source: E. Grave et al., Efficient softmax approximation for GPUs (2017); torch's implementation.
    """

    def __init__(self, in_features: int, vocabulary_size: int) -> None:
        head = min(4000, vocabulary_size // 5)
        cutoffs = [cut for cut in (head, 5 * head) if 0 < cut < vocabulary_size]
        if not cutoffs:
            raise ConfigError(
                f"adaptive_softmax: cannot split a vocabulary of {vocabulary_size} symbols; remove it."
            )
        if in_features < 4 ** len(cutoffs):
            raise ConfigError(
                f"adaptive_softmax: needs at least {4 ** len(cutoffs)} features for a vocabulary of "
                f"{vocabulary_size} symbols, got {in_features}; raise hidden_size, or remove it."
            )
        super().__init__()
        self.in_features = in_features
        self.softmax = nn.AdaptiveLogSoftmaxWithLoss(in_features, vocabulary_size, cutoffs, head_bias=True)

    def forward(self, hidden: Tensor) -> Tensor:
        """Return log P of every symbol. Shapes: hidden (…, H); result (…, V)."""
        flat: Tensor = self.softmax.log_prob(hidden.reshape(-1, hidden.shape[-1]))
        return flat.view(*hidden.shape[:-1], self.softmax.n_classes)

    def losses(self, hidden: Tensor, targets: Tensor, ignore_index: int, reduction: str = "none") -> Tensor:
        """Return -log P of each target, or their sum or mean.

        Shapes: hidden (…, H); targets (…); losses like the targets, or () if reduced.
        """
        flat, labels = hidden.reshape(-1, hidden.shape[-1]), targets.reshape(-1)
        real = labels != ignore_index
        found: Tensor = self.softmax(flat[real], labels[real]).output
        if torch.is_grad_enabled():  # distributed training waits for gradients of clusters without targets
            found = found + 0.0 * sum(weight.sum() for weight in self.parameters())
        if reduction != "none":
            return -found.sum() if reduction == "sum" else -found.mean()
        losses = flat.new_zeros(len(labels)).masked_scatter(real, -found)
        return losses.view(targets.shape)


def linear_cross_entropy(
    hidden: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    targets: Tensor,
    ignore_index: int = -100,
    reduction: str = "none",
    backend: str = "auto",
) -> Tensor:
    """Return -log P of each target under the softmax of a linear layer, without storing all logits.

        loss = log Σ_v exp(w_v·h + b_v) - (w_y·h + b_y);   0, and no gradient, where y is ignore_index

    The same as F.cross_entropy(F.linear(hidden, weight, bias), targets). With "sum" and "mean" the gradients
    are computed together with the loss, three matrix products in total; with "none" backward recomputes the
    logits, a fourth product. "auto" is the native kernel where it can run and is fast, else torch.

    Shapes: hidden (…, H); weight (V, H); bias (V,) or None; targets (…) int64, 0..V-1 or ignore_index;
    losses like the targets, or () with "sum" and "mean".
    Raises: ShapeError where shapes or targets do not fit; ConfigError for an unknown option;
    BackendUnavailable if the requested backend cannot run.
    """
    check_options({}, {"reduction": (reduction, REDUCTIONS), "backend": (backend, BACKENDS)})
    _check_shapes(hidden, weight, bias, targets)
    flat, labels = hidden.reshape(-1, hidden.shape[-1]), targets.reshape(-1)
    if not _runs_native(backend, flat, weight):
        losses = output_operators.plain(flat, weight, bias, labels, ignore_index, reduction)
    elif reduction == "none":
        losses, _ = output_operators.losses(flat, weight, bias, labels, ignore_index)
    else:
        wanted = [
            torch.is_grad_enabled() and tensor is not None and tensor.requires_grad
            for tensor in (flat, weight, bias)
        ]
        losses, *_ = output_operators.total(
            flat, weight, bias, labels, ignore_index, reduction == "mean", wanted
        )
    return losses.view(targets.shape) if reduction == "none" else losses


def _runs_native(backend: str, hidden: Tensor, weight: Tensor) -> bool:
    if backend == "torch":
        return False
    blocked = output_operators.reason(hidden, weight)
    if backend == "native" and blocked is not None:
        raise BackendUnavailable(f"backend='native', but {blocked}; use 'auto'.")
    # Kernels without wide vectors are slower than torch's functions.
    return blocked is None and (backend == "native" or has_wide_vectors())


def _check_shapes(hidden: Tensor, weight: Tensor, bias: Tensor | None, targets: Tensor) -> None:
    if weight.dim() != 2 or hidden.dim() == 0 or hidden.shape[-1] != weight.shape[1]:
        got = f"shapes {tuple(hidden.shape)} and {tuple(weight.shape)}"
        raise shape_error("hidden and weight", got, "(…, H) and (V, H)", "the last axes must agree")
    if bias is not None and bias.shape != weight.shape[:1]:
        raise shape_error(
            "bias", f"shape {tuple(bias.shape)}", f"({weight.shape[0]},)", "one number per symbol"
        )
    if targets.shape != hidden.shape[:-1]:
        wanted = f"{tuple(hidden.shape[:-1])}, the shape of the hidden states without the last axis"
        raise shape_error("targets", f"shape {tuple(targets.shape)}", wanted, "one target per hidden state")
    if targets.dtype != torch.int64:
        raise shape_error("targets", targets.dtype, "torch.int64", "convert them with .long()")

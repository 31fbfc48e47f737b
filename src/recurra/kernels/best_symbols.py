"""The k best symbols of rows of scores with their log-probabilities: natively in one pass, or by torch."""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from recurra.kernels.extension import extension, has_wide_vectors, unavailable
from recurra.kernels.packed import KeptPack

_MOST = 64  # for a larger k, torch's sort is as fast


def _runs_natively(given: Tensor, k: int) -> bool:
    return (
        given.dtype == torch.float32
        and given.device.type == "cpu"
        and 0 < k <= _MOST
        and len(given) > 0
        and not (torch.is_grad_enabled() and given.requires_grad)
        and unavailable() is None
        and has_wide_vectors()
        and not torch.compiler.is_compiling()
    )


def in_single_precision(scores: Tensor) -> Tensor:
    """Return half-precision scores in single precision, for sums of exponentials. Shapes: any, unchanged."""
    return scores.float() if scores.dtype in (torch.float16, torch.bfloat16) else scores


def best_symbols(scores: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """Return the k largest values of log_softmax(scores) of each row, largest first, and their symbol ids.

    Shapes: scores (R, V); both results (R, min(k, V)).
    """
    k, scores = min(k, scores.shape[1]), in_single_precision(scores)
    if not _runs_natively(scores, k):
        best = scores.log_softmax(1).topk(k, dim=1)
        return best.values, best.indices
    scores = scores.contiguous()
    call, found = _call(scores, scores.shape[1], k)
    call.scores = scores.data_ptr()
    call.run()
    return found


def best_of_output(
    hidden: Tensor, weight: Tensor, bias: Tensor | None, k: int, kept: KeptPack
) -> tuple[Tensor, Tensor]:
    """Return `best_symbols` of scores = W h + b without storing the scores; `kept` caches packed weights.

    Shapes: hidden (R, H); weight (V, H); bias (V,) or None; both results (R, min(k, V)).
    """
    V, H = weight.shape
    k = min(k, V)
    if not _runs_natively(hidden, k) or weight.dtype != torch.float32 or torch.is_grad_enabled():
        return best_symbols(F.linear(hidden, weight, bias), k)
    hidden = hidden.contiguous()
    call, found = _call(hidden, V, k)
    call.H, call.hidden = H, hidden.data_ptr()

    def pack() -> Any:
        w, b = weight.detach().contiguous(), None if bias is None else bias.detach().contiguous()
        return extension().pack_vocabulary(w.data_ptr(), 0 if b is None else b.data_ptr(), V, H)

    kept.of((weight, bias), (), pack).best(call)
    return found


def _call(given: Tensor, V: int, k: int) -> tuple[Any, tuple[Tensor, Tensor]]:
    """Return a native call and the output tensors that it fills."""
    call = extension().BestSymbols()
    call.R, call.V, call.k, call.threads = len(given), V, k, torch.get_num_threads()
    log_probs = given.new_empty(len(given), k)
    symbols = given.new_empty(len(given), k, dtype=torch.int64)
    call.log_probs, call.symbols = log_probs.data_ptr(), symbols.data_ptr()
    return call, (log_probs, symbols)

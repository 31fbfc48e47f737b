"""Of rows of scores the k best symbols with their log-probabilities: natively in one pass, or by torch."""

import torch
from torch import Tensor

from recurra.kernels.extension import extension, has_wide_vectors, unavailable

_MOST = 64  # of more, torch's sort is as quick


def best_symbols(scores: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """The k largest of log_softmax(scores) of each row, the largest first, and which symbols they are of.

    Shapes: scores (R, V); both results (R, min(k, V)).
    """
    R, V = scores.shape
    k = min(k, V)
    native = (
        scores.dtype == torch.float32
        and scores.device.type == "cpu"
        and k <= _MOST
        and not scores.requires_grad
        and unavailable() is None
        and has_wide_vectors()
        and not torch.compiler.is_compiling()
    )
    if not native or R == 0:
        best = scores.log_softmax(1).topk(k, dim=1)
        return best.values, best.indices
    scores = scores.contiguous()
    call = extension().BestSymbols()
    call.R, call.V, call.k, call.threads = R, V, k, torch.get_num_threads()
    log_probs, symbols = scores.new_empty(R, k), scores.new_empty(R, k, dtype=torch.int64)
    call.scores, call.log_probs, call.symbols = scores.data_ptr(), log_probs.data_ptr(), symbols.data_ptr()
    call.run()
    return log_probs, symbols

"""The backends of a recurrence (native, torch's fused functions, the reference) and their choice."""

from recurra.kernels import native, reference, torch_fused
from recurra.kernels.choice import BACKENDS, choose

__all__ = ["BACKENDS", "choose", "native", "reference", "torch_fused"]

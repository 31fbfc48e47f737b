"""The run folder: its layout, its checkpoints, its log of metrics."""

from recurra.runs.checkpoints import CheckpointFolder, pack_tensors, unpack_tensors
from recurra.runs.folder import FORMAT_VERSION, RunFolder
from recurra.runs.metrics_log import MetricsLog, read_metrics

__all__ = [
    "FORMAT_VERSION",
    "CheckpointFolder",
    "MetricsLog",
    "RunFolder",
    "pack_tensors",
    "read_metrics",
    "unpack_tensors",
]

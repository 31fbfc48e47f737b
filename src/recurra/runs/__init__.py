"""The run folder: its layout, its checkpoints and its metrics log."""

from recurra.runs.checkpoints import CheckpointFolder
from recurra.runs.folder import RunFolder
from recurra.runs.metrics_log import MetricsLog, read_metrics
from recurra.runs.settings import FORMAT_VERSION
from recurra.runs.tensor_files import read_tensors, write_tensors

__all__ = [
    "FORMAT_VERSION",
    "CheckpointFolder",
    "MetricsLog",
    "RunFolder",
    "read_metrics",
    "read_tensors",
    "write_tensors",
]

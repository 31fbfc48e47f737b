"""Pictures and self-contained pages from what a run left on disk; they know no model."""

from recurra.reports.curves import learning_curve
from recurra.reports.run_report import Sample, write_report

__all__ = ["Sample", "learning_curve", "write_report"]

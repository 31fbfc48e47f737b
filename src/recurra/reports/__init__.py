"""Pictures and self-contained pages from what a run left on disk; they know no model."""

from recurra.reports.curves import curves_together, learning_curve, reliability_diagram
from recurra.reports.run_report import Sample, Table, write_comparison, write_report

__all__ = [
    "Sample",
    "Table",
    "curves_together",
    "learning_curve",
    "reliability_diagram",
    "write_comparison",
    "write_report",
]

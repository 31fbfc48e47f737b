"""Figures and self-contained HTML pages from the files of a run, independent of its model."""

from recurra.reports.curves import curves_together, learning_curve, reliability_diagram
from recurra.reports.run_report import Sample, Table, write_comparison, write_report
from recurra.reports.search import draw_search

__all__ = [
    "Sample",
    "Table",
    "curves_together",
    "draw_search",
    "learning_curve",
    "reliability_diagram",
    "write_comparison",
    "write_report",
]

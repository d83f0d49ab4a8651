"""Reports: from the finished runs of a study to its table, figures, curves and page."""

from kinefract.report.study import build, point
from kinefract.report.terminal import text_table

__all__ = ["build", "point", "text_table"]

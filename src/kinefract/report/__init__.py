"""Reports: from the finished runs of a study to its table, figures, curves and page."""

from kinefract.report.study import build, point
from kinefract.report.terminal import against_table, text_table

__all__ = ["against_table", "build", "point", "text_table"]

"""Reports: from the finished runs of a study to its table, figures, curves and page."""

from kinefract.report.study import build, point

__all__ = ["build", "point"]

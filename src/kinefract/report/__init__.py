"""Reports: a study's table, figures, curves and page, made from its finished runs."""

from kinefract.report.study import build, point

__all__ = ["build", "point"]

"""Formulas to clips. Nothing here imports training code."""

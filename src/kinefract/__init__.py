"""Kinefract: pre-train video networks on clips made from formulas, and show what it was worth."""

__version__ = "0.2.0"

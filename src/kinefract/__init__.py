"""Kinefract pre-trains video networks on clips made from formulas and measures the benefit."""

__version__ = "0.2.0"

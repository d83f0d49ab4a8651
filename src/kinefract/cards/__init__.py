"""Data cards: figures that describe clips and videos, and the pages that show them."""

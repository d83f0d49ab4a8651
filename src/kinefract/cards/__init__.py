"""Data cards: what clips and videos look like, in figures, and the pages that show them."""

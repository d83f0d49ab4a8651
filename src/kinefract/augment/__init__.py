"""Augmentations: one crop per clip as it is read, the rest batched on the training device."""

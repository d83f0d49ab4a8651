"""Augmentations: each clip is cropped when it is read; all others run in batches on the training device."""

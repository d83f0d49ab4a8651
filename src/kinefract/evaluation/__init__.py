"""Evaluation of fine-tuned networks: the papers' protocol, its figures and pictures, and predictions."""

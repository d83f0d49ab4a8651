"""Benchmarks: one module each, from official files (or a generator) to an index of labelled videos."""

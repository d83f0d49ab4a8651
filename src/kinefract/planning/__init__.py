"""Estimates of what studies cost before they are run, and removal of results that no study refers to."""

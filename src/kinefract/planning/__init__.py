"""What studies take before they are run, and the removal of what no study refers to."""

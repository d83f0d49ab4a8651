"""What studies need before they are run, and what no study needs any more."""

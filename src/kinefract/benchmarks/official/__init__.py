"""Official files of benchmarks: where they come from, and where they are on disk."""

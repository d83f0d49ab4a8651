"""Official files of benchmarks: their sources, downloads, archives and places on disk."""

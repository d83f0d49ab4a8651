"""From a system of maps or shapes to pixels, on CPUs and on GPUs."""

"""Training of networks: the sources of clips, the loop of both phases, and resuming after a stop."""

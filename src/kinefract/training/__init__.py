"""Clips to trained networks: where clips come from, the loop of both phases, going on after a stop."""

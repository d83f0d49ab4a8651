"""Datasets on disk: shards, how they are made, checked and unpacked."""

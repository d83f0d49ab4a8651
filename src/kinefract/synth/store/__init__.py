"""Datasets on disk: their shards are written, read, checked and exported here."""

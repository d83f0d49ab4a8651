"""Modules that all other parts use: errors, files, progress, names of files, the base of all settings."""

"""What every other part stands on: errors, files, progress, names of files, the base of all settings."""

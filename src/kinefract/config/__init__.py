"""The configuration: its files, what they may say, and the specs that studies resolve to."""

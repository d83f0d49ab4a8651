"""The configuration: its files, their schema, and the specs to which studies resolve."""

"""A package that adds one of each to kinefract, through the entry points in its pyproject.toml."""

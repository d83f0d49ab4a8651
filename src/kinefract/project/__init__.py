"""A project, the folder in which studies are made: how it begins, and whether the machine is fit for it."""

from pathlib import Path

FILES = Path(__file__).with_name("files")  # what a project is made of; in a checkout, links to its top

SNAKEFILE = str(FILES / "workflow" / "Snakefile")
"""The workflow of the installed package, for ``module:`` in a Snakefile."""

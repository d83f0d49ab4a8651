#!/bin/sh
# Snakemake runs this once in the new conda environment, in the project's folder: the versions of requirements.lock, and
# the package of this folder.
set -e
python -m pip install -q -r requirements.lock
python -m pip install -q --no-deps --no-build-isolation -e .

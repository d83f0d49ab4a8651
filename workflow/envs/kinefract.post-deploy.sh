#!/bin/sh
# Snakemake runs this once in the new conda environment, in the project's folder. In a checkout it installs the versions
# of requirements.lock and the package of that folder. Elsewhere it installs what KINEFRACT_PACKAGE names, such as a wheel
# or git+https://..., or else this version from pip's index.
set -e
if [ -f src/kinefract/__init__.py ]; then
	python -m pip install -q -r requirements.lock
	python -m pip install -q --no-deps --no-build-isolation -e .
else
	python -m pip install -q "${KINEFRACT_PACKAGE:-kinefract==0.2.0}"
fi

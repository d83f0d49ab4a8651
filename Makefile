# make demo   set up and run the study `quickstart`: formula-made clips, pre-training, fine-tuning, page
# make test   set up and run every check but the long tests
# make long   set up and run the long tests: whole workflows, killed jobs, trainings by several processes
# make faults run what takes hours: long checks of the released network, of kills, damage and hostile files
# make cluster run small studies on a SLURM of one node, which is installed for it; as root, in half an hour
# make ui     MLflow on http://127.0.0.1:5000, or the address of the server that MLFLOW_TRACKING_URI names
# make pages  write docs/parameters.md, docs/gallery.md and docs/augmentations.md anew from the code
# make docs   build the documentation as a site, into build/site
# make lock   write requirements.lock anew from what pyproject.toml asks for

PYTHON ?= python3
PORT ?= 5000
export PATH := $(CURDIR)/.venv/bin:$(PATH)
export MLFLOW_DISABLE_TELEMETRY = true
export DVC_NO_ANALYTICS = true
export MLFLOW_PORT = $(PORT)

.PHONY: demo test long faults cluster ui pages docs lock setup ffmpeg

demo: setup
	@workflow/scripts/unlock
	snakemake quickstart
	@kinefract metrics && dvc commit --force --quiet || echo "(not recorded in DVC; \`dvc repro\` does that once the studies under run: are made)"
	@echo
	@kinefract table quickstart
	@echo
	@echo "The study's page:  results/studies/quickstart/index.html"
	@echo "Its runs:          make ui, then the address above"

test: setup ffmpeg
	ruff check .
	ruff format --check .
	mypy
	snakefmt --check Snakefile workflow src/kinefract/project/files/Snakefile
	snakemake --lint
	pytest -n 2 -m "not long and not release"

long: setup ffmpeg
	pytest -n 2 -m long

faults: setup
	pytest -m release
	HYPOTHESIS_PROFILE=faults pytest tests/faults
	python tests/faults/kills.py --kills 300

cluster: setup
	.venv/bin/pip install -qq -e '.[slurm]' --no-build-isolation
	pytest -s tests/cluster/slurm_study.py

ui: setup
	@kinefract tracking
	@case "$$MLFLOW_TRACKING_URI" in \
	http://* | https://*) printf '%s\n' "$$MLFLOW_TRACKING_URI" | \
		sed -E 's,^(https?://)[^/]*@,\1,; s,^,Every run is logged to a server; open it there: ,' ;; \
	*) mlflow ui --host 127.0.0.1 --port $(PORT) \
		--backend-store-uri "$${MLFLOW_TRACKING_URI:-sqlite:///results/mlflow/mlflow.db}" ;; \
	esac

setup: .venv/installed

.venv/installed: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed: make PYTHON=/path/to/python3.11"; exit 1; }
	@test -x .venv/bin/pip || $(PYTHON) -m venv .venv || { echo "No virtual environment could be made: install python3-venv (Debian: apt-get install python3-venv)"; exit 1; }
	.venv/bin/pip install -qq -r requirements.lock
	.venv/bin/pip install -qq --no-deps --no-build-isolation -e .
	@touch $@

ffmpeg:
	@workflow/scripts/ensure-ffmpeg

pages: setup
	python docs/scripts/parameters_page.py
	python docs/scripts/gallery_page.py
	python docs/scripts/augmentations_page.py

docs: setup
	sphinx-build -q -W --keep-going -c docs -b html . build/site
	@echo "The site:  build/site/README.html"

lock:
	rm -rf build/lock && $(PYTHON) -m venv build/lock
	build/lock/bin/pip install -qq '.[dev]' 'torch==2.13.0' setuptools
	{ sed -n '/^#/p' requirements.lock; build/lock/bin/pip freeze --all --exclude kinefract --exclude pip | sed 's/+cpu$$//'; } > build/requirements.lock
	mv build/requirements.lock requirements.lock

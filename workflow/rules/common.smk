# Looking specs up. Nothing here decides what is made: that is params.yaml, resolved by kinefract.plan.
import re
import shutil
import sys
from pathlib import Path

from kinefract import params, plan
from kinefract.errors import UserError
from kinefract.report import point
from kinefract.specs import PretrainSpec
from kinefract.video import require_ffmpeg
from snakemake.settings.types import DeploymentMethod

try:
    if DeploymentMethod.CONDA not in workflow.deployment_settings.deployment_method:
        require_ffmpeg()
    for path in workflow.configfiles:
        params.read(path)  # which refuses keys that stand twice; `config` has lost them
    PARAMS = params.parse(dict(config))
    PLAN = plan.resolve(PARAMS)
    # The link results/studies/<study> leads to the page of params.yaml as it is now. Set here, since no hook runs
    # when an edit is taken back and nothing has to be made.
    for study in PLAN.studies.values():
        if Path(study.folder, "index.html").exists():
            point(Path.cwd(), study.study, study.folder)
except UserError as error:
    sys.exit(f"error: {error}")

RUN_STUDIES = [PLAN.study(name) for name in PARAMS.run]
POOLED = re.compile(r"-folds-[0-9a-f]{12}$")
GPU = 1 if shutil.which("nvidia-smi") else 0


wildcard_constraints:
    id=r"[a-z0-9_]+(-[a-z0-9_]+)*-[0-9a-f]{12}",
    shard=r"\d{5}",
    parent="data/synthetic|data/benchmarks|results/pretrain|results/finetune|results/studies",


def spec_of(wildcards):
    try:
        return PLAN.find(wildcards.id)
    except KeyError:
        sys.exit(
            f"error: {wildcards.id}: params.yaml as it is now makes no such thing; `snakemake -n` lists what it does"
        )


def shard_files(wildcards, suffix):
    dataset = spec_of(wildcards)
    folder, shards = dataset.folder, dataset.recipe.shards
    return [f"{folder}/shards/{shard:05d}.{suffix}" for shard in range(shards)]


def run_files(study, phase, name):
    """Return one file of every run of a phase that a study needs."""
    if phase == "pretrain":
        ids = {run for variant in study.variants for run in variant.pretrains.values()}
    else:
        ids = {run for variant in study.variants for runs in variant.runs.values() for run in runs.values()}
    return [f"results/{phase}/{run}/{name}" for run in sorted(ids)]


def finished(study, phase):
    """Return the last file of every run of a phase; of folds that are pooled there are no weights."""
    return [
        f"{Path(model).parent}/result.json" if POOLED.search(Path(model).parent.name) else model
        for model in run_files(study, phase, "model.safetensors")
    ]


def folds_of(wildcards):
    return ancient([f"{fold.folder}/model.safetensors" for fold in spec_of(wildcards).folds])


def study_page(name):
    return f"{PLAN.study(name).folder}/index.html"


def stored_clips(wildcards):
    """Return the manifest of the clips that a pre-training reads; none where it renders them itself."""
    run = spec_of(wildcards)
    return ancient(f"{run.dataset.folder}/manifest.csv") if run.recipe.stored else []


def starting_weights(wildcards):
    init = spec_of(wildcards).init
    return ancient(f"{init.folder}/model.safetensors") if isinstance(init, PretrainSpec) else []


def store_before(run):
    """Only a run still to be made waits for MLflow's store: a clone has none, and would repeat finished runs."""
    return [] if Path(run, "model.safetensors").exists() else ancient(rules.tracking.output)


def study_inputs(wildcards, phase):
    return ancient(finished(spec_of(wildcards), phase))


def study_of(wildcards):
    return spec_of(wildcards).study

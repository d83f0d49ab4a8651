# Looking specs up. Nothing here decides what is made: that is the configuration, resolved by kinefract.config.plan.
import itertools
import os
import shlex
import shutil
import threading
from pathlib import Path

from kinefract.common import layout
from kinefract.common.errors import UserError
from kinefract.config import params, plan
from kinefract.config.specs import PretrainSpec
from kinefract.planning import resources as asking
from kinefract.project import find_commands
from snakemake.exceptions import WorkflowError
from snakemake.settings.types import DeploymentMethod

try:
    if braced := [folder for folder in (os.getcwd(), str(workflow.basedir)) if set(folder) & set("{}")]:
        raise UserError(f"{braced[0]}: Snakemake takes braces for wildcards; rename the folder")
    DEPLOYED = workflow.deployment_settings.deployment_method
    if DeploymentMethod.APPTAINER in DEPLOYED and "container" not in config:
        raise UserError(
            "--sdm apptainer: name the image, --config container=kinefract.sif; workflow/envs/Containerfile"
        )
    # Snakemake's own reading of files would lose a name that stands twice; kinefract reads them all.
    if unknown := [key for key in config if key not in ("run", "config_dir", "container")]:
        raise UserError(
            f"{unknown[0]}: Snakemake's config sets run, config_dir and container; all else stands in params.yaml and "
            "config/, or in a folder of yours, --config config_dir=<folder>"
        )
    if "config_dir" in config:
        os.environ[layout.CONFIG_DIR] = str(config["config_dir"])  # for jobs, too
    PARAMS = params.load(run=config.get("run"))
    PLAN = plan.resolve(PARAMS)
except UserError as error:
    raise WorkflowError(str(error))

RUN_STUDIES = [PLAN.study(name) for name in PARAMS.run]
# What the job `links` writes: a file that is not there yet, so that the job runs whenever it is asked for.
LINKED = next(path for n in itertools.count() if not Path(path := f"{layout.LOGS}/links/{n}.txt").exists())
# Jobs run on other machines: `--jobs` counts them, and they start as remote ones there.
ELSEWHERE = workflow.remote_exec or workflow.nodes is not None
GPU_HERE = 1 if shutil.which("nvidia-smi") else 0
find_commands()  # for jobs, which call `kinefract`
ATTEMPT = f"sh {shlex.quote(workflow.source_path('../scripts/attempt'))}"


wildcard_constraints:
    id=r"[a-z0-9_]+(-[a-z0-9_]+)*-[0-9a-f]{12}",
    shard=r"\d{5}",
    parent="data/synthetic|data/benchmarks|results/pretrain|results/finetune|results/studies",


def end_at_once():
    """Cancel the timers by which Snakemake limits the rate of jobs; else it waits for them at its end."""
    for thread in threading.enumerate():
        if isinstance(thread, threading.Timer):
            thread.cancel()


def spec_of(wildcards):
    try:
        return PLAN.find(wildcards.id)
    except KeyError:
        raise WorkflowError(
            f"{wildcards.id}: the configuration as it is now makes no such thing; it makes what its studies use, "
            "and `snakemake -n <study>` lists that"
        )


def shard_files(wildcards, suffix):
    dataset = spec_of(wildcards)
    folder, shards = dataset.folder, dataset.recipe.shards
    return [f"{folder}/{layout.SHARDS}/{shard:05d}.{suffix}" for shard in range(shards)]


def finished(study, phase):
    """Return the last file of every run of a phase; of folds that are pooled there are no weights."""
    runs = study.pretrains if phase == "pretrain" else study.runs
    specs = [PLAN.find(run) for run in sorted(set(runs))]
    return [
        f"{spec.folder}/{layout.RESULT if getattr(spec, 'folds', []) else layout.MODEL}" for spec in specs
    ]


def folds_of(wildcards):
    return ancient([f"{fold.folder}/{layout.MODEL}" for fold in spec_of(wildcards).folds])


def study_page(name):
    return f"{PLAN.study(name).folder}/{layout.PAGE}"


def study_pages(names):
    """Return the pages of studies, and with them the links to pages that are there, if one leads elsewhere."""
    pages = [study_page(name) for name in names]
    made = [name for name, page in zip(names, pages) if Path(page).exists()]
    right = all(
        os.path.realpath(f"{layout.STUDIES}/{name}") == os.path.realpath(PLAN.study(name).folder)
        for name in made
    )
    return pages if right else [*pages, LINKED]


def stored_clips(wildcards):
    """Return the manifest of the clips that a pre-training reads; none where it renders them itself."""
    run = spec_of(wildcards)
    return ancient(f"{run.dataset.folder}/{layout.MANIFEST}") if run.recipe.stored else []


def starting_weights(wildcards):
    init = spec_of(wildcards).init
    return ancient(f"{init.folder}/{layout.MODEL}") if isinstance(init, PretrainSpec) else []


def store_before(run):
    """Only a run still to be made waits for MLflow's store: a clone has none, and would repeat finished runs."""
    return [] if Path(run, layout.MODEL).exists() else ancient(rules.tracking.output)


def experiment_before(study):
    """Only a study still to be made needs its experiment, for the same reason."""
    begun = layout.mlflow_page(study.study)
    return [] if Path(study.folder, layout.PAGE).exists() else ancient(begun)


def study_inputs(wildcards, phase):
    return ancient(finished(spec_of(wildcards), phase))


def study_of(wildcards):
    return spec_of(wildcards).study


def asked(rule, wildcards):
    """Return what a job asks for. A training here takes a GPU if there is one, elsewhere what its recipe wants."""
    return asking.of(rule, spec_of(wildcards), None if ELSEWHERE else GPU_HERE)


def cores(rule):
    """Return the function that says how many cores a job of a rule gets."""
    return lambda wildcards: asked(rule, wildcards).threads


def needs(rule):
    """Return the resources of the jobs of a rule, as functions of their wildcards."""

    def ask(value):
        return lambda wildcards: value(asked(rule, wildcards))

    return {
        "mem_mb": lambda wildcards, attempt: asking.memory(asked(rule, wildcards).mem_mb, attempt),
        "runtime": ask(lambda job: job.runtime),
        "disk_mb": ask(lambda job: job.disk_mb),
        "group_cores": ask(lambda job: job.threads if ELSEWHERE else None),
        # SLURM counts the GPUs of all nodes by `gpu`, those of each node by `gres`.
        "gpu": ask(lambda job: None if apart(job) else job.gpu or None),
        "gres": ask(lambda job: f"gpu:{job.gpu // job.nodes}" if apart(job) and job.gpu else None),
        "nodes": ask(lambda job: job.nodes if apart(job) else None),
        "tasks": ask(lambda job: job.nodes if apart(job) and not job.gpu else None),
    }


def apart(job):
    """Return whether a job is one of several nodes of a cluster."""
    return bool(ELSEWHERE) and job.nodes > 1


def time_limit(wildcards, resources):
    """Return the option by which a training stops before a scheduler kills it. Nothing kills a job of this machine."""
    return f"--time-limit {asking.time_limit(resources.runtime)}" if workflow.remote_exec else ""


def small_trainings(wildcards):
    """Return the group of a training that several of make a job of a cluster: those on a CPU take minutes."""
    return None if asked("finetune_run", wildcards).gpu else "trainings"


def logged(command):
    """Return a shell command that shows what a command prints and adds it to the job's log, under a line that marks it."""
    return f"{ATTEMPT} {{log:q}} && {command} 2>&1 | tee -a {{log:q}}"

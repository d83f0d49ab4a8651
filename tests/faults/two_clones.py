"""Two clones make the same study at the same time, with one PostgreSQL and one S3.

`python tests/faults/two_clones.py --moto /path/to/moto_server`. The project needs its extras `postgresql` and
`s3`; moto (pip install 'moto[server]') stands in for S3, best in an environment of its own. Both clones run
`.test`, record it in DVC and push to the same place. Then each is cloned again, and pulled. Exit code 0 if

- MLflow holds each run and each variant once, finished, with as many epochs as the folders;
- `kinefract verify` finds every result of both clones whole;
- what is pulled is what was made, byte by byte, and both clones made the same weights.
"""

import argparse
import os
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import yaml
from botocore.session import get_session  # which dvc-s3 brings
from mlflow import MlflowClient

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import projects
import servers

from kinefract.common.files import sha256
from kinefract.config.run_files import read_epochs
from kinefract.config.specs import FinetuneSpec, PretrainSpec

REMOTE = "s3://kinefract/store"
OUTPUTS = ("data/synthetic", "data/benchmarks", "results/pretrain", "results/finetune", "results/studies")
MAKE = ("snakemake --cores 1", "kinefract metrics", "dvc commit --force", "dvc push", "kinefract verify")
projects.PATIENCE = 3600


def make(project: Path, environment: dict[str, str]) -> None:
    """Make the study, record it and push it."""
    for command in MAKE:
        projects.run(project, *command.split(), env=environment)
    projects.commit(project)


def clone_with_study(folder: Path, endpoint: str) -> Path:
    """Make a clone of the small study with a DVC remote on S3."""
    content = yaml.safe_load((projects.REPOSITORY / ".test/params.yaml").read_text(encoding="utf-8"))
    project = projects.new_project(folder, content)
    projects.run(project, "git", "init", "-q")
    projects.run(project, "dvc", "remote", "add", "-d", "store", REMOTE)
    projects.run(project, "dvc", "remote", "modify", "store", "endpointurl", endpoint)
    projects.commit(project)
    return project


def hashes(project: Path) -> dict[str, str]:
    """Return the SHA-256 of everything that DVC keeps of a project."""
    return {
        str(path.relative_to(project)): sha256(path)
        for name in OUTPUTS
        for path in sorted((project / name).rglob("*"))
        if path.is_file() and not any(part.is_symlink() for part in (path, *path.parents))
    }


def problems_of_mlflow(address: str, project: Path) -> list[str]:
    """Return what MLflow lacks or holds twice of a finished project."""
    client, problems = MlflowClient(tracking_uri=address), []
    for kind in (PretrainSpec, FinetuneSpec):
        experiment = client.get_experiment_by_name(Path(kind.PARENT).name)
        found = client.search_runs([experiment.experiment_id])
        folders = [path.parent for path in (project / kind.PARENT).glob("*/spec.yaml")]
        if sorted(run.data.tags["name"] for run in found) != sorted(folder.name for folder in folders):
            problems.append(f"{experiment.name}: {sorted(run.data.tags['name'] for run in found)}")
        for run in found:
            held = [point.step for point in client.get_metric_history(run.info.run_id, "loss")]
            made = [line["epoch"] for line in read_epochs(project / kind.PARENT / run.data.tags["name"])]
            if run.info.status != "FINISHED" or held != made:
                problems.append(f"{run.info.run_name}: {run.info.status}, epochs {held} of {made}")
    experiment = client.get_experiment_by_name("study/tiny")
    variants = sorted(run.info.run_name for run in client.search_runs([experiment.experiment_id]))
    return problems + ([f"study/tiny: {variants}"] if variants != ["scratch", "supervised"] else [])


def main() -> None:
    """Run it and print what was found."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--moto", required=True, help="the program moto_server")
    options = parser.parse_args()
    os.environ |= {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "a", "AWS_DEFAULT_REGION": "us-east-1"}
    with (
        servers.postgresql() as address,
        servers.s3(options.moto) as endpoint,
        tempfile.TemporaryDirectory() as made,
    ):
        get_session().create_client("s3", endpoint_url=endpoint).create_bucket(Bucket="kinefract")
        environment = projects.environment(
            MLFLOW_TRACKING_URI=address, MLFLOW_DEFAULT_ARTIFACT_ROOT=(Path(made) / "artifacts").as_uri()
        )
        clones = [clone_with_study(Path(made, name), endpoint) for name in ("a", "b")]
        with ThreadPoolExecutor() as pool:
            list(pool.map(partial(make, environment=environment), clones))
        problems = [problem for clone in clones for problem in problems_of_mlflow(address, clone)]
        for clone in clones:
            pulled = Path(made, f"from_{clone.name}")
            projects.run(Path(made), "git", "clone", "-q", clone, pulled)
            projects.run(pulled, "dvc", "pull")
            if hashes(pulled) != hashes(clone):
                problems.append(f"{clone.name}: what was pulled is not what was pushed")
        weights = [
            {name: digest for name, digest in hashes(clone).items() if name.endswith(".safetensors")}
            for clone in clones
        ]
        if weights[0] != weights[1]:
            problems.append("the clones made different weights")
        print(f"{len(hashes(clones[0]))} files, {len(weights[0])} networks in each clone")
    print("\n".join(problems) or "nothing lost, nothing doubled")
    sys.exit(bool(problems))


if __name__ == "__main__":
    main()

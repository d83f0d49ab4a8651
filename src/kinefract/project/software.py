"""Checks of programs, packages and stores: what is installed, and whether it answers."""

import os
import platform
import shutil
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement

from kinefract.common.errors import UserError, first_line
from kinefract.common.layout import PARAMS_FILE
from kinefract.common.schema import short
from kinefract.common.words import counted
from kinefract.project.finding import Finding

TRIED = ("Linux", "x86_64")
SECONDS = 30  # within which a program must tell its version


def kinefract(root: Path) -> Finding:
    """Tell the version of the package, and where it is."""
    import kinefract

    place = str(Path(kinefract.__file__).parent)
    values = {"version": kinefract.__version__, "folder": place}
    return Finding(f"{kinefract.__version__}, in {place}", values=values)


def python(root: Path) -> Finding:
    """Tell the version of Python and the system under it."""
    number, system, processor = platform.python_version(), platform.system(), platform.machine()
    values = {"version": number, "executable": sys.executable, "system": system, "machine": processor}
    says = f"{number}, {sys.executable}, on {system} {platform.release()}, {processor}"
    if (system, processor) == TRIED:
        return Finding(says, values=values)
    remedy = f"tried on {' '.join(TRIED)} alone: results may differ in their last digits, if it works"
    return Finding(says, remedy, values=values)


def packages(root: Path) -> Finding:
    """Compare the packages that kinefract needs with those that are installed."""
    wanted = [one for one in _requirements() if one.marker is None]
    wrong = [text for one in wanted if (text := _trouble(one))]
    values = {"needed": len(wanted), "wrong": wrong}
    if wrong:
        names = " ".join(f"'{one}'" for one in wanted if _trouble(one))
        return Finding(", ".join(wrong), f"pip install {names}", True, values)
    return Finding(f"all {len(wanted)} that are needed are there, in versions that fit", values=values)


def extras(root: Path) -> Finding:
    """Tell which extras are installed."""
    groups: dict[str, list[Requirement]] = {}
    for one in _requirements():
        if one.marker is not None:
            for extra in EXTRAS:
                if one.marker.evaluate({"extra": extra}):
                    groups.setdefault(extra, []).append(one)
    there = [extra for extra in EXTRAS if extra in groups and not any(map(_trouble, groups[extra]))]
    absent = [extra for extra in EXTRAS if extra not in there]
    says = ", ".join(there) or "none"
    if absent:
        says += f" (not {', '.join(absent)}: `pip install 'kinefract[{absent[0]}]'` where you need one)"
    return Finding(says, values={"installed": there, "absent": absent})


EXTRAS = ("vit", "hub", "onnx", "gpu", "slurm", "s3", "postgresql")  # in pyproject.toml, for users


def snakemake(root: Path) -> Finding:
    """Tell the version of Snakemake, and whether the shell finds the programs of this environment."""
    found = version("snakemake")
    missing = [name for name in ("snakemake", "kinefract", "dvc") if shutil.which(name) is None]
    values = {"version": found, "not_on_path": missing}
    if missing:
        folder = Path(sys.executable).parent
        remedy = f"the shell finds no {', '.join(missing)}: source {folder}/activate"
        return Finding(found, remedy, values=values)
    return Finding(f"{found}, {shutil.which('snakemake')}", values=values)


def project(root: Path) -> Finding:
    """Tell whether the folder is a project, and its configuration in order."""
    if not (root / PARAMS_FILE).exists():
        return Finding(f"none here, {PARAMS_FILE} is missing", "kinefract init FOLDER makes one")
    from kinefract.config import params

    try:
        read = params.load(root / PARAMS_FILE)
    except UserError as error:
        return Finding(first_line(error), "`kinefract check` tells all problems", True)
    values = {"folder": str(root.absolute()), "studies": len(read.studies)}
    return Finding(f"{root.absolute()}, {counted(len(read.studies), 'study')}", values=values)


def git(root: Path) -> Finding:
    """Tell git's version, and whether the folder is in a repository, as DVC wants."""
    if shutil.which("git") is None:
        return Finding("not installed", "DVC wants it; `snakemake` works without")
    found = _said("git", "--version").removeprefix("git version ")
    inside = _said("git", "-C", str(root.absolute()), "rev-parse", "--is-inside-work-tree") == "true"
    values = {"version": found, "repository": inside}
    if not inside:
        remedy = "git init, if you want `dvc repro`; `snakemake` works without"
        return Finding(f"{found}, no repository here", remedy, values=values)
    return Finding(f"{found}, in a repository", values=values)


def dvc(root: Path) -> Finding:
    """Tell DVC's version and the remotes of the project."""
    from kinefract.tracking.database import shown

    found = version("dvc")
    if not (root / ".dvc").is_dir():
        return Finding(f"{found}, not set up here", values={"version": found, "remotes": []})
    lines = _said(sys.executable, "-m", "dvc", "remote", "list", cwd=root).splitlines()
    remotes = [" ".join(map(shown, line.split())) for line in lines if line.strip()]
    values = {"version": found, "remotes": remotes}
    if not remotes:
        return Finding(f"{found}, no remote: data and results stay on this machine", values=values)
    return Finding(f"{found}, remote {', '.join(remotes)}", values=values)


def mlflow(root: Path) -> Finding:
    """Tell MLflow's version, its store and whether that answers. Nothing is made."""
    from kinefract.tracking import database

    found, uri = version("mlflow"), database.store_uri(root)
    store, remedy = database.shown(uri), "results are not lost: `kinefract sync` logs them later"
    values: dict[str, Any] = {"version": found, "store": store, "answers": False}
    try:
        answers = database.answers(root)
    except ImportError as error:
        return Finding(f"{found}; {database.missing_package(error, uri)}", remedy, values=values)
    except UserError as error:
        return Finding(f"{found}; {error}", remedy, values=values)
    except Exception as error:  # of a database: anything
        said = database.shown(short(" ".join(str(error).split())), uri)
        return Finding(f"{found}; {store} cannot be used ({said})", remedy, values=values)
    values["answers"] = answers
    if answers is None:
        return Finding(f"{found}, {store}, which the first job makes", values=values)
    if answers:
        return Finding(f"{found}, {store}, which answers", values=values)
    remedy = f"start it, or unset MLFLOW_TRACKING_URI; {remedy}"
    return Finding(f"{found}, {store}, which does not answer", remedy, values=values)


def ffmpeg(root: Path) -> Finding:
    """Tell ffmpeg's version; the tests alone call it."""
    if shutil.which("ffmpeg") is None:
        return Finding("not installed, and not needed: PyAV reads and writes all videos")
    found = _said("ffmpeg", "-version").partition(" version ")[2].split(" ")[0]
    return Finding(f"{found}, for tests alone: PyAV reads and writes all videos", values={"version": found})


def rar(root: Path) -> Finding:
    """Tell what unpacks the RAR archives of UCF101 and HMDB51."""
    from kinefract.benchmarks.official.archives import PROGRAMS

    known = [command[0] for command in PROGRAMS]
    there = [name for name in known if shutil.which(name)]
    says = ", ".join(there) or f"no program: RAR archives of UCF101 and HMDB51 want one of {', '.join(known)}"
    return Finding(says, values={"programs": there})


def _requirements() -> list[Requirement]:
    return [Requirement(text) for text in requires("kinefract") or ()]


def _trouble(wanted: Requirement) -> str:
    """Return what is wrong with a package; empty if it is there in a version that fits."""
    try:
        found = version(wanted.name)
    except PackageNotFoundError:
        return f"{wanted.name} is not installed"
    fits = wanted.specifier.contains(found, prereleases=True)
    return "" if fits else f"{wanted.name} {found} is installed, {wanted.specifier} is needed"


def _said(*command: str, cwd: Path | None = None) -> str:
    """Return what a program prints; empty if it fails."""
    env = os.environ | {"DVC_NO_ANALYTICS": "true"}
    try:
        done = subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, timeout=SECONDS)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""

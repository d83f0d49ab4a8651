"""The package alone, outside a checkout: a new project, a module of a workflow, what snakedeploy writes."""

import shutil
import sys
import textwrap
from pathlib import Path

import pytest
from projects import PROGRAMS, REPOSITORY, environment, jobs, resolved, run, write

SDIST = "import sys; from setuptools import build_meta; print(build_meta.build_sdist(sys.argv[1]))"


@pytest.fixture(scope="session")
def installed(once) -> Path:
    """Return a folder with the package as pip installs it from a source distribution, through a wheel."""

    def make(folder: Path) -> None:
        folder.mkdir()
        archive = run(REPOSITORY, sys.executable, "-c", SDIST, folder).stdout.splitlines()[-1]
        pip = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--no-index"]
        run(folder, *pip, "--no-build-isolation", "--target", folder / "package", folder / archive)

    return once("installed", make) / "package"


@pytest.fixture
def alone(installed) -> dict[str, str]:
    """Return an environment that holds the installed package and nothing of the checkout."""
    path = f"{installed / 'bin'}:{PROGRAMS}:/usr/bin:/bin"
    return environment(PYTHONPATH=str(installed), PATH=path)


def small_benchmark(project: Path) -> str:
    """Add a study of a benchmark of four clips; return the index of the benchmark."""
    tiny = {"kind": "motions", "classes": ["right", "left"], "train_per_class": 1, "test_per_class": 1}
    study = {"question": "?", "pretraining": "quickstart", "finetuning": "quickstart", "benchmarks": ["few"]}
    study |= {"seeds": [1], "vary": {"pretraining.objective": ["scratch"]}}
    write(project, {"benchmarks": {"few": tiny}, "studies": {"mine": study}}, "config/mine.yaml")
    (benchmark,) = resolved(project).study("mine").benchmarks.values()
    return f"data/benchmarks/{benchmark}/index.csv"


def test_a_project_runs_from_the_wheel_alone(installed, alone, tmp_path):
    run(tmp_path, "kinefract", "init", "new", env=alone)
    project = tmp_path / "new"
    index = small_benchmark(project)
    assert "is in order" in run(project, "kinefract", "check", env=alone).stdout
    listing = run(project, "snakemake", "-n", "quickstart", env=alone).stdout
    assert (jobs(listing)["finetune_run"], jobs(listing)["study"]) == (6, 1)
    run(project, "snakemake", index, env=alone)
    assert len((project / index).read_text().splitlines()) == 5
    log = next((project / "results/logs/index").glob("*.log")).read_text()
    assert log.startswith("== ") and "2 train, 2 test videos" in log
    where = "import kinefract; print(kinefract.__file__)"
    assert Path(run(project, sys.executable, "-c", where, env=alone).stdout).is_relative_to(installed)


def test_another_workflow_uses_it_as_a_module(alone, tmp_path):
    run(tmp_path, "kinefract", "init", ".", env=alone)
    write(tmp_path, {"clips": {"run": ["quickstart"]}, "other": 1}, "mine.yaml")
    text = """\
        from kinefract.project import SNAKEFILE
        configfile: "mine.yaml"
        module kinefract:
            snakefile: SNAKEFILE
            config: config["clips"]
        use rule * from kinefract as clips_*
        use rule pretrain_run from kinefract as clips_pretrain_run with:
            priority: 7
        rule paper:
            default_target: True
            input: rules.clips_quickstart.input
            output: "paper.html"
            shell: "cp {input} {output}"
        """
    (tmp_path / "Snakefile").write_text(textwrap.dedent(text))
    listing = run(tmp_path, "snakemake", "-n", env=alone).stdout
    found = jobs(listing)
    assert (found["clips_finetune_run"], found["clips_study"], found["paper"]) == (6, 1, 1)
    assert "priority: 7" in listing.partition("rule clips_pretrain_run:")[2].partition("rule ")[0]


def test_what_snakedeploy_writes_runs_once_init_has_added_the_rest(alone, tmp_path):
    """The workflow comes from a git repository, as from a server, and nothing of it lies in the project."""
    repository, project = tmp_path / "repository", tmp_path / "project"
    for name in ("workflow", "config"):
        shutil.copytree(REPOSITORY / name, repository / name)
    for command in (["init", "-q"], ["add", "-A"], ["commit", "-qm", "all"], ["tag", "v1"]):
        run(repository, "git", *command, env=environment())
    shutil.copytree(repository / "config", project / "config")
    shutil.copytree(repository / "workflow/profiles", project / "profiles")
    text = f"""\
        configfile: "config/config.yaml"
        module kinefract:
            snakefile: "git+file://{repository}/workflow/Snakefile@v1"
            config: config
        use rule * from kinefract
        """
    (project / "workflow").mkdir()
    (project / "workflow/Snakefile").write_text(textwrap.dedent(text))
    run(project, "kinefract", "init", ".", env=alone)
    assert not (project / "Snakefile").exists()
    index = small_benchmark(project)
    without_activation = alone | {"PATH": "/usr/bin:/bin"}
    run(project, PROGRAMS / "snakemake", index, env=without_activation)
    assert next((project / "results/logs/index").glob("*.log")).read_text().startswith("== ")

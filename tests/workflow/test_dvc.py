"""DVC beside Snakemake: versions of everything made, without making anything twice."""

import json

import pytest
from projects import commit, edit, environment, jobs, run, write

UP_TO_DATE = "Data and pipelines are up to date."


@pytest.mark.long
def test_recorded_once_nothing_runs_again_and_an_edit_runs_what_depends_on_it(versioned):
    assert run(versioned, "git", "status", "--porcelain").stdout == ""
    assert UP_TO_DATE in run(versioned, "dvc", "repro").stdout
    assert UP_TO_DATE in run(versioned, "dvc", "status").stdout
    link, metrics = versioned / "results/studies/tiny", versioned / "results/metrics/tiny/scratch.json"
    before, first_page = json.loads(metrics.read_text()), link.readlink()

    text = edit(versioned, "finetuning", "small", "lr", 0.001)
    repro = run(versioned, "dvc", "repro").stdout
    assert "Running stage 'finetune'" in repro
    assert "Running stage 'report'" in repro
    assert link.readlink() != first_page
    assert UP_TO_DATE in run(versioned, "dvc", "status").stdout

    # Both settings' folders stay; only which of them is current changes back.
    (versioned / "params.yaml").write_text(text, encoding="utf-8")
    run(versioned, "dvc", "repro")
    assert link.readlink() == first_page
    assert json.loads(metrics.read_text()) == before
    assert UP_TO_DATE in run(versioned, "dvc", "status").stdout


def test_a_clone_that_pulls_has_nothing_to_make(versioned, tmp_path):
    run(versioned, "dvc", "remote", "add", "-d", "store", tmp_path / "store")
    run(versioned, "dvc", "push")
    commit(versioned)
    clone = tmp_path / "clone"
    run(tmp_path, "git", "clone", "-q", versioned, clone)
    run(clone, "dvc", "pull")
    # DVC keeps no links; to make them is all that there is to do.
    assert jobs(run(clone, "snakemake", "-n").stdout) == {"links": 1, "all": 1, "total": 2}
    run(clone, "snakemake")
    assert UP_TO_DATE in run(clone, "dvc", "status").stdout
    assert (clone / "results/studies/tiny/index.html").exists()
    shown = run(clone, "dvc", "metrics", "show", env=environment(COLUMNS="400")).stdout
    rows = [line for line in shown.splitlines() if "results/metrics/tiny/" in line]
    assert [row.split()[0].rpartition("/")[2] for row in rows] == ["scratch.json", "supervised.json"]

    # MLflow's store is not DVC's: that it has to be made must not repeat the pre-training that was pulled.
    edit(clone, "finetuning", "small", "lr", 0.001)
    found = jobs(run(clone, "snakemake", "-n").stdout)
    stored = {"tracking": 1, "experiment": 1}
    assert found == {"finetune_run": 2, "study": 1, **stored, "spec": 3, "all": 1, "total": 9}


def test_an_edit_in_any_file_of_the_configuration_is_noticed(versioned):
    write(versioned, {"studies": {"mine": {"like": "tiny", "seeds": [7]}}}, "config/studies/mine.yaml")
    status = run(versioned, "dvc", "status").stdout
    for stage in ("datasets:", "pretrain:", "finetune:", "report:"):
        assert stage in status
    (versioned / "config/studies/mine.yaml").unlink()
    (versioned / "config/README.md").write_text("Another page.\n", encoding="utf-8")
    assert UP_TO_DATE in run(versioned, "dvc", "status").stdout

"""DVC beside Snakemake: versions of everything made, without making anything twice."""

import json

from projects import NOTHING, commit, edit, environment, jobs, run

UP_TO_DATE = "Data and pipelines are up to date."


def test_recorded_once_nothing_runs_again_and_an_edit_runs_what_depends_on_it(versioned):
    assert run(versioned, "git", "status", "--porcelain").stdout == ""
    assert UP_TO_DATE in run(versioned, "dvc", "repro").stdout
    assert UP_TO_DATE in run(versioned, "dvc", "status").stdout
    link, metrics = versioned / "results/studies/tiny", versioned / "results/metrics.json"
    before, first_page = json.loads(metrics.read_text()), link.readlink()

    text = edit(versioned, "finetuning", "small", "lr", 0.001)
    repro = run(versioned, "dvc", "repro").stdout
    assert "Stage 'datasets' didn't change" in repro
    assert "Stage 'pretrain' didn't change" in repro
    assert "Running stage 'finetune'" in repro
    assert "Running stage 'report'" in repro
    assert link.readlink() != first_page
    assert UP_TO_DATE in run(versioned, "dvc", "status").stdout

    # Both settings' folders stay; only which of them is current changes back.
    (versioned / "params.yaml").write_text(text, encoding="utf-8")
    assert NOTHING in run(versioned, "snakemake").stdout
    assert link.readlink() == first_page
    run(versioned, "dvc", "repro")
    assert json.loads(metrics.read_text()) == before
    assert UP_TO_DATE in run(versioned, "dvc", "status").stdout


def test_a_clone_that_pulls_has_nothing_to_do(versioned, tmp_path):
    run(versioned, "dvc", "remote", "add", "-d", "store", tmp_path / "store")
    run(versioned, "dvc", "push")
    commit(versioned)
    clone = tmp_path / "clone"
    run(tmp_path, "git", "clone", "-q", versioned, clone)
    run(clone, "dvc", "pull")
    assert NOTHING in run(clone, "snakemake", "-n").stdout
    assert UP_TO_DATE in run(clone, "dvc", "status").stdout
    # Made by Snakemake, not pulled: DVC keeps no links.
    assert (clone / "results/studies/tiny/index.html").exists()
    shown = run(clone, "dvc", "metrics", "show", env=environment(COLUMNS="400")).stdout
    assert "tiny" in shown

    # MLflow's store is not DVC's: that it has to be made must not repeat the pre-training that was pulled.
    edit(clone, "finetuning", "small", "lr", 0.001)
    found = jobs(run(clone, "snakemake", "-n").stdout)
    assert found == {"finetune_run": 2, "study": 1, "tracking": 1, "spec": 3, "all": 1, "total": 8}

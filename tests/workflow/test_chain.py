"""Snakemake makes what is missing, all of it, and nothing else; what it cannot make it says in one line."""

import shutil
from pathlib import Path

import pytest
from projects import (
    NOTHING,
    REPOSITORY,
    edit,
    environment,
    jobs,
    outputs,
    refused,
    resolved,
    run,
    write,
)


def test_a_finished_project_has_nothing_to_do_and_a_page_at_a_fixed_place(project):
    assert NOTHING in run(project, "snakemake", "-n").stdout
    link = project / "results/studies/tiny"
    assert link.is_symlink()
    assert "Does the chain hold?" in (link / "index.html").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("section", "name", "key", "value", "expected"),
    [
        ("finetuning", "small", "epochs", 3, {"finetune_run": 2, "study": 1, "spec": 3, "all": 1}),
        # Runs from scratch do not depend on pre-training.
        (
            "pretraining", "small", "lr", 0.01,
            {"pretrain_run": 1, "finetune_run": 1, "study": 1, "spec": 3, "all": 1},
        ),
        (
            "datasets", "fractal", "seed", 7,
            {"shard": 2, "dataset": 1, "pretrain_run": 1, "finetune_run": 1, "study": 1, "spec": 4, "all": 1},
        ),
        ("studies", "tiny", "question", "Does it still hold?", {"study": 1, "spec": 1, "all": 1}),
    ],
)  # fmt: skip
def test_an_edit_makes_exactly_what_depends_on_it_in_new_folders(
    project, section, name, key, value, expected
):
    edit(project, section, name, key, value)
    listing = run(project, "snakemake", "-n").stdout
    assert jobs(listing) == {**expected, "total": sum(expected.values())}
    made = outputs(listing)
    assert made
    assert not [path for path in made if (project / path).parent.exists()]


def test_an_edit_taken_back_leads_the_link_back(project):
    """Another setting's page is current until then; a folder stands in for it."""
    link = project / "results/studies/tiny"
    right = link.readlink()
    (project / "results/studies/tiny-000000000000").mkdir()
    link.unlink()
    link.symlink_to("tiny-000000000000")
    listing = run(project, "snakemake", "-n").stdout
    assert jobs(listing) == {"links": 1, "all": 1, "total": 2}
    assert link.readlink() != right
    run(project, "snakemake")
    assert link.readlink() == right
    assert NOTHING in run(project, "snakemake", "-n").stdout


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ("datasets", {"shard": 2, "dataset": 1, "index": 1, "spec": 2}),
        ("pretrain", {"shard": 2, "dataset": 1, "tracking": 1, "pretrain_run": 1, "spec": 2}),
        (
            "finetune",
            {
                "shard": 2, "dataset": 1, "index": 1, "tracking": 1, "pretrain_run": 1, "finetune_run": 2,
                "spec": 5,
            },
        ),
        (
            "report",
            {
                "shard": 2, "dataset": 1, "index": 1, "tracking": 1, "pretrain_run": 1, "finetune_run": 2,
                "experiment": 1, "study": 1, "spec": 6,
            },
        ),
    ],
)  # fmt: skip
def test_a_phase_is_a_target(unbuilt, target, expected):
    found = jobs(run(unbuilt, "snakemake", "-n", target).stdout)
    assert found == {**expected, target: 1, "total": sum(expected.values()) + 1}


def test_a_study_that_is_not_under_run_is_a_target_by_its_name(unbuilt, tiny):
    tiny["studies"]["other"] = {**tiny["studies"]["tiny"], "seeds": [3]}
    write(unbuilt, tiny)
    found = jobs(run(unbuilt, "snakemake", "-n", "other").stdout)
    assert (found["finetune_run"], found["study"], found["other"]) == (2, 1, 1)


def test_small_is_all_studies_whose_name_says_so(unbuilt, tiny):
    tiny["studies"] = {
        "tiny_small": tiny["studies"]["tiny"],
        "tiny": tiny["studies"]["tiny"] | {"seeds": [7]},
        "brought_small": tiny["studies"]["tiny"] | {"benchmarks": ["brought"]},  # nobody has brought them
    }
    tiny["benchmarks"]["brought"] = {"kind": "csv", "file": "data/raw/brought/videos.csv"}
    write(unbuilt, tiny)
    found = jobs(run(unbuilt, "snakemake", "-n", "small").stdout)
    assert (found["study"], found["small"]) == (1, 1)


def test_a_target_that_does_not_exist_is_one_clear_error(unbuilt):
    text = run(unbuilt, "snakemake", "-n", "nosuch", code=1).stdout
    assert "No rule to produce nosuch" in text
    assert "Traceback" not in text


@pytest.mark.parametrize("phase", ["data/synthetic", "results/pretrain", "results/studies"])
def test_a_folder_of_other_parameters_is_one_clear_error(unbuilt, phase):
    text = run(unbuilt, "snakemake", "-n", f"{phase}/x-000000000000/spec.yaml", code=1).stdout
    assert "x-000000000000: the configuration as it is now makes no such thing" in text


def test_the_error_of_a_job_is_printed_once(unbuilt, tiny):
    tiny["benchmarks"]["motions"] = {"kind": "csv", "file": "none.csv"}
    write(unbuilt, tiny)
    (benchmark,) = resolved(unbuilt).benchmarks.values()
    text = run(unbuilt, "snakemake", f"{benchmark.folder}/index.csv", code=1).stdout
    assert text.count("none.csv: No such file or directory") == text.count("error: ") == 1


def test_snakemake_ends_with_its_last_job(unbuilt, tiny):
    """It would wait for the timer of its rate of jobs: here an hour, longer than any test may take."""
    rate = "--max-jobs-per-timespan=1000/1h"
    (spec,) = resolved(unbuilt).benchmarks.values()
    run(unbuilt, "snakemake", rate, f"{spec.folder}/index.csv")
    tiny["benchmarks"]["motions"] = {"kind": "csv", "file": "none.csv"}
    write(unbuilt, tiny)
    (spec,) = resolved(unbuilt).benchmarks.values()
    assert "none.csv: " in run(unbuilt, "snakemake", rate, f"{spec.folder}/index.csv", code=1).stdout


def test_bad_parameters_stop_everything_before_any_job(unbuilt, tiny):
    tiny["finetuning"]["small"]["epoch"] = 3
    tiny["run"] = ["tinny"]
    write(unbuilt, tiny)
    before = sorted(unbuilt.rglob("*"))
    text = refused(unbuilt, "snakemake")
    assert "the configuration has 2 problems\n" in text
    assert ": finetuning.small.epoch: unknown key (did you mean 'epochs'?), got 3\n" in text
    assert ": run[0]: 'tinny' is not one of: tiny (did you mean 'tiny'?)\n" in text
    assert [path for path in sorted(unbuilt.rglob("*")) if ".snakemake" not in path.parts] == before


def test_a_parameter_file_that_is_no_yaml_is_refused(unbuilt):
    (unbuilt / "params.yaml").write_text("run: [tiny\n", encoding="utf-8")
    assert "params.yaml: cannot be read: " in refused(unbuilt, "snakemake", "-n")


def test_a_key_that_stands_twice_is_refused(unbuilt):
    path = unbuilt / "params.yaml"
    path.write_text(path.read_text(encoding="utf-8") + "studies: {}\n", encoding="utf-8")
    text = refused(unbuilt, "snakemake", "-n")
    assert "params.yaml: the key 'studies' stands twice, in lines " in text


def test_a_dry_run_writes_nothing(project):
    def state() -> dict:
        paths = (path for path in project.rglob("*") if ".snakemake" not in path.parts)
        return {path: path.is_symlink() and path.readlink() for path in paths}

    (project / "results/studies/tiny").unlink()
    edit(project, "finetuning", "small", "lr", 0.001)
    before = state()
    run(project, "snakemake", "-n")
    run(project, "snakemake", "-n", "--config", "run=[tiny]")
    assert state() == before


def test_a_study_in_a_file_of_its_own_in_config_or_elsewhere(unbuilt, tmp_path):
    mine = {"studies": {"mine": {"like": "tiny", "seeds": [7]}}}
    write(unbuilt, mine, "config/studies/mine.yaml")
    assert jobs(run(unbuilt, "snakemake", "-n", "mine").stdout)["finetune_run"] == 2
    write(unbuilt, {}, "config/studies/mine.yaml")
    write(tmp_path, mine, "elsewhere/params.yaml")
    write(tmp_path, {"run": ["mine"]} | mine, "elsewhere/params.yaml")
    named = ("--config", f"config_dir={tmp_path / 'elsewhere'}")
    assert jobs(run(unbuilt, "snakemake", "-n", "mine", *named).stdout)["finetune_run"] == 2
    assert jobs(run(unbuilt, "snakemake", "-n", *named).stdout)["finetune_run"] == 2
    variable = environment(KINEFRACT_CONFIG_DIR=str(tmp_path / "elsewhere"))
    assert jobs(run(unbuilt, "snakemake", "-n", env=variable).stdout)["finetune_run"] == 2
    write(tmp_path, {"studies": {"tiny": {}}}, "elsewhere/params.yaml")
    text = refused(unbuilt, "snakemake", "-n", *named)
    assert ": studies.tiny: the name stands in params.yaml too" in text


def test_the_case_for_the_workflow_catalogue_can_run(tmp_path):
    shutil.copy(REPOSITORY / ".test/params.yaml", tmp_path)
    listing = run(REPOSITORY, "snakemake", "-n", "--directory", tmp_path).stdout
    assert jobs(listing)["study"] == 1


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--configfile", "config/mine.yaml"], "studies: Snakemake's config sets run, config_dir and"),
        (["--config", "datasets={}"], "datasets: Snakemake's config sets run, config_dir and container"),
        (["--config", "config_dir=nowhere"], "nowhere: no such folder"),
    ],
)
def test_what_snakemake_would_add_to_its_own_configuration_is_refused(unbuilt, arguments, told):
    write(unbuilt, {"studies": {}}, "config/mine.yaml")
    assert told in refused(unbuilt, "snakemake", "-n", *arguments)


def test_clips_rendered_as_training_goes_are_not_made(unbuilt, tiny):
    tiny["pretraining"]["small"]["source"] = "online"
    write(unbuilt, tiny)
    found = jobs(run(unbuilt, "snakemake", "-n").stdout)
    assert (found["pretrain_run"], found["index"]) == (1, 1)
    assert not {"shard", "dataset"} & found.keys()
    found = jobs(run(unbuilt, "snakemake", "-n", "datasets").stdout)
    assert found == {"index": 1, "spec": 1, "datasets": 1, "total": 3}


@pytest.mark.long
def test_a_study_of_clips_rendered_as_training_goes_is_built_without_a_dataset(project):
    edit(project, "datasets", "fractal", "seed", 7)
    edit(project, "pretraining", "small", "source", "online")
    run(project, "snakemake")
    (dataset,) = resolved(project).datasets.values()
    assert not (project / dataset.folder).exists()
    page = (project / "results/studies/tiny/index.html").read_text(encoding="utf-8")
    assert "rendered as training went, new ones each epoch" in page
    assert f"Dataset: {dataset.id}" in page
    assert NOTHING in run(project, "snakemake", "-n").stdout


def test_an_impossible_variant_is_refused_with_the_study_that_asks_for_it(unbuilt, tiny):
    tiny["studies"]["tiny"]["vary"] = {"finetuning.epochs": [0]}
    write(unbuilt, tiny)
    text = refused(unbuilt, "snakemake", "-n")
    assert "studies.tiny.vary: finetuning.epochs" in text


def test_something_of_the_users_where_the_link_goes_is_left_alone(project):
    link = project / "results/studies/tiny"
    link.unlink()
    link.mkdir()
    text = run(project, "snakemake", code=1).stdout
    assert "results/studies/tiny: not a link made by kinefract; move it away" in text
    assert list(link.iterdir()) == []


def test_a_spec_written_by_the_workflow_is_the_one_the_plan_resolves(finished):
    """The job behind a folder is then one line, `kinefract <phase> <folder>/spec.yaml`."""
    plan = resolved(finished)
    for shelf in (plan.datasets, plan.benchmarks, plan.pretrains, plan.finetunes, plan.studies):
        for spec in shelf.values():
            assert (finished / spec.folder / "spec.yaml").read_text(encoding="utf-8") == spec.to_yaml()


def test_every_job_leaves_a_log_and_its_cost(finished):
    for folder, suffix in (("logs", ".log"), ("benchmarks", ".tsv")):
        left = {path.parent.name for path in Path(finished, "results", folder).rglob(f"*{suffix}")}
        assert {"shard", "dataset", "index", "pretrain", "finetune", "study"} <= left

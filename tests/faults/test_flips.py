"""Each file of a finished project with one bit flipped: someone notices, or it does not matter."""

import random
import shutil
from collections import Counter

import pytest
from flips import files, flipped, outcome
from hypothesis import settings
from projects import run

from kinefract import tracking
from kinefract.common.errors import UserError
from kinefract.report.verify import verify

FLIPS = 1 if settings.get_current_profile_name() == "ci" else 10  # of each file


@pytest.fixture(scope="module")
def project(finished, tmp_path_factory):
    """Return a copy of the finished project with the figures of all studies, as `make demo` leaves it."""
    copy = tmp_path_factory.mktemp("flips") / "project"
    shutil.copytree(finished, copy, symlinks=True)
    run(copy, "kinefract", "metrics")
    return copy


def test_a_finished_project_is_as_it_was_written(project):
    assert "1 dataset, 1 benchmark, 1 pretrain run, 2 finetune runs, 1 study: as" in verify(project)


def test_a_flipped_bit_in_any_file_is_noticed(project):
    rng, counts = random.Random(0), Counter()
    for path in files(project):
        for _ in range(FLIPS):
            with flipped(project / path, rng.randrange(8 * (project / path).stat().st_size)):
                found = outcome(project, path)
            assert found in ("detected", "harmless"), path
            counts[found] += 1
            assert found == "detected" or path.parts[1] in ("cache", "mlflow"), path
    print(dict(counts))
    assert counts["detected"] > 80 * FLIPS


def test_a_study_is_verified_with_all_on_which_it_rests(project):
    (study,) = (project / "results/studies").glob("tiny-*")
    assert "1 dataset, 1 benchmark, 1 pretrain run, 2 finetune runs, 1 study" in verify(project, [study])
    run_folder = next((project / "results/finetune").iterdir())
    with flipped(run_folder / "model.safetensors", 99), pytest.raises(UserError, match=run_folder.name):
        verify(project, [study])


def test_damage_is_named_where_mlflow_cannot_be_used(project, monkeypatch):
    (run_folder,) = (project / "results/pretrain").iterdir()
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    with flipped(run_folder / "result.json", 99), pytest.raises(UserError) as caught:
        verify(project)
    assert "result.json: changed since it was written" in str(caught.value)
    assert "MLflow's store cannot be used" in str(caught.value)


def test_a_spec_that_cannot_be_read_is_no_fault_of_mlflow(project, capsys):
    (run_folder,) = (project / "results/pretrain").iterdir()
    text = (run_folder / "spec.yaml").read_text()
    (run_folder / "spec.yaml").write_text("id: [")
    try:
        assert tracking.differences(project) == []
    finally:
        (run_folder / "spec.yaml").write_text(text)
    assert "MLflow" not in capsys.readouterr().err


@pytest.mark.long
def test_the_command_takes_names_ids_and_folders_and_counts_problems(project):
    (run_folder,) = (project / "results/pretrain").iterdir()
    for text in ("tiny", "motions", run_folder.name, run_folder, run_folder / "spec.yaml"):
        assert "as they were written" in run(project, "kinefract", "verify", text).stdout
    assert "did you mean 'tiny'?" in run(project, "kinefract", "verify", "tinny", code=1).stdout
    with flipped(run_folder / "result.json", 99), flipped(run_folder / "metrics.jsonl", 99):
        printed = run(project, "kinefract", "verify", run_folder, code=1).stdout
    assert "2 problems:" in printed and printed.count(f"delete {run_folder} and run `snakemake ") == 2


def test_results_without_checksums_are_compared_with_each_other(project):
    (folder,) = (project / "results/finetune").glob("*-supervised-*")
    copy = project.with_name("old") / "results/finetune" / folder.name
    shutil.copytree(folder, copy)
    (copy / "SHA256SUMS").unlink()
    assert "1 of them without SHA256SUMS: version 0.1 kept none" in verify(copy.parents[2], [copy])
    rows = (copy / "predictions.csv").read_text().splitlines(keepends=True)
    wrong = next(place for place, row in enumerate(rows) if ",0," in row and row.split(",")[4] == "0")
    path, label, name, _, _, top5 = rows[wrong].split(",")
    rows[wrong] = f"{path},{label},{name},{label},1,{top5}"
    (copy / "predictions.csv").write_text("".join(rows))
    with pytest.raises(UserError, match=r"predictions\.csv: .* % of 12 predictions are right, result"):
        verify(copy.parents[2], [copy])


def test_files_that_fit_their_own_folder_but_not_each_other_are_named(project, tmp_path):
    (scratch,) = (project / "results/finetune").glob("*-scratch-*")
    (other,) = (project / "results/finetune").glob("*-supervised-*")
    copy = tmp_path / "results/finetune" / scratch.name
    shutil.copytree(scratch, copy)
    (copy / "SHA256SUMS").unlink()
    again = f"delete {copy} and run `snakemake results/finetune/{copy.name}/result.json`"
    shutil.copy(other / "model.safetensors", copy)
    with pytest.raises(UserError, match=rf"model\.safetensors: weights of {other.name}; {again}$"):
        verify(tmp_path, [copy])
    shutil.copy(scratch / "model.safetensors", copy)
    text = (copy / "result.json").read_text()
    (copy / "result.json").write_text(text.replace(scratch.name, other.name))
    with pytest.raises(UserError, match=rf"result\.json: of {other.name} after 2 epochs, not .*; {again}$"):
        verify(tmp_path, [copy])

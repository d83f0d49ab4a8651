"""Weights go when all studies of a run are finished; the run stays finished, and all else of it as it was."""

from pathlib import Path

import pytest
import torch

from kinefract.common import checksums
from kinefract.common.errors import UserError
from kinefract.common.layout import EPOCHS, MODEL, PAGE, RESULT, snapshot
from kinefract.config import params, plan
from kinefract.config.run_files import is_finished, weights_removed
from kinefract.models import weights
from kinefract.planning import prune, removed_weights


@pytest.fixture
def resolved(tiny):
    tiny["studies"]["longer"] = {**tiny["studies"]["tiny"], "seeds": [1, 2]}
    return plan.resolve(params.parse(tiny))


@pytest.fixture
def project(tmp_path, resolved) -> Path:
    """A project with every run and no study finished."""
    for spec in {**resolved.pretrains, **resolved.finetunes}.values():
        folder = tmp_path / spec.folder
        folder.mkdir(parents=True)
        (folder / EPOCHS).write_text("{}\n")
        (folder / RESULT).write_text("{}\n")
        with checksums.last_file(folder / MODEL) as partial:
            partial.write_bytes(weights.encoded({"a": torch.ones(1000)}, spec.id))
    return tmp_path


def finish(project, spec):
    (project / spec.folder).mkdir(parents=True)
    (project / spec.folder / PAGE).write_text("done")


def runs_with_weights(project):
    return {path.parent.name for path in project.rglob(MODEL) if not weights_removed(path)}


def test_only_weights_that_no_unfinished_study_uses_are_found(project, resolved):
    assert not list(removed_weights.find(project, resolved))
    finish(project, resolved.study("tiny"))
    assert not list(removed_weights.find(project, resolved))  # the other study has these runs and more
    finish(project, resolved.study("longer"))
    found = {run for _, run in removed_weights.find(project, resolved)}
    assert found == set(resolved.pretrains) | set(resolved.finetunes)


def test_a_run_stays_finished_and_its_other_files_as_they_were(project, resolved, capsys):
    for study in resolved.studies.values():
        finish(project, study)
    prune.prune(project, resolved, yes=True)
    assert len(runs_with_weights(project)) == len(resolved.pretrains) + len(resolved.finetunes)
    capsys.readouterr()
    prune.prune(project, resolved, yes=True, weights=True)
    text = capsys.readouterr().out
    assert f"  results/finetune/{next(iter(resolved.finetunes))}/{MODEL}\n" in text
    assert "or that are weights of finished studies" in text
    assert not runs_with_weights(project)
    for spec in {**resolved.pretrains, **resolved.finetunes}.values():
        folder = project / spec.folder
        assert is_finished(folder) and not checksums.differing(folder)
        assert weights.made_by(folder / MODEL) == spec.id
        assert (folder / MODEL).stat().st_size < 300
    assert not list(removed_weights.find(project, resolved))


def test_what_would_load_them_says_that_they_were_removed(project, resolved):
    run, spec = next(iter(resolved.pretrains.items()))
    path = project / spec.folder / MODEL
    removed_weights.remove(path, run)
    with pytest.raises(UserError, match="these weights were removed") as caught:
        weights.read(path)
    assert str(caught.value).endswith(f"delete {path} and run `snakemake {spec.folder}/{MODEL}`")


def test_a_snapshot_is_made_again_with_the_weights_of_the_end(project, resolved):
    run, spec = next(iter(resolved.pretrains.items()))
    folder = project / spec.folder
    (folder / snapshot(1)).write_bytes(weights.encoded({"a": torch.ones(9)}, spec.id))
    removed_weights.remove(folder / snapshot(1), run)
    with pytest.raises(UserError) as caught:
        weights.read(folder / snapshot(1))
    assert str(caught.value).endswith(f"delete {folder / MODEL} and run `snakemake {spec.folder}/{MODEL}`")


def test_damage_to_other_files_stays_known(project, resolved):
    run, spec = next(iter(resolved.finetunes.items()))
    (project / spec.folder / EPOCHS).write_text("other\n")
    removed_weights.remove(project / spec.folder / MODEL, run)
    (problem,) = checksums.differing(project / spec.folder)
    assert EPOCHS in problem


def test_a_run_that_is_being_made_again_keeps_them(project, resolved):
    for study in resolved.studies.values():
        finish(project, study)
    run, spec = next(iter(resolved.finetunes.items()))
    (project / spec.folder / "progress.jsonl").write_text("")
    assert run not in {found for _, found in removed_weights.find(project, resolved)}


def test_snapshots_go_with_their_run(project, tiny):
    tiny["pretraining"]["small"]["snapshots"] = [1]
    resolved = plan.resolve(params.parse(tiny))
    for study in resolved.studies.values():
        finish(project, study)
    (spec,) = resolved.pretrains.values()
    for name in (EPOCHS, RESULT, MODEL, "model-epoch0001.safetensors"):
        (project / spec.folder).mkdir(parents=True, exist_ok=True)
        (project / spec.folder / name).write_bytes(weights.encoded({"a": torch.ones(9)}, spec.id))
    found = {path.name for path, run in removed_weights.find(project, resolved) if run == spec.id}
    assert found == {MODEL, "model-epoch0001.safetensors"}

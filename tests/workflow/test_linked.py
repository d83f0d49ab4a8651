"""A project whose data and results are links to another disk does all that another does."""

import json
import shutil

import pytest
from projects import edit, jobs, new_project, resolved, run


@pytest.mark.long
def test_data_and_results_on_another_disk(tmp_path, tiny):
    project, disk = new_project(tmp_path / "project", tiny), tmp_path / "disk/deep"
    for name in ("data", "results"):
        (disk / name).mkdir(parents=True)
        shutil.rmtree(project / name, ignore_errors=True)
        (project / name).symlink_to(disk / name)
    run(project, "snakemake")
    assert jobs(run(project, "snakemake", "-n").stdout) == {}
    assert {path.name for path in disk.iterdir()} == {"data", "results"}
    assert {path.name for path in disk.parent.iterdir()} == {"deep"}

    plan = resolved(project)
    (dataset,), (study,) = plan.datasets.values(), plan.studies.values()
    assert "12 clips in 2 shards checked" in run(project, "kinefract", "verify", dataset.folder).stdout
    run(project, "kinefract", "export", dataset.folder, tmp_path / "exported")
    assert "Does the chain hold?" in (project / study.folder / "index.html").read_text()
    assert "scratch" in run(project, "kinefract", "table", "tiny").stdout
    run(project, "kinefract", "study", f"results/studies/{study.study}/spec.yaml")
    assert "logged 0 runs" in run(project, "kinefract", "sync").stdout
    shutil.rmtree(project / "results/mlflow")
    assert (
        f"logged {len(plan.pretrains) + len(plan.finetunes)} runs" in run(project, "kinefract", "sync").stdout
    )
    fine = next(iter(plan.finetunes.values()))
    (video,) = (project / "data/benchmarks").glob("motions-*/videos/test/up/*.mp4")
    found = run(project, "kinefract", "predict", fine.folder, video, "--json").stdout
    assert len(json.loads(found[found.index("[") :])) == 1

    edit(project, "datasets", "fractal", "seed", 5)
    assert dataset.folder in run(project, "kinefract", "prune", "--yes").stdout
    assert not (disk / dataset.folder).exists()

"""Several jobs and several projects with one PostgreSQL, the real one: all is logged, each once."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import servers
from mlflow import MlflowClient
from test_run_export import EPOCHS, at_once, runs, spec_of, steps


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """An empty database of a server of this module's own."""
    pytest.importorskip("psycopg2", reason="psycopg2 is not installed")
    if servers.INITDB is None:
        pytest.skip("PostgreSQL's programs are not there")
    with servers.postgresql() as address:
        yield address


def test_first_jobs_at_once_in_two_projects_lose_and_double_nothing(
    address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", address)
    monkeypatch.setenv("MLFLOW_DEFAULT_ARTIFACT_ROOT", (tmp_path / "artifacts").as_uri())
    jobs = [(tmp_path / project, classes, 0) for project in "ab" for classes in (2, 3, 4)]
    assert at_once(jobs) == [0] * 6
    found = runs(tmp_path, "pretrain")
    assert sorted(run.info.run_name for run in found) == sorted(spec_of(classes).id for classes in (2, 3, 4))
    for run in found:
        assert run.info.status == "FINISHED"
        assert [step for step, _ in steps(tmp_path, run.info.run_id, "loss")] == list(range(1, EPOCHS + 1))
        assert [item.dataset.name for item in run.inputs.dataset_inputs] == ["fractal"]
        files = MlflowClient(tracking_uri=address).list_artifacts(run.info.run_id)
        assert [item.path for item in files] == ["first_batch.png"]
    assert not (tmp_path / "a/results/mlflow").exists()

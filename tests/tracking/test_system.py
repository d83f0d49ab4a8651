"""The load of the machine: a point an epoch of a run that trains here, no harm where it is not measured."""

from pathlib import Path

import pytest
from mlflow.system_metrics.metrics.cpu_monitor import CPUMonitor
from test_run_export import add_epoch, client, runs, spec_of, steps

from kinefract.common.files import write_text
from kinefract.tracking import RunExport
from kinefract.tracking.system import SystemMetrics

CPU = "system/cpu_utilization_percentage"
MEMORY = "system/system_memory_usage_megabytes"


def train(root: Path, live: bool = True) -> tuple[str, set[str]]:
    """Log two epochs, and return the id of the run and the names of its metrics."""
    spec = spec_of()
    write_text(Path(root, spec.folder) / "progress.jsonl", "")
    export = RunExport(root, spec, live=live)
    export.update()
    for epoch in (1, 2):
        add_epoch(root, spec, epoch)
        export.update()
    export.fail()
    (run,) = runs(root, "pretrain")
    return run.info.run_id, set(run.data.metrics)


def test_a_run_that_trains_here_has_the_load_of_each_epoch(tmp_path: Path) -> None:
    run_id, names = train(tmp_path)
    assert {CPU, MEMORY} <= names
    for name in (CPU, MEMORY):
        assert [step for step, _ in steps(tmp_path, run_id, name)] == [1, 2]
    assert all(0 <= share <= 100 for _, share in steps(tmp_path, run_id, CPU))
    assert client(tmp_path).get_run(run_id).info.status == "FAILED"


def test_a_run_logged_afterwards_has_none(tmp_path: Path) -> None:
    assert train(tmp_path, live=False)[1] == {"loss", "seconds"}


def test_it_is_turned_off_as_mlflows_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_ENABLE_SYSTEM_METRICS_LOGGING", "false")
    assert train(tmp_path)[1] == {"loss", "seconds"}


def test_a_machine_that_does_not_say_changes_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(self: CPUMonitor) -> None:
        raise OSError("no /proc here")

    monkeypatch.setattr(CPUMonitor, "collect_metrics", fail)
    assert train(tmp_path)[1] == {"loss", "seconds"}


def test_what_was_taken_is_not_taken_again(monkeypatch: pytest.MonkeyPatch) -> None:
    values = iter(range(10))

    def count(self: CPUMonitor) -> None:
        self._metrics["counted"].append(next(values))

    monkeypatch.setattr(CPUMonitor, "collect_metrics", count)
    system = SystemMetrics()
    taken = [system.take()["system/counted"] for _ in range(3)]
    system.end()
    assert taken == [1, 2, 3]

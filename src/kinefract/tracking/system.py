"""The load of the machine while a run trains: processors, memory and GPUs, as means of each epoch.

MLflow's own monitors measure. A thread asks them from time to time; what they found is logged with the
numbers of an epoch, so a run has one point of each metric an epoch.
"""

import os
import threading
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mlflow.system_metrics.metrics.base_metrics_monitor import BaseMetricsMonitor

PREFIX = "system/"  # by which MLflow's page of a run puts metrics under "System metrics"
# Of MLflow; it has both for its own monitor.
WANTED, INTERVAL = "MLFLOW_ENABLE_SYSTEM_METRICS_LOGGING", "MLFLOW_SYSTEM_METRICS_SAMPLING_INTERVAL"
PATIENCE = 1.0  # seconds that training waits for a measurement that is being made


class SystemMetrics:
    """Measurements of this machine since the last call of ``take``.

    GPUs are measured where the package nvidia-ml-py is installed. Nothing is where
    ``MLFLOW_ENABLE_SYSTEM_METRICS_LOGGING`` is ``false``.
    """

    def __init__(self) -> None:
        self._monitors: list[BaseMetricsMonitor] = _monitors()
        self._busy = threading.Lock()
        self._ended = threading.Event()
        if self._monitors:
            self._measure()  # the share of processors is that since the measurement before
            for monitor in self._monitors:
                monitor.clear_metrics()
            threading.Thread(target=self._watch, daemon=True, name="system metrics").start()

    def take(self) -> dict[str, float]:
        """Return the means of what was measured since the last call, by the names of MLflow's metrics."""
        self._measure()
        found: dict[str, float] = {}
        if self._busy.acquire(timeout=PATIENCE):
            try:
                for monitor in self._monitors:
                    found |= {f"{PREFIX}{key}": value for key, value in monitor.aggregate_metrics().items()}
                    monitor.clear_metrics()
            finally:
                self._busy.release()
        return found

    def end(self) -> None:
        """Measure nothing more."""
        self._ended.set()

    def _watch(self) -> None:
        seconds = float(os.environ.get(INTERVAL) or 10)
        while not self._ended.wait(seconds):
            self._measure()

    def _measure(self) -> None:
        if self._busy.acquire(timeout=PATIENCE):
            try:
                for monitor in self._monitors:
                    monitor.collect_metrics()
            except Exception:  # of a machine that does not say; a run must not end or go unlogged for it
                self._ended.set()
                self._monitors = []
            finally:
                self._busy.release()


def _monitors() -> "list[BaseMetricsMonitor]":
    if os.environ.get(WANTED, "true").lower() in ("false", "0"):
        return []
    from mlflow.system_metrics.metrics.cpu_monitor import CPUMonitor
    from mlflow.system_metrics.metrics.gpu_monitor import GPUMonitor

    found: list[BaseMetricsMonitor] = [CPUMonitor()]
    with suppress(ImportError, RuntimeError):  # no package to ask them, or no GPU
        found.append(GPUMonitor())
    return found

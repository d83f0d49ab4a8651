"""What an epoch measures: means over its steps."""

import pytest
import torch

from kinefract.training import meter as meters
from kinefract.training.meter import Meter


def measured(norms, state=None):
    meter = Meter(torch.device("cpu"), state)
    for norm in norms:
        meter.mark("data")
        meter.mark("augment")
        meter.step_done(torch.tensor(2.0), torch.tensor(3), torch.tensor(norm), 4)
    return meter


def test_a_skipped_step_has_no_part_in_the_norm_of_the_gradient():
    metrics = measured([1.0, float("inf"), 3.0, float("nan")]).metrics()
    assert metrics["grad_norm"] == 2.0
    assert metrics["loss"] == 2.0 and metrics["top1"] == 0.75
    assert measured([float("inf")]).metrics()["grad_norm"] == 0.0


def test_skipped_steps_are_remembered_where_an_epoch_is_cut_in_two():
    first = measured([1.0, float("inf")]).state()
    assert measured([3.0], first).metrics()["grad_norm"] == 2.0


def test_a_state_of_an_earlier_version_knows_of_no_skipped_steps():
    first = measured([1.0, 5.0]).state()
    del first["skipped"]
    assert measured([3.0], first).metrics()["grad_norm"] == 3.0


def test_time_is_shared_out_to_the_stages_and_clips_are_counted_by_the_second(monkeypatch):
    now = [0.0]
    monkeypatch.setattr(meters.time, "perf_counter", lambda: now[0])
    meter = Meter(torch.device("cpu"), None)
    for _ in range(2):
        for stage, seconds in (("data", 1.0), ("augment", 2.0)):
            now[0] += seconds
            meter.mark(stage)
        now[0] += 5.0
        meter.step_done(torch.tensor(2.0), torch.tensor(3), torch.tensor(1.0), 4)
    metrics = meter.metrics()
    assert metrics["seconds"] == 16.0 and metrics["clips_per_second"] == pytest.approx(8 / 16)
    shares = [metrics[f"{stage}_share"] for stage in ("data", "augment", "network")]
    assert shares == [1 / 8, 2 / 8, 5 / 8]

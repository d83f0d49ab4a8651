"""What an epoch measures: means over its steps."""

import torch

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

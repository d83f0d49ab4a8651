"""Mixup: clips and labels mixed by one weight for each step."""

import pytest
import torch
from networks import Flat, clips, outcome
from torch.nn.functional import cross_entropy

from kinefract.models import weights
from kinefract.models.seeded import reseed
from kinefract.objectives.mixup import Mixup

CPU = torch.device("cpu")


def test_clips_and_labels_are_mixed_by_the_same_weight():
    objective = Mixup(weights.seeded(1, Flat), 0.8)
    reseed(objective, 5, CPU)
    weight, x, labels = objective.weight.value, clips(3, 2), torch.tensor([0, 2, 1])
    assert 0.02 < weight < 0.98
    result = outcome(objective, [x], labels, torch.arange(3))
    logits = objective.network(weight * x + (1 - weight) * x[[2, 1, 0]])
    wanted = weight * cross_entropy(logits, labels) + (1 - weight) * cross_entropy(logits, labels[[2, 1, 0]])
    torch.testing.assert_close(result.loss, wanted)
    assert result.correct == (logits.argmax(1) == labels).sum()


def test_weights_depend_on_the_seed_alone_and_follow_the_beta_distribution():
    objective = Mixup(Flat(), 0.8)
    drawn = []
    for seed in [*range(2000), 0]:
        reseed(objective, seed, CPU)
        drawn.append(objective.weight.value)
    assert drawn[0] == drawn[-1]
    values = torch.tensor(drawn)
    assert values.mean() == pytest.approx(0.5, abs=0.03)
    assert values.var() == pytest.approx(1 / (4 * (2 * 0.8 + 1)), abs=0.01)

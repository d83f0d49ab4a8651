"""Multi-instance prediction: which clips are seen together, and the loss over their classes."""

import math

import pytest
import torch
from networks import Flat, clips, outcome
from pydantic import ValidationError

from kinefract.common.share import Share
from kinefract.config.phases import PretrainRecipe
from kinefract.models import weights
from kinefract.models.seeded import reseed
from kinefract.objectives.multi_instance import Company
from kinefract.objectives.recipes.multi_instance import MultiInstanceRecipe

CPU = torch.device("cpu")


def company(most, count, seed=1, share=None):
    drawing = Company(most)
    reseed(drawing, seed, CPU, share)
    return drawing(count)


def test_each_clip_is_seen_with_up_to_four_others_each_number_as_often():
    together = torch.cat([company(5, 16, seed) for seed in range(400)])
    counts = together.sum(1).bincount(minlength=6)
    assert counts[0] == 0 and len(counts) == 6
    assert (counts[1:] / counts.sum() - 0.2).abs().max() < 0.02
    every = together.view(400, 16, 16)
    assert every.diagonal(dim1=1, dim2=2).all()
    # The others are any others: on average two of fifteen.
    others = every.float().mean(0).masked_select(~torch.eye(16, dtype=torch.bool))
    assert others.mean() == pytest.approx(2 / 15, abs=0.005) and others.std() < 0.025


def test_no_more_are_seen_than_there_are():
    assert company(5, 2, 3).sum(1).max() <= 2
    assert {int(company(5, 2, seed).sum(1)[0]) for seed in range(20)} == {1, 2}


def test_how_many_are_seen_does_not_depend_on_the_parts_of_a_batch():
    whole = company(3, 8).sum(1)
    for places in (torch.arange(4), torch.arange(4, 8)):
        assert torch.equal(company(3, 4, share=Share(8, places)).sum(1), whole[places])


def test_the_brightest_is_seen_and_the_loss_is_that_of_each_class():
    objective = MultiInstanceRecipe(most=3).build(weights.seeded(1, Flat))
    reseed(objective, 6, CPU)
    together = objective.company(6)
    assert set(together.sum(1).tolist()) == {1, 2, 3}
    reseed(objective, 6, CPU)
    x, labels = clips(6, 2), torch.tensor([0, 2, 1, 1, 0, 2])
    result = outcome(objective, [x], labels, torch.arange(6))

    losses, correct = [], 0
    for row in together:
        seen = x[row.nonzero()[:, 0]].amax(0, keepdim=True)
        scores = objective.network(seen)[0].tolist()
        present = {int(label) for label, shown in zip(labels, row, strict=True) if shown}
        for number, score in enumerate(scores):
            chance = 1 / (1 + math.exp(-score))
            losses.append(
                -math.log(chance) * 3 / len(present) if number in present else -math.log(1 - chance)
            )
        correct += scores.index(max(scores)) in present
    assert result.loss.item() == pytest.approx(sum(losses) / len(losses), rel=1e-5)
    assert result.correct == correct
    result.loss.backward()
    assert objective.network.body.weight.grad.abs().sum() > 0


def test_one_clip_at_once_is_no_such_task():
    with pytest.raises(ValidationError, match="greater than or equal to 2"):
        MultiInstanceRecipe(most=1)
    with pytest.raises(ValidationError, match="accumulate: 8 leaves parts of one clip"):
        PretrainRecipe(objective="multi_instance", batch_size=8, accumulate=8)

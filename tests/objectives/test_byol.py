"""BYOL: its loss, and a target that moves by momentum alone, which rises to 1."""

import math

import pytest
import torch
from networks import Flat, clips, outcome

from kinefract.objectives.base import both_found
from kinefract.objectives.byol import distance, momentum_at
from kinefract.objectives.recipes.byol import ByolRecipe


def byol(momentum=0.9):
    torch.manual_seed(1)
    return ByolRecipe(dim=4, hidden=5, momentum=momentum).build(Flat())


def test_distance_is_that_of_points_on_the_sphere():
    first = torch.nn.functional.normalize(
        torch.randn(6, 4, generator=torch.Generator().manual_seed(1)), dim=1
    )
    second = first.roll(1, 0)
    assert distance(first, second).item() == pytest.approx(
        ((first - second) ** 2).sum(1).mean().item(), abs=1e-6
    )
    assert distance(first, first).item() == pytest.approx(0, abs=1e-6)
    assert distance(first, -first).item() == pytest.approx(4, abs=1e-6)


def test_each_window_predicts_the_target_of_the_other():
    objective = byol().eval()
    first, second = clips(4, 1), clips(4, 2)
    loss = outcome(objective, [first, second], torch.zeros(4), torch.arange(4)).loss

    def units(vectors):
        return torch.nn.functional.normalize(vectors, dim=1)

    predict = lambda x: units(objective.predictor(objective.online(x)))  # noqa: E731
    target = lambda x: units(objective.target(x))  # noqa: E731
    both = distance(predict(first), target(second)) + distance(predict(second), target(first))
    assert loss.item() == pytest.approx(both.item() / 2, abs=1e-6)


def test_the_target_gets_no_gradient_and_moves_by_momentum_alone():
    objective = byol()
    outcome(objective, [clips(4, 1), clips(4, 2)], torch.zeros(4), torch.arange(4)).loss.backward()
    assert all(weight.grad is None for weight in objective.target.parameters())
    assert not objective.target.module.training
    old = objective.target.module.network.body.weight.clone()
    with torch.no_grad():
        objective.network.body.weight.add_(1.0)
    objective.after_step(0.0)
    assert torch.allclose(objective.target.module.network.body.weight, old + 0.1, atol=1e-6)


def test_its_statistics_follow_too():
    objective = byol()
    outcome(objective, [clips(8, 1), clips(8, 2)], torch.zeros(8), torch.arange(8))
    online, target = (m.head[1].running_mean for m in (objective.online, objective.target.module))
    before = target.clone()
    assert not torch.equal(online, before)
    objective.after_step(0.0)
    assert torch.allclose(objective.target.module.head[1].running_mean, 0.9 * before + 0.1 * online)


def test_a_prediction_is_not_held_to_find_the_window_it_was_made_from():
    clips = torch.nn.functional.one_hot(torch.arange(3)).float()
    windows = torch.cat([clips, clips]) + 0.1 * torch.randn(6, 3, generator=torch.Generator().manual_seed(1))
    assert both_found(windows, windows, 0).all()  # what the network sees is what it predicts
    assert both_found(windows[[1, 0, 2, 3, 4, 5]], windows, 0).tolist() == [False, False, True]
    assert both_found(windows[[1, 4]], windows, 1).tolist() == [True]  # the second of three processes
    assert both_found(windows[[1, 4]], windows, 2).tolist() == [False]


def test_momentum_rises_to_one_on_a_cosine():
    assert momentum_at(0, 0.997) == pytest.approx(0.997)
    assert momentum_at(0.5, 0.997) == pytest.approx(1 - 0.003 / 2)
    assert momentum_at(0.25, 0.9) == pytest.approx(1 - 0.1 * (math.cos(math.pi / 4) + 1) / 2)
    assert momentum_at(1, 0.997) == 1


def test_the_target_moves_less_as_training_goes_on():
    objective = byol()
    old = objective.target.module.network.body.weight.clone()
    with torch.no_grad():
        objective.network.body.weight.add_(1.0)
    objective.after_step(1.0)
    assert torch.equal(objective.target.module.network.body.weight, old)

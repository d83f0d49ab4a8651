"""SimCLR's loss against a plain loop, in one process and in two."""

import numpy as np
import pytest
import torch
from networks import Flat, clips, outcome

from kinefract.objectives.recipes.simclr import SimclrRecipe
from kinefract.objectives.simclr import nt_xent


def random_units(count, seed):
    vectors = torch.randn(count, 5, generator=torch.Generator().manual_seed(seed), requires_grad=True)
    return vectors / vectors.norm(dim=1, keepdim=True)


def plain(first, second, temperature):
    """Compute the loss one window at a time (Chen et al., equation 1)."""
    vectors = torch.cat([first, second]).detach().double().numpy()
    count, losses = len(first), []
    for i in range(2 * count):
        partner = (i + count) % (2 * count)
        similar = np.exp(vectors @ vectors[i] / temperature)
        losses.append(-np.log(similar[partner] / (similar.sum() - similar[i])))
    return np.mean(losses)


def test_loss_is_that_of_the_plain_formula():
    first, second = random_units(4, 1), random_units(4, 2)
    assert nt_xent(first, second, first, second, 0, 0.1).loss.item() == pytest.approx(
        plain(first, second, 0.1), abs=1e-5
    )


def test_clips_whose_windows_find_each_other_are_right():
    first = random_units(4, 1)
    assert nt_xent(first, first, first, first, 0, 0.1).correct.item() == 4
    crossed = first[[1, 0, 2, 3]]
    assert nt_xent(first, crossed, first, crossed, 0, 0.1).correct.item() == 2


def test_two_processes_equal_one_with_the_whole_batch_gradients_included():
    vectors = [torch.randn(4, 5, generator=torch.Generator().manual_seed(seed)) for seed in (1, 2)]

    def losses(parts):
        first, second = (v.clone().requires_grad_() for v in vectors)
        units = [v / v.norm(dim=1, keepdim=True) for v in (first, second)]
        found = [nt_xent(units[0][p], units[1][p], *units, p.start, 0.1).loss for p in parts]
        mean = sum(found) / len(found)
        mean.backward()
        return mean.item(), first.grad, second.grad

    one, two = losses([slice(0, 4)]), losses([slice(0, 2), slice(2, 4)])
    assert one[0] == pytest.approx(two[0], abs=1e-6)
    assert torch.allclose(one[1], two[1], atol=1e-6) and torch.allclose(one[2], two[2], atol=1e-6)


def test_windows_of_both_views_train_the_network():
    torch.manual_seed(1)
    objective = SimclrRecipe(dim=4).build(Flat())
    found = outcome(objective, [clips(4, 1), clips(4, 2)], torch.zeros(4), torch.arange(4))
    found.loss.backward()
    assert objective.network.body.weight.grad.abs().sum() > 0
    assert objective.network.last.weight.grad is None


def test_the_objective_has_the_temperature_of_its_recipe():
    torch.manual_seed(1)
    objective, views = SimclrRecipe(dim=4, temperature=0.5).build(Flat()), [clips(4, 1), clips(4, 2)]
    loss = outcome(objective.eval(), views, torch.zeros(4), torch.arange(4)).loss
    assert loss.item() == pytest.approx(plain(*objective(views), 0.5), abs=1e-5)

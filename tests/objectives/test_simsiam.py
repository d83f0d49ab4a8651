"""SimSiam: its loss against a plain formula, and a target without gradient."""

import pytest
import torch
from networks import Flat, clips, outcome
from torch.nn.functional import cosine_similarity

from kinefract.objectives.recipes.simsiam import SimsiamRecipe


def simsiam():
    torch.manual_seed(1)
    return SimsiamRecipe(dim=4, hidden=5).build(Flat())


def test_layers_are_the_papers():
    objective = SimsiamRecipe().build(Flat())
    linear = [layer for layer in objective.projector if isinstance(layer, torch.nn.Linear)]
    assert [layer.out_features for layer in linear] == [2048, 2048, 2048]
    assert isinstance(objective.projector[-1], torch.nn.BatchNorm1d)  # the output has a norm, but no ReLU
    assert [objective.predictor[i].out_features for i in (0, 3)] == [512, 2048]


def test_each_window_predicts_the_projection_of_the_other():
    objective = simsiam().eval()
    first, second = clips(4, 1), clips(4, 2)
    loss = outcome(objective, [first, second], torch.zeros(4), torch.arange(4)).loss
    z1, z2 = (objective.projector(objective.network.features(view)) for view in (first, second))
    p1, p2 = objective.predictor(z1), objective.predictor(z2)
    plain = -(cosine_similarity(p1, z2).mean() + cosine_similarity(p2, z1).mean()) / 2
    assert loss.item() == pytest.approx(plain.item(), abs=1e-6)


def test_the_target_gets_no_gradient():
    """With a predictor that is the identity, the gradient is that of the predicting side alone."""
    objective = simsiam().eval()
    objective.predictor = torch.nn.Identity()
    views = [clips(4, 1), clips(4, 2)]
    outcome(objective, views, torch.zeros(4), torch.arange(4)).loss.backward()
    found = objective.projector[0].weight.grad.clone()
    z1, z2 = (objective.projector(objective.network.features(view)) for view in views)
    plain = -(cosine_similarity(z1, z2.detach()).mean() + cosine_similarity(z2, z1.detach()).mean()) / 2
    (expected,) = torch.autograd.grad(plain, objective.projector[0].weight, retain_graph=True)
    assert torch.allclose(found, expected, atol=1e-6)
    both = -cosine_similarity(z1, z2).mean()
    (of_both,) = torch.autograd.grad(both, objective.projector[0].weight)
    assert not torch.allclose(found, of_both, atol=1e-4)

"""The linear probe trains the classifier alone, on features that stay what they were."""

import copy

import torch
from networks import outcome
from torch.nn.functional import cross_entropy

from kinefract import models
from kinefract.objectives.probe import LinearProbe


def network():
    torch.manual_seed(1)
    return models.build("tsm_resnet18", 8, 2, 3, 0.8)


def test_only_the_classifier_changes():
    probe = LinearProbe(network())
    before = copy.deepcopy(probe.state_dict())
    optimizer = torch.optim.SGD([weight for weight in probe.parameters() if weight.requires_grad], lr=0.1)
    probe.train()
    for step in range(3):
        views = torch.rand(4, 2, 3, 32, 32, generator=torch.Generator().manual_seed(step))
        found = outcome(probe, [views], torch.tensor([0, 1, 2, 0]), torch.arange(4))
        optimizer.zero_grad()
        found.loss.backward()
        optimizer.step()
    after = probe.state_dict()
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert changed == {"network.new_fc.weight", "network.new_fc.bias"}


def test_the_loss_is_that_of_the_network_in_evaluation_mode():
    model = network()
    views, labels = torch.rand(4, 2, 3, 32, 32), torch.tensor([0, 1, 2, 0])
    probe = LinearProbe(model).train()
    found = outcome(probe, [views], labels, torch.arange(4))
    logits = model.eval()(views)
    assert torch.allclose(found.loss, cross_entropy(logits, labels), atol=1e-6)
    assert found.correct == (logits.argmax(1) == labels).sum()

"""The supervised objective against its plain formula."""

import numpy as np
import torch
from networks import Flat, clips, outcome

from kinefract.objectives.supervised import Supervised


def test_loss_is_the_mean_negative_log_of_the_softmax_at_the_label():
    torch.manual_seed(1)
    network, views, labels = Flat(), clips(5, 1), torch.tensor([0, 2, 1, 1, 2])
    found = outcome(Supervised(network), [views], labels, torch.arange(5))
    logits = network(views).detach().double().numpy()
    softmax = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    assert np.isclose(found.loss.item(), -np.log(softmax[np.arange(5), labels.numpy()]).mean(), atol=1e-6)
    assert found.correct.item() == (logits.argmax(1) == labels.numpy()).sum()

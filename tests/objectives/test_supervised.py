"""The supervised objective against its plain formula."""

import numpy as np
import torch

from kinefract.objectives.supervised import supervised


def test_loss_is_the_mean_negative_log_of_the_softmax_at_the_label():
    logits = torch.randn(5, 4, generator=torch.Generator().manual_seed(1), requires_grad=True)
    labels = torch.tensor([0, 3, 1, 1, 2])
    outcome = supervised(logits, labels)
    values = logits.detach().double().numpy()
    softmax = np.exp(values) / np.exp(values).sum(1, keepdims=True)
    assert np.isclose(outcome.loss.item(), -np.log(softmax[np.arange(5), labels.numpy()]).mean(), atol=1e-6)
    assert outcome.correct.item() == (values.argmax(1) == labels.numpy()).sum()
    outcome.loss.backward()
    expected = (softmax - np.eye(4)[labels.numpy()]) / 5
    assert np.allclose(logits.grad.numpy(), expected, atol=1e-6)

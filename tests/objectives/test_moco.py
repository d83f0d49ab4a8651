"""MoCo: its loss, its queue, its masked negatives, and its key network, which moves by momentum alone."""

import numpy as np
import pytest
import torch
from networks import Flat, clips, outcome

from kinefract.objectives.moco import contrast
from kinefract.objectives.recipes.moco import MocoRecipe

RECIPE = MocoRecipe(dim=4, queue=8, momentum=0.9, temperature=0.2)


def moco():
    torch.manual_seed(1)
    return RECIPE.build(Flat())


def random_units(count, size, seed):
    vectors = torch.randn(count, size, generator=torch.Generator().manual_seed(seed))
    return vectors / vectors.norm(dim=1, keepdim=True)


def test_loss_is_that_of_the_plain_formula_and_keys_of_the_same_clip_are_left_out():
    queries, keys, queue = random_units(3, 4, 1), random_units(3, 4, 2), random_units(5, 4, 3)
    numbers, queued = torch.tensor([7, 8, 9]), torch.tensor([7, -1, 9, 3, 7])
    losses, right = [], 0
    for i in range(3):
        positive = float(queries[i].double() @ keys[i].double())
        negatives = [
            float(queries[i].double() @ queue[j].double()) for j in range(5) if queued[j] != numbers[i]
        ]
        exponentials = np.exp(np.array([positive, *negatives]) / 0.2)
        losses.append(-np.log(exponentials[0] / exponentials.sum()))
        right += positive > max(negatives)
    found = contrast(queries, keys, numbers, queue, queued, 0.2)
    assert found.loss.item() == pytest.approx(np.mean(losses), abs=1e-5)
    assert found.correct.item() == right


def test_the_queue_holds_the_latest_keys_in_the_place_of_the_oldest():
    objective = moco()
    before = objective.queue.clone()
    with torch.no_grad():
        keys = [torch.nn.functional.normalize(objective.key(clips(3, seed)), dim=1) for seed in (11, 12, 13)]
    for step, seed in enumerate((11, 12, 13)):
        numbers = torch.arange(3) + 10 * step
        outcome(objective, [clips(3, 1), clips(3, seed)], torch.zeros(3), numbers)
        if step == 1:
            assert torch.allclose(objective.queue[:6], torch.cat(keys[:2]))
            assert torch.equal(objective.queue[6:], before[6:])
    assert torch.allclose(objective.queue[[6, 7, 0]], keys[2])
    assert objective.queued.tolist() == [22, 1, 2, 10, 11, 12, 20, 21]
    assert int(objective.place) == 1


def test_keys_get_no_gradient_and_the_key_network_moves_by_momentum_alone():
    objective = moco()
    found = outcome(objective, [clips(3, 1), clips(3, 2)], torch.zeros(3), torch.arange(3))
    found.loss.backward()
    assert all(weight.grad is None for weight in objective.key.parameters())
    assert objective.network.body.weight.grad.abs().sum() > 0
    assert objective.network.last.weight.grad is None
    old = objective.key.module.network.body.weight.clone()
    with torch.no_grad():
        objective.network.body.weight.add_(1.0)
    assert torch.equal(objective.key.module.network.body.weight, old)
    objective.after_step(0.5)
    assert torch.allclose(objective.key.module.network.body.weight, old + 0.1, atol=1e-6)


def test_two_processes_equal_one_with_the_whole_batch():
    whole = moco()
    queries, keys, numbers = clips(4, 1), clips(4, 2), torch.arange(4)
    loss, correct = outcome(whole, [queries, keys], torch.zeros(4), numbers)
    with torch.no_grad():
        everything = torch.nn.functional.normalize(whole.key(keys), dim=1)
    losses, told, queues = [], 0, []
    for rank in range(2):
        part, objective = slice(2 * rank, 2 * rank + 2), moco()
        others = {2: everything, 1: numbers}
        outputs = objective([queries[part], keys[part]])
        found = objective.outcome(outputs, torch.zeros(2), numbers[part], lambda t, o=others: o[t.ndim])
        losses.append(found.loss.item())
        told += found.correct.item()
        queues.append(objective.queue)
    assert np.mean(losses) == pytest.approx(loss.item(), abs=1e-6) and told == correct.item()
    assert torch.equal(queues[0], queues[1]) and torch.allclose(queues[0], whole.queue)


def test_queries_are_told_from_the_keys_of_earlier_steps_at_the_recipes_temperature():
    objective, views, numbers = moco(), [clips(3, 1), clips(3, 2)], torch.arange(3)
    before = objective.queue.clone(), objective.queued.clone()
    expected = contrast(*objective(views), numbers, *before, 0.2).loss
    assert outcome(objective, views, torch.zeros(3), numbers).loss.item() == pytest.approx(expected.item())

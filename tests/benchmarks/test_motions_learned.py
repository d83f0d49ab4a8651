"""One network, three views of the made clips: it learns from frames in order, and not from what has no order.

The network sees the same number of frames, steps and clips each time, so that the view in order shows what it
could have found in the others.
"""

import numpy as np
import pytest
import torch
from torch import nn

from kinefract.benchmarks.kinds import motions
from kinefract.benchmarks.kinds.motions import CLASSES, MotionsRecipe

# Eight frames at twice the speed are what a stride of 2 sees of the default clips.
RECIPE = MotionsRecipe(size=32, frames=8, speed=(0.04, 0.1), period=(6, 10))
TRAIN, TEST = 80, 50  # clips of each class
BATCH, STEPS = 96, 160


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    """So small a network gains nothing from threads, and loses much where others use the cores."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def clips():
    """Grey clips (12 * n, T, S, S) and labels of both splits."""

    def make(split, count):
        places = [(label, index) for label in range(len(CLASSES)) for index in range(count)]
        frames = [motions.clip(RECIPE, label, split, index).mean(-1) for label, index in places]
        return torch.tensor(np.array(frames, np.float32) / 127.5 - 1), torch.tensor([p[0] for p in places])

    return make("train", TRAIN), make("test", TEST)


def view(frames, how, rng):
    """Return frames in order, in random order, or one frame of each clip eight times."""
    count, time = frames.shape[:2]
    order = {
        "ordered": lambda: np.tile(np.arange(time), (count, 1)),
        "shuffled": lambda: np.argsort(rng.random((count, time)), axis=1),
        "single": lambda: np.tile(rng.integers(time, size=(count, 1)), (1, time)),
    }[how]()
    return frames[torch.arange(count)[:, None], torch.from_numpy(order)]


def scores(clips, how):
    """Train on one view; return the scores of the test clips (12 * TEST, 12) and their labels."""
    (frames, labels), (test_frames, test_labels) = clips
    rng = np.random.default_rng(0)

    def block(inputs, outputs, kernel=3):
        return nn.Conv2d(inputs, outputs, kernel, 2, kernel // 2), nn.BatchNorm2d(outputs), nn.ReLU()

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = nn.Sequential(
            *block(RECIPE.frames, 32, 5), *block(32, 64), *block(64, 96),
            nn.AdaptiveMaxPool2d(1), nn.Flatten(), nn.Linear(96, len(CLASSES)),
        )  # fmt: skip
    optimizer = torch.optim.AdamW(network.parameters(), weight_decay=0.05)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 3e-3, STEPS)
    for _ in range(STEPS):
        chosen = torch.from_numpy(rng.integers(len(frames), size=BATCH))
        # Frames wrap round, so that a shift makes another clip of the class.
        batch = torch.roll(view(frames[chosen], how, rng), tuple(rng.integers(RECIPE.size, size=2)), (2, 3))
        loss = nn.functional.cross_entropy(network(batch), labels[chosen])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    network.eval()
    with torch.no_grad():
        return network(view(test_frames, how, rng)), test_labels


def top1(scored, labels):
    """Return how often the class is found among the twelve."""
    return (scored.argmax(1) == labels).float().mean().item()


def direction(scored, labels):
    """Return how often forward and backward are told apart where the axis is given, on clips of either."""
    scored, labels = scored[labels % 3 < 2], labels[labels % 3 < 2]
    forward = labels // 3 * 3
    rows = torch.arange(len(labels))
    backward_wins = scored[rows, forward + 1] > scored[rows, forward]
    return (backward_wins == (labels % 3 == 1)).float().mean().item()


def test_frames_in_order_tell_the_class(clips):
    result = scores(clips, "ordered")
    assert top1(*result) > 0.35  # four times chance; 0.47 to 0.55 seen
    assert direction(*result) > 0.68  # 0.75 to 0.79 seen


def test_one_frame_does_not_tell_the_class(clips):
    # By guessing, hits of 600 clips are binomial: 1/12 with deviation 0.0113. Four of them: 3e-5.
    assert top1(*scores(clips, "single")) < 1 / 12 + 4 * 0.0113


def test_frames_without_order_do_not_tell_forward_from_backward(clips):
    # By guessing, hits of 400 clips are binomial: 1/2 with deviation 0.025. Four of them: 3e-5.
    assert direction(*scores(clips, "shuffled")) < 1 / 2 + 4 * 0.025

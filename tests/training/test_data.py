"""Windows, order and loading: decided by seed, epoch and index alone."""

import numpy as np
import pytest
import torch

from kinefract.common.errors import UserError
from kinefract.config.phases import FinetuneRecipe
from kinefract.training.data import (
    EpochBatches,
    EvaluationWindows,
    TrainingClips,
    evaluation_loader,
    training_loader,
)
from kinefract.training.division import Division
from kinefract.training.workers import loaded


class Numbered:
    """Videos whose pixels tell video and frame: 20 x video + frame."""

    def __init__(self, lengths):
        self.frames = np.array(lengths)
        self.fresh = False
        self.labels = np.arange(len(lengths)) % 3

    def read(self, index, frames):
        levels = (20 * index + np.asarray(frames)).astype(np.uint8)
        return np.broadcast_to(levels[:, None, None], (len(levels), 40, 40)).copy()


RECIPE = FinetuneRecipe(
    size=32, resize=32, stride=2, frames=4, epochs=3, warmup_epochs=1, batch_size=4, windows=3
)


def test_an_epoch_shows_every_clip_once_and_epochs_differ():
    batches = list(EpochBatches(12, 4, seed=1, first_step=0, epochs=2))
    assert len(batches) == 6
    orders = [[index for batch in batches[start : start + 3] for _, index in batch] for start in (0, 3)]
    assert sorted(orders[0]) == sorted(orders[1]) == list(range(12))
    assert orders[0] != orders[1]
    assert {epoch for batch in batches[3:] for epoch, _ in batch} == {1}


def test_resuming_gives_the_batches_that_were_left():
    whole = list(EpochBatches(13, 4, seed=1, first_step=0, epochs=4))
    for step in (0, 1, 6, 7, 11):
        assert list(EpochBatches(13, 4, seed=1, first_step=step, epochs=4)) == whole[step:]


def test_processes_share_every_batch():
    whole = list(EpochBatches(13, 4, seed=1, first_step=0, epochs=2))
    parts = [list(EpochBatches(13, 4, 1, 0, 2, Division(4, 1, 2, rank))) for rank in range(2)]
    assert [first + second for first, second in zip(*parts, strict=True)] == whole


def test_a_batch_larger_than_the_clips_is_refused():
    with pytest.raises(UserError, match="batch_size: 16 is more than 3 clips"):
        EpochBatches(3, 16, seed=1, first_step=0, epochs=1)


def test_a_sample_is_a_function_of_seed_epoch_and_index():
    source = Numbered([20] * 6)
    clips = TrainingClips(source, RECIPE, seed=1)
    first, label, index = clips[(0, 4)]
    assert (label, index) == (1, 4) and first.shape == (1, 4, 1, 32, 32)
    assert torch.equal(TrainingClips(source, RECIPE, seed=1)[(0, 4)][0], first)
    starts = {int(clips[(epoch, 4)][0][0, 0, 0, 0, 0]) - 80 for epoch in range(60)}
    assert starts == set(range(14))  # every start that leaves room for 4 frames at stride 2, and no other


def test_two_views_of_a_clip_begin_independently_and_the_first_is_that_of_one_view():
    source = Numbered([20] * 6)
    one, two = TrainingClips(source, RECIPE, seed=1), TrainingClips(source, RECIPE, seed=1, views=2)
    starts = set()
    for epoch in range(60):
        views = two[(epoch, 4)][0]
        assert torch.equal(views[:1], one[(epoch, 4)][0])
        starts.add(tuple((views[:, 0, 0, 0, 0] - 80).tolist()))
    assert len({first - second for first, second in starts}) > 12


def test_workers_change_nothing():
    source = Numbered([20, 5, 9, 30, 12, 7, 8, 25])
    found = []
    for workers in (0, 2):
        batches = EpochBatches(8, 4, seed=3, first_step=0, epochs=2)
        with loaded(training_loader(TrainingClips(source, RECIPE, 3), batches, workers)) as arriving:
            found.append(list(arriving))
    assert len(found[0]) == 4
    for batch, other in zip(*found, strict=True):
        assert all(torch.equal(one, two) for one, two in zip(batch, other, strict=True))


def test_evaluation_covers_each_video_in_order():
    source = Numbered([20, 3])
    windows = list(evaluation_loader(EvaluationWindows(source, RECIPE), 0))
    assert windows[0].shape == (3, 4, 1, 32, 32)
    assert windows[0][:, :, 0, 0, 0].tolist() == [[0, 2, 4, 6], [6, 8, 10, 12], [13, 15, 17, 19]]
    assert windows[1][:, :, 0, 0, 0].tolist() == [[20, 22, 22, 22]]


def test_the_whole_frame_is_seen_where_evaluation_wants_it():
    class Wide(Numbered):
        def read(self, index, frames):
            picture = np.zeros((len(frames), 40, 80), np.uint8)
            picture[:, :, :8] = 200  # at the edge, which a centre crop leaves out
            return picture

    centre = EvaluationWindows(Wide([8]), RECIPE)[0]
    whole = EvaluationWindows(Wide([8]), RECIPE.model_copy(update={"evaluation": "whole_frame"}))[0]
    assert centre.shape == whole.shape
    assert centre.max() == 0
    assert (whole[..., :2] > 150).all()


def test_seeds_have_orders_and_windows_of_their_own():
    orders = [list(EpochBatches(64, 4, seed, first_step=0, epochs=1)) for seed in (1, 2)]
    assert orders[0] != orders[1]
    first, second = (TrainingClips(Numbered([60] * 3), RECIPE, seed) for seed in (1, 2))
    keys = [(epoch, 0) for epoch in range(20)]
    assert not torch.equal(*(torch.stack([clips[key][0] for key in keys]) for clips in (first, second)))


def test_a_measurement_sees_the_middle_window():
    windows = EvaluationWindows(Numbered([20, 3]), RECIPE, middle=True)
    assert windows[0][:, :, 0, 0, 0].tolist() == [[6, 8, 10, 12]]
    assert windows[1][:, :, 0, 0, 0].tolist() == [[20, 22, 22, 22]]


class Pictured(Numbered):
    def read(self, index, frames):
        picture = np.random.default_rng(0).integers(0, 256, (40, 40), np.uint8)
        return np.broadcast_to(picture, (len(frames), 40, 40)).copy()


def test_crops_are_of_the_area_and_the_resizing_that_are_set():
    source = Pictured([8])
    whole = RECIPE.model_copy(update={"size": 40, "crop_area": (1.0, 1.0), "crop_aspect": (1.0, 1.0)})
    frame = TrainingClips(source, whole, 1)[(0, 0)][0][0, 0, 0]
    assert torch.equal(frame, torch.from_numpy(source.read(0, [0])[0]))
    by_area = RECIPE.model_copy(update={"resizing": "area"})
    trained = [TrainingClips(source, recipe, 1)[(0, 0)][0] for recipe in (RECIPE, by_area)]
    evaluated = [EvaluationWindows(source, recipe)[0] for recipe in (RECIPE, by_area)]
    assert not torch.equal(*trained) and not torch.equal(*evaluated)

"""Clips for other people's training loops: complete, disjoint among ranks and workers, and repeatable."""

import doctest
import os
import subprocess
import sys

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

from kinefract import synth
from kinefract.common.errors import UserError
from kinefract.common.layout import MANIFEST
from kinefract.synth import torch_data
from kinefract.synth.store.shards import shard_files
from kinefract.synth.torch_data import RenderedClips, ShardClips

RECIPE = synth.recipe(
    family="fractal",
    classes=4,
    clips_per_class=3,
    size=32,
    frames=(6, 9),
    points={"steps": 200, "discard": 20, "window_steps": 200},
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("dataset")
    synth.write_shard(RECIPE, 0, folder)
    (folder / MANIFEST).write_bytes(shard_files(folder, 0)[1].read_bytes())
    return folder


class Marked(type(RECIPE)):
    """A recipe whose clips tell their number, without the time to render them."""

    def draw(self, index):
        frames = np.zeros((8, 32, 32), np.uint8)
        frames[:, 0, 0], frames[:, 0, 1] = index % 256, index // 256
        frames[:, 0, 2] = np.arange(8)
        return frames, 0


MARKED = Marked(**RECIPE.model_dump())


def numbers(clips):
    return [int(clip[0, 0, 0, 0]) + 256 * int(clip[0, 0, 0, 1]) for clip in clips]


def shown(loader):
    """Return the numbers of the clips of an epoch, after a check of their labels."""
    found = []
    for clips, labels in loader:
        found += numbers(clips)
        assert labels.tolist() == [number % 4 for number in numbers(clips)]
    return found


@pytest.fixture(params=[ShardClips, RenderedClips])
def clips(request, folder):
    """A function that opens either data set."""
    if request.param is ShardClips:
        return lambda **settings: ShardClips(folder, **settings)
    return lambda **settings: RenderedClips(RECIPE, **{"epochs": 1} | settings)


def first(dataset):
    return dataset[0] if isinstance(dataset, ShardClips) else next(iter(dataset))


@pytest.mark.parametrize(
    ("settings", "shape"),
    [
        ({"frames": 4}, (4, 1, 32, 32)),
        ({"frames": 4, "stride": 2, "size": 20}, (4, 1, 20, 20)),
        ({"frames": 4, "size": 48}, (4, 1, 48, 48)),
        ({"frames": 4, "size": 20, "fit": "crop"}, (4, 1, 20, 20)),
        ({"frames": 30}, (30, 1, 32, 32)),
    ],
)
def test_clips_have_the_shape_asked_for(clips, settings, shape):
    clip, label = first(clips(**settings))
    assert clip.shape == shape and clip.dtype == torch.uint8 and isinstance(label, int)
    assert clip.float().std() > 0


def test_whole_clips_are_whole(folder):
    whole = ShardClips(folder)
    for index in range(12):
        clip, label = whole[index]
        assert len(clip) == whole.shards.frames[index] and label == index % 4
        np.testing.assert_array_equal(clip[:, 0], whole.shards.read(index))


def test_both_work_in_a_loader_with_workers(clips):
    loader = DataLoader(clips(frames=5, stride=2, size=24), batch_size=4, num_workers=2)
    batches = list(loader)
    assert sum(len(labels) for _, labels in batches) == 12
    assert all(batch.shape[1:] == (5, 1, 24, 24) and batch.dtype == torch.uint8 for batch, _ in batches)
    assert sorted(torch.cat([labels for _, labels in batches]).tolist()) == sorted([0, 1, 2, 3] * 3)


def test_workers_that_are_started_anew_give_the_same(clips):
    def epoch(context):
        loader = DataLoader(clips(frames=2), 6, num_workers=1, multiprocessing_context=context)
        return torch.cat([batch for batch, _ in loader])

    assert torch.equal(epoch("spawn"), epoch("fork"))


def test_shard_clips_depend_on_seed_epoch_and_index_alone(folder):
    def epoch(number, workers=0, **settings):
        dataset = ShardClips(folder, frames=3, size=16, fit="crop", **settings)
        dataset.set_epoch(number)
        return torch.cat([clip for clip, _ in DataLoader(dataset, 4, num_workers=workers)])

    assert torch.equal(epoch(0), epoch(0))
    assert torch.equal(epoch(1), epoch(1, workers=2))
    assert not torch.equal(epoch(0), epoch(1))
    assert not torch.equal(epoch(0), epoch(0, seed=1))


def test_workers_that_outlive_an_epoch_see_the_next(folder):
    dataset = ShardClips(folder, frames=3)
    loader = DataLoader(dataset, 12, num_workers=1, persistent_workers=True)
    found = []
    for epoch in (0, 1, 0):
        dataset.set_epoch(epoch)
        found.append(next(iter(loader))[0])
    assert torch.equal(found[0], found[2]) and not torch.equal(found[0], found[1])


def test_a_window_is_consecutive_frames_anywhere_in_the_clip():
    dataset = RenderedClips(MARKED, frames=3, stride=2, epochs=4)
    windows = {tuple(clip[:, 0, 0, 2].tolist()) for clip, _ in dataset}
    assert windows == {(start, start + 2, start + 4) for start in range(4)}


@pytest.mark.filterwarnings("ignore:This DataLoader will create")
@pytest.mark.parametrize("workers", [0, 1, 2, 5])
def test_workers_share_every_clip_out_once_per_epoch(workers):
    dataset = RenderedClips(MARKED, epochs=2)
    found = shown(DataLoader(dataset, 3, num_workers=workers))
    assert sorted(found) == list(range(24))
    if workers == 0:
        assert sorted(found[:12]) == list(range(12))
        assert found[:12] != [number - 12 for number in found[12:]]


@pytest.mark.parametrize(("ranks", "workers"), [(2, 0), (3, 2), (5, 1)])
def test_ranks_share_every_clip_out_whatever_their_workers(ranks, workers):
    alone = [
        set(shown(DataLoader(RenderedClips(MARKED, epochs=3, rank=rank, world_size=ranks), 4)))
        for rank in range(ranks)
    ]
    assert sorted(number for numbers in alone for number in numbers) == list(range(36))
    assert max(map(len, alone)) - min(map(len, alone)) <= 1
    dataset = RenderedClips(MARKED, epochs=3, rank=1, world_size=ranks)
    assert set(shown(DataLoader(dataset, 4, num_workers=workers))) == alone[1]


def test_an_epoch_alone_is_that_of_a_longer_run_and_has_clips_of_its_own():
    dataset = RenderedClips(MARKED, epochs=1)
    by_epoch = []
    for epoch in range(3):
        dataset.set_epoch(epoch)
        by_epoch += shown(DataLoader(dataset, 4))
    assert by_epoch == shown(DataLoader(RenderedClips(MARKED, epochs=3), 4))
    assert sorted(by_epoch) == list(range(36))


def test_without_a_number_of_epochs_it_does_not_end():
    endless = iter(RenderedClips(MARKED, frames=1))
    found = [numbers([clip])[0] for clip, _ in (next(endless) for _ in range(100))]
    assert len(set(found)) == 100


def test_what_is_rendered_is_the_recipe_s_clip():
    clips = RenderedClips(RECIPE, epochs=2)
    for index, (clip, label) in zip(clips.indices(), clips, strict=True):
        assert label == RECIPE.label(index)
        np.testing.assert_array_equal(clip[:, 0], RECIPE.clip(index))


def test_rank_is_that_of_torch_distributed(tmp_path, monkeypatch):
    torch.distributed.init_process_group("gloo", f"file://{tmp_path}/store", rank=0, world_size=1)
    try:
        dataset = RenderedClips(MARKED)
        assert (dataset.rank, dataset.world_size) == (0, 1)
        with monkeypatch.context() as patched:
            patched.setattr(torch.distributed, "get_rank", lambda: 2)
            patched.setattr(torch.distributed, "get_world_size", lambda: 3)
            dataset = RenderedClips(MARKED)
            assert (dataset.rank, dataset.world_size) == (2, 3)
            dataset = RenderedClips(MARKED, rank=0, world_size=2)
            assert (dataset.rank, dataset.world_size) == (0, 2)
    finally:
        torch.distributed.destroy_process_group()


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"frames": 0}, "frames: wants at least 1, got 0"),
        ({"stride": 0}, "stride: wants"),
        ({"size": -4}, "size: wants"),
        ({"fit": "pad"}, "fit: wants 'resize' or 'crop', got 'pad'"),
        ({"seed": -1}, "seed: wants"),
        ({"epochs": 0}, "epochs: wants"),
        ({"size": 33, "fit": "crop"}, "a crop of 33 pixels does not fit"),
        ({"rank": 1}, "rank, world_size: want both"),
        ({"rank": 2, "world_size": 2}, "0 <= rank < world_size"),
    ],
)
def test_arguments_out_of_range_are_refused(folder, settings, said):
    with pytest.raises(UserError, match=said):
        RenderedClips(RECIPE, **settings)
    if settings.keys() <= {"frames", "stride", "size", "fit", "seed"}:
        with pytest.raises(UserError, match=said):
            ShardClips(folder, **settings)[0]


def test_clips_and_epochs_that_are_not_there(folder, tmp_path):
    dataset = ShardClips(folder)
    for index in (-1, 12):
        with pytest.raises(IndexError, match="clips 0 to 11"):
            dataset[index]
    with pytest.raises(UserError, match="epoch: counted from 0"):
        dataset.set_epoch(-1)
    with pytest.raises(UserError, match=r"manifest\.csv: no such file"):
        ShardClips(tmp_path)


def test_recipes_are_read_as_in_params_yaml():
    mapping = {"family": "fractal", "classes": 4, "clips_per_class": 3}
    assert synth.recipe(mapping, size=64) == synth.recipe(**mapping, size=64)
    assert synth.recipe(mapping, classes=5).clips == 15


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({}, "recipe: 1 problem\n  family: 'None' is not one of: .*fractal"),
        ({"family": "fractl"}, r"did you mean 'fractal'"),
        (
            {"family": "fractal", "classes": 0, "sise": 9},
            "recipe: 3 problems\n  classes: .*got 0\n  clips_per_class: missing\n  "
            "sise: unknown key .did you mean 'size'.., got 9",
        ),
        (["fractal"], "not a mapping of settings"),
    ],
)
def test_recipes_with_problems_name_each(settings, said):
    with pytest.raises(UserError, match=said):
        synth.recipe(settings)


def test_the_package_loads_neither_torch_nor_numba_until_they_are_needed():
    code = (
        "import sys; from kinefract import synth; "
        "synth.recipe(family='fractal', classes=1, clips_per_class=1); "
        "assert not {'torch', 'numba', 'av'} & sys.modules.keys(); "
        "assert {'ShardClips', 'recipe'} <= set(dir(synth)); "
        "synth.ShardClips; assert 'torch' in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, env=dict(os.environ))
    with pytest.raises(AttributeError, match="no attribute 'nosuch'"):
        synth.nosuch  # noqa: B018


@pytest.mark.parametrize("module", [synth, torch_data])
def test_examples_in_docstrings(module, folder):
    result = doctest.testmod(module, extraglobs={"folder": folder, "recipe": RECIPE})
    assert result.attempted and not result.failed

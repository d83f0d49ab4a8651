"""Three ways to get clips of pre-training, of which two give the same."""

import pickle
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from kinefract.common.layout import CACHED_FRAMES, CACHES
from kinefract.config.phases import PretrainRecipe
from kinefract.config.specs import DatasetSpec, PretrainSpec
from kinefract.synth import recipe
from kinefract.synth.dataset_recipe import Points
from kinefract.synth.families import FAMILIES
from kinefract.synth.families.fractal import FractalRecipe
from kinefract.synth.render.gpu_clips import draw_clips
from kinefract.synth.store.dataset import join, write_shard
from kinefract.synth.store.shards import Shards
from kinefract.training import caching, devices, feed
from kinefract.training.data import EpochBatches, TrainingClips, training_loader
from kinefract.training.workers import loaded

DATASET = FractalRecipe(
    classes=3,
    clips_per_class=2,
    size=32,
    frames=(5, 7),
    points=Points(steps=200, discard=20, window_steps=200),
)


def spec_of(source, **settings):
    recipe = PretrainRecipe(size=32, frames=3, stride=2, source=source, batch_size=2, **settings)
    return PretrainSpec(recipe=recipe, dataset=DatasetSpec(recipe=DATASET))


@pytest.mark.parametrize("family", sorted(FAMILIES))
def test_the_size_of_a_cache_is_known_before_clips_are_made(family):
    example = next(iter(FAMILIES[family].EXAMPLES.values()))
    made = recipe(family=family, classes=2, clips_per_class=2, size=48, **example)
    assert caching.cache_bytes(made) == pytest.approx(sum(made.clip(i).nbytes for i in range(4)), rel=0.06)


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    root = tmp_path_factory.mktemp("root")
    folder = root / DatasetSpec(recipe=DATASET).folder
    write_shard(DATASET, 0, folder)
    join(DATASET, folder)
    return root


def test_the_cache_gives_the_clips_of_the_shards(root):
    shards = feed.open_source(spec_of("shards"), root)
    cached = pickle.loads(pickle.dumps(feed.open_source(spec_of("cache"), root)))
    assert isinstance(shards, Shards) and isinstance(cached, feed.CachedClips)
    np.testing.assert_array_equal(cached.labels, shards.labels)
    for index in (5, 0, 2):
        np.testing.assert_array_equal(cached.read(index, [3, 0, 3]), shards.read(index, [3, 0, 3]))
    recipe = spec_of("cache").recipe
    for key in ((0, 1), (3, 4)):
        first, second = (TrainingClips(source, recipe, 1, 2)[key] for source in (shards, cached))
        assert (first[0] == second[0]).all() and first[1:] == second[1:]


@pytest.mark.parametrize("source", ["shards", "cache", "online"])
def test_shuffled_labels_are_dealt_out_anew_by_the_seed_and_change_no_clip(root, source):
    own, *shuffled = (
        feed.open_source(spec_of(source, **settings), root)
        for settings in ({}, {"shuffled_labels": True}, {"shuffled_labels": True, "seed": 2})
    )
    assert own.labels.tolist() == [0, 1, 2, 0, 1, 2]
    dealt = [one.labels.tolist() for one in shuffled]
    assert all(sorted(labels) == [0, 0, 1, 1, 2, 2] for labels in dealt)
    assert dealt[0] != dealt[1] and own.labels.tolist() not in dealt
    again = feed.open_source(spec_of(source, shuffled_labels=True), root)
    assert again.labels.tolist() == dealt[0]
    np.testing.assert_array_equal(again.read(4, [0, 1]), own.read(4, [0, 1]))


def test_labels_are_not_shuffled_where_none_are_used():
    with pytest.raises(ValueError, match="shuffled_labels: decides nothing for simclr, which uses no labels"):
        spec_of("cache", shuffled_labels=True, objective="simclr")


def test_a_cache_is_made_once_and_one_cut_short_is_made_again(root, monkeypatch):
    path = root / CACHES / DatasetSpec(recipe=DATASET).id / CACHED_FRAMES
    feed.open_source(spec_of("cache"), root)
    written, before = path.stat().st_mtime_ns, path.read_bytes()
    feed.open_source(spec_of("cache"), root)
    assert path.stat().st_mtime_ns == written
    path.write_bytes(before[:-1])
    feed.open_source(spec_of("cache"), root)
    assert path.read_bytes() == before


def test_auto_caches_what_fits_and_says_so(root, monkeypatch, capsys):
    assert isinstance(feed.open_source(spec_of("auto"), root), feed.CachedClips)
    assert "come from a cache" in capsys.readouterr().err
    once = spec_of("auto", epochs=1, warmup_epochs=0)
    assert isinstance(feed.open_source(once, root), Shards)
    monkeypatch.setattr(caching, "memory_bytes", lambda: 1000)
    assert isinstance(feed.open_source(spec_of("auto"), root), Shards)
    assert "decoded from shards" in capsys.readouterr().err


def test_online_clips_are_those_of_the_recipe_and_new_in_every_epoch(tmp_path):
    online = feed.open_source(spec_of("online"), tmp_path)
    np.testing.assert_array_equal(online.read(4, [0, 4]), DATASET.clip(4)[[0, 4]])
    clips = TrainingClips(online, spec_of("online").recipe, 1)
    first, label, index = clips[(1, 2)]
    assert (label, index) == (2, 2)
    assert DATASET.label(2 + 6) == label
    assert not (clips[(0, 2)][0] == first).all()


def test_what_lies_on_a_device_gives_the_same_clips(root):
    recipe = spec_of("cache").recipe
    cached = feed.open_source(spec_of("cache"), root)
    resident = feed.ResidentClips(cached, torch.device("cpu"))
    for source in (cached, resident):
        assert TrainingClips(source, recipe, 1).on_device == (source is resident)
    batches = []
    for source in (cached, resident):
        loader = training_loader(TrainingClips(source, recipe, 1, 2), EpochBatches(6, 2, 1, 0, 2), 1)
        with loaded(loader) as arriving:
            batches.append(list(arriving))
    for first, second in zip(*batches, strict=True):
        assert all(torch.equal(one, two) for one, two in zip(first, second, strict=True))


def test_clips_rendered_on_a_device_come_a_batch_at_a_time(monkeypatch):
    asked = []

    def draw(recipe, numbers, device):
        asked.append(list(numbers))
        return draw_clips(recipe, numbers, device)

    monkeypatch.setattr(feed, "draw_clips", draw)
    source = feed.DeviceRenderedClips(DATASET, torch.device("cpu"))
    clips = TrainingClips(source, spec_of("online").recipe, 1)
    with loaded(training_loader(clips, EpochBatches(6, 6, 1, 1, 2), 2)) as arriving:
        ((windows, labels, indices),) = arriving
    assert asked == [[6 + index for index in indices.tolist()]]
    assert windows.shape == (6, 1, 3, 1, 32, 32) and labels.tolist() == [i % 3 for i in indices.tolist()]
    assert windows.float().std() > 10


def test_each_process_has_its_clips_on_its_own_gpu(root, monkeypatch, tmp_path):
    asked = []
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda gpu: SimpleNamespace(uuid=f"feed-{gpu}"))
    monkeypatch.setattr(
        torch.cuda, "mem_get_info", lambda device=None: (asked.append(device), (10**9, 10**9))[1]
    )
    monkeypatch.setattr(feed, "ResidentClips", lambda cached, device: device)
    monkeypatch.setattr(feed, "DeviceRenderedClips", lambda recipe, device: device)
    monkeypatch.setattr(devices.tempfile, "tempdir", str(tmp_path))
    monkeypatch.setenv("LOCAL_RANK", "1")
    devices._taken.cache_clear()
    own = torch.device("cuda", 1)
    try:
        assert feed.open_source(spec_of("cache"), root) == own
        assert feed.open_source(spec_of("online"), root) == own
        assert asked == [own]
        assert isinstance(feed.open_source(spec_of("cache"), root, "cpu"), feed.CachedClips)
    finally:
        devices._taken.cache_clear()

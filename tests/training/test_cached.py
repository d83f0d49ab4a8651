"""The cache of decoded frames: equal to decoding and resizing, made once, whole or not at all."""

import multiprocessing
import os
import pickle
import re
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from kinefract import video
from kinefract.augment.crop import resize
from kinefract.benchmarks.base import Video
from kinefract.common.errors import UserError
from kinefract.config.phases import FinetuneRecipe
from kinefract.training import cached
from kinefract.training.cached import CachedVideos
from kinefract.training.data import TrainingClips, Videos

SHAPES = [(7, 48, 64), (5, 64, 48), (9, 32, 32), (4, 40, 90)]  # frames, height, width


def moving(seed, frames, height, width):
    return np.random.default_rng(seed).integers(0, 255, (frames, height, width, 3)).astype(np.uint8)


def entry(path, label, frames, height, width, start=0, end=None):
    return Video(
        path, label, str(label), frames, 12.0, width, height, start, frames if end is None else end, "train"
    )


@pytest.fixture(scope="module")
def videos(tmp_path_factory):
    """Files of several shapes under unusual names, a clip of one of them, and a folder of pictures."""
    top = tmp_path_factory.mktemp("videos")
    names = ["two words.mp4", "quo\"te' $(touch gone).mp4", os.fsdecode(b"\xff\xfe.mp4"), "видео\n動画.mp4"]
    found = []
    for label, (name, shape) in enumerate(zip(names, SHAPES, strict=True)):
        (top / name).write_bytes(video.encode(moving(label, *shape), fps=12, crf=23))
        found.append(entry(top / name, label, *shape))
    found.append(found[2]._replace(start=3, end=8))
    (top / "pictures").mkdir()
    for number, picture in enumerate(moving(9, 3, 20, 30)):
        Image.fromarray(picture).save(top / f"pictures/{number}.png")
    return [*found, entry(top / "pictures", 5, 3, 20, 30)]


def decoded(item, numbers, side):
    """Decode and resize one frame after the other."""
    scale = side / min(item.height, item.width)
    size = round(item.height * scale), round(item.width * scale)
    frames = video.decode(item.path)
    picked = [resize(frames[[item.start + number]], *size) for number in numbers]
    return torch.cat(picked).movedim(1, -1).numpy()


def state(folder):
    return {path.name: (path.stat().st_mtime_ns, path.read_bytes()) for path in folder.iterdir()}


def test_windows_are_those_of_the_files_resized(videos, tmp_path):
    source = CachedVideos(videos, tmp_path / "some", 24)
    assert source.labels.tolist() == [0, 1, 2, 3, 2, 5]
    assert source.frames.tolist() == [7, 5, 9, 4, 5, 3]
    assert source.fresh is False
    rng = np.random.default_rng(0)
    for index, item in enumerate(videos):
        numbers = rng.integers(0, item.length, 6).tolist()
        found = source.read(index, numbers)
        assert found.dtype == np.uint8 and min(found.shape[1:3]) == 24 and found.shape[3] == 3
        np.testing.assert_array_equal(found, decoded(item, numbers, 24))
    assert not list(tmp_path.rglob("gone")) and not Path("gone").exists()


def test_long_videos_are_decoded_in_parts(videos, tmp_path, monkeypatch):
    whole = CachedVideos(videos, tmp_path / "whole", 24)
    monkeypatch.setattr(cached, "BYTES_AT_ONCE", 20_000)
    CachedVideos(videos, tmp_path / "parts", 24)
    assert (tmp_path / "parts-24/frames.bin").read_bytes() == (tmp_path / "whole-24/frames.bin").read_bytes()
    assert (tmp_path / "whole-24/frames.bin").stat().st_size == whole._store.bytes


def test_the_size_of_the_originals_gives_the_crops_of_the_originals(videos, tmp_path):
    recipe = FinetuneRecipe(size=32, resize=32, frames=3, stride=2)
    source = CachedVideos(videos[2:3], tmp_path / "some", 32)
    for key in ((0, 0), (3, 0)):
        one, other = (TrainingClips(clips, recipe, 1)[key] for clips in (source, Videos(videos[2:3])))
        assert torch.equal(one[0], other[0]) and one[1:] == other[1:]


def test_it_goes_to_workers_and_a_part_of_it_too(videos, tmp_path):
    source = CachedVideos(videos, tmp_path / "some", 24)
    expected = source.read(3, [0, 3, 1])  # opened before it is sent
    assert len(pickle.dumps(source)) < 10_000
    part = source.only([5, 3])
    assert part.labels.tolist() == [5, 3] and part.frames.tolist() == [3, 4]
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        np.testing.assert_array_equal(pool.apply(source.read, (3, [0, 3, 1])), expected)
        np.testing.assert_array_equal(pool.apply(part.read, (1, [0, 3, 1])), expected)
    np.testing.assert_array_equal(part.read(0, [2]), source.read(5, [2]))


def test_it_is_made_once_and_another_side_is_another_file(videos, tmp_path):
    CachedVideos(videos, tmp_path / "some", 24)
    before = state(tmp_path / "some-24")
    CachedVideos(videos, tmp_path / "some", 24)
    CachedVideos(videos, tmp_path / "some", 20)
    assert state(tmp_path / "some-24") == before
    assert {path.name for path in tmp_path.iterdir()} == {"some-20", "some-24"}
    assert CachedVideos(videos, tmp_path / "some", 20).read(0, [0]).shape == (1, 20, 27, 3)


def test_other_or_changed_videos_make_it_anew(videos, tmp_path):
    paths = [tmp_path / "one.mp4", tmp_path / "two.mp4"]
    items = [entry(path, label, 9, 32, 32) for label, path in enumerate(paths)]
    for seed in (1, 3):  # other content, as many frames and bytes
        for path in paths:
            data = video.encode(moving(seed, 9, 32, 32), fps=12, crf=23)
            unused = 40_000 - len(data)
            path.write_bytes(data + unused.to_bytes(4) + b"free" + bytes(unused - 8))
            os.utime(path, (seed, seed))
        source = CachedVideos(items, tmp_path / "some", 24)
        np.testing.assert_array_equal(source.read(1, [4]), decoded(items[1], [4], 24))
    parts = [items[0]._replace(end=4), items[1]._replace(start=4), items[1]._replace(end=4)]
    for chosen in ([parts[0], parts[1]], [parts[1], parts[2]]):  # as many bytes
        source = CachedVideos(chosen, tmp_path / "some", 24)
        np.testing.assert_array_equal(source.read(1, [2]), decoded(chosen[1], [2], 24))


def test_a_picture_that_changes_in_its_folder_makes_it_anew(tmp_path):
    item = entry(tmp_path / "pictures", 0, 3, 20, 30)
    item.path.mkdir()
    for value in (10, 200):
        for number in range(3):
            Image.new("RGB", (30, 20), (value,) * 3).save(item.path / f"{number}.png")
        frames = CachedVideos([item], tmp_path / "cache", 16).read(0, [0, 1, 2])
        assert (frames == value).all()


def test_frames_without_their_index_count_for_nothing(videos, tmp_path, monkeypatch):
    first, second = ([videos[2]._replace(start=start, end=start + 4)] for start in (0, 5))
    CachedVideos(first, tmp_path / "some", 24)

    def interrupt(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(cached, "write_text", interrupt)
        with pytest.raises(KeyboardInterrupt):
            CachedVideos(second, tmp_path / "some", 24)
    source = CachedVideos(first, tmp_path / "some", 24)
    np.testing.assert_array_equal(source.read(0, [1]), decoded(first[0], [1], 24))


@pytest.mark.parametrize("name", ["frames.bin", "index.json"])
@pytest.mark.parametrize("harm", [lambda data: data[:-1], lambda data: b"", None])
def test_what_is_cut_short_or_gone_is_made_again(videos, tmp_path, name, harm):
    CachedVideos(videos, tmp_path / "some", 24)
    path = tmp_path / "some-24" / name
    before = path.read_bytes()
    path.write_bytes(harm(before)) if harm else path.unlink()
    CachedVideos(videos, tmp_path / "some", 24)
    # Of the index the last sign is a line's end, without which it is whole.
    assert path.read_bytes().strip() == before.strip()


KILLED = r"""
import os, pickle, sys, time
from pathlib import Path
from kinefract import video
from kinefract.training import cached
decode = video.decode
def slow(*arguments):
    os.write(1, b"decoding\n")
    time.sleep(float(sys.argv[3]))
    return decode(*arguments)
video.decode = slow
cached.CachedVideos(pickle.loads(Path(sys.argv[1]).read_bytes()), Path(sys.argv[2]), 24)
print("made", flush=True)
"""


MADE = {"frames.bin", "frames.crc32", "index.json"}


def start(videos, tmp_path, seconds):
    (tmp_path / "videos").write_bytes(pickle.dumps(videos))
    command = [sys.executable, "-c", KILLED, str(tmp_path / "videos"), str(tmp_path / "some"), str(seconds)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_a_killed_making_leaves_nothing_that_counts_as_made(videos, tmp_path):
    process = start(videos, tmp_path, 60)
    assert process.stdout.readline() == "decoding\n"
    process.send_signal(signal.SIGKILL)
    process.communicate()
    left = {path.name for path in (tmp_path / "some-24").iterdir()}
    assert any("partial" in name for name in left) and not left & {"frames.bin", "index.json"}
    source = CachedVideos(videos, tmp_path / "some", 24)
    np.testing.assert_array_equal(source.read(1, [3]), decoded(videos[1], [3], 24))
    assert {path.name for path in (tmp_path / "some-24").iterdir()} == MADE


def test_one_makes_it_and_another_waits(videos, tmp_path, capsys):
    process = start(videos, tmp_path, 0.5)
    assert process.stdout.readline() == "decoding\n"
    source = CachedVideos(videos, tmp_path / "some", 24)
    said = capsys.readouterr().err
    assert "another process is making this cache" in said and "take 0.00 GB" not in said
    np.testing.assert_array_equal(source.read(1, [3]), decoded(videos[1], [3], 24))
    assert process.communicate()[0].endswith("made\n") and process.returncode == 0


def test_a_video_that_is_broken_or_gone_is_named_and_nothing_is_left(videos, tmp_path):
    path = tmp_path / "cut.mp4"
    whole = video.encode(moving(0, 9, 32, 32), fps=12, crf=23)
    path.write_bytes(whole[: len(whole) // 2])
    broken = [*videos, entry(path, 0, 9, 32, 32)]
    with pytest.raises(UserError, match=re.escape(str(path))):
        CachedVideos(broken, tmp_path / "some", 24)
    assert list((tmp_path / "some-24").iterdir()) == []
    path.unlink()
    with pytest.raises(UserError, match=re.escape(str(path))):
        CachedVideos(broken, tmp_path / "some", 24)


def test_a_video_of_another_size_than_indexed_is_refused(videos, tmp_path):
    with pytest.raises(UserError, match=r"has changed since the benchmark was indexed"):
        CachedVideos([videos[0]._replace(width=60)], tmp_path / "some", 24)


def test_a_folder_that_cannot_be_written_is_a_users_error(videos, tmp_path):
    (tmp_path / "some-24").write_text("in the way")
    with pytest.raises(UserError, match="cannot write"):
        CachedVideos(videos, tmp_path / "some", 24)


def test_a_clip_within_a_file_begins_at_its_start(videos):
    np.testing.assert_array_equal(Videos(videos[4:5]).read(0, [0, 2]), video.decode(videos[4].path)[[3, 5]])

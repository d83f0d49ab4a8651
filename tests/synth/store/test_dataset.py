"""Shards hold what the manifest says, whatever their size, and damage is reported by file."""

import csv
import json
import os
import pickle
import resource
import shutil
import tarfile
import tempfile
from contextlib import contextmanager
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from kinefract import video
from kinefract.common import checksums
from kinefract.common.errors import UserError
from kinefract.synth.dataset_recipe import Points
from kinefract.synth.families.fractal import FractalRecipe
from kinefract.synth.store.dataset import join, write_shard
from kinefract.synth.store.shards import Shards, frames_digest, shard_files

POINTS = Points(steps=200, discard=20, window_steps=200)


def recipe(**settings):
    return FractalRecipe(
        **{
            "classes": 4,
            "clips_per_class": 5,
            "size": 32,
            "frames": (5, 7),
            "clips_per_shard": 7,
            "points": POINTS,
            **settings,
        }
    )


def make(folder, made=None):
    made = made or recipe()
    for shard in range(made.shards):
        write_shard(made, shard, folder)
    return folder


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    folder = make(tmp_path_factory.mktemp("whole"))
    join(recipe(), folder)
    return folder


@pytest.fixture
def copy(tmp_path):
    """A dataset of its own for a test that damages it, not yet joined."""
    return make(tmp_path)


@pytest.fixture
def joined(whole, tmp_path):
    """A whole dataset of its own for a test that damages it."""
    return shutil.copytree(whole, tmp_path / "joined")


def rows(path):
    with path.open(newline="") as stream:
        return list(csv.DictReader(stream))


def test_offsets_give_playable_clips_with_the_frames_rendered(whole):
    table = rows(whole / "manifest.csv")
    assert [int(row["index"]) for row in table] == list(range(20))
    for row in table:
        index = int(row["index"])
        data = shard_files(whole, int(row["shard"]))[0].read_bytes()
        encoded = data[int(row["offset"]) : int(row["offset"]) + int(row["size"])]
        frames = recipe().clip(index)
        assert row["frames_sha256"] == frames_digest(frames)
        assert int(row["label"]) == index % 4 and int(row["frames"]) == len(frames)
        decoded = video.decode(encoded, grey=True)
        assert decoded.shape == frames.shape
        assert np.abs(decoded.astype(int) - frames).mean() < 12


def test_tar_files_are_in_webdataset_layout_and_without_time_or_owner(whole):
    with tarfile.open(shard_files(whole, 1)[0]) as tar:
        members = tar.getmembers()
        names = [member.name for member in members]
        assert names[:4] == ["000000007.mp4", "000000007.cls", "000000008.mp4", "000000008.cls"]
        assert tar.extractfile("000000009.cls").read() == b"1"
        assert all(member.mtime == member.uid == member.gid == 0 for member in members)


@pytest.mark.parametrize("clips_per_shard", [1, 64])
def test_shard_size_changes_no_clip(whole, tmp_path, clips_per_shard):
    other = recipe(clips_per_shard=clips_per_shard)
    make(tmp_path, other)
    join(other, tmp_path)
    columns = ("index", "label", "frames", "size", "frames_sha256", "redrawn")
    first, second = rows(whole / "manifest.csv"), rows(tmp_path / "manifest.csv")
    assert [[row[c] for c in columns] for row in first] == [[row[c] for c in columns] for row in second]


def test_a_shard_written_again_is_the_same_file(whole, tmp_path):
    write_shard(recipe(), 2, tmp_path)
    for first, second in zip(shard_files(whole, 2), shard_files(tmp_path, 2), strict=True):
        assert first.read_bytes() == second.read_bytes()


def test_reader_gives_any_frames_of_any_clip(whole):
    shards = pickle.loads(pickle.dumps(Shards(whole)))  # as a worker process gets it
    assert len(shards) == 20
    np.testing.assert_array_equal(shards.labels, np.arange(20) % 4)
    for index in (19, 3, 0):
        everything = shards.read(index)
        assert everything.shape == (shards.frames[index], 32, 32)
        np.testing.assert_array_equal(shards.read(index, [3, 0, 3]), everything[[3, 0, 3]])
        assert shards.read(index, [1], grey=False).shape == (1, 32, 32, 3)


def test_coloured_clips_stay_coloured(tmp_path):
    class Coloured(FractalRecipe):
        def draw(self, index):
            frames, redrawn = super().draw(index)
            return np.stack([frames, frames // 2, frames * 0], axis=-1), redrawn

    made = Coloured(**recipe(clips_per_class=1).model_dump())
    make(tmp_path, made)
    join(made, tmp_path)
    frames = Shards(tmp_path).read(2)
    assert frames.ndim == 4 and frames[..., 0].mean() > 2 * frames[..., 2].mean()


def test_join_writes_previews_and_a_card(whole):
    card = json.loads((whole / "card.json").read_text())
    table = rows(whole / "manifest.csv")
    frames = [int(row["frames"]) for row in table]
    assert card["clips"] == 20 and card["classes"] == 4 and card["frames"] == sum(frames)
    assert card["bytes"] == sum(int(row["size"]) for row in table)
    assert card["seconds"] == pytest.approx(sum(frames) / 12, abs=1e-3)
    with Image.open(whole / "preview.png") as sheet:
        assert np.asarray(sheet).std() > 10
    with av.open(str(whole / "preview.mp4")) as container:
        assert sum(1 for _ in container.decode(video=0)) >= max(frames)


def test_a_missing_shard_is_named(copy):
    _, table = shard_files(copy, 1)
    table.unlink()
    with pytest.raises(UserError, match="00001"):
        join(recipe(), copy)
    assert not (copy / "manifest.csv").exists()


@pytest.mark.parametrize("cut", [1, 10_240, 30_000])
def test_a_truncated_shard_is_refused(copy, cut):
    tar_path, _ = shard_files(copy, 0)
    tar_path.write_bytes(tar_path.read_bytes()[:-cut])
    with pytest.raises(UserError, match=r"00000\.tar.*truncated"):
        join(recipe(), copy)


def test_shards_of_another_recipe_are_refused(copy):
    with pytest.raises(UserError, match=r"00000\.csv.*clips 0 to 6 instead of 0 to 4"):
        join(recipe(clips_per_shard=5), copy)
    with pytest.raises(UserError, match="labels"):
        join(recipe(classes=2, clips_per_class=10), copy)


def test_reader_refuses_a_dataset_that_is_missing_truncated_or_inconsistent(copy):
    with pytest.raises(UserError, match=r"manifest\.csv: no such file"):
        Shards(copy)
    join(recipe(), copy)
    manifest = copy / "manifest.csv"
    text = manifest.read_text()
    manifest.write_text(text.replace(",0,", ",1,", 1))
    with pytest.raises(UserError, match=r"manifest\.csv: changed since it was written"):
        Shards(copy)

    checksums.remove(copy)  # as in a dataset that version 0.1 made
    lines = text.splitlines(keepends=True)
    manifest.write_text("".join(lines[:3] + lines[4:]))
    with pytest.raises(UserError, match=r"manifest\.csv: clips are missing"):
        Shards(copy)

    manifest.write_text("a,b\n1,2\n")
    with pytest.raises(UserError, match=r"manifest\.csv: its first line is not index,label"):
        Shards(copy)

    numbers = lines[2].split(",")
    numbers[5] = str(int(numbers[5]) + 512)
    manifest.write_text("".join([*lines[:2], ",".join(numbers), *lines[3:]]))
    with pytest.raises(UserError, match=r"00000\.tar: clip 1 is not where"):
        Shards(copy).read(1)

    manifest.write_text(text)
    tar_path, _ = shard_files(copy, 2)
    tar_path.write_bytes(tar_path.read_bytes()[:-5])
    with pytest.raises(UserError, match=r"00002\.tar.*truncated"):
        Shards(copy)
    tar_path.unlink()
    with pytest.raises(UserError, match=r"00002\.tar: no such file"):
        Shards(copy)


def test_a_shard_that_does_not_exist_is_refused(tmp_path):
    with pytest.raises(UserError, match="shard 3"):
        write_shard(recipe(), 3, tmp_path)


def test_a_shard_that_fails_leaves_no_file(tmp_path, monkeypatch):
    def draw(self, index):
        if index == 3:
            raise KeyboardInterrupt
        return np.zeros((5, 32, 32), np.uint8), 0

    monkeypatch.setattr(FractalRecipe, "draw", draw)
    with pytest.raises(KeyboardInterrupt):
        write_shard(recipe(), 0, tmp_path)
    assert list((tmp_path / "shards").iterdir()) == []


def test_a_changed_byte_of_a_clip_is_told_when_it_is_read(joined):
    shards = Shards(joined)
    tar_path, _ = shard_files(joined, 0)
    content = tar_path.read_bytes()
    for place in range(512, 512 + int(shards.sizes[0]), 97):
        tar_path.write_bytes(content[:place] + bytes([content[place] ^ 4]) + content[place + 1 :])
        with pytest.raises(UserError, match=r"00000\.tar: clip 0 is damaged, .*delete .* to make it again"):
            shards.read(0)
    shards.read(1)


@pytest.mark.parametrize(
    ("column", "value", "said"),
    [
        ("frames", "9", r"00000\.tar, clip 1: . frames where .*manifest\.csv says 9"),
        ("frames", "0", r"manifest\.csv: a number of the column frames is out of range"),
        ("size", "-1", r"manifest\.csv: a number of the column size is out of range"),
        ("offset", "999999999999999999", r"manifest\.csv: a number of the column offset is out of range"),
        ("size", "999999999999", r"00000\.tar: clip 2 is not where .*manifest\.csv says"),
        ("shard", "2", r"00002\.tar: clip 1 is not where"),
        ("crc32", "7", r"00000\.tar: clip 1 is damaged"),
        ("label", "one", r"manifest\.csv: cannot be read"),
    ],
)
def test_a_manifest_that_disagrees_is_named(joined, column, value, said):
    checksums.remove(joined)  # as in a dataset that version 0.1 made
    table = rows(joined / "manifest.csv")
    table[1][column] = value
    with (joined / "manifest.csv").open("w", newline="") as stream:
        written = csv.DictWriter(stream, table[0].keys(), lineterminator="\n")
        written.writeheader()
        written.writerows(table)
    with pytest.raises(UserError, match=said):
        Shards(joined).read(1)


@pytest.mark.parametrize(
    ("lost", "said"), [(1, "its last line is cut"), (20, "its last line is cut"), (None, "lacks clips that ")]
)
def test_a_manifest_that_lost_its_end_is_named(joined, lost, said):
    checksums.remove(joined)  # as in a dataset that version 0.1 made
    manifest = joined / "manifest.csv"
    text = manifest.read_text()
    manifest.write_text(text[:-lost] if lost else "".join(text.splitlines(keepends=True)[:-1]))
    with pytest.raises(UserError, match=said):
        Shards(joined)


@pytest.mark.parametrize("content", [b"", b"\xff\xfe\x00", b"index,label\n"])
def test_a_damaged_table_of_a_shard_is_named(copy, content):
    _, table = shard_files(copy, 1)
    table.write_bytes(content)
    with pytest.raises(UserError, match=r"00001\.csv: .*delete .* to make it again"):
        join(recipe(), copy)
    assert not (copy / "manifest.csv").exists()


@contextmanager
def full_disk(room):
    """Limit the size of files, which stands in for a full disk: the same failing write, without root."""
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, limit[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)


def test_a_full_disk_leaves_no_shard(tmp_path):
    with full_disk(10_000), pytest.raises(UserError, match=r"cannot write .*00000\.tar: File too large"):
        write_shard(recipe(), 0, tmp_path)
    assert list((tmp_path / "shards").iterdir()) == []


def test_a_full_disk_leaves_no_manifest(copy):
    with full_disk(100), pytest.raises(UserError, match=r"cannot write .*: File too large"):
        join(recipe(), copy)
    assert [path.name for path in copy.iterdir()] == ["shards"]
    join(recipe(), copy)
    assert len(Shards(copy)) == 20


@contextmanager
def as_another_user():
    """Root may write anywhere, so act as a user who may not."""
    root = os.geteuid() == 0
    if root:
        os.seteuid(65534)
    try:
        yield
    finally:
        if root:
            os.seteuid(0)


@pytest.mark.parametrize("name", ["dataset", "dataset/shards"])
def test_a_folder_that_is_read_only_is_named(name):
    with tempfile.TemporaryDirectory() as place:  # since others may not look into pytest's folders
        folder = Path(place, name)
        folder.mkdir(parents=True)
        for path in (folder, *folder.parents[: len(Path(name).parts)]):
            path.chmod(0o555)
        with as_another_user(), pytest.raises(UserError, match=r"cannot write .*shards.*: Permission denied"):
            write_shard(recipe(), 0, Path(place, "dataset"))
        folder.chmod(0o755)
        assert list(folder.iterdir()) == []


def test_an_encoder_that_is_missing_leaves_no_shard(tmp_path, monkeypatch):
    monkeypatch.setattr(video.files, "ENCODER", "libx264_which_is_not_there")
    with pytest.raises(
        UserError, match=r"the installed PyAV \(av .*\) has no encoder libx264_which.*pip install"
    ):
        write_shard(recipe(), 0, tmp_path)
    assert list((tmp_path / "shards").iterdir()) == []

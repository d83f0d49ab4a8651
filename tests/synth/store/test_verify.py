"""Whatever is changed in a dataset is found and its shard named, with what makes it again."""

import csv
import multiprocessing
import re
import shutil
import tarfile
import zlib
from concurrent.futures import ProcessPoolExecutor
from itertools import repeat

import pytest

from kinefract import cli
from kinefract.common.errors import UserError
from kinefract.common.layout import MANIFEST
from kinefract.config.specs import DatasetSpec
from kinefract.synth.dataset_recipe import Points
from kinefract.synth.families.fractal import FractalRecipe
from kinefract.synth.store.dataset import write_shard
from kinefract.synth.store.shards import COLUMNS, add_clip, frames_digest, shard_files
from kinefract.synth.store.verify import verify

SMALL = {
    "classes": 4,
    "clips_per_class": 3,
    "size": 32,
    "frames": (5, 7),
    "points": Points(steps=200, discard=20, window_steps=200),
}
RECIPE = FractalRecipe(**SMALL, clips_per_shard=5)


def make(folder, recipe=RECIPE):
    for shard in range(recipe.shards):
        write_shard(recipe, shard, folder)
    return write_manifest(folder, recipe)


def write_manifest(folder, recipe):
    """Write what ``join`` writes, without previews and card, which take longer than all else."""
    tables = [
        shard_files(folder, shard)[1].read_text().splitlines(keepends=True) for shard in range(recipe.shards)
    ]
    (folder / MANIFEST).write_text("".join([tables[0][0], *(line for table in tables for line in table[1:])]))
    return folder


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    return make(tmp_path_factory.mktemp("whole"))


@pytest.fixture
def copy(whole, tmp_path):
    """A dataset to damage."""
    return shutil.copytree(whole, tmp_path / "copy")


def rows(folder):
    with (folder / MANIFEST).open(newline="") as stream:
        return list(csv.DictReader(stream))


def write_rows(folder, table):
    """Write the manifest and the tables of the shards, so that they agree."""
    lines = [",".join(row[name] for name in COLUMNS) + "\n" for row in table]
    header = ",".join(COLUMNS) + "\n"
    (folder / MANIFEST).write_text(header + "".join(lines))
    for shard in range(RECIPE.shards):
        own = [line for row, line in zip(table, lines, strict=True) if row["shard"] == str(shard)]
        shard_files(folder, shard)[1].write_text(header + "".join(own))


def clips(folder):
    """Return the clips of the first shard as they are stored."""
    with tarfile.open(shard_files(folder, 0)[0]) as tar:
        return [tar.extractfile(info).read() for info in tar if info.name.endswith(".mp4")]


def pack(folder, encoded, labels=range(5)):
    """Write the first shard anew, with these clips, and all that the tables say of their bytes."""
    table = rows(folder)
    with tarfile.open(shard_files(folder, 0)[0], "w", format=tarfile.USTAR_FORMAT) as tar:
        for index, (content, label) in enumerate(zip(encoded, labels, strict=True)):
            stored = (add_clip(tar, index, label % 4, content), len(content), zlib.crc32(content))
            table[index] |= dict(zip(("offset", "size", "crc32"), map(str, stored), strict=True))
    write_rows(folder, table)


def damage(folder, sample: int | None = 0, jobs: int = 1) -> list[str]:
    """Return the lines about damaged shards; the first line and the last are checked here."""
    with pytest.raises(UserError) as raised:
        verify(RECIPE, folder, sample, jobs)
    head, *lines, remedy = str(raised.value).split("\n  ")
    assert head.startswith(f"{folder}: {len(lines)} of 3 shards ")
    shards = [f"{folder / line.partition('.tar: ')[0]}.*" for line in lines]
    manifest = folder / MANIFEST
    assert remedy == f"to make them again: rm {' '.join(shards)} {manifest} && snakemake {manifest}"
    return lines


def test_a_whole_dataset_is_summed_up_in_a_line(whole):
    said = verify(RECIPE, whole)
    assert re.match(r"12 clips in 3 shards checked, [\d.]+ kB; 12 of them decoded and rendered again; ", said)


@pytest.mark.parametrize(("sample", "rendered"), [(0, []), (1, [0]), (3, [0, 6, 11]), (None, range(12))])
def test_the_sample_is_spread_evenly(whole, monkeypatch, sample, rendered):
    drawn, draw = [], FractalRecipe.draw
    monkeypatch.setattr(FractalRecipe, "draw", lambda self, index: drawn.append(index) or draw(self, index))
    verify(RECIPE, whole, sample)
    assert drawn == list(rendered)


def test_any_changed_byte_of_a_shard_is_found_and_its_shard_named(copy):
    tar_path, _ = shard_files(copy, 1)
    content = tar_path.read_bytes()
    for place in [*range(0, len(content), 61), *range(0, 512, 3), len(content) - 1]:
        changed = bytearray(content)
        changed[place] ^= 1 << (place % 8)
        tar_path.write_bytes(changed)
        (line,) = damage(copy)
        assert line.startswith("shards/00001.tar: other bytes than were written"), f"byte {place}"
    tar_path.write_bytes(content)
    assert verify(RECIPE, copy, 0)


@pytest.mark.parametrize(
    ("place", "said"), [(5, "beside its clips"), (600, "of clips 5"), (-1, "beside its clips")]
)
def test_damaged_clips_are_named(copy, place, said):
    tar_path, _ = shard_files(copy, 1)
    changed = bytearray(tar_path.read_bytes())
    changed[place] ^= 1
    tar_path.write_bytes(changed)
    assert damage(copy) == [f"shards/00001.tar: other bytes than were written, {said}"]


@pytest.mark.parametrize("cut", [1, 512, 5000, 20_000])
def test_a_truncated_shard(copy, cut):
    tar_path, _ = shard_files(copy, 0)
    tar_path.write_bytes(tar_path.read_bytes()[:-cut])
    (line,) = damage(copy)
    assert line.startswith("shards/00000.tar: other bytes than were written, ")


def test_a_member_too_many(copy):
    with tarfile.open(shard_files(copy, 0)[0], "a") as tar:
        tar.addfile(tarfile.TarInfo("extra.txt"))
    assert damage(copy) == ["shards/00000.tar: other bytes than were written, beside its clips"]


def test_a_wrong_label(copy):
    pack(copy, clips(copy), [0, 3, 2, 3, 4])
    assert damage(copy) == ["shards/00000.tar: other bytes than were written, beside its clips"]


def test_missing_files(copy):
    shard_files(copy, 0)[0].unlink()
    shard_files(copy, 1)[1].unlink()
    assert damage(copy) == [f"shards/0000{shard}.tar: No such file or directory" for shard in (0, 1)]


def test_clips_swapped_in_the_tables(copy):
    table = rows(copy)
    for name in ("offset", "size", "crc32"):
        table[0][name], table[1][name] = table[1][name], table[0][name]
    write_rows(copy, table)
    assert damage(copy) == ["shards/00000.tar: other bytes than were written, beside its clips"]


def test_clips_swapped_with_all_that_is_known_of_them_are_found_by_rendering(copy):
    encoded = clips(copy)
    frames = [row["frames"] for row in rows(copy)[:5]]
    first, second = next((i, j) for j in range(5) for i in range(j) if frames[i] == frames[j])
    encoded[first], encoded[second] = encoded[second], encoded[first]
    pack(copy, encoded)
    assert verify(RECIPE, copy, 0)
    said = "as it is stored shows other frames than the recipe makes"
    assert damage(copy, None) == [f"shards/00000.tar: clip {first} {said}; clip {second} {said}"]


def test_a_clip_of_another_build_of_the_encoder_is_no_damage(copy, monkeypatch):
    from kinefract import video

    frames = RECIPE.clip(0)
    monkeypatch.setitem(video.files.ENCODER_OPTIONS, "preset", "medium")
    other = video.encode(frames, RECIPE.fps, RECIPE.crf)
    monkeypatch.undo()
    encoded = clips(copy)
    assert other != encoded[0]
    pack(copy, [other, *encoded[1:]])
    assert verify(RECIPE, copy, None)


@pytest.mark.parametrize(
    ("column", "value"), [("frames_sha256", "0" * 64), ("redrawn", "77"), ("frames", "9"), ("channels", "3")]
)
def test_a_clip_that_is_another_when_rendered_again(copy, column, value):
    table = rows(copy)
    table[6][column] = value
    write_rows(copy, table)
    assert verify(RECIPE, copy, 0)
    said = "shards/00001.tar: clip 6 rendered again is another than the one in manifest.csv"
    assert damage(copy, None) == damage(copy, None, jobs=2) == [said]


@pytest.mark.parametrize("column", ["crc32", "size", "offset", "frames", "frames_sha256"])
def test_a_manifest_that_is_not_what_the_shard_says(copy, column):
    table = rows(copy)
    table[6][column] = "1000"
    lines = [",".join(COLUMNS), *(",".join(row.values()) for row in table)]
    (copy / MANIFEST).write_text("\n".join(lines) + "\n")
    assert damage(copy) == [f"shards/00001.tar: its rows are not those of {MANIFEST}"]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"label": "3"}, r"its rows are not those of the recipe's 12 clips \(column label\)"),
        ({"shard": "0"}, r"not those of the recipe's 12 clips \(column shard\)"),
        ({"index": "5"}, r"not those of the recipe's 12 clips \(column index\)"),
        ({"size": "many"}, "cannot be read"),
        (None, "its rows are not those of the recipe's 12 clips"),
    ],
)
def test_a_manifest_of_other_clips(copy, change, said):
    table = rows(copy)
    table[6:7] = [] if change is None else [table[6] | change]
    write_rows(copy, table)
    with pytest.raises(UserError, match=rf"{MANIFEST}: .*{said}"):
        verify(RECIPE, copy)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "no such file; make it with `snakemake data/synthetic/copy/manifest.csv`"),
        (b"", "its first line is not index,label"),
        (b"a,b\n1,2\n", "its first line is not index,label"),
        (b"\xff\xfe\x00", "cannot be read"),
    ],
)
def test_without_a_manifest(copy, content, said):
    (copy / MANIFEST).unlink()
    if content is not None:
        (copy / MANIFEST).write_bytes(content)
    with pytest.raises(UserError, match=f"{MANIFEST}: {said}"):
        verify(RECIPE, copy)


def test_hashes_do_not_depend_on_shards_or_processes(whole, tmp_path):
    expected = [row["frames_sha256"] for row in rows(whole)]
    assert expected == [frames_digest(RECIPE.clip(index)) for index in reversed(range(12))][::-1]
    for size in (1, 7, 64):
        recipe, folder = FractalRecipe(**SMALL, clips_per_shard=size), tmp_path / str(size)
        if size == 7:
            context = multiprocessing.get_context("spawn")
            with ProcessPoolExecutor(2, context) as pool:
                list(pool.map(write_shard, repeat(recipe), range(recipe.shards), repeat(folder)))
            write_manifest(folder, recipe)
        else:
            make(folder, recipe)
        assert [row["frames_sha256"] for row in rows(folder)] == expected
        assert verify(recipe, folder, 2)


def test_the_command_shows_some_damaged_shards_and_counts_the_rest(tmp_path, capsys):
    spec = DatasetSpec(recipe=FractalRecipe(**SMALL | {"clips_per_class": 6}, clips_per_shard=1))
    folder = make(spec.write(tmp_path).parent, spec.recipe)
    assert cli.main(["verify", str(folder), "--sample", "2", "--jobs", "1"]) == 0
    assert "24 clips in 24 shards checked" in capsys.readouterr().out
    for shard in range(23):
        shard_files(folder, shard)[0].write_bytes(b"")
    assert cli.main(["verify", str(folder), "--jobs", "1"]) == 1
    said = capsys.readouterr().err
    assert f"error: {folder}: 23 of 24 shards are damaged\n  shards/00000.tar: other bytes" in said
    assert "shards/00019.tar" in said and "shards/00020.tar" not in said
    assert f"\n  and 3 more\n  to make them again: rm -r {folder}/shards {folder}/manifest.csv && " in said

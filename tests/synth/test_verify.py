"""Whatever is changed in a dataset is found and named; what is whole is told in a line."""

import csv
import io
import multiprocessing
import shutil
import tarfile
import zlib
from concurrent.futures import ProcessPoolExecutor
from itertools import repeat

import pytest

from kinefract import cli
from kinefract.errors import UserError
from kinefract.specs import DatasetSpec
from kinefract.synth.dataset import write_shard
from kinefract.synth.families.fractal import FractalRecipe
from kinefract.synth.recipes import Points
from kinefract.synth.shards import COLUMNS, MANIFEST, frames_digest, member, shard_files
from kinefract.synth.verify import verify

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
    for shard in {row["shard"] for row in table}:
        own = [line for row, line in zip(table, lines, strict=True) if row["shard"] == shard]
        shard_files(folder, int(shard))[1].write_text(header + "".join(own))


def pack(folder, shard, members):
    """Write a shard anew, with these members; its rows say so where they are of clips."""
    tar_path, _ = shard_files(folder, shard)
    table = {f"{int(row['index']):09d}.mp4": row for row in rows(folder)}
    with tarfile.open(tar_path, "w", format=tarfile.USTAR_FORMAT) as tar:
        for name, content in members:
            if name in table:
                stored = {"offset": tar.offset + 512, "size": len(content), "crc32": zlib.crc32(content)}
                table[name] |= {key: str(value) for key, value in stored.items()}
            tar.addfile(member(name, len(content)), io.BytesIO(content))
    return list(table.values())


def unpack(folder, shard):
    with tarfile.open(shard_files(folder, shard)[0]) as tar:
        return [(info.name, tar.extractfile(info).read()) for info in tar]


def problems(folder, sample=0, **settings):
    return verify(RECIPE, folder, sample, **settings).problems


def test_a_whole_dataset_is_told_in_a_line(whole):
    found = verify(RECIPE, whole)
    assert found.problems == []
    assert found.summary.startswith("12 clips in 3 shards checked, 0.0 MB; 12 of them decoded and rendered")
    assert found.summary.endswith("clips/s")


@pytest.mark.parametrize(("sample", "rendered"), [(0, []), (1, [0]), (3, [0, 6, 11]), (None, range(12))])
def test_the_sample_is_spread_evenly(whole, monkeypatch, sample, rendered):
    drawn, draw = [], FractalRecipe.draw
    monkeypatch.setattr(FractalRecipe, "draw", lambda self, index: drawn.append(index) or draw(self, index))
    assert verify(RECIPE, whole, sample).rendered == len(rendered)
    assert drawn == list(rendered)


def test_any_changed_byte_of_a_shard_is_found_and_its_shard_named(copy):
    tar_path, _ = shard_files(copy, 1)
    content = tar_path.read_bytes()
    for place in [*range(0, len(content), 61), *range(0, 512, 3), len(content) - 1]:
        changed = bytearray(content)
        changed[place] ^= 1 << (place % 8)
        tar_path.write_bytes(changed)
        found = problems(copy)
        assert found, f"byte {place}"
        assert all(line.startswith("shards/00001.tar: ") for line in found), f"byte {place}"
    tar_path.write_bytes(content)
    assert problems(copy) == []


@pytest.mark.parametrize(
    ("place", "said"),
    [
        (5, "the header of 000000005.mp4 at byte 0 is damaged"),
        (600, "000000005.mp4 (bytes 512 to {end}) is damaged: not the bytes that were written"),
        (-1, "something is written behind its last member"),
    ],
)
def test_a_changed_byte_is_named_by_its_place(copy, place, said):
    tar_path, _ = shard_files(copy, 1)
    changed = bytearray(tar_path.read_bytes())
    changed[place] ^= 1
    tar_path.write_bytes(changed)
    (line,) = problems(copy)
    assert said.format(end=511 + int(rows(copy)[5]["size"])) in line


def test_a_wrong_label_text(copy):
    table = pack(copy, 0, [(n, b"3" if n == "000000001.cls" else c) for n, c in unpack(copy, 0)])
    write_rows(copy, table)
    assert problems(copy) == ["shards/00000.tar: 000000001.cls says b'3', the label is b'1'"]


def test_clips_swapped_in_the_shard_or_in_the_manifest(copy):
    members = unpack(copy, 0)
    swapped = [members[i] for i in (2, 1, 0, *range(3, 10))]
    original = rows(copy)
    pack(copy, 0, swapped)
    assert any("000000000.mp4 is not there, at byte 0 is 000000001.mp4" in line for line in problems(copy))
    pack(copy, 0, members)
    assert problems(copy) == []
    for name in ("offset", "size", "crc32"):
        original[0][name], original[1][name] = original[1][name], original[0][name]
    write_rows(copy, original)
    found = problems(copy)
    assert any("000000000.mp4 begins at byte 512" in line for line in found)
    assert any("000000001.mp4" in line for line in found)


def test_clips_swapped_with_all_that_tells_of_them_are_found_by_rendering(copy):
    members = dict(unpack(copy, 0))
    frames = [row["frames"] for row in rows(copy)[:5]]
    first, second = next((i, j) for j in range(5) for i in range(j) if frames[i] == frames[j])
    names = f"{first:09d}.mp4", f"{second:09d}.mp4"
    members[names[0]], members[names[1]] = members[names[1]], members[names[0]]
    write_rows(copy, pack(copy, 0, members.items()))
    assert problems(copy) == []
    assert problems(copy, None) == [
        f"clip {index}: what is stored shows other frames than the recipe makes" for index in (first, second)
    ]


def test_a_clip_of_another_build_of_the_encoder_is_no_damage(copy, monkeypatch):
    from kinefract import video

    frames = RECIPE.clip(0)
    monkeypatch.setitem(video.files.ENCODER_OPTIONS, "preset", "medium")
    other = video.encode(frames, RECIPE.fps, RECIPE.crf)
    monkeypatch.undo()
    assert other != dict(unpack(copy, 0))["000000000.mp4"]
    write_rows(copy, pack(copy, 0, [(n, other if n == "000000000.mp4" else c) for n, c in unpack(copy, 0)]))
    assert problems(copy, None) == []


@pytest.mark.parametrize(
    ("column", "value", "said"),
    [
        ("frames_sha256", "0" * 64, "clip 6: rendered again its frames hash to "),
        ("redrawn", "77", "draws were refused, manifest.csv says 77"),
        ("frames", "9", "clip 6: what is stored is "),
        ("channels", "3", "clip 6: rendered again it is "),
        ("crc32", "1", "000000006.mp4 (bytes "),
        ("label", "3", "manifest.csv, line 8: clip 6 has label 3, by the recipe it is 2"),
        ("shard", "0", "manifest.csv, line 8: clip 6 has shard 0, by the recipe it is 1"),
        ("size", "5", "instead of 5"),
        ("offset", "1024", "000000006.mp4 begins at byte "),
        ("index", "70", "manifest.csv, line 8: clip 70 is not of this dataset, whose last is 11"),
        ("index", "5", "manifest.csv, line 8: clip 5 is out of order, or there twice"),
        ("size", "many", "manifest.csv, line 8: not a row of 10 columns"),
    ],
)
def test_a_wrong_entry_of_the_manifest(copy, column, value, said):
    table = rows(copy)
    table[6][column] = value
    (copy / MANIFEST).write_text(
        "".join(",".join(line) + "\n" for line in [COLUMNS, *(row.values() for row in table)])
    )
    found = problems(copy, None)
    assert any(said in line for line in found)
    if column not in ("index", "shard"):
        assert "shards/00001.csv: not what manifest.csv says of this shard" in found


def test_a_missing_row_is_named_and_the_rest_checked(copy):
    table = rows(copy)
    del table[6]
    write_rows(copy, table)
    assert problems(copy, None) == [f"{MANIFEST}: clip 6 is missing"]


@pytest.mark.parametrize("cut", [1, 512, 5000, 20_000])
def test_a_truncated_shard(copy, cut):
    tar_path, _ = shard_files(copy, 0)
    tar_path.write_bytes(tar_path.read_bytes()[:-cut])
    (line,) = problems(copy)
    assert line.startswith("shards/00000.tar: ends at byte") or "bytes long instead of" in line


@pytest.mark.parametrize("place", [0, 4, 10])
def test_an_extra_member_is_named_and_nothing_else(copy, place):
    members = unpack(copy, 0)
    write_rows(copy, pack(copy, 0, [*members[:place], ("extra.txt", b"?"), *members[place:]]))
    (line,) = problems(copy)
    assert "shards/00000.tar: extra.txt at byte" in line
    assert line.endswith("does not belong there")


def test_a_missing_member_is_named(copy):
    table = pack(copy, 0, [entry for entry in unpack(copy, 0) if entry[0] != "000000002.cls"])
    write_rows(copy, table)
    assert [line.partition(", at byte")[0] for line in problems(copy)] == [
        "shards/00000.tar: 000000002.cls is not there"
    ]


def test_files_missing_and_files_too_many(copy):
    shard_files(copy, 0)[0].unlink()
    shard_files(copy, 1)[1].unlink()
    (copy / "shards" / "00003.tar").write_bytes(b"")
    (copy / "shards" / ".00001.77.partial.tar").write_bytes(b"")  # of a killed job
    assert problems(copy) == [
        "shards/00003.tar: not a file of this dataset",
        "shards/00000.tar: No such file or directory",
        "shards/00001.csv: No such file or directory",
    ]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "manifest.csv: no such file; make the dataset first"),
        (b"", "manifest.csv: its columns are []"),
        (b"a,b\n1,2\n", "manifest.csv: its columns are ['a', 'b']"),
        (b"\xff\xfe\x00", "manifest.csv: cannot be read"),
    ],
)
def test_without_a_manifest_it_says_that_nothing_else_was_checked(copy, content, said):
    if content is None:
        (copy / MANIFEST).unlink()
    else:
        (copy / MANIFEST).write_bytes(content)
    (line,) = problems(copy)
    assert line.startswith(said)
    assert line.endswith("nothing else could be checked")


def test_processes_change_nothing(copy):
    assert problems(copy, None, jobs=2) == []
    table = rows(copy)
    table[3]["frames_sha256"], table[9]["redrawn"] = "0", "8"
    write_rows(copy, table)
    alone = problems(copy, None)
    assert len(alone) == 2
    assert problems(copy, None, jobs=2) == alone


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
        assert verify(recipe, folder, 2).problems == []


def test_the_command_prints_the_first_problems_and_counts_the_rest(tmp_path, capsys):
    spec = DatasetSpec(recipe=FractalRecipe(**SMALL | {"clips_per_class": 6}))
    folder = make(spec.write(tmp_path).parent, spec.recipe)
    assert cli.main(["verify", str(folder), "--sample", "2", "--jobs", "1"]) == 0
    assert "24 clips in 1 shards checked" in capsys.readouterr().out
    (folder / MANIFEST).write_text(",".join(COLUMNS) + "\n")
    assert cli.main(["verify", str(folder), "--jobs", "1"]) == 1
    said = capsys.readouterr().err
    assert f"error: {folder}: 25 problems\n  manifest.csv: clip 0 is missing\n" in said
    assert "clip 19 is missing\n  and 5 more\n" in said
    assert "clip 20" not in said


def test_a_process_that_is_killed_is_one_clear_error(whole, monkeypatch):
    from concurrent.futures.process import BrokenProcessPool

    from kinefract.synth import verify as module

    def broken(*_):
        raise BrokenProcessPool

    monkeypatch.setattr(module.ProcessPoolExecutor, "map", broken)
    with pytest.raises(UserError, match="was killed"):
        verify(RECIPE, whole, 0, jobs=2)

"""An export is every clip and no more; it goes on where it was stopped, and spares what is not its own."""

import csv
import json
import resource

import pytest

from kinefract import cli, video
from kinefract.common.errors import UserError
from kinefract.common.layout import MANIFEST
from kinefract.config.specs import DatasetSpec
from kinefract.synth.dataset_recipe import Points
from kinefract.synth.families.fractal import FractalRecipe
from kinefract.synth.store.dataset import write_shard
from kinefract.synth.store.export import export
from kinefract.synth.store.shards import Shards, shard_files

SPEC = DatasetSpec(
    recipe=FractalRecipe(
        classes=11,
        clips_per_class=1,
        size=32,
        frames=(4, 6),
        points=Points(steps=200, discard=20, window_steps=200),
    )
)


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    folder = SPEC.write(tmp_path_factory.mktemp("project")).parent
    write_shard(SPEC.recipe, 0, folder)
    (folder / MANIFEST).write_bytes(shard_files(folder, 0)[1].read_bytes())
    return folder


@pytest.fixture(scope="module")
def shards(dataset):
    return Shards(dataset)


def content(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_class_folders_hold_the_clips_as_stored(shards, tmp_path):
    folder = tmp_path / "new" / "export"
    assert export(SPEC.id, shards, folder) == 11
    found = content(folder)
    clips = {f"{index:02d}/{index:09d}.mp4" for index in range(11)}
    assert found.keys() == clips | {"labels.csv", "export.json"}
    assert found["10/000000010.mp4"] == shards.encoded(10)
    with (folder / "labels.csv").open(newline="") as stream:
        table = list(csv.DictReader(stream))
    assert [(row["path"], int(row["label"])) for row in table] == [
        (f"{index:02d}/{index:09d}.mp4", index) for index in range(11)
    ]
    for row in table:
        assert video.probe(folder / row["path"]).frames == int(row["frames"])
    assert json.loads(found["export.json"]) == {"dataset": SPEC.id, "clips": 11, "classes": 11}


def test_labels_of_equal_width_by_the_largest(shards, tmp_path, monkeypatch):
    monkeypatch.setattr(shards, "labels", shards.labels % 3)
    export(SPEC.id, shards, tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir() if path.is_dir()) == ["0", "1", "2"]


def test_it_goes_on_where_it_was_stopped(shards, tmp_path, monkeypatch):
    folder, encoded = tmp_path / "export", shards.encoded

    def stop(index):
        if index == 6:
            raise KeyboardInterrupt
        return encoded(index)

    monkeypatch.setattr(shards, "encoded", stop)
    with pytest.raises(KeyboardInterrupt):
        export(SPEC.id, shards, folder)
    assert len(content(folder)) == 6
    (folder / "01" / ".000000001.4711.partial.mp4").write_bytes(b"of a job that was killed")
    (folder / "03" / "000000003.mp4").write_bytes(b"x" * int(shards.sizes[3]))  # of the right size alone
    kept = (folder / "02" / "000000002.mp4").stat().st_ino
    monkeypatch.undo()
    assert export(SPEC.id, shards, folder) == 6
    assert (folder / "02" / "000000002.mp4").stat().st_ino == kept
    assert (folder / "03" / "000000003.mp4").read_bytes() == shards.encoded(3)
    assert len(content(folder)) == 13
    assert export(SPEC.id, shards, folder) == 0


def test_files_beside_a_finished_export_stay(shards, tmp_path):
    export(SPEC.id, shards, tmp_path)
    (tmp_path / "notes.txt").write_text("mine")
    (tmp_path / "04" / "000000004.mp4").unlink()
    assert export(SPEC.id, shards, tmp_path) == 1
    assert (tmp_path / "notes.txt").read_text() == "mine"


@pytest.mark.parametrize("name", ["notes.txt", "00/000000001.mp4", "00/other.mp4", ".hidden", "labels.txt"])
def test_a_folder_that_holds_something_else_is_refused(shards, tmp_path, name):
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_text("mine")
    with pytest.raises(UserError, match=r"holds something else .*empty or does not exist"):
        export(SPEC.id, shards, tmp_path)
    assert content(tmp_path) == {name: b"mine"}


def test_an_export_of_another_dataset_is_refused(shards, tmp_path):
    (tmp_path / "export.json").write_text('{"dataset": "perlin-0"}')
    with pytest.raises(UserError, match=f"holds an export of perlin-0, not of {SPEC.id}"):
        export(SPEC.id, shards, tmp_path)
    (tmp_path / "export.json").write_text("something else")
    with pytest.raises(UserError, match=r"holds something else \(export\.json\)"):
        export(SPEC.id, shards, tmp_path)


def test_a_file_in_place_of_the_folder(shards, tmp_path):
    (tmp_path / "file").write_text("mine")
    with pytest.raises(UserError, match="not a folder"):
        export(SPEC.id, shards, tmp_path / "file")


def test_nothing_is_written_through_links(shards, tmp_path):
    folder, elsewhere = tmp_path / "export", tmp_path / "elsewhere"
    export(SPEC.id, shards, folder)
    elsewhere.mkdir()
    (elsewhere / "video.mp4").write_bytes(b"mine")
    (folder / "05" / "000000005.mp4").unlink()
    (folder / "05" / "000000005.mp4").symlink_to(elsewhere / "video.mp4")
    assert export(SPEC.id, shards, folder) == 1
    assert not (folder / "05" / "000000005.mp4").is_symlink()
    (folder / "05" / "000000005.mp4").unlink()
    (folder / "05").rmdir()
    (folder / "05").symlink_to(elsewhere)
    with pytest.raises(UserError, match="05: a link"):
        export(SPEC.id, shards, folder)
    assert content(elsewhere) == {"video.mp4": b"mine"}


def test_a_full_disk_leaves_only_whole_clips_and_room_lets_it_go_on(shards, tmp_path):
    """A limit on the size of files stands in for a full disk: the same failing write, without root."""
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(sorted(shards.sizes)[5]), limit[1]))
    try:
        with pytest.raises(UserError, match=r"cannot write .*\.mp4: File too large"):
            export(SPEC.id, shards, tmp_path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)
    for name, data in content(tmp_path).items():
        assert data == shards.encoded(int(name[:2]))
    export(SPEC.id, shards, tmp_path)
    assert len(content(tmp_path)) == 13


def test_a_damaged_shard_is_not_exported(dataset, tmp_path):
    shards = Shards(dataset)
    tar_path, _ = shard_files(dataset, 0)
    whole = tar_path.read_bytes()
    try:
        tar_path.write_bytes(whole[:700] + b"?" + whole[701:])
        with pytest.raises(UserError, match=r"00000\.tar: clip 0 is damaged"):
            export(SPEC.id, shards, tmp_path)
    finally:
        tar_path.write_bytes(whole)
    assert content(tmp_path) == {}


def test_the_command(dataset, tmp_path, capsys):
    folder = tmp_path / "out"
    assert cli.main(["export", str(dataset), str(folder)]) == 0
    assert f"{folder}: 11 clips of {SPEC.id}, 11 of them written now" in capsys.readouterr().out
    assert cli.main(["export", str(dataset), str(dataset)]) == 1
    assert "holds something else" in capsys.readouterr().err

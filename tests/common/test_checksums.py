import subprocess

import pytest

from kinefract.common import checksums
from kinefract.common.errors import UserError


@pytest.fixture
def folder(tmp_path):
    """Return the folder of a finished result, with a file in a folder below it."""
    (tmp_path / "videos").mkdir()
    (tmp_path / "videos" / "0.mp4").write_bytes(b"frames")
    (tmp_path / "spec.yaml").write_text("version: 1\n")
    (tmp_path / "checkpoint.pt").write_bytes(b"comes and goes")
    with checksums.last_file(tmp_path / "result.json") as partial:
        partial.write_text("{}")
        assert not (tmp_path / "SHA256SUMS").exists()
    return tmp_path


def test_sha256sum_reads_them(folder):
    (folder / "checkpoint.pt").unlink()
    done = subprocess.run(["sha256sum", "--check", "SHA256SUMS"], cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0
    assert done.stdout.splitlines() == ["result.json: OK", "spec.yaml: OK", "videos/0.mp4: OK"]


def test_a_folder_as_it_was_written_has_no_difference(folder):
    assert checksums.differing(folder) == []
    assert checksums.read_bytes(folder / "spec.yaml") == b"version: 1\n"
    checksums.check(folder / "result.json")
    checksums.check_all(folder)


@pytest.mark.parametrize("name", ["spec.yaml", "result.json", "videos/0.mp4"])
def test_each_flipped_bit_is_found(folder, name):
    content = (folder / name).read_bytes()
    for place in range(8 * len(content)):
        changed = bytearray(content)
        changed[place // 8] ^= 1 << place % 8
        (folder / name).write_bytes(changed)
        assert checksums.differing(folder) == [f"{folder / name}: changed since it was written"]


def test_each_flipped_bit_of_the_checksums_is_found(folder):
    path = folder / "SHA256SUMS"
    content = path.read_bytes()
    for place in range(8 * len(content)):
        changed = bytearray(content)
        changed[place // 8] ^= 1 << place % 8
        path.write_bytes(changed)
        with pytest.raises(UserError, match="to make it again"):
            checksums.check_all(folder)


def test_a_reader_names_what_was_changed_and_the_remedy(folder):
    (folder / "spec.yaml").write_text("version: 2\n")
    for read in (checksums.read_bytes, checksums.check):
        with pytest.raises(
            UserError, match=rf"spec\.yaml: changed since .*; delete {folder} to make it again"
        ):
            read(folder / "spec.yaml")


def test_missing_and_added_files_are_named(folder):
    (folder / "spec.yaml").unlink()
    (folder / "other.txt").touch()
    assert [line.removeprefix(f"{folder}/") for line in checksums.differing(folder)] == [
        "other.txt: not in SHA256SUMS, so it was added later",
        "spec.yaml: missing",
    ]


def test_a_folder_without_checksums_is_read_as_it_is(folder):
    checksums.remove(folder)
    (folder / "spec.yaml").write_text("version: 2\n")
    assert checksums.read_bytes(folder / "spec.yaml") == b"version: 2\n"
    checksums.check_all(folder)
    with pytest.raises(UserError, match="holds no SHA256SUMS"):
        checksums.differing(folder)


def test_a_last_file_that_is_not_finished_leaves_no_checksums(tmp_path):
    with pytest.raises(KeyError), checksums.last_file(tmp_path / "result.json"):
        raise KeyError
    assert list(tmp_path.iterdir()) == []

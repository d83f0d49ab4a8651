"""What is found in files is remembered until they change."""

import os
from pathlib import Path
from threading import Event

import pytest
from PIL import Image
from trees import FRAMES, HEIGHT, WIDTH, movie, write_videos

from kinefract import video
from kinefract.benchmarks import probes
from kinefract.benchmarks.base import Entry
from kinefract.benchmarks.probes import probe_all
from kinefract.common.layout import PROBES

NAMES = ["two words.mp4", "quo\"te' $(x)\n.mp4", "видео.mp4", os.fsdecode(b"\xff\xfe.mp4"), "deep/a.mp4"]


@pytest.fixture
def entries(tmp_path):
    write_videos(tmp_path / "videos", NAMES)
    return [Entry(f"../videos/{name}", 0, "a", "train") for name in NAMES]


@pytest.fixture
def decoded(monkeypatch):
    """Names of the files that are decoded, as it happens."""
    names, probe = [], video.probe

    def spy(path):
        names.append(path.name)
        return probe(path)

    monkeypatch.setattr(video, "probe", spy)
    return names


def probed(entries, tmp_path):
    return probe_all(entries, tmp_path / "index", tmp_path / "project")


def test_facts_come_in_the_order_of_the_list(entries, tmp_path):
    (tmp_path / "videos/two words.mp4").write_bytes(video.encode(video.decode(movie(0))[:3, :16], 25, 23))
    videos, problems = probed(entries, tmp_path)
    assert problems == []
    assert [str(item.path) for item in videos] == [entry.path for entry in entries]
    assert [item[3:9] for item in videos] == [
        (3, 25.0, WIDTH, 16, 0, 3),
        *[(FRAMES, 12.0, WIDTH, HEIGHT, 0, FRAMES)] * 4,
    ]


def test_a_file_is_decoded_once_until_it_changes(entries, tmp_path, decoded):
    first = probed(entries, tmp_path)
    assert sorted(decoded) == sorted(Path(name).name for name in NAMES)
    decoded.clear()
    assert probed(entries, tmp_path) == first
    assert probed([entries[0]._replace(start=1, end=3)], tmp_path)[0][0].length == 2
    assert decoded == []
    os.utime(tmp_path / "videos" / NAMES[1], (1, 1))
    (tmp_path / "videos/deep/a.mp4").write_bytes(movie(0)[:-100])
    assert "deep/a.mp4" in probed(entries, tmp_path)[1][0]
    assert sorted(decoded) == sorted([NAMES[1], "a.mp4"])


def test_what_was_found_is_remembered_while_others_are_read(entries, tmp_path, decoded, monkeypatch):
    monkeypatch.setattr(probes, "SECONDS_BETWEEN_SAVES", 0)
    written, write, probe = Event(), probes.write_text, video.probe

    def spy(folder, text):
        write(folder, text)
        written.set()

    def last_waits(path):
        assert path.name != "a.mp4" or written.wait(60), "nothing was written before the last was read"
        return probe(path)

    monkeypatch.setattr(probes, "write_text", spy)
    monkeypatch.setattr(video, "probe", last_waits)
    found = probed(entries, tmp_path)
    assert len(list((tmp_path / "project" / PROBES).iterdir())) == 2  # of two folders
    decoded.clear()
    assert probed(entries, tmp_path) == found and decoded == []


def test_what_cannot_be_read_is_tried_again(entries, tmp_path, decoded):
    path = tmp_path / "videos" / NAMES[0]
    whole = path.read_bytes()
    path.write_bytes(b"")
    videos, problems = probed(entries, tmp_path)
    assert (len(videos), len(problems)) == (4, 1)
    facts = path.stat()
    path.write_bytes(whole)
    os.utime(path, ns=(facts.st_atime_ns, facts.st_mtime_ns))
    assert len(probed(entries, tmp_path)[0]) == 5


def test_a_file_of_several_clips_is_decoded_once(entries, tmp_path, decoded):
    clips = [entries[0]._replace(start=start, end=start + 2) for start in range(3)]
    videos, problems = probed(clips, tmp_path)
    assert [(item.start, item.end) for item in videos] == [(0, 2), (1, 3), (2, 4)]
    assert problems == [] and len(decoded) == 1


@pytest.mark.parametrize(("start", "end"), [(0, FRAMES + 1), (FRAMES, None), (3, 3), (4, 2), (-1, 2)])
def test_a_clip_beyond_its_file_is_a_problem(entries, tmp_path, start, end):
    videos, (problem,) = probed([entries[0]._replace(start=start, end=end)], tmp_path)
    assert videos == []
    assert f"frames {start} to {FRAMES if end is None else end} are wanted of a video of {FRAMES}" in problem


def test_a_folder_of_pictures_is_read_again_once_a_picture_changes(tmp_path):
    (tmp_path / "videos/pictures").mkdir(parents=True)
    for number in range(3):
        Image.new("RGB", (40, 30)).save(tmp_path / f"videos/pictures/{number}.png")
        videos, _ = probed([Entry("../videos/pictures", 0, "a", "train")], tmp_path)
        assert videos[0][3:9] == (number + 1, 25.0, 40, 30, 0, number + 1)
    for number in range(3):  # in place, so that the folder's own time stamp stays
        Image.new("RGB", (20, 10)).save(tmp_path / f"videos/pictures/{number}.png")
    assert probed([Entry("../videos/pictures", 0, "a", "train")], tmp_path)[0][0].width == 20


@pytest.mark.parametrize("damage", ["", "{", "[]", '{"x": 1}'])
def test_a_damaged_memory_is_no_memory(entries, tmp_path, damage):
    first = probed(entries, tmp_path)
    for path in (tmp_path / "project" / PROBES).iterdir():
        path.write_text(damage)
    assert probed(entries, tmp_path) == first


def test_a_memory_of_which_a_number_was_changed_is_forgotten(entries, tmp_path):
    first = probed(entries, tmp_path)
    for path in (tmp_path / "project" / PROBES).iterdir():
        text = path.read_text()
        path.write_text(text.replace("12.0", "13.0"))
        assert path.read_text() != text
    assert probed(entries, tmp_path) == first


def test_what_was_found_before_a_stop_is_kept(entries, tmp_path, decoded, monkeypatch):
    spy = video.probe

    def stopped(path):
        if path.name == "a.mp4":
            raise KeyboardInterrupt
        return spy(path)

    monkeypatch.setattr(video, "probe", stopped)
    with pytest.raises(KeyboardInterrupt):
        probed(entries, tmp_path)
    assert len(decoded) == 4
    monkeypatch.setattr(video, "probe", spy)
    decoded.clear()
    probed(entries, tmp_path)
    assert decoded == ["a.mp4"]

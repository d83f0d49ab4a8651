"""Reading and writing video: frames keep their number, damage is told, never passed over."""

import resource

import numpy as np
import pytest

from kinefract import video
from kinefract.errors import UserError
from kinefract.synth.families.fractal import FractalRecipe
from kinefract.synth.recipes import Points


def numbered(frames: int, size=(48, 64)) -> np.ndarray:
    """Return frames whose grey level tells their number: 10 x number."""
    levels = np.arange(frames, dtype=np.uint8) * 10
    return np.broadcast_to(levels[:, None, None], (frames, *size)).copy()


def test_grey_and_coloured_clips_come_back(tmp_path):
    grey = numbered(20)
    assert np.abs(video.decode(video.encode(grey, 12, 10), grey=True).astype(int) - grey).max() <= 3
    colour = np.stack([grey, 255 - grey, np.full_like(grey, 90)], axis=-1)
    path = tmp_path / "clip.mp4"
    path.write_bytes(video.encode(colour, 12, 10))
    assert np.abs(video.decode(path).astype(int) - colour).mean() < 3
    assert video.probe(path) == (20, 12.0, 64, 48)


def test_encoding_the_same_frames_gives_the_same_bytes_at_every_call():
    # x264 left to itself encodes some of these in several ways on processors with AVX-512.
    recipe = FractalRecipe(classes=6, clips_per_class=1, size=48, points=Points(steps=300, discard=50))
    for frames in (recipe.clip(index) for index in range(6)):
        assert len({video.encode(frames, 12, 23) for _ in range(20)}) == 1


def test_frames_are_picked_by_number_in_the_order_asked_for():
    data = video.encode(numbered(20), 12, 10)
    levels = video.decode(data, [19, 0, 7, 7], grey=True).mean((1, 2)) / 10
    assert np.allclose(levels, [19, 0, 7, 7], atol=0.3)


def test_frames_of_a_real_video_are_those_that_ffmpeg_shows(shared, tmp_path):
    import subprocess

    path = next((shared / "data/ucf101_original/UCF-101").glob("*/*.avi"))
    info = video.probe(path)
    picked = [0, 7, info.frames // 2, info.frames - 1]
    choose = "+".join(rf"eq(n\,{number})" for number in picked)
    command = [
        "ffmpeg",
        "-v",
        "error",
        "-i",
        str(path),
        "-vf",
        f"select={choose}",
        "-fps_mode",
        "passthrough",
    ]
    raw = subprocess.run(
        [*command, "-f", "rawvideo", "-pix_fmt", "rgb24", "-"], capture_output=True, check=True
    ).stdout
    expected = np.frombuffer(raw, np.uint8).reshape(4, info.height, info.width, 3)
    assert np.abs(video.decode(path, picked).astype(int) - expected).mean() < 2


def test_a_video_for_people_has_what_was_put_in(tmp_path):
    frames = np.stack([numbered(12)] * 3, axis=-1)
    video.write_for_people(tmp_path / "sheet.mp4", frames, 12)
    assert video.probe(tmp_path / "sheet.mp4") == (12, 12.0, 64, 48)
    assert np.abs(video.decode(tmp_path / "sheet.mp4").astype(int) - frames).mean() < 3


@pytest.mark.parametrize("damage", ["missing", "empty", "text", "truncated"])
def test_an_unreadable_video_is_a_clear_error(tmp_path, damage):
    path = tmp_path / "clip.mp4"
    whole = video.encode(numbered(20), 12, 23)
    if damage != "missing":
        path.write_bytes(
            {"empty": b"", "text": b"no video " * 100, "truncated": whole[: len(whole) // 2]}[damage]
        )
    for read in (video.probe, video.decode):
        with pytest.raises(UserError, match=r"cannot read video .*clip\.mp4"):
            read(path)


def test_a_real_video_cut_short_is_not_taken_for_whole(shared, tmp_path):
    source = next((shared / "data/ucf101_original/UCF-101").glob("*/*.avi"))
    path = tmp_path / "cut.avi"
    path.write_bytes(source.read_bytes()[: source.stat().st_size // 2])
    with pytest.raises(UserError, match="truncated"):
        video.probe(path)


def test_asking_past_the_end_is_an_error():
    with pytest.raises(UserError, match="ends"):
        video.decode(video.encode(numbered(5), 12, 23), [0, 5])


def test_a_missing_ffmpeg_says_what_to_install(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UserError, match="ffmpeg and ffprobe not found: install ffmpeg"):
        video.write_for_people(tmp_path / "a.mp4", np.zeros((2, 16, 16, 3), np.uint8), 12)
    assert list(tmp_path.iterdir()) == []


def test_a_video_for_people_that_the_disk_cuts_short_is_one_clear_error(tmp_path):
    rng = np.random.Generator(np.random.Philox(1))
    frames = rng.integers(0, 256, (12, 64, 64, 3), dtype=np.uint8)
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, limit[1]))  # as a full disk, without root
    try:
        with pytest.raises(UserError, match=r"cannot write .*clips\.mp4"):
            video.write_for_people(tmp_path / "clips.mp4", frames, 12)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)
    assert list(tmp_path.iterdir()) == []

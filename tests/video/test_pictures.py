"""Folders of pictures as videos: their order, their damage, and real ones."""

import io

import numpy as np
import pytest
from PIL import Image

from kinefract import video
from kinefract.common.errors import UserError
from kinefract.video import pictures


def write(path, level: int, size=(40, 24), **options) -> None:
    Image.fromarray(np.full((size[1], size[0], 3), level, np.uint8)).save(path, **options)


def levels(frames: np.ndarray) -> list[int]:
    return frames.reshape(len(frames), -1)[:, 0].tolist()


def test_frames_are_in_the_order_of_their_numbers_and_picked_by_their_place(tmp_path):
    for number in (98, 99, 100, 101, 1000):
        write(tmp_path / f"{number}.png", number % 97)
    assert levels(pictures.decode(tmp_path)) == [1, 2, 3, 4, 1000 % 97]
    assert levels(pictures.decode(tmp_path, [3, 0, 3])) == [4, 1, 4]
    assert pictures.probe(tmp_path, fps=12.5) == (5, 12.5, 40, 24)


def test_numbers_within_names_count_as_numbers(tmp_path):
    for level, name in enumerate(("a2_9.png", "a2_10.png", "a10_1.png", "b.png")):
        write(tmp_path / name, level)
    assert levels(pictures.decode(tmp_path)) == [0, 1, 2, 3]


def test_other_files_are_passed_over(tmp_path):
    write(tmp_path / "1.PNG", 5)
    write(tmp_path / ".2.png", 6)
    (tmp_path / "Thumbs.db").write_bytes(b"x")
    (tmp_path / "3.jpg").mkdir()
    assert levels(pictures.decode(tmp_path)) == [5]
    assert pictures.probe(tmp_path).frames == 1


def test_grey_and_palette_and_transparent_pictures_come_as_asked(tmp_path):
    colour = np.zeros((10, 12, 3), np.uint8)
    colour[:, :6] = (200, 40, 90)
    whole = Image.fromarray(colour)
    for number, mode in enumerate(("RGB", "P", "RGBA", "CMYK")):
        whole.convert(mode).save(tmp_path / f"{number}.{'jpg' if mode == 'CMYK' else 'png'}")
    frames = pictures.decode(tmp_path)
    assert frames.shape == (4, 10, 12, 3) and frames.dtype == np.uint8
    assert np.array_equal(frames[0], colour) and np.array_equal(frames[2], colour)
    assert np.abs(frames.astype(int) - colour).mean() < 12
    grey = pictures.decode(tmp_path, [0], grey=True)
    assert grey.shape == (1, 10, 12)
    assert abs(int(grey[0, 0, 0]) - (0.299 * 200 + 0.587 * 40 + 0.114 * 90)) <= 1  # ITU-R BT.601


def test_the_orientation_a_camera_noted_is_ignored(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # a quarter turn
    write(tmp_path / "1.jpg", 50, exif=exif)
    assert pictures.decode(tmp_path).shape == (1, 24, 40, 3)
    assert pictures.probe(tmp_path)[2:] == (40, 24)


def test_pictures_of_several_sizes_are_refused(tmp_path):
    write(tmp_path / "1.jpg", 50)
    write(tmp_path / "2.jpg", 50)
    write(tmp_path / "3.jpg", 50, size=(40, 26))
    for read in (pictures.probe, pictures.decode):
        with pytest.raises(UserError, match=r"3\.jpg: it is 40x26, the folder's first frame 40x24"):
            read(tmp_path)
    assert len(pictures.decode(tmp_path, [0, 1])) == 2


def damage_of(kind: str) -> bytes:
    rng = np.random.Generator(np.random.Philox(1))
    buffer = io.BytesIO()
    Image.fromarray(rng.integers(0, 256, (64, 64, 3), dtype=np.uint8)).save(buffer, "JPEG")
    whole = buffer.getvalue()
    return {"empty": b"", "text": b"no picture", "truncated": whole[:-40], "half": whole[: len(whole) // 2]}[
        kind
    ]


@pytest.mark.parametrize("kind", ["empty", "text", "truncated", "half"])
@pytest.mark.parametrize("suffix", ["jpg", "png", "bmp"])
def test_an_unreadable_picture_is_named(tmp_path, kind, suffix):
    write(tmp_path / "1.png", 50, size=(64, 64))
    (tmp_path / f"2.{suffix}").write_bytes(damage_of(kind))
    for read in (pictures.probe, pictures.decode):
        with pytest.raises(UserError, match=rf"cannot read picture .*2\.{suffix}"):
            read(tmp_path)
    assert len(pictures.decode(tmp_path, [0])) == 1


@pytest.mark.parametrize("start", [b"\x89PNG\r\n\x1a\n", b"BM"])
def test_pictures_with_a_broken_header_are_errors_of_the_user(tmp_path, start):
    rng = np.random.Generator(np.random.Philox(2))
    for number in range(40):
        folder = tmp_path / str(number)
        folder.mkdir()
        (folder / "1.png").write_bytes(start + rng.bytes(int(rng.integers(1, 200))))
        with pytest.raises(UserError, match="cannot read picture"):
            pictures.probe(folder)


def test_sixteen_bit_pictures_are_refused_rather_than_clipped(tmp_path):
    Image.fromarray(np.full((8, 8), 40_000, np.uint16)).save(tmp_path / "1.png")
    with pytest.raises(UserError, match="more than 8 bits"):
        pictures.decode(tmp_path)


def test_a_folder_without_pictures_one_that_is_missing_and_a_number_too_high_are_clear_errors(tmp_path):
    with pytest.raises(UserError, match="holds no picture"):
        pictures.probe(tmp_path)
    with pytest.raises(UserError, match="No such file"):
        pictures.decode(tmp_path / "missing")
    write(tmp_path / "1.jpg", 1)
    with pytest.raises(UserError, match="ends after 1 frame, asked for 1"):
        pictures.decode(tmp_path, [0, 1])
    for indices in ([], [-1]):
        with pytest.raises(ValueError, match="frame numbers from 0 on"):
            pictures.decode(tmp_path, indices)


def test_real_clips_of_frames_are_videos(shared):
    clips = sorted(path.parent for path in (shared / "data/volleyball_sample").rglob("*.jpg"))
    clips = sorted(set(clips))
    assert len(clips) == 8
    for clip in clips:
        numbers = sorted(int(path.stem) for path in clip.glob("*.jpg"))
        info = video.probe(clip)
        assert info == (len(numbers), 25.0, 480, 270) and info.frames in (10, 41)
        for place in (0, len(numbers) // 2, len(numbers) - 1):
            with Image.open(clip / f"{numbers[place]}.jpg") as picture:
                assert np.array_equal(video.decode(clip, [place])[0], np.asarray(picture.convert("RGB")))

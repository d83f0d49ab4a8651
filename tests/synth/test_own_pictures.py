"""A folder of pictures is known by its digest, and each picture is read as it looks, whatever its format."""

import hashlib

import numpy as np
import pytest
from PIL import Image

from kinefract.common.errors import UserError
from kinefract.synth import pictures
from kinefract.synth.pictures import Pictures


def noise(height=24, width=36, channels=3, seed=0):
    shape = (height, width, channels) if channels > 1 else (height, width)
    return np.random.default_rng(seed).integers(256, size=shape, dtype=np.uint8)


def saved(path, levels, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(levels).save(path, **options)
    return path


def told(folder, digest=None):
    with pytest.raises(UserError) as caught:
        pictures.listing(Pictures(root=str(folder), sha256=digest))
    assert "\n" not in str(caught.value)
    return str(caught.value)


def digest_of(folder, names):
    lines = [f"{hashlib.sha256((folder / name).read_bytes()).hexdigest()}  {name}\n" for name in names]
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def test_a_folder_is_listed_if_its_digest_is_that_of_what_sha256sum_prints(tmp_path):
    for number, name in enumerate(["b.png", "a/c.bmp", "B.gif", ".hidden.png", ".git/d.png"]):
        saved(tmp_path / name, noise(seed=number))
    (tmp_path / "readme.txt").write_text("no picture")
    names = ["B.gif", "a/c.bmp", "b.png"]
    digest = digest_of(tmp_path, names)
    found = pictures.listing(Pictures(root=str(tmp_path), sha256=digest))
    assert [path.relative_to(tmp_path).as_posix() for path in found] == names


def test_without_a_digest_the_error_says_it(tmp_path):
    saved(tmp_path / "a.png", noise())
    assert f"add `sha256: {digest_of(tmp_path, ['a.png'])}` beside `root`" in told(tmp_path)


@pytest.mark.parametrize("change", ["content", "name", "one more", "one less"])
def test_another_content_is_refused(tmp_path, change):
    saved(tmp_path / "a.png", noise())
    saved(tmp_path / "b.png", noise(seed=1))
    digest = digest_of(tmp_path, ["a.png", "b.png"])
    match change:
        case "content":
            saved(tmp_path / "a.png", noise(seed=2))
        case "name":
            (tmp_path / "a.png").rename(tmp_path / "c.png")
        case "one more":
            saved(tmp_path / "c.png", noise(seed=2))
        case "one less":
            (tmp_path / "a.png").unlink()
    assert f"the configuration wants {digest}" in told(tmp_path, digest)


def test_a_folder_that_is_missing_empty_or_a_file_is_one_clear_error(tmp_path):
    assert f"{tmp_path}/none: No such file or directory" in told(tmp_path / "none")
    assert "holds no picture" in told(tmp_path)
    assert "Not a directory" in told(saved(tmp_path / "a.png", noise()))


@pytest.mark.parametrize("ending", ["png", "bmp", "tif", "webp", "ppm"])
def test_lossless_formats_give_their_levels(tmp_path, ending):
    levels = noise()
    path = saved(tmp_path / f"a.{ending}", levels, **({"lossless": True} if ending == "webp" else {}))
    np.testing.assert_array_equal(pictures.read(path, 100), levels)


def test_grey_palette_and_sixteen_bits_become_rgb(tmp_path):
    grey = noise(channels=1)
    wide = grey.astype(np.uint16) << 8
    for name, picture in {"L": Image.fromarray(grey), "I;16": Image.fromarray(wide)}.items():
        picture.save(tmp_path / f"{name[0]}.png")
        np.testing.assert_array_equal(
            pictures.read(tmp_path / f"{name[0]}.png", 100), np.repeat(grey[..., None], 3, axis=2)
        )
    Image.fromarray(grey).convert("P").save(tmp_path / "p.png")
    assert pictures.read(tmp_path / "p.png", 100).shape == (24, 36, 3)


def test_what_is_transparent_becomes_black(tmp_path):
    levels = noise(channels=4)
    levels[..., 3] = 255
    levels[:5, :, 3] = 0
    found = pictures.read(saved(tmp_path / "a.png", levels), 100)
    assert not found[:5].any()
    np.testing.assert_array_equal(found[5:], levels[5:, :, :3])


def test_a_picture_stands_as_its_orientation_says(tmp_path):
    levels, exif = noise(), Image.Exif()
    exif[0x0112] = 6  # turn it clockwise by a quarter to see it upright
    path = saved(tmp_path / "a.png", levels, exif=exif)
    np.testing.assert_array_equal(pictures.read(path, 100), np.rot90(levels, -1))


def test_a_large_picture_is_shrunk_to_the_side_and_a_long_one_cut(tmp_path):
    assert pictures.read(saved(tmp_path / "a.jpg", noise(600, 900)), 100).shape == (100, 150, 3)
    assert pictures.read(saved(tmp_path / "b.png", noise(10, 400)), 100).shape == (10, 40, 3)


def refused(path):
    with pytest.raises(UserError, match="cannot read picture") as caught:
        pictures.read(path, 100)
    assert str(path) in str(caught.value) and "\n" not in str(caught.value)
    return str(caught.value)


def test_an_unreadable_picture_is_one_clear_error(tmp_path):
    whole = saved(tmp_path / "a.png", noise(200, 200)).read_bytes()
    (tmp_path / "cut.png").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "text.png").write_text("no picture")
    (tmp_path / "program.png").write_text("%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n")
    Image.fromarray(noise(channels=1).astype(np.float32)).save(tmp_path / "float.tif")
    assert "No such file" in refused(tmp_path / "none.png")
    for name in ("cut.png", "text.png", "program.png"):
        refused(tmp_path / name)
    assert "more than 16 bits" in refused(tmp_path / "float.tif")


def test_a_picture_of_too_many_pixels_is_not_decoded(tmp_path):
    Image.new("1", (10_000, 8_001)).save(tmp_path / "a.png")
    assert "10000 x 8001 pixels" in refused(tmp_path / "a.png")

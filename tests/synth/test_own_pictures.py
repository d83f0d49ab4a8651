"""A folder of pictures is known by its digest, and each picture is read as it looks, whatever its format."""

import hashlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from kinefract.common.errors import UserError
from kinefract.common.layout import PICTURE_LISTS
from kinefract.synth import pictures
from kinefract.synth.pictures import Picture, Pictures


@pytest.fixture(autouse=True)
def project(tmp_path_factory, monkeypatch):
    """Lists of pictures are kept in the project's folder."""
    monkeypatch.chdir(tmp_path_factory.mktemp("project"))


def noise(height=24, width=36, channels=3, seed=0):
    shape = (height, width, channels) if channels > 1 else (height, width)
    return np.random.default_rng(seed).integers(256, size=shape, dtype=np.uint8)


def saved(path, levels, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(levels).save(path, **options)
    return path


def shown(path):
    """Read a picture that is as it was listed."""
    digest = hashlib.sha256(path.read_bytes()).hexdigest() if path.exists() else "0" * 64
    return pictures.read(Picture(path, digest), 100)


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
    assert [picture.path.relative_to(tmp_path).as_posix() for picture in found] == names


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


def never(path):
    raise AssertionError(f"{path} was read")


def listed_anew(folder, digest):
    pictures.listing.cache_clear()
    return pictures.listing(Pictures(root=str(folder), sha256=digest))


def test_pictures_are_hashed_by_the_first_job_alone(tmp_path, monkeypatch):
    saved(tmp_path / "a.png", noise())
    saved(tmp_path / "b/c é.png", noise(seed=1))
    digest = digest_of(tmp_path, ["a.png", "b/c é.png"])
    first = listed_anew(tmp_path, digest)
    monkeypatch.setattr(pictures, "sha256", never)
    assert listed_anew(tmp_path, digest) == first
    saved(tmp_path / "d.png", noise(seed=2))
    with pytest.raises(AssertionError, match="was read"):
        listed_anew(tmp_path, digest)


def test_a_kept_list_that_is_damaged_is_made_again(tmp_path):
    saved(tmp_path / "a.png", noise())
    digest = digest_of(tmp_path, ["a.png"])
    first = listed_anew(tmp_path, digest)
    kept = Path(PICTURE_LISTS, f"{digest}.txt")
    whole = kept.read_text()
    kept.write_text(whole.replace(whole[0], "0" if whole[0] != "0" else "1", 1))
    assert listed_anew(tmp_path, digest) == first
    assert kept.read_text() == whole


def test_where_no_list_can_be_kept_the_pictures_are_read_all_the_same(tmp_path):
    saved(tmp_path / "a.png", noise())
    Path("data").write_text("a file in the place of the folder")
    assert len(listed_anew(tmp_path, digest_of(tmp_path, ["a.png"]))) == 1


def test_a_picture_that_changed_after_it_was_listed_is_refused(tmp_path):
    saved(tmp_path / "a.png", noise())
    (picture,) = listed_anew(tmp_path, digest_of(tmp_path, ["a.png"]))
    saved(tmp_path / "a.png", noise(seed=1))
    with pytest.raises(UserError, match=r"cannot read picture .*/a\.png: it changed; its SHA-256 is"):
        pictures.read(picture, 100)


def test_a_line_break_in_a_name_is_refused(tmp_path):
    saved(tmp_path / "a\nb.png", noise())
    assert "a line break in its name" in told(tmp_path)


def test_a_folder_that_is_missing_empty_or_a_file_is_one_clear_error(tmp_path):
    assert f"{tmp_path}/none: No such file or directory" in told(tmp_path / "none")
    assert "holds no picture" in told(tmp_path)
    assert "Not a directory" in told(saved(tmp_path / "a.png", noise()))


@pytest.mark.parametrize("ending", ["png", "bmp", "tif", "webp", "ppm"])
def test_lossless_formats_give_their_levels(tmp_path, ending):
    levels = noise()
    path = saved(tmp_path / f"a.{ending}", levels, **({"lossless": True} if ending == "webp" else {}))
    np.testing.assert_array_equal(shown(path), levels)


def test_grey_palette_and_sixteen_bits_become_rgb(tmp_path):
    grey = noise(channels=1)
    wide = grey.astype(np.uint16) << 8
    for name, picture in {"L": Image.fromarray(grey), "I;16": Image.fromarray(wide)}.items():
        picture.save(tmp_path / f"{name[0]}.png")
        np.testing.assert_array_equal(
            shown(tmp_path / f"{name[0]}.png"), np.repeat(grey[..., None], 3, axis=2)
        )
    Image.fromarray(grey).convert("P").save(tmp_path / "p.png")
    assert shown(tmp_path / "p.png").shape == (24, 36, 3)


def test_what_is_transparent_becomes_black(tmp_path):
    levels = noise(channels=4)
    levels[..., 3] = 255
    levels[:5, :, 3] = 0
    found = shown(saved(tmp_path / "a.png", levels))
    assert not found[:5].any()
    np.testing.assert_array_equal(found[5:], levels[5:, :, :3])


def test_a_picture_stands_as_its_orientation_says(tmp_path):
    levels, exif = noise(), Image.Exif()
    exif[0x0112] = 6  # turn it clockwise by a quarter to see it upright
    path = saved(tmp_path / "a.png", levels, exif=exif)
    np.testing.assert_array_equal(shown(path), np.rot90(levels, -1))


def test_a_large_picture_is_shrunk_to_the_side_and_a_long_one_cut(tmp_path):
    assert shown(saved(tmp_path / "a.jpg", noise(600, 900))).shape == (100, 150, 3)
    assert shown(saved(tmp_path / "b.png", noise(10, 400))).shape == (10, 40, 3)


def refused(path):
    with pytest.raises(UserError, match="cannot read picture") as caught:
        shown(path)
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
    assert "numbers without a known range" in refused(tmp_path / "float.tif")


def test_a_picture_of_too_many_pixels_is_not_decoded(tmp_path):
    Image.new("1", (10_000, 8_001)).save(tmp_path / "a.png")
    assert "10000 x 8001 pixels" in refused(tmp_path / "a.png")

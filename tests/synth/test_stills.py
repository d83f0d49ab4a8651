"""Stills are functions of their number; a folder's pictures repeat, our own do not."""

import hashlib

import numpy as np
from PIL import Image

from kinefract.synth import stills
from kinefract.synth.pictures import Pictures
from kinefract.synth.stills import CONTRAST, TEXTURES, Stills


def folder(path, count):
    for number in range(count):
        levels = np.random.default_rng(number).integers(256, size=(40, 50, 3), dtype=np.uint8)
        Image.fromarray(levels).save(path / f"{number}.png")
    files = sorted(path.iterdir())
    lines = "".join(f"{hashlib.sha256(file.read_bytes()).hexdigest()}  {file.name}\n" for file in files)
    return Pictures(root=str(path), sha256=hashlib.sha256(lines.encode()).hexdigest())


def test_every_family_makes_coloured_pictures_that_differ():
    for family in TEXTURES:
        stills = Stills((family,), None, 1, 32)
        read = [stills.read(number) for number in range(5)]
        assert all(picture.shape == (32, 32, 3) and picture.dtype == np.uint8 for picture in read)
        assert len({picture.tobytes() for picture in read}) == 5
        assert not (read[0] == Stills((family,), None, 2, 32).read(0)).all()


def test_a_grey_picture_gets_two_colours_that_contrast():
    for number in range(5):
        picture = Stills(("perlin",), None, 1, 32).read(number).reshape(-1, 3).astype(int)
        assert (np.ptp(picture, axis=0) >= CONTRAST).all()


def test_all_families_named_are_drawn():
    stills = Stills(TEXTURES, None, 1, 32)
    own = [{Stills((family,), None, 1, 32).read(n).shape for n in range(3)} for family in TEXTURES]
    assert own == [{(32, 32, 3)}] * 3
    assert len({stills.read(number).tobytes() for number in range(12)}) == 12


def test_a_folders_pictures_repeat(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # lists of pictures are kept in the project
    stills = Stills((), folder(tmp_path, 3), 1, 32)
    assert stills.read(0).shape == (32, 40, 3)
    np.testing.assert_array_equal(stills.read(4), stills.read(1))
    assert (stills.read(0) != stills.read(1)).any()


def test_each_family_named_makes_some_of_the_pictures(monkeypatch):
    asked, recipe = [], stills._recipe
    monkeypatch.setattr(
        stills, "_recipe", lambda family, *more: asked.append(family) or recipe(family, *more)
    )
    made = Stills(TEXTURES, None, 77, 32)
    for number in range(12):
        made.read(number)
    assert set(asked) == set(TEXTURES)

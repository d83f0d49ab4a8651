"""The page of augmentations shows every effect, each picture in its place."""

from kinefract.augment import show
from kinefract.augment.recipes import Filmed


def test_every_effect_has_its_picture(tmp_path, monkeypatch):
    monkeypatch.setattr(show, "SIZE", 32)
    monkeypatch.setattr(show, "CLIPS", 2)
    show.write_page(tmp_path)
    text = (tmp_path / "augmentations.md").read_text()
    effects = {name for name, value in Filmed() if hasattr(value, "p")}
    assert set(show.CAPTIONS) == effects
    for name in (*effects, "all"):
        assert f"augmentations/{name}.webp" in text
        assert (tmp_path / "augmentations" / f"{name}.webp").stat().st_size > 500


def test_an_effect_alone_is_always_on_and_the_others_never():
    recipe = show.alone("zoom")
    assert recipe.zoom.p == 1 and recipe.zoom.speed == Filmed().zoom.speed
    assert all(value.p == 0 for name, value in recipe if hasattr(value, "p") and name != "zoom")

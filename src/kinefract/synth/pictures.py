"""A user's folder of pictures: its content by digest, and its pictures as arrays."""

import hashlib
import os
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import numpy as np
from pydantic import Field

from kinefract.common.errors import UserError
from kinefract.common.files import sha256
from kinefract.common.schema import Section

if TYPE_CHECKING:
    from PIL import Image

MOST_PIXELS = 80_000_000  # of a picture; a small file may claim to hold far more
LONGEST = 4  # longer side over the shorter one, beyond which the ends are cut off
KEPT = 32  # pictures that a process keeps in memory
RUNS_PROGRAMS = {"EPS"}  # formats that Pillow hands to another program


class Pictures(Section):
    """A folder with pictures of the user's, of any formats that Pillow reads; folders in it count, too."""

    root: str = Field(min_length=1, description="the folder, from the project's")
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")] | None = Field(
        default=None, description="of the folder's content; the error where it is not given says what it is"
    )


@lru_cache(maxsize=8)
def listing(pictures: Pictures) -> tuple[Path, ...]:
    """Return the pictures of a folder, sorted by path, if they are those that the settings name.

    The digest is the SHA-256 of a text with a line for each picture, ``<SHA-256>  <path in the folder>``, as
    ``sha256sum`` writes it. A process reads the folder once.

    Raises:
        UserError: the folder or a file in it cannot be read, there is no picture, or the digest is missing or
            another one.
    """
    folder = Path(pictures.root)
    paths = _found(folder)
    if not paths:
        raise UserError(f"{folder}: the folder holds no picture of a format that Pillow reads")
    digest = hashlib.sha256()
    for name, path in paths.items():
        try:
            digest.update(f"{sha256(path)}  {name}\n".encode("utf-8", "surrogateescape"))
        except OSError as error:
            raise UserError(f"cannot read picture {path}: {error.strerror or error}") from error
    found = digest.hexdigest()
    if pictures.sha256 is None:
        raise UserError(
            f"{folder}: the configuration does not say which pictures these are to be, so nobody could make "
            f"the clips again; if they are the right ones, add `sha256: {found}` beside `root`"
        )
    if pictures.sha256 != found:
        raise UserError(
            f"{folder}: the SHA-256 of its {len(paths):,} pictures is {found}, the configuration wants "
            f"{pictures.sha256}"
        )
    return tuple(paths.values())


@lru_cache(maxsize=KEPT)
def read(path: Path, side: int) -> np.ndarray:
    """Return a picture in RGB, shrunk if its shorter side has more than ``side`` pixels.

    It stands as its EXIF orientation says. What is transparent becomes black, the first frame of several is
    taken, and 16 bits of grey become 8.

    Args:
        path: The file.
        side: Greatest length of the shorter side in pixels.

    Returns:
        uint8 (H, W, 3), read-only.

    Raises:
        UserError: the file is missing, no picture, damaged, or of more than 80 million pixels; or its pixels
            are numbers without a known range.
    """
    from PIL import Image, ImageOps

    try:
        with Image.open(path, formats=_formats()) as opened:
            if opened.width * opened.height > MOST_PIXELS:
                raise UserError(
                    f"cannot read picture {path}: it has {opened.width} x {opened.height} pixels, "
                    f"more than {MOST_PIXELS:,}"
                )
            opened.draft("RGB", (side, side))  # a JPEG far larger than this is decoded smaller
            levels = np.asarray(_shrunk(_in_rgb(ImageOps.exif_transpose(opened), path), side))
    except UserError:
        raise
    except Exception as error:  # Pillow's readers raise whatever their parsing runs into
        raise UserError(f"cannot read picture {path}: {getattr(error, 'strerror', None) or error}") from error
    levels.setflags(write=False)
    return levels


def _found(folder: Path) -> dict[str, Path]:
    """Return the pictures of a folder by their path in it, sorted; hidden files and folders are left out."""

    def fail(error: OSError) -> None:
        raise UserError(
            f"{error.filename}: {error.strerror}; `root` of `pictures` wants a folder, its path starts from "
            "the project's folder"
        ) from error

    endings, paths = _endings(), {}
    for place, folders, files in os.walk(folder, onerror=fail):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in files:
            if not name.startswith(".") and Path(name).suffix.lower() in endings:
                path = Path(place, name)
                paths[path.relative_to(folder).as_posix()] = path
    return dict(sorted(paths.items()))


def _formats() -> list[str]:
    from PIL import Image

    Image.init()
    return sorted(Image.OPEN.keys() - RUNS_PROGRAMS)


def _endings() -> set[str]:
    from PIL import Image

    formats = set(_formats())
    return {ending for ending, kind in Image.registered_extensions().items() if kind in formats}


def _in_rgb(picture: "Image.Image", path: Path) -> "Image.Image":
    from PIL import Image

    if picture.mode.startswith("I;16"):
        return Image.fromarray((np.asarray(picture) >> 8).astype(np.uint8)).convert("RGB")
    if picture.mode in ("I", "F"):
        raise UserError(f"cannot read picture {path}: its pixels have more than 16 bits")
    if picture.has_transparency_data:
        picture = picture.convert("RGBA")
        picture = Image.alpha_composite(Image.new("RGBA", picture.size, "black"), picture)
    return picture.convert("RGB")


def _shrunk(picture: "Image.Image", side: int) -> "Image.Image":
    from PIL import Image, ImageOps

    short = min(picture.size)
    most = LONGEST * short
    if max(picture.size) > most:
        picture = ImageOps.fit(picture, (min(picture.width, most), min(picture.height, most)))
    if short <= side:
        return picture
    size = [max(1, round(length * side / short)) for length in picture.size]
    return picture.resize((size[0], size[1]), Image.Resampling.BICUBIC)

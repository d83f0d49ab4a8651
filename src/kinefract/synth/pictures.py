"""A user's folder of pictures: its content by digest, and its pictures as arrays.

Hashing a large folder takes minutes, and every job and process that draws from it must know that its content
is right. So the list whose SHA-256 is the digest is kept in ``data/cache/pictures``, and each picture is
compared with it when it is read.
"""

import hashlib
import io
import os
from collections.abc import Iterable
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

import numpy as np
from pydantic import Field

from kinefract.common.errors import UserError
from kinefract.common.files import sha256, written_whole
from kinefract.common.layout import PICTURE_LISTS
from kinefract.common.schema import Section

if TYPE_CHECKING:
    from PIL import Image

MOST_PIXELS = 80_000_000  # of a picture; a small file may claim to hold far more
LONGEST = 4  # longer side over the shorter one, beyond which the ends are cut off
KEPT = 32  # pictures that a process keeps in memory
HASHED = 64 + 2  # characters of a line before the path
RUNS_PROGRAMS = {"EPS"}  # formats that Pillow hands to another program


class Pictures(Section):
    """A folder with pictures of the user's, of any formats that Pillow reads; folders in it count, too."""

    root: str = Field(min_length=1, description="the folder, from the project's")
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")] | None = Field(
        default=None, description="of the folder's content; the error where it is not given says what it is"
    )


class Picture(NamedTuple):
    """A picture of a folder, and the SHA-256 that it is to have."""

    path: Path
    sha256: str


@lru_cache(maxsize=8)
def listing(pictures: Pictures) -> tuple[Picture, ...]:
    """Return the pictures of a folder, sorted by path, if they are those that the settings name.

    The digest is the SHA-256 of a text with a line for each picture, ``<SHA-256>  <path in the folder>``, as
    ``sha256sum`` writes it. Where that text is kept and names the pictures that are there, none is read.

    Raises:
        UserError: the folder or a file in it cannot be read, there is no picture, or the digest is missing or
            another one.
    """
    folder = Path(pictures.root)
    names = _found(folder)
    if not names:
        raise UserError(f"{folder}: the folder holds no picture of a format that Pillow reads")
    lines = _kept(pictures.sha256) if pictures.sha256 else []
    if [line[HASHED:] for line in lines] != names:
        lines = _hashed(folder, names)
        found = _digest(lines)
        if pictures.sha256 is None:
            raise UserError(
                f"{folder}: the configuration does not say which pictures these are to be, so nobody could "
                f"make the clips again; if they are the right ones, add `sha256: {found}` beside `root`"
            )
        if pictures.sha256 != found:
            raise UserError(
                f"{folder}: the SHA-256 of its {len(names):,} pictures is {found}, the configuration wants "
                f"{pictures.sha256}"
            )
        _keep(lines, found)
    return tuple(Picture(folder / line[HASHED:], line[: HASHED - 2]) for line in lines)


@lru_cache(maxsize=KEPT)
def read(picture: Picture, side: int) -> np.ndarray:
    """Return a picture in RGB, shrunk if its shorter side has more than ``side`` pixels.

    It stands as its EXIF orientation says. What is transparent becomes black, the first frame of several is
    taken, and 16 bits of grey become 8.

    Args:
        picture: The file, and the SHA-256 of its content.
        side: Greatest length of the shorter side in pixels.

    Returns:
        uint8 (H, W, 3), read-only.

    Raises:
        UserError: the file is missing, not the one that was listed, no picture, damaged, or of more than 80
            million pixels; or its pixels are numbers without a known range.
    """
    from PIL import Image, ImageOps

    path = picture.path
    try:
        content = path.read_bytes()
        if (found := hashlib.sha256(content).hexdigest()) != picture.sha256:
            raise UserError(
                f"cannot read picture {path}: it changed; its SHA-256 is {found}, was {picture.sha256}; put "
                "the old one back, or remove `sha256` from the configuration to be told the folder's new one"
            )
        with Image.open(io.BytesIO(content), formats=_formats()) as opened:
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


def _hashed(folder: Path, names: Iterable[str]) -> list[str]:
    """Return the line of each picture."""
    lines = []
    for name in names:
        try:
            lines.append(f"{sha256(folder / name)}  {name}")
        except OSError as error:
            raise UserError(f"cannot read picture {folder / name}: {error.strerror or error}") from error
    return lines


def _kept(digest: str) -> list[str]:
    """Return the lines of the kept text with this SHA-256; none if it is not kept, or is another."""
    try:
        text = (Path(PICTURE_LISTS) / f"{digest}.txt").read_bytes().decode("utf-8", "surrogateescape")
    except OSError:
        return []
    lines = text.split("\n")[:-1]
    return lines if _digest(lines) == digest else []


def _keep(lines: list[str], digest: str) -> None:
    """Keep the text for other jobs; where it cannot be written, they make it again."""
    with suppress(UserError), written_whole(Path(PICTURE_LISTS) / f"{digest}.txt") as partial:
        partial.write_bytes(_text(lines))


def _digest(lines: list[str]) -> str:
    return hashlib.sha256(_text(lines)).hexdigest()


def _text(lines: list[str]) -> bytes:
    return "".join(f"{line}\n" for line in lines).encode("utf-8", "surrogateescape")


def _found(folder: Path) -> list[str]:
    """Return the paths of pictures in a folder, sorted; hidden files and folders are left out."""

    def fail(error: OSError) -> None:
        raise UserError(
            f"{error.filename}: {error.strerror}; `root` of `pictures` wants a folder, its path starts from "
            "the project's folder"
        ) from error

    endings, names = _endings(), []
    for place, folders, files in os.walk(folder, onerror=fail):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in files:
            if not name.startswith(".") and Path(name).suffix.lower() in endings:
                names.append(Path(place, name).relative_to(folder).as_posix())
                if "\n" in names[-1]:
                    raise UserError(
                        f"{folder}: rename a picture with a line break in its name: {names[-1]!r}"
                    )
    return sorted(names)


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
        raise UserError(f"cannot read picture {path}: its pixels are numbers without a known range")
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

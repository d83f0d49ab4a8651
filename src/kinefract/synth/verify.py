"""Whether a dataset is what its recipe says, byte for byte: every shard walked, a sample of clips made again.

A shard is compared with what the manifest tells of it: name, place, size and CRC-32 of each member, nothing
between them and nothing behind. The manifest's hashes are of frames before encoding, so a clip is rendered
again to check them, and what is stored is compared with those frames.
"""

import csv
import multiprocessing
import re
import time
import zlib
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np

from kinefract import video
from kinefract.errors import UserError
from kinefract.progress import progress
from kinefract.synth.recipes import DatasetRecipe
from kinefract.synth.shards import (
    COLUMNS,
    MANIFEST,
    frames_digest,
    label_name,
    member_name,
    shard_clips,
    shard_files,
)
from kinefract.synth.tarwalk import Member, walk

SAMPLE = 20  # clips made again
SHOWN = 20  # problems
NUMBER = re.compile(r"[0-9]{1,15}")

# What another build of the encoder may differ by in its distance from the frames: a factor, and grey levels.
OTHER_ENCODER = 1.5, 0.5


@dataclass
class Findings:
    """What was checked, and one line for everything that is wrong."""

    clips: int = 0
    shards: int = 0
    size: int = 0
    rendered: int = 0
    seconds: float = 0.0
    problems: list[str] = field(default_factory=list)

    @property
    def summary(self) -> str:
        """Return what was checked, in a line."""
        speed = self.clips / max(self.seconds, 1e-3)
        return (
            f"{self.clips} clips in {self.shards} shards checked, {self.size / 1e6:.1f} MB; {self.rendered} "
            f"of them decoded and rendered again; {self.seconds:.1f} s, {speed:.0f} clips/s"
        )

    @property
    def complaint(self) -> str:
        """Return the problems as text, as many as a screen holds and the count of the rest."""
        lines, more = self.problems[:SHOWN], len(self.problems) - SHOWN
        lines = [f"{len(self.problems)} problem{'s' * (len(self.problems) > 1)}", *lines]
        return "\n  ".join(lines + [f"and {more} more"] * (more > 0))


class Row(NamedTuple):
    """A line of the manifest."""

    index: int
    label: int
    frames: int
    channels: int
    shard: int
    offset: int
    size: int
    crc32: int
    redrawn: int
    frames_sha256: str


def verify(recipe: DatasetRecipe, folder: Path | str, sample: int | None = SAMPLE, jobs: int = 1) -> Findings:
    """Check a dataset against its manifest and its recipe.

    Args:
        recipe: The dataset.
        folder: Where it lies.
        sample: How many clips, evenly spread, are decoded and rendered again; ``None``: all.
        jobs: Processes; above 1 they are started anew, so a script that calls this guards its main part.

    Returns:
        What was checked and all that is wrong. Without a manifest that can be read, that alone.

    Raises:
        UserError: one of the processes was killed.
    """
    folder, start = Path(folder), time.monotonic()
    try:
        rows, problems = _read_rows(recipe, folder / MANIFEST)
    except UserError as error:
        return Findings(problems=[f"{error}; nothing else could be checked"])
    problems += _strange_files(recipe, folder)
    wanted = recipe.clips if sample is None else min(sample, recipe.clips)
    spread = np.linspace(0, recipe.clips - 1, wanted).round().astype(int).tolist()
    chosen = [rows[index] for index in spread if index in rows]
    walks = [
        (shard, [rows.get(index) for index in shard_clips(recipe, shard)]) for shard in range(recipe.shards)
    ]
    with _mapper(min(jobs, max(len(walks), len(chosen)))) as mapped:
        found = mapped(partial(_check_shard, recipe, folder), walks)
        for lines in progress(found, "check shards", len(walks), "shards"):
            problems += lines
        found = mapped(partial(_check_clip, recipe, folder), chosen)
        for lines in progress(found, "render again", len(chosen), "clips"):
            problems += lines
    return Findings(
        clips=len(rows),
        shards=recipe.shards,
        size=sum(row.size for row in rows.values()),
        rendered=len(chosen),
        seconds=time.monotonic() - start,
        problems=problems,
    )


@contextmanager
def _mapper(jobs: int) -> Iterator[Callable[[Callable, Iterable], Iterable]]:
    """Yield ``map``, or the same in other processes. New ones, since a fork does not carry threads over."""
    if jobs <= 1:
        yield map
        return
    try:
        with ProcessPoolExecutor(jobs, multiprocessing.get_context("spawn")) as pool:
            yield pool.map
    except BrokenProcessPool as error:
        raise UserError("a process that checks clips was killed; use fewer (--jobs)") from error


def _read_rows(recipe: DatasetRecipe, manifest: Path) -> tuple[dict[int, Row], list[str]]:
    """Return the rows of the manifest by clip, and what is wrong with them.

    Raises:
        UserError: there is no manifest, or it is not one.
    """
    try:
        with manifest.open(newline="", encoding="utf-8") as stream:
            header, *lines = list(csv.reader(stream)) or [[]]
    except FileNotFoundError:
        raise UserError(f"{MANIFEST}: no such file; make the dataset first") from None
    except (OSError, ValueError, csv.Error) as error:
        raise UserError(f"{MANIFEST}: cannot be read: {error}") from error
    if tuple(header) != COLUMNS:
        raise UserError(f"{MANIFEST}: its columns are {header}, not {list(COLUMNS)}")
    rows: dict[int, Row] = {}
    problems, last = [], -1
    for number, line in enumerate(lines, start=2):
        at = f"{MANIFEST}, line {number}"
        if len(line) != len(COLUMNS) or not all(NUMBER.fullmatch(text) for text in line[:-1]):
            problems.append(f"{at}: not a row of {len(COLUMNS)} columns, all but the last of them numbers")
            continue
        row = Row(*map(int, line[:-1]), line[-1])
        clip = f"{at}: clip {row.index}"
        if row.index >= recipe.clips:
            problems.append(f"{clip} is not of this dataset, whose last is {recipe.clips - 1}")
            continue
        if row.index <= last:
            problems.append(f"{clip} is out of order, or there twice")
        last = max(last, row.index)
        for what, found, expected in (
            ("label", row.label, recipe.label(row.index)),
            ("shard", row.shard, row.index // recipe.clips_per_shard),
        ):
            if found != expected:
                problems.append(f"{clip} has {what} {found}, by the recipe it is {expected}")
        rows[row.index] = row
    problems += [f"{MANIFEST}: clip {index} is missing" for index in range(recipe.clips) if index not in rows]
    return rows, problems


def _strange_files(recipe: DatasetRecipe, folder: Path) -> list[str]:
    """Name what lies beside the shards; hidden files are what a killed job has left, and read by nobody."""
    known = {path for shard in range(recipe.shards) for path in shard_files(folder, shard)}
    return [
        f"{path.relative_to(folder)}: not a file of this dataset"
        for path in sorted((folder / "shards").glob("[!.]*"))
        if path not in known
    ]


def _check_shard(recipe: DatasetRecipe, folder: Path, numbered: tuple[int, list[Row | None]]) -> list[str]:
    """Return what is wrong with the two files of a shard, given the manifest's rows of its clips."""
    shard, rows = numbered
    tar_path, csv_path = shard_files(folder, shard)
    problems = []
    expected = [",".join(COLUMNS), *(",".join(map(str, row)) for row in rows if row)]
    try:
        if csv_path.read_text(encoding="utf-8").splitlines() != expected:
            problems.append(f"{csv_path.relative_to(folder)}: not what {MANIFEST} says of this shard")
    except (OSError, ValueError) as error:
        problems.append(f"{csv_path.relative_to(folder)}: {getattr(error, 'strerror', None) or error}")
    members = []
    for index, row in zip(shard_clips(recipe, shard), rows, strict=True):
        text = str(recipe.label(index)).encode()
        known = (row.size, row.crc32, row.offset) if row else (None, None, None)
        members += [Member(member_name(index), *known), Member(label_name(index), len(text), text=text)]
    try:
        with tar_path.open("rb") as tar:
            problems += [f"{tar_path.relative_to(folder)}: {line}" for line in walk(tar, members)]
    except OSError as error:
        problems.append(f"{tar_path.relative_to(folder)}: {error.strerror}")
    return problems


def _check_clip(recipe: DatasetRecipe, folder: Path, row: Row) -> list[str]:
    """Render a clip again, decode what is stored, and return what is wrong with either."""
    at = f"clip {row.index}"
    try:
        frames, redrawn = recipe.draw(row.index)
    except UserError as error:
        return [f"{at}: cannot be rendered again: {error}"]
    problems = []
    shape = (row.frames, recipe.size, recipe.size, *([row.channels] if row.channels > 1 else []))
    if frames.shape != shape:
        problems.append(f"{at}: rendered again it is {frames.shape}, {MANIFEST} says {shape}")
    if redrawn != row.redrawn:
        problems.append(f"{at}: {redrawn} draws were refused, {MANIFEST} says {row.redrawn}")
    digest = frames_digest(frames)
    if digest != row.frames_sha256:
        problems.append(
            f"{at}: rendered again its frames hash to {digest}, {MANIFEST} says {row.frames_sha256}"
        )
    encoded = _stored(folder, row)
    if encoded is None:
        return problems
    try:
        stored = video.decode(encoded, grey=frames.ndim == 3)
    except UserError as error:
        return [*problems, f"{at}: {error}"]
    if stored.shape != shape:
        problems.append(f"{at}: what is stored is {stored.shape}, {MANIFEST} says {shape}")
    elif stored.shape == frames.shape and not _same_clip(recipe, encoded, stored, frames):
        problems.append(f"{at}: what is stored shows other frames than the recipe makes")
    return problems


def _stored(folder: Path, row: Row) -> bytes | None:
    """Return the bytes of a clip, or ``None`` where the walk has told already that they are not there."""
    tar_path, _ = shard_files(folder, row.shard)
    try:
        with tar_path.open("rb") as tar:
            tar.seek(row.offset)
            encoded = tar.read(min(row.size, tar_path.stat().st_size))
    except OSError:
        return None
    return encoded if zlib.crc32(encoded) == row.crc32 else None


def _same_clip(recipe: DatasetRecipe, encoded: bytes, stored: np.ndarray, frames: np.ndarray) -> bool:
    """Tell whether a clip is stored as it would be now, or by another build of the encoder but as near."""
    again = video.encode(frames, recipe.fps, recipe.crf)
    if again == encoded:
        return True
    nearest = _distance(video.decode(again, grey=frames.ndim == 3), frames)
    factor, levels = OTHER_ENCODER
    return _distance(stored, frames) <= factor * nearest + levels


def _distance(clip: np.ndarray, other: np.ndarray) -> float:
    return float(np.abs(clip.astype(np.int16) - other).mean())

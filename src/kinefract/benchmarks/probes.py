"""Probing of a benchmark's videos in parallel, with a cache of the results.

Counting the frames of a video means decoding it. A file that has not changed since (path, size, time stamp)
is not decoded again, so that other splits and subsets of a benchmark are indexed at once.
"""

import json
import os
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Lock

from typing_extensions import TypedDict

from kinefract import video
from kinefract.benchmarks.base import Entry, Video
from kinefract.common import cores
from kinefract.common.errors import UserError
from kinefract.common.files import write_text
from kinefract.common.layout import PROBES
from kinefract.common.progress import progress
from kinefract.common.records import read_json
from kinefract.common.schema import digest_of

SECONDS_BETWEEN_SAVES = 30
VERSION = 2  # raised when ``video.probe`` finds other numbers


def probe_all(entries: list[Entry], folder: Path, root: Path) -> tuple[list[Video], list[str]]:
    """Probe every video.

    Args:
        entries: The listed entries; several may be clips of one file.
        folder: The index folder, to which relative paths refer.
        root: The project's folder, which holds the cache of results.

    Returns:
        The videos that can be read, in order, and a line for each of the others.
    """
    base = folder.resolve()
    places = {entry.path: Path(os.path.normpath(base / entry.path)) for entry in entries}
    memory = Memory(root, {place.parent for place in places.values()})
    # libav releases the interpreter's lock, so threads read files in parallel.
    try:
        with ThreadPoolExecutor(max_workers=min(8, cores.usable())) as pool:
            found = pool.map(memory.probe, places.values())
            infos = {}
            for place, info in zip(
                places, progress(found, "reading videos", len(places), "files"), strict=True
            ):
                infos[place] = info
                memory.save_at_times()  # after a kill the next process continues from here
    finally:
        memory.save()
    videos, problems = [], []
    for entry in entries:
        info = infos[entry.path]
        if isinstance(info, str):
            problems.append(info)
            continue
        end = info.frames if entry.end is None else entry.end
        if not 0 <= entry.start < end <= info.frames:
            problems.append(
                f"{entry.path}: frames {entry.start} to {end} are wanted of a video of {info.frames}"
            )
        else:
            frames, fps, width, height = info
            head = (Path(entry.path), entry.label, entry.class_name)
            videos.append(Video(*head, frames, fps, width, height, entry.start, end, entry.split))
    return videos, problems


class Saved(TypedDict):
    """A file of the cache: for each name of a file its stamp and the facts of the video, and their digest."""

    digest: str
    videos: dict[str, list]


class Memory:
    """The cache of results for files of some folders, by name, size and time stamp; one file per folder."""

    def __init__(self, root: Path, folders: set[Path]) -> None:
        self._place = Path(root) / PROBES
        self._known = {folder: self._read(folder) for folder in folders}
        self._changed: set[Path] = set()
        self._writing = Lock()
        self._saved = time.monotonic()

    def probe(self, path: Path) -> video.VideoInfo | str:
        """Return the result of ``video.probe``, or its error message."""
        shelf, name, stamp = self._known[path.parent], os.fsencode(path.name).hex(), video.stamp(path)
        known = shelf.get(name)
        if known and stamp and known[0] == stamp:
            return video.VideoInfo(*known[1])
        try:
            info = video.probe(path)
        except UserError as error:
            return str(error)
        if stamp:
            with self._writing:
                shelf[name] = [stamp, list(info)]
                self._changed.add(path.parent)
        return info

    def save(self) -> None:
        """Write the new results."""
        with self._writing:
            texts = {folder: _as_text(self._known[folder]) for folder in self._changed}
            self._changed.clear()
        for folder, text in texts.items():
            write_text(self._file(folder), text)
        self._saved = time.monotonic()

    def save_at_times(self) -> None:
        """Write the new results, unless that was done recently."""
        if time.monotonic() - self._saved > SECONDS_BETWEEN_SAVES:
            self.save()

    def _read(self, folder: Path) -> dict[str, list]:
        try:
            found = read_json(self._file(folder), Saved)
        except (FileNotFoundError, UserError):
            return {}
        return found["videos"] if found["digest"] == digest_of(found["videos"]) else {}

    def _file(self, folder: Path) -> Path:
        return self._place / f"{digest_of([VERSION, os.fsencode(folder).hex()])}.json"


def _as_text(videos: dict[str, list]) -> str:
    return json.dumps({"digest": digest_of(videos), "videos": videos})

"""The benchmark DIVING48 (Li et al., RESOUND, ECCV 2018), read in its official layout.

::

    rgb/<vid_name>.mp4                                   from Diving48_rgb.tar.gz
    Diving48_V2_train.json, Diving48_V2_test.json        labels corrected by the authors
    Diving48_train.json, Diving48_test.json              version 1, of the paper
    Diving48_vocab.json

A list is an array of ``{"vid_name": "_8Vy3dlHg2w_00000", "label": 12, "start_frame": 0, "end_frame": 141}``.
Labels count from 0 and are places in the vocabulary, whose entries name takeoff, somersaults, twists and
position of a class: ``["Back", "15som", "05Twis", "FREE"]``. The frame numbers refer to the video from which
the clip was cut; the file is the clip and is used whole. The part of a name before the last ``_`` is that
video. Clips of one competition stay together when a validation part is split off.

Results on the two versions cannot be compared.
"""

import json
from typing import Any, ClassVar, Literal

from pydantic import Field

from kinefract.benchmarks.base import BENCHMARKS, TEST, TRAIN
from kinefract.benchmarks.choose import Listed
from kinefract.benchmarks.listed import ListedRecipe, Listing
from kinefract.benchmarks.official.tree import Part, Tree
from kinefract.common.errors import UserError
from kinefract.common.layout import RAW

VIDEOS, VOCABULARY = "rgb", "Diving48_vocab.json"


@BENCHMARKS.register
class Diving48Recipe(ListedRecipe):
    """Settings of DIVING48: its place on disk, the version of its labels, and the part to use."""

    TITLE: ClassVar[str] = "DIVING48"
    HOME: ClassVar[str] = "http://www.svcl.ucsd.edu/projects/resound/dataset.html"
    OFFICIAL: ClassVar[dict[str, tuple[int, int]]] = {"v1": (15943, 2096), "v2": (15027, 1970)}

    kind: Literal["diving48"] = "diving48"
    root: str = Field(default=f"{RAW}/diving48", min_length=1, description="folder of the official files")
    version: Literal["v1", "v2"] = Field(
        default="v2", description="of the labels: the paper's or the corrected"
    )

    @property
    def parts(self) -> tuple[Part, ...]:
        lists = [Part(self._list(split)) for split in (TRAIN, TEST)]
        return Part(VIDEOS, ("Diving48_rgb.tar.gz",), "<vid_name>.mp4"), *lists, Part(VOCABULARY)

    @property
    def official(self) -> dict[str, int]:
        return dict(zip((TRAIN, TEST), self.OFFICIAL[self.version], strict=True))

    def listing(self, tree: Tree) -> Listing:
        classes = _classes(tree)
        videos = []
        for split in (TRAIN, TEST):
            for entry, where in _array(tree, self._list(split)):
                clip, label = _parse(entry, len(classes), where)
                source = clip.rpartition("_")[0]
                videos.append(Listed(f"{clip}.mp4", classes[label], split, source or clip))
        return Listing(classes, videos, VIDEOS)

    def _list(self, split: str) -> str:
        return f"Diving48_{'V2_' if self.version == 'v2' else ''}{split}.json"


def _classes(tree: Tree) -> list[str]:
    """Return class names in label order, as ``Back/15som/05Twis/FREE``."""
    names = []
    for entry, where in _array(tree, VOCABULARY):
        if not (isinstance(entry, list) and entry and all(isinstance(word, str) for word in entry)):
            raise UserError(
                f'{where}: wants words, as ["Back", "15som", "05Twis", "FREE"], got {entry!r:.80}'
            )
        names.append("/".join(entry))
        if names[-1] in names[:-1]:
            raise UserError(f"{where}: the class {names[-1]!r} is there twice")
    return names


def _array(tree: Tree, part: str) -> list[tuple[Any, str]]:
    """Return the entries of a JSON array, each with its place: ``(entry, "<path>, entry 3")``."""
    try:
        entries = json.loads(tree.text(part))
    except ValueError as error:
        raise UserError(f"{tree[part]} is no JSON: {error}") from None
    if not isinstance(entries, list):
        raise UserError(f"{tree[part]}: wants a JSON array, got {entries!r:.80}")
    return [(entry, f"{tree[part]}, entry {number}") for number, entry in enumerate(entries, start=1)]


def _parse(entry: Any, classes: int, where: str) -> tuple[str, int]:
    """Return clip and label of a list's entry."""
    clip, label = (entry.get("vid_name"), entry.get("label")) if isinstance(entry, dict) else (None, None)
    if not (isinstance(clip, str) and clip and type(label) is int and 0 <= label < classes):
        raise UserError(
            f"{where}: wants a `vid_name` and a `label` from 0 to {classes - 1}, got {entry!r:.160}"
        )
    return clip, label

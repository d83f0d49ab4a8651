"""The benchmark YUP++ (Feichtenhofer et al., CVPR 2017), read in its official layout.

::

    camera_stationary/<Class>/<Class>_static_cam_<n>.mp4     from YUP++.zip, as the others
    camera_moving/<Class>/<Class>_moving_cam_<n>.mp4
    10_90_randsplit_1.txt

A line of the list holds a clip without its suffix and its purpose: ``Beach_moving_cam_4 moving_train``, where
``static`` means the folder ``camera_stationary``. A clip's class is the part of its name before the first
``_``. Of the 30 clips of a class and camera three, a tenth, are for training. This is the only split that the
authors publish. Every clip is a recording of its own.

Dynamic scenes are studied under both cameras together or under one of them.
"""

import os
from pathlib import Path
from typing import ClassVar, Literal

from pydantic import Field

from kinefract.benchmarks.base import BENCHMARKS, TEST, TRAIN, Contents
from kinefract.benchmarks.choose import Listed
from kinefract.benchmarks.listed import ListedRecipe, Listing
from kinefract.benchmarks.official.tree import Part, Tree
from kinefract.common.errors import UserError
from kinefract.common.layout import RAW

LIST = "10_90_randsplit_1.txt"
FOLDERS = {"static": "camera_stationary", "moving": "camera_moving"}
WHOLE = Part("YUP++", ("YUP++.zip",), f"{{{','.join(FOLDERS.values())}}}/<Class>/*.mp4, with {LIST}")


@BENCHMARKS.register
class YupRecipe(ListedRecipe):
    """Settings of YUP++: its place on disk, the camera, and the part to use."""

    TITLE: ClassVar[str] = "YUP++"
    HOME: ClassVar[str] = "https://vision.eecs.yorku.ca/research/dynamic-scenes/"

    kind: Literal["yup"] = "yup"
    root: str = Field(default=f"{RAW}/yup", min_length=1, description="folder of the official files")
    camera: Literal["both", "static", "moving"] = Field(
        default="both", description="whether the camera of the clips stands still"
    )

    @property
    def parts(self) -> tuple[Part, ...]:
        return (Part("."),)

    @property
    def official(self) -> dict[str, int]:
        cameras = len(FOLDERS) if self.camera == "both" else 1
        return {TRAIN: 60 * cameras, TEST: 540 * cameras}

    def contents(self, root: Path, folder: Path) -> Contents:
        """List the clips; the cameras' folders and the list lie side by side, in ``root`` or one below it.

        Raises:
            UserError: official files are missing or invalid, or a class is unknown.
        """
        top = Path(root) / self.root
        if all((top / name).exists() for name in (*FOLDERS.values(), LIST)):
            return super().contents(root, folder)
        found = Tree(self.TITLE, self.HOME, top, Path(root), (WHOLE,))[WHOLE.name]
        below = found.absolute() if Path(self.root).is_absolute() else os.path.relpath(found, root)
        return super(YupRecipe, self.model_copy(update={"root": str(below)})).contents(root, folder)

    def listing(self, tree: Tree) -> Listing:
        videos = []
        for line, where in tree.lines(".", LIST):
            clip, name, camera, split = _parse(line, where)
            if self.camera in ("both", camera):
                videos.append(Listed(f"{FOLDERS[camera]}/{name}/{clip}.mp4", name, split, clip))
        return Listing(sorted({video.class_name for video in videos}), videos, ".")


def _parse(line: str, where: str) -> tuple[str, str, str, str]:
    """Return clip, class, camera and split of a list's line."""
    clip, *rest = line.split()
    name, _, number = clip.partition("_")
    camera, _, split = rest[0].partition("_") if len(rest) == 1 else ("", "", "")
    if not (name and number) or camera not in FOLDERS or split not in (TRAIN, TEST):
        raise UserError(
            f"{where}: wants `<Class>_<number> <static or moving>_<train or test>`, as "
            f"`Beach_moving_cam_4 moving_train`, got {line!r}"
        )
    return clip, name, camera, split

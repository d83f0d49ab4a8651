"""Official trees of benchmarks with a few tiny real videos, and archives of them."""

import json
import os
import shutil
import tarfile
import zipfile
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from kinefract import video
from kinefract.benchmarks import index
from kinefract.benchmarks.base import TEST, TRAIN, Contents, Video
from kinefract.benchmarks.listed import ListedRecipe

FRAMES, WIDTH, HEIGHT = 5, 32, 24

NASTY = [  # names of files
    "plain.mp4",
    "two words, and a comma.mp4",
    "quo\"te's.mp4",
    "$(touch gone) `id` ; & | .mp4",
    "new\nline\r.mp4",
    "видео 動画 é.mp4",
    "%03d * ? [0-9].mp4",
    "-option:colon.mp4",
    " .mp4",
    os.fsdecode(b"no utf-8 \xff\xfe.mp4"),
]

HMDB51 = {  # class -> film -> uses in splits 1, 2, 3; names as they are in the official lists
    "cartwheel": {"(Rad)Schlag_die_Bank!": "121", "Turnk_r_Pippi_Michel": "212", "Goldfinger": "110"},
    "clap": {"#20_Rhythm": "112", "Ab_[_6_pack_]_;_&_more": "221", "Goldfinger": "100"},
}
YUP = ("Beach", "FallingTrees")
DIVING48 = (["Back", "15som", "05Twis", "FREE"], ["Inward", "25som", "NoTwis", "PIKE"])
EGTEA = ("Take eating_utensil", "Divide/Pull Apart lettuce", "Spread condiment,bread,eating_utensil")
VOLLEYBALL = {1: ("r_set", "l-pass"), 3: ("l-pass", "r_set"), 0: ("l-pass", "r_set"), 4: ("r_set", "l-pass")}


@cache
def movie(seed: int) -> bytes:
    """Return a video of 5 frames, 32 x 24 px, at 12 frames per second; another for each seed."""
    frames = np.random.default_rng(seed).integers(0, 255, (FRAMES, HEIGHT, WIDTH, 3))
    return video.encode(frames.astype(np.uint8), fps=12, crf=30)


def write_videos(folder: Path, names: list[str]) -> None:
    """Write a video under each name, with its folders."""
    for seed, name in enumerate(names):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(movie(seed))


def write_lines(path: Path, lines: list[str], end: str = "\n") -> None:
    """Write lines, each with its end, with the folders above."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(line + end for line in lines), encoding="utf-8", newline="")


def hmdb51(top: Path) -> Path:
    """Make a tree of ``HMDB51``; each film of a class gives one clip."""
    for name, films in HMDB51.items():
        clips = {f"{film}_{name}_f_cm_np1_le_med_0.avi": uses for film, uses in films.items()}
        write_videos(top / "hmdb51_org" / name, list(clips))
        for split in (1, 2, 3):
            lines = [f"{clip} {uses[split - 1]} " for clip, uses in clips.items()]
            write_lines(top / f"testTrainMulti_7030_splits/{name}_test_split{split}.txt", lines)
    return top


def yup(top: Path) -> Path:
    """Make a tree of two classes: under each camera, clip 1 trains and clips 2 and 3 test."""
    lines = []
    for folder, camera in (("camera_stationary", "static"), ("camera_moving", "moving")):
        for name in YUP:
            clips = [f"{name}_{camera}_cam_{number}" for number in (1, 2, 3)]
            write_videos(top / folder / name, [f"{clip}.mp4" for clip in clips])
            lines += [f"{clip} {camera}_{'test' if number else 'train'}" for number, clip in enumerate(clips)]
    write_lines(top / "10_90_randsplit_1.txt", lines)
    return top


def diving48(top: Path) -> Path:
    """Make a tree of two classes; in version 1, the labels of version 2 are exchanged."""
    clips = {
        TRAIN: ["_8Vy3dlHg2w_00000", "_8Vy3dlHg2w_00001", "-mAZ_9quK8_00000"],
        TEST: ["xyz_00000", "xyz_00001"],
    }
    write_videos(top / "rgb", [f"{clip}.mp4" for names in clips.values() for clip in names])
    for version in ("V2_", ""):
        for split, names in clips.items():
            entries = [
                {
                    "vid_name": clip,
                    "label": (number + (version == "")) % 2,
                    "start_frame": 100,
                    "end_frame": 100 + FRAMES * 1000,
                }
                for number, clip in enumerate(names)
            ]
            write_json(top / f"Diving48_{version}{split}.json", entries)
    write_json(top / "Diving48_vocab.json", DIVING48)
    return top


def write_json(path: Path, value: Any) -> None:
    """Write a value as JSON."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value))


def egtea(top: Path) -> Path:
    """Make a tree of three classes; two sessions train, one tests."""
    sessions = {
        TRAIN: ("OP01-R01-PastaSalad", "P26-R05-Cheeseburger"),
        TEST: ("OP03-R04-ContinentalBreakfast",),
    }
    write_lines(top / "action_idx.txt", [f"{name} {number}" for number, name in enumerate(EGTEA, start=1)])
    for split, names in sessions.items():
        clips = {
            f"{session}-{number}320-{number}880-F00{number}100-F00{number}140": number
            for session in names
            for number in (1, 2, 3)
        }
        write_videos(top / "cropped_clips", [f"{'-'.join(c.split('-')[:3])}/{c}.mp4" for c in clips])
        for official in (1, 2, 3):
            lines = [f"{clip} {number} 4 17 28" for clip, number in clips.items()]
            write_lines(top / f"{split}_split{official}.txt", lines)
    return top


def volleyball(top: Path) -> Path:
    """Make a tree of ``VOLLEYBALL``: two videos to train on, one to validate, one to test."""
    for number, names in VOLLEYBALL.items():
        lines = []
        for frame, name in zip((1005, 20), names, strict=True):
            lines.append(f"{frame}.jpg {name} 63 39 8 15 moving 61 25 5 20 blocking ")
            for seed, picture in enumerate(range(frame - 2, frame + 3)):
                path = top / f"videos/{number}/{frame}/{picture}.jpg"
                path.parent.mkdir(parents=True, exist_ok=True)
                pixels = np.random.default_rng([number, seed]).integers(0, 255, (HEIGHT, WIDTH, 3))
                Image.fromarray(pixels.astype(np.uint8)).save(path)
        write_lines(top / f"videos/{number}/annotations.txt", lines)
    return top


def pack(top: Path, archive: str, names: list[str]) -> None:
    """Put files and folders of a tree into an archive beside them and remove them; a ``.rar`` holds a zip."""
    if ".tar" in archive:
        with tarfile.open(top / archive, "w:gz" if archive.endswith("gz") else "w") as stream:
            for name in names:
                stream.add(top / name, name)
    else:
        with zipfile.ZipFile(top / archive, "w") as stream:
            for name in names:
                for path in [top / name, *sorted((top / name).rglob("*"))]:
                    stream.write(path, path.relative_to(top).as_posix())
    for name in names:
        shutil.rmtree(top / name) if (top / name).is_dir() else (top / name).unlink()


def contents(recipe: ListedRecipe, root: Path) -> Contents:
    """Return what a benchmark of a project lists."""
    return recipe.contents(root, root / "data/benchmarks/some")


def built(recipe: ListedRecipe, root: Path) -> list[Video]:
    """Build a benchmark's index in a project and read it."""
    folder = root / "data/benchmarks/some"
    index.build(recipe, root, folder)
    return index.read(folder)

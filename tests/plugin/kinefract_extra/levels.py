"""The levels benchmark: noisy videos that are dark or bright, made by itself."""

from pathlib import Path
from typing import Literal

import numpy as np
from pydantic import Field

from kinefract import video
from kinefract.benchmarks.base import BENCHMARKS, BenchmarkRecipe, Contents, Entry
from kinefract.common.files import written_whole
from kinefract.common.streams import stream


@BENCHMARKS.register
class LevelsRecipe(BenchmarkRecipe):
    """Settings of a benchmark of dark and bright videos."""

    kind: Literal["levels"] = "levels"
    per_class: int = Field(default=4, ge=1, description="videos of each class and split")

    def contents(self, root: Path, folder: Path) -> Contents:
        """Make every video as ``folder/videos/<split>-<class>-<number>.mp4`` and list them."""
        names, entries = ["dark", "bright"], []
        for place, split in enumerate(("train", "test")):
            for label, name in enumerate(names):
                for number in range(self.per_class):
                    noise = stream(1, "levels", place, label, number).integers(0, 60, (12, 48, 48))
                    frames = (noise + 150 * label).astype(np.uint8)
                    path = f"videos/{split}-{name}-{number}.mp4"
                    with written_whole(folder / path) as partial:
                        partial.write_bytes(video.encode(frames, fps=12, crf=20))
                    entries.append(Entry(path, label, name, split))
        return Contents(names, entries)

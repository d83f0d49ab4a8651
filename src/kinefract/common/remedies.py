"""What makes a damaged result again, for the ends of messages."""

from pathlib import Path

from kinefract.common.layout import (
    BENCHMARKS,
    DATASETS,
    FINETUNE,
    INDEX,
    MANIFEST,
    PAGE,
    PRETRAIN,
    RESULT,
    STUDIES,
)

# The folder of each kind of result, and a file of it that a rule of the workflow makes.
MADE = {DATASETS: MANIFEST, BENCHMARKS: INDEX, PRETRAIN: RESULT, FINETUNE: RESULT, STUDIES: PAGE}


def make_again(folder: Path | str) -> str:
    """Return how to make a result again: without its folder, and by the name of its file.

    By the name of a study it would not be made, since what rests on it is there.
    """
    place = Path(folder).absolute()
    kind = "/".join(place.parts[-3:-1])
    if kind not in MADE:
        return f"delete {folder} to make it again"
    return f"delete {folder} and run `snakemake {kind}/{place.resolve().name}/{MADE[kind]}`"

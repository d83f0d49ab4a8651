"""Making a dataset: its shards one by one, and the manifest, previews and card that join them."""

import csv
import tarfile
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from kinefract import video
from kinefract.cards import card
from kinefract.common import checksums
from kinefract.common.errors import UserError
from kinefract.common.files import written_whole
from kinefract.common.layout import MANIFEST
from kinefract.common.progress import progress
from kinefract.synth.dataset_recipe import DatasetRecipe
from kinefract.synth.store.shards import (
    COLUMNS,
    Shards,
    add_clip,
    check_places,
    frames_digest,
    read_table,
    repair_hint,
    shard_clips,
    shard_files,
)
from kinefract.viewing.sheets import write_sheets


def write_shard(recipe: DatasetRecipe, shard: int, folder: Path | str) -> None:
    """Render, encode and write the clips of one shard: ``shards/00000.tar``, then ``shards/00000.csv``.

    Clips are handled one by one, so memory does not grow with the shard. The files depend on the recipe and
    the shard's number alone.

    Args:
        recipe: The dataset.
        shard: 0 to ``recipe.shards - 1``.
        folder: The dataset's folder.

    Raises:
        UserError: no such shard, or the files cannot be written.
    """
    if not 0 <= shard < recipe.shards:
        raise UserError(f"shard {shard}: the dataset has shards 0 to {recipe.shards - 1}")
    tar_path, csv_path = shard_files(folder, shard)
    # Contexts end in reverse order: the CSV file is renamed into place after the tar file.
    with (
        written_whole(csv_path) as partial_csv,
        written_whole(tar_path) as partial_tar,
        tarfile.open(partial_tar, "w", format=tarfile.USTAR_FORMAT) as tar,
        partial_csv.open("w", newline="", encoding="utf-8") as table,
    ):
        rows = csv.writer(table, lineterminator="\n")
        rows.writerow(COLUMNS)
        for index in progress(shard_clips(recipe, shard), f"shard {shard}", unit="clips"):
            frames, redrawn = recipe.draw(index)
            label = recipe.label(index)
            encoded = video.encode(frames, recipe.fps, recipe.crf)
            offset = add_clip(tar, index, label, encoded)
            channels = 1 if frames.ndim == 3 else frames.shape[3]
            stored = (shard, offset, len(encoded), zlib.crc32(encoded))
            rows.writerow((index, label, len(frames), channels, *stored, redrawn, frames_digest(frames)))


def join(recipe: DatasetRecipe, folder: Path | str) -> None:
    """Check that all shards are complete; write previews, card and, last, ``manifest.csv``.

    Raises:
        UserError: a shard is missing or truncated, or does not hold the clips that the recipe assigns to it.
    """
    folder = Path(folder)
    checksums.remove(folder)
    with checksums.last_file(folder / MANIFEST) as partial:
        with partial.open("w", newline="", encoding="utf-8") as manifest:
            manifest.write(",".join(COLUMNS) + "\n")
            for shard in range(recipe.shards):
                manifest.writelines(_checked_lines(recipe, folder, shard))
        shards = Shards(folder, partial)
        write_sheets(folder, shards, recipe.fps)
        card.write(recipe, shards, folder)


def _checked_lines(recipe: DatasetRecipe, folder: Path, shard: int) -> Iterator[str]:
    """Check that a shard is complete and return the lines of its CSV file without the header."""
    _, csv_path = shard_files(folder, shard)
    columns = read_table(csv_path)
    clips = np.array(shard_clips(recipe, shard))
    if not np.array_equal(columns["index"], clips) or (columns["shard"] != shard).any():
        raise UserError(
            f"{csv_path}: holds clips {columns['index'][0]} to {columns['index'][-1]} instead of "
            f"{clips[0]} to {clips[-1]}; {repair_hint(csv_path)}"
        )
    if not np.array_equal(columns["label"], clips % recipe.classes):
        raise UserError(
            f"{csv_path}: labels are not those of {recipe.classes} classes; {repair_hint(csv_path)}"
        )
    check_places(folder, csv_path, columns)
    with csv_path.open(encoding="utf-8") as stream:
        next(stream)
        yield from stream

"""Packs the records of finished runs into docs/evidence/runs/evidence.tar.xz: no weights, no pictures.

Run it in the clone that made them: `python docs/scripts/evidence_records.py evidence evidence_folds`.
Unpacked in another clone, they are finished runs whose weights were removed.
"""

import io
import shutil
import sys
import tarfile
import tempfile
from pathlib import Path

from kinefract.common import checksums, layout
from kinefract.common.errors import UserError
from kinefract.common.files import written_whole
from kinefract.config import params, plan
from kinefract.config.run_files import is_finished
from kinefract.config.specs import Spec
from kinefract.planning import removed_weights

ARCHIVE = Path(__file__).parents[1] / "evidence/runs/evidence.tar.xz"
PICTURES = (".svg", ".png")


def main() -> None:
    try:
        resolved = plan.resolve(params.load())
        known, named = {spec.study for spec in resolved.studies.values()}, sys.argv[1:]
        if not named or not known.issuperset(named):
            raise UserError("name the studies whose records are to be packed; `kinefract studies` lists them")
        print(f"{ARCHIVE}: {pack(Path(), resolved, named, ARCHIVE)} runs")
    except UserError as error:
        sys.exit(f"error: {error}")


def pack(root: Path, resolved: plan.Plan, studies: list[str], archive: Path) -> int:
    """Write the records of the studies' finished runs, and return how many there are.

    The same records give the same members, in order of their names.

    Args:
        root: The folder of the project.
        resolved: Its configuration, resolved.
        studies: Names of studies.
        archive: The tar to write, compressed by xz.

    Raises:
        UserError: a file of a run was changed since it was written, or the archive cannot be written.
    """
    asked = [resolved.study(name) for name in studies]
    runs = {run for study in asked for run in (*resolved.trained(study), *study.runs)}
    specs = (resolved.find(run) for run in runs)
    finished = sorted(Path(spec.folder) for spec in specs if _is_finished(root, spec))
    with (
        tempfile.TemporaryDirectory() as scratch,
        written_whole(archive) as partial,
        tarfile.open(partial, "w:xz", preset=9) as tar,
    ):
        for folder in finished:
            record = Path(scratch, folder)
            _copy(root / folder, record)
            for path in sorted(record.iterdir()):
                content = path.read_bytes()
                member = tarfile.TarInfo(str(folder / path.name))
                member.size = len(content)
                tar.addfile(member, io.BytesIO(content))
    return len(finished)


def _is_finished(root: Path, spec: Spec) -> bool:
    """Return whether a run is finished; one that pools folds has no weights."""
    if getattr(spec, "folds", []):
        return (root / spec.folder / layout.RESULT).exists()
    return is_finished(root / spec.folder)


def _copy(run: Path, record: Path) -> None:
    """Copy a run's files but for pictures and weights, with checksums of what is there."""
    checksums.check_all(run)
    shutil.copytree(run, record, ignore=shutil.ignore_patterns(*(f"*{suffix}" for suffix in PICTURES)))
    for weights in record.glob(f"*{Path(layout.MODEL).suffix}"):
        removed_weights.remove(weights, run.name)
    sums = record / layout.CHECKSUMS
    kept = [line for line in sums.read_text(encoding="utf-8").splitlines() if not line.endswith(PICTURES)]
    sums.write_text("".join(f"{line}\n" for line in kept), encoding="utf-8")


if __name__ == "__main__":
    main()

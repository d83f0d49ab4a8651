"""Removal of the weights of runs whose studies are finished. Figures, predictions and curves stay.

A file without tensors takes the place of the weights, so that Snakemake and the readers of results still find
the run finished. What would load the weights says that they were removed.
"""

from collections.abc import Iterator
from pathlib import Path

from kinefract.common import checksums
from kinefract.common.layout import MODEL, PAGE, snapshot
from kinefract.config.plan import Plan
from kinefract.config.run_files import is_finished, weights_removed
from kinefract.config.specs import PretrainSpec


def find(root: Path, plan: Plan) -> Iterator[tuple[Path, str]]:
    """Yield the files of weights of runs whose studies are all finished, each with the id of its run.

    Args:
        root: The project's folder.
        plan: Every study of the configuration, resolved.
    """
    finished: set[str] = set()
    needed: set[str] = set()
    for study in plan.studies.values():
        done = (root / study.folder / PAGE).exists()
        (finished if done else needed).update(plan.trained(study))
    for run in sorted(finished - needed):
        spec = plan.find(run)
        folder = root / spec.folder
        kept = (spec.recipe.snapshots or ()) if isinstance(spec, PretrainSpec) else ()
        for path in (folder / name for name in (MODEL, *map(snapshot, kept))):
            if is_finished(folder) and path.exists() and not weights_removed(path):
                yield path, run


def remove(path: Path, run: str) -> None:
    """Put a file without tensors in the place of a run's weights.

    Raises:
        UserError: a file cannot be written.
    """
    from safetensors.numpy import save

    with checksums.replaced_file(path) as partial:
        partial.write_bytes(save({}, metadata={"kinefract": run}))

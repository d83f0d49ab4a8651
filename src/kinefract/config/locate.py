"""Look-up by names: of what a user names, by folder, spec.yaml or name, and of the names that runs go by."""

from functools import lru_cache
from pathlib import Path
from typing import Any

from kinefract.common.errors import UserError
from kinefract.common.layout import PARAMS_FILE, SPEC_FILE
from kinefract.common.schema import not_one_of
from kinefract.config import params, plan
from kinefract.config.specs import SPECS, BenchmarkSpec, DatasetSpec, FinetuneSpec, PretrainSpec, Spec


def locate_dataset(text: Path | str, root: Path | str = "") -> tuple[DatasetSpec, Path]:
    """Find a dataset. An existing file or folder takes precedence over a name.

    Args:
        text: A folder ``data/synthetic/<id>``, the ``spec.yaml`` in it, or a name under ``datasets:``.
        root: The project's folder, with ``params.yaml``; relative paths refer to it.

    Returns:
        The spec and the folder of the dataset; for a name the folder may not exist yet.

    Raises:
        UserError: there is no such dataset (the message lists the names), or its spec or ``params.yaml`` is
            invalid.
    """
    root, path = Path(root), Path(root, text)
    if place := _spec_file(path):
        return DatasetSpec.read(place), place.parent
    if len(Path(text).parts) != 1 or path.suffix == Path(SPEC_FILE).suffix:
        raise UserError(_no_such_path(path))
    there = "its folder holds no spec.yaml" if path.is_dir() else "no such folder"
    spec = DatasetSpec(recipe=_named(str(text), root, "datasets", there))
    return spec, root / spec.folder


def locate_benchmark(text: Path | str, root: Path | str = "") -> Path:
    """Return the index folder of a benchmark, whether or not it has been indexed.

    Args:
        text: The folder, or a name under ``benchmarks:``. An existing folder takes precedence over a name.
        root: The project's folder.

    Raises:
        UserError: there is no such benchmark; the message lists the names.
    """
    root, folder = Path(root), Path(root, text)
    if folder.is_dir() or len(Path(text).parts) != 1:
        return folder
    return root / BenchmarkSpec(recipe=_named(str(text), root, "benchmarks", "no such folder")).folder


def locate_index(text: Path | str, root: Path | str = "") -> Path:
    """Return the ``spec.yaml`` of a benchmark; that of a name is written if it is not there.

    Args:
        text: The ``spec.yaml``, its folder, or a name under ``benchmarks:``.
        root: The project's folder.

    Raises:
        UserError: there is no such file and no such benchmark; the message lists the names.
    """
    root, path = Path(root), Path(root, text)
    if place := _spec_file(path):
        return place
    if len(Path(text).parts) != 1:
        raise UserError(
            f"{path}: no such file; `snakemake -n` lists what can be made, `kinefract index` also takes names"
        )
    spec = BenchmarkSpec(recipe=_named(str(text), root, "benchmarks", "no such file or folder"))
    place = root / spec.folder / SPEC_FILE
    return place if place.exists() else spec.write(root)


def title_of(spec: PretrainSpec | FinetuneSpec, root: Path | str) -> str:
    """Return a run's name for people: as in its folder's, but with the names that the configuration gives.

    A dataset or benchmark without a name there, as after an edit, goes by its family or kind.

    Args:
        spec: The run.
        root: The project's folder.
    """
    names = _names(str(root))
    if isinstance(spec, PretrainSpec):
        return spec.called(names.get(spec.dataset.digest, spec.dataset.name))
    recipe = spec.benchmark.recipe
    whole = recipe.model_copy(update={"fold": None}) if getattr(recipe, "fold", None) else recipe
    benchmark = names.get(BenchmarkSpec(recipe=whole).digest, spec.benchmark.name)
    dataset = weights = ""
    if isinstance(spec.init, PretrainSpec):
        dataset = names.get(spec.init.dataset.digest, spec.init.dataset.name)
    elif spec.init is not None:
        weights = Path(spec.init.file).stem
    return spec.called(benchmark, dataset, weights)


@lru_cache(maxsize=8)
def _names(root: str) -> dict[str, str]:
    """Return digest -> name of the datasets and benchmarks of a project; none if it cannot be read."""
    try:
        read = params.load(Path(root, PARAMS_FILE))
    except UserError:
        return {}
    specs: dict[str, Spec] = {name: DatasetSpec(recipe=recipe) for name, recipe in read.datasets.items()}
    named = {spec.digest: name for name, spec in specs.items()}
    for name, recipe in read.benchmarks.items():
        named.setdefault(BenchmarkSpec(recipe=recipe).digest, name)
    return named


def _spec_file(path: Path) -> Path | None:
    return path if path.is_file() else path / SPEC_FILE if (path / SPEC_FILE).is_file() else None


def _named(name: str, root: Path, section: str, there: str) -> Any:
    """Return the recipe of a name in the configuration; ``there`` says why it is none of a path."""
    if not (root / PARAMS_FILE).exists():
        raise UserError(
            f"{name}: {there}, and there is no {PARAMS_FILE} here that could name it; "
            "run this from the project's folder"
        )
    recipes = getattr(params.load(root / PARAMS_FILE), section)
    if name not in recipes:
        raise UserError(f"{name}: {there}, and as a name in the configuration: {not_one_of(name, recipes)}")
    return recipes[name]


def locate_results(text: Path | str, root: Path | str = "") -> list[Path]:
    """Find results of any kind. An existing path takes precedence over an id, and an id over a name.

    Args:
        text: The folder of a dataset, benchmark, run or study, the ``spec.yaml`` in it, its id, or the name
            of a study, dataset or benchmark in the configuration.
        root: The project's folder; relative paths refer to it.

    Returns:
        The folders, as absolute paths; several if a study, a dataset or a benchmark have the same name.

    Raises:
        UserError: there is no such result; the message lists the names.
    """
    root, path = Path(root), Path(root, text)
    if path.exists():
        return [_absolute(path.parent if path.is_file() else path)]
    if there := [folder for kind in SPECS if (folder := root / kind.PARENT / text).is_dir()]:
        return [_absolute(folder) for folder in there]
    if len(Path(text).parts) != 1 or not (root / PARAMS_FILE).exists():
        raise UserError(f"{text}: no such folder, and no id or name of a result of this project")
    read = params.load(root / PARAMS_FILE)
    resolved = plan.resolve(read)
    named: dict[str, list[Spec]] = {name: [resolved.study(name)] for name in read.studies}
    for name, recipe in read.datasets.items():
        named.setdefault(name, []).append(DatasetSpec(recipe=recipe))
    for name, benchmark in read.benchmarks.items():
        named.setdefault(name, []).append(BenchmarkSpec(recipe=benchmark))
    if str(text) not in named:
        raise UserError(f"{text}: no such folder, and as a name: {not_one_of(str(text), named)}")
    return [_absolute(root / spec.folder) for spec in named[str(text)]]


def _absolute(folder: Path) -> Path:
    """Return an absolute path. A link to a study is followed; one on the way, to another disk, is not."""
    parent, name = Path.cwd() / folder.parent, folder.resolve().name
    return parent / name


def _no_such_path(path: Path) -> str:
    """Return the message that ``path`` is missing, with the datasets that lie beside it."""
    folder = path.parent if path.suffix == Path(SPEC_FILE).suffix else path
    if folder.is_dir():
        return f"{folder}: holds no {SPEC_FILE}, so it is no dataset's folder"
    datasets = [spec.parent.name for spec in folder.parent.glob(f"*/{SPEC_FILE}")]
    if not datasets:
        return f"{path}: no such dataset; `snakemake datasets` makes those of the studies under `run:`"
    return f"{path}: no such dataset, {not_one_of(folder.name, datasets)}"

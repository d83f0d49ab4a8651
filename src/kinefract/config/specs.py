"""Specs: the resolved recipe of every result, and the folder that is named by its digest.

A digest covers the whole spec, the specs on which it depends, and the version of the code that gives the
result its meaning. Therefore a folder's name identifies the settings of its content, and a stale result is
not taken for a new one.
"""

import os
from pathlib import Path
from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, ValidationError, model_validator

import kinefract.benchmarks.kinds
import kinefract.synth.families  # noqa: F401 (importing the two fills the registries of recipes)
from kinefract.benchmarks.base import BENCHMARKS, AnyBenchmark, BenchmarkRecipe
from kinefract.common import layout, strict_yaml
from kinefract.common.errors import UserError
from kinefract.common.files import write_text
from kinefract.common.layout import MODEL, SPEC_FILE
from kinefract.common.problems import problem_lines
from kinefract.common.ranges import Count, Seed
from kinefract.common.schema import Section, digest_of, is_none, listed, short
from kinefract.config.networks import NetworkRecipe, WeightsRecipe
from kinefract.config.phases import FinetuneRecipe, PretrainRecipe
from kinefract.models import BACKBONES
from kinefract.synth.dataset_recipe import AnyDataset


class Spec(Section):
    """The spec of one result. ``VERSION`` is raised by hand if the code's results change their meaning."""

    PARENT: ClassVar[str]
    VERSION: ClassVar[int]
    NODES: ClassVar[int] = strict_yaml.NODES  # most keys and values of its file

    version: int = 0

    @model_validator(mode="before")
    @classmethod
    def _current_version(cls, data: object) -> object:
        if not isinstance(data, dict):
            return data
        current = cls._version_of(data)
        found = data.get("version", current)
        if found != current:
            raise ValueError(
                f"made by version {found} of its code, this is version {current}; snakemake makes it anew"
            )
        return data | {"version": found}

    @classmethod
    def _version_of(cls, data: dict) -> int:
        """Return the version of the code that makes what these settings describe."""
        return cls.VERSION

    @property
    def name(self) -> str:
        """A description in a few words, the readable part of the folder's name."""
        raise NotImplementedError

    @property
    def digest(self) -> str:
        """The digest of everything that decides the result: 12 hexadecimal digits."""
        return digest_of([self.PARENT, self.model_dump(mode="json")])

    @property
    def id(self) -> str:
        """The folder's name, ``<name>-<digest>``."""
        return f"{self.name}-{self.digest}"

    @property
    def folder(self) -> str:
        """The folder, relative to the project."""
        return f"{self.PARENT}/{self.id}"

    def to_yaml(self) -> str:
        """Return the text of ``spec.yaml``: the folder's name, then all settings."""
        return strict_yaml.dump({"id": self.id, **self.model_dump(mode="json")})

    def write(self, root: Path) -> Path:
        """Write ``spec.yaml`` into the spec's folder below ``root`` and return the file's path."""
        path = root / self.folder / SPEC_FILE
        write_text(path, self.to_yaml())
        return path

    @classmethod
    def read(cls, path: Path | str) -> Self:
        """Read a ``spec.yaml``.

        Raises:
            UserError: there is no such file, it is no spec of this kind or version, or it was changed after
                its folder was named.
        """
        path = Path(path)
        try:
            data = strict_yaml.read(path, cls.NODES)
        except FileNotFoundError:
            raise UserError(
                f"{path}: no such file; a spec.yaml is wanted, and `snakemake -n` lists what can be made"
            ) from None
        if not isinstance(data, dict) or "id" not in data:
            raise UserError(f"{path}: not a spec (a mapping that begins with its id)")
        stated = data.pop("id")
        try:
            spec = cls.model_validate(data)
        except ValidationError as error:
            lines = "\n".join(f"  {line}" for line in listed(problem_lines(error)))
            raise UserError(
                f"{path}: not a {cls.__name__} this version of kinefract can use:\n{lines}"
            ) from error
        if stated != spec.id:
            raise UserError(
                f"{path}: its id is {short(stated)}, but its settings make {spec.id}; change the "
                f"configuration rather than a spec, or put the changed spec into {spec.folder}/ under that id"
            )
        return spec


def project_root(spec_path: Path | str) -> Path:
    """Return the project's folder, from the place of a spec: ``<root>/<a>/<b>/<id>/spec.yaml``.

    No link is followed, since ``data`` or ``results`` may be a link to another disk.

    Raises:
        UserError: the file does not lie so deep, so it is of no project.
    """
    folders = Path(os.path.abspath(spec_path)).parents  # noqa: PTH100 (it keeps links, unlike resolve)
    if len(folders) < 4:
        raise UserError(
            f"{spec_path}: wants the {SPEC_FILE} of a project, <project>/<a>/<b>/<id>/{SPEC_FILE}"
        )
    return folders[3]


class DatasetSpec(Spec):
    """A dataset of formula-made clips."""

    PARENT: ClassVar[str] = layout.DATASETS
    VERSION: ClassVar[int] = 3

    recipe: AnyDataset

    @property
    def name(self) -> str:
        return self.recipe.family


class BenchmarkSpec(Spec):
    """The index of one split of a benchmark."""

    PARENT: ClassVar[str] = layout.BENCHMARKS
    VERSION: ClassVar[int] = BenchmarkRecipe.VERSION

    recipe: AnyBenchmark

    @classmethod
    def _version_of(cls, data: dict) -> int:
        recipe = data.get("recipe")
        kind = recipe.get("kind") if isinstance(recipe, dict) else getattr(recipe, "kind", None)
        return BENCHMARKS[kind].VERSION if isinstance(kind, str) and kind in BENCHMARKS else cls.VERSION

    @property
    def name(self) -> str:
        return self.recipe.kind

    def of_fold(self, fold: int) -> "BenchmarkSpec":
        """Return the benchmark of one fold, counted from 1."""
        return self.model_copy(update={"recipe": self.recipe.model_copy(update={"fold": fold})})


class PretrainSpec(Spec):
    """One pre-training run."""

    PARENT: ClassVar[str] = layout.PRETRAIN
    VERSION: ClassVar[int] = 1

    recipe: PretrainRecipe
    dataset: DatasetSpec

    @property
    def name(self) -> str:
        return self.called(self.dataset.name)

    def called(self, dataset: str) -> str:
        """Return the description with a name for the dataset."""
        return f"{dataset}-{self.recipe.objective}-{self.recipe.backbone}"


class FinetuneSpec(Spec):
    """One fine-tuning run and its evaluation.

    ``init`` is the pre-training that it starts from, or published weights; ``None`` from scratch.
    """

    PARENT: ClassVar[str] = layout.FINETUNE
    VERSION: ClassVar[int] = 1

    recipe: FinetuneRecipe
    network: NetworkRecipe
    benchmark: BenchmarkSpec
    init: PretrainSpec | WeightsRecipe | None
    init_epoch: Count | None = Field(
        default=None, exclude_if=is_none, description="start from the snapshot of this epoch"
    )
    seed: Seed

    @model_validator(mode="after")
    def _fits(self) -> Self:
        """Check what network and recipe say of each other."""
        recipe, entry = self.recipe, BACKBONES[self.network.backbone]
        self.network.check_clips(recipe)
        for key in ("layer_decay", "drop_path", "mixup"):
            idle = type(recipe).model_fields[key].default
            if getattr(recipe, key) == idle:
                continue
            if key != "mixup" and not entry.PATCHES:
                raise ValueError(f"{key}: {self.network.backbone} is no transformer")
            if recipe.method == "linear_probe":
                raise ValueError(
                    f"{key}: decides nothing in a linear probe, which trains the classifier alone; "
                    f"set it to {idle}"
                )
        if recipe.evaluate_every and not self.benchmark.recipe.has_validation:
            raise ValueError(
                f"evaluate_every: this benchmark ({self.benchmark.name}) has no validation part, and no "
                "epoch may be chosen by test videos; set its `validation`, or set evaluate_every to 0"
            )
        if entry.PATCHES and isinstance(self.init, PretrainSpec):
            for key in ("frames", "size"):
                before, now = getattr(self.init.recipe, key), getattr(recipe, key)
                if before != now:
                    raise ValueError(
                        f"{key}: {now}, but the pre-training has {before}, and a transformer knows its "
                        "patches by their places"
                    )
        return self

    @property
    def start(self) -> str | None:
        """The file of our own weights from which it starts, relative to the project; None without one."""
        if not isinstance(self.init, PretrainSpec):
            return None
        return f"{self.init.folder}/{layout.snapshot(self.init_epoch) if self.init_epoch else MODEL}"

    @property
    def folds(self) -> list["FinetuneSpec"]:
        """The runs that this one pools, one for each fold of its benchmark; empty if it trains itself."""
        folds = range(1, self.benchmark.recipe.folds_to_pool + 1)
        return [self.model_copy(update={"benchmark": self.benchmark.of_fold(fold)}) for fold in folds]

    @property
    def name(self) -> str:
        dataset = self.init.dataset.name if isinstance(self.init, PretrainSpec) else ""
        return self.called(self.benchmark.name, dataset, "published")

    def called(self, benchmark: str, dataset: str, weights: str) -> str:
        """Return the description with names for the benchmark and for what the run starts from."""
        match self.init:
            case PretrainSpec():
                start = f"{dataset}-{self.init.recipe.objective}"
            case WeightsRecipe():
                start = weights
            case None:
                start = "scratch"
        fold = getattr(self.benchmark.recipe, "fold", None)
        part = f"-fold{fold}" if fold else "-folds" if self.folds else ""
        return f"{benchmark}-{start}-s{self.seed}{part}"


class Variant(Section):
    """One row of a study: the varied settings and the fine-tuning runs, by benchmark and seed."""

    label: str
    values: dict[str, str | int | float | bool | list | dict | None]
    pretrains: dict[Annotated[int, Field(strict=False)], str] = Field(
        description="seed -> id of the pre-training run that its fine-tunings start from; empty without one"
    )
    weights: str | None = Field(default=None, description="file of the published weights; None without")
    runs: dict[str, dict[Annotated[int, Field(strict=False)], str]] = Field(
        description="benchmark name -> seed -> id of the run"
    )
    baseline: str | None = Field(
        default=None,
        exclude_if=is_none,
        description="label of the variant it is compared with, if its settings alone do not decide that",
    )

    @property
    def scratch(self) -> bool:
        """Whether it is trained on the benchmark alone."""
        return not self.pretrains and self.weights is None


class StudySpec(Spec):
    """A study: a question and the variants that answer it."""

    PARENT: ClassVar[str] = layout.STUDIES
    VERSION: ClassVar[int] = 2
    NODES: ClassVar[int] = 2_000_000  # a variant has about 20, and there may be 50,000

    kind: Literal["study"] = "study"
    study: str
    question: str
    variants: list[Variant]
    benchmarks: dict[str, str] = Field(description="benchmark name -> id of its index")
    datasets: list[str] = Field(description="ids of the datasets the study's runs were pre-trained on")

    @property
    def name(self) -> str:
        return self.study

    @property
    def pretrains(self) -> list[str]:
        """The ids of its pre-training runs, each once, in the order of the variants."""
        return list(dict.fromkeys(run for variant in self.variants for run in variant.pretrains.values()))

    @property
    def runs(self) -> list[str]:
        """The ids of its fine-tuning runs, in the order of variants, benchmarks and seeds."""
        by_benchmark = (runs for variant in self.variants for runs in variant.runs.values())
        return [run for runs in by_benchmark for run in runs.values()]


# The kinds of results, each after those it is made from.
SPECS: tuple[type[Spec], ...] = (DatasetSpec, BenchmarkSpec, PretrainSpec, FinetuneSpec, StudySpec)

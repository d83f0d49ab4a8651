"""Networks that others can use, loaded by name: those that come with kinefract, and those on the Hub.

    from kinefract import released
    network = released.load("fractal-tsm-resnet18", classes=10)
    network = released.load("hf:owner/name", classes=10)

One that comes with kinefract is two files of this folder, as ``kinefract release`` writes them: weights
(``.safetensors``, matrices in half precision) and facts (``.json``). A study starts from one by
``init: <name>``. ``hub`` fetches the others.
"""

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import Field, ValidationError

from kinefract.common.errors import UserError
from kinefract.common.files import sha256, write_json
from kinefract.common.layout import CLASSES, MODEL, SPEC_FILE
from kinefract.common.problems import in_one_line
from kinefract.common.schema import not_one_of
from kinefract.config.networks import NetworkRecipe, WeightsRecipe
from kinefract.released import hub

if TYPE_CHECKING:
    from torch import Tensor

    from kinefract.config.specs import FinetuneSpec, PretrainSpec
    from kinefract.models.base import Backbone

FOLDER = Path(__file__).parent
PREFIX = "kinefract:"  # of the `file` of a recipe that means one of these
NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)+")  # with a hyphen, so that no name in params.yaml is the same


class Facts(NetworkRecipe):
    """The facts of a released network; ``made_by`` is the whole spec of its run."""

    frames: int = Field(ge=1, description="of a clip")
    size: int = Field(ge=1, description="pixels of a side in training")
    run: str = Field(description="id of the run that trained it last")
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$", description="of the weights file")
    made_by: dict[str, Any]

    @property
    def names_classes(self) -> bool:
        """Whether it was fine-tuned, so that its outputs are actions."""
        return "benchmark" in self.made_by


def names() -> list[str]:
    """Return the names of the networks that come with kinefract."""
    return sorted(path.stem for path in FOLDER.glob("*.json"))


def facts(name: str) -> Facts:
    """Return the facts of a network, by its name here or on the Hub.

    Raises:
        UserError: there is no network of that name, or its facts are damaged.
    """
    if hub.is_name(name):
        file = hub.fetch(name, hub.FACTS) / hub.FACTS
    else:
        there = names()
        if name not in there:
            known = not_one_of(name, there) if there else f"{name!r}, but none comes with this version"
            raise UserError(f"released network: {known}")
        file = FOLDER / f"{name}.json"
    try:
        return Facts.model_validate_json(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, ValidationError) as error:
        reason = in_one_line(error) if isinstance(error, ValidationError) else error
        raise UserError(f"{file}: cannot be read as facts of a network: {reason}") from error


def recipe(name: str) -> WeightsRecipe:
    """Return the recipe of a network's weights, from which fine-tuning starts."""
    known = facts(name)
    file = name if hub.is_name(name) else f"{PREFIX}{name}"
    return WeightsRecipe(**known.network.model_dump(), file=file, sha256=known.sha256)


def path(name: str) -> Path:
    """Return the file of a network's weights, which is fetched first if it lies on the Hub.

    Raises:
        UserError: the Hub does not give it.
    """
    return hub.fetch(name, MODEL) / MODEL if hub.is_name(name) else FOLDER / f"{name}.safetensors"


def file_of(recipe: WeightsRecipe, root: Path) -> Path:
    """Return the weights file of a recipe: that of a network by its name, or one below the project's folder.

    Raises:
        UserError: as for ``path``.
    """
    name = recipe.file.removeprefix(PREFIX)
    return path(name) if name != recipe.file or hub.is_name(name) else root / recipe.file


def checked(name: str) -> tuple[Facts, Path]:
    """Return the facts of a network and the file of its weights, compared with them.

    Raises:
        UserError: there is no such network, or its file is missing, damaged or does not match its facts.
    """
    known, file = facts(name), path(name)
    if not file.is_file() or sha256(file) != known.sha256:
        remedy = "push it again" if hub.is_name(name) else "install again"
        raise UserError(f"{file}: missing, or not the weights that the facts of {name} tell of; {remedy}")
    return known, file


def run_folder(name: str) -> Path:
    """Return a folder that can be read as that of a finished fine-tuning run, from the Hub.

    Raises:
        UserError: as for ``checked``, or the network was not fine-tuned.
    """
    known, file = checked(name)
    if not known.names_classes:
        raise UserError(f"{name}: a pre-trained network, which names no actions; fine-tune it first")
    return hub.fetch(f"{name.partition('@')[0]}@{file.parent.name}", SPEC_FILE, CLASSES)


def load(name: str, classes: int = 1, dropout: float = 0.0) -> "Backbone":
    """Build a network and load its weights, on the CPU, in single precision, in evaluation mode.

    Args:
        name: One of ``names()``, or ``hf:owner/name`` on the Hugging Face Hub.
        classes: Outputs of its classifier, which is not part of the weights and starts near zero;
            ``features(clips)`` needs none.
        dropout: Probability of dropping a feature before the classifier, in training.

    Returns:
        A network for clips (B, T, 3, H, W), normalised as ``kinefract.augment`` does it.

    Raises:
        UserError: there is no such network, or its file is missing, damaged or does not match its facts.
    """
    from kinefract.models import weights

    known, file = checked(name)
    network = known.built(0, known, classes, dropout)
    weights.copy_into(network, weights.read(file), file, classifier=False)
    return network.eval()


def write(run: Path | str, name: str, folder: Path) -> Facts:
    """Make a release of a finished pre-training: its weights without the classifier, and its facts.

    Matrices and kernels are stored in half precision, vectors (of norms, whose variances may be small) as
    they are.

    Args:
        run: ``results/pretrain/<id>``.
        name: The name of the release: lower-case words and digits with hyphens between them.
        folder: The target folder.

    Raises:
        UserError: the name is invalid, the run is not finished, its weights are damaged, or a file cannot be
            written.
    """
    from kinefract.models import weights

    if not NAME.fullmatch(name):
        raise UserError(f"{name!r}: wants lower-case words with hyphens, as fractal-tsm-resnet18")
    spec, state = pretrained(Path(run))
    kept = {key: value.half() if value.ndim > 1 else value for key, value in state.items()}
    weights.write(kept, folder / f"{name}.safetensors", spec.id)
    found = facts_of(spec, folder / f"{name}.safetensors")
    write_json(folder / f"{name}.json", found.model_dump(mode="json"))
    return found


def pretrained(run: Path) -> tuple["PretrainSpec", dict[str, "Tensor"]]:
    """Return the spec of a finished pre-training and its weights without the classifier, by name.

    Raises:
        UserError: the run is not finished, or its weights are damaged or do not fit its network.
    """
    from kinefract.config.specs import PretrainSpec
    from kinefract.models import weights

    spec = PretrainSpec.read(run / SPEC_FILE)
    if not (run / MODEL).exists():
        raise UserError(f"{run}: the run is not finished, its {MODEL} is missing")
    settings = spec.recipe
    network = settings.built(0, settings, 1, 0.0)
    kept = {
        key: value
        for key, value in weights.read(run / MODEL).items()
        if not key.startswith(f"{network.classifier}.") and not key.endswith(".num_batches_tracked")
    }
    weights.copy_into(network, kept, run, classifier=False)  # they fit, or it says what does not
    return spec, kept


def facts_of(spec: "PretrainSpec | FinetuneSpec", file: Path) -> Facts:
    """Return the facts of a run's network, whose weights are in ``file``."""
    from kinefract.config.specs import PretrainSpec

    network = spec.recipe if isinstance(spec, PretrainSpec) else spec.network
    return Facts(
        **network.network.model_dump(),
        frames=spec.recipe.frames,
        size=spec.recipe.size,
        run=spec.id,
        sha256=sha256(file),
        made_by=json.loads(spec.model_dump_json()),
    )

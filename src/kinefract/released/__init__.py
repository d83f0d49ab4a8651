"""Networks that come with kinefract: pre-trained on clips made from formulas, loaded by name.

    from kinefract import released
    network = released.load(name, classes=10)

Each is two files of this folder, as ``kinefract release`` writes them: weights (``.safetensors``, matrices in
half precision) and facts (``.json``). A study starts from one by ``init: <name>``.
"""

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import Field, ValidationError

from kinefract.common.errors import UserError
from kinefract.common.files import sha256, write_json
from kinefract.common.layout import MODEL, SPEC_FILE
from kinefract.common.problems import in_one_line
from kinefract.common.schema import not_one_of
from kinefract.config.phases import NetworkRecipe, WeightsRecipe

if TYPE_CHECKING:
    from kinefract.models.base import Backbone

FOLDER = Path(__file__).parent
PREFIX = "kinefract:"  # of the `file` of a recipe that means one of these
NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)+")  # with a hyphen, so that no name in params.yaml is the same


class Facts(NetworkRecipe):
    """The facts of a released network; ``made_by`` is the whole spec of its pre-training."""

    frames: int = Field(ge=1, description="of a clip")
    size: int = Field(ge=1, description="pixels of a side in pre-training")
    run: str = Field(description="id of the pre-training")
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$", description="of the weights file")
    made_by: dict[str, Any]


def names() -> list[str]:
    """Return the names of the released networks."""
    return sorted(path.stem for path in FOLDER.glob("*.json"))


def facts(name: str) -> Facts:
    """Return the facts of a network.

    Raises:
        UserError: there is no network of that name, or its facts are damaged.
    """
    there = names()
    if name not in there:
        known = not_one_of(name, there) if there else f"{name!r}, but none comes with this version"
        raise UserError(f"released network: {known}")
    path = FOLDER / f"{name}.json"
    try:
        return Facts.model_validate_json(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, ValidationError) as error:
        reason = in_one_line(error) if isinstance(error, ValidationError) else error
        raise UserError(f"{path}: cannot be read as facts of a network: {reason}") from error


def recipe(name: str) -> WeightsRecipe:
    """Return the recipe of a network's weights, from which fine-tuning starts."""
    known = facts(name)
    return WeightsRecipe(
        backbone=known.backbone, width=known.width, file=f"{PREFIX}{name}", sha256=known.sha256
    )


def path(name: str) -> Path:
    """Return the file of a network's weights."""
    return FOLDER / f"{name}.safetensors"


def file_of(recipe: WeightsRecipe, root: Path) -> Path:
    """Return the weights file of a recipe: a released network's, or one below the project's folder."""
    name = recipe.file.removeprefix(PREFIX)
    return root / recipe.file if name == recipe.file else path(name)


def load(name: str, classes: int = 1, dropout: float = 0.0) -> "Backbone":
    """Build a network and load its weights, on the CPU, in single precision, in evaluation mode.

    Args:
        name: One of ``names()``.
        classes: Outputs of its classifier, which is not part of the weights and starts near zero;
            ``features(clips)`` needs none.
        dropout: Probability of dropping a feature before the classifier, in training.

    Returns:
        A network for clips (B, T, 3, H, W), normalised as ``kinefract.augment`` does it.

    Raises:
        UserError: there is no such network, or its file is missing, damaged or does not match its facts.
    """
    from kinefract import models
    from kinefract.models import weights

    known = facts(name)
    if not path(name).is_file() or sha256(path(name)) != known.sha256:
        raise UserError(f"{path(name)}: missing, or not the weights that {name}.json tells of; install again")
    network = weights.seeded(0, models.build, known.backbone, known.width, known.frames, classes, dropout)
    weights.copy_into(network, weights.read(path(name)), path(name), classifier=False)
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
    from kinefract import models
    from kinefract.config.specs import PretrainSpec
    from kinefract.models import weights

    if not NAME.fullmatch(name):
        raise UserError(f"{name!r}: wants lower-case words with hyphens, as fractal-tsm-resnet18")
    spec = PretrainSpec.read(Path(run) / SPEC_FILE)
    if not (Path(run) / MODEL).exists():
        raise UserError(f"{run}: the run is not finished, its {MODEL} is missing")
    settings = spec.recipe
    network = weights.seeded(0, models.build, settings.backbone, settings.width, settings.frames, 1, 0.0)
    kept = {
        key: value.half() if value.ndim > 1 else value
        for key, value in weights.read(Path(run) / MODEL).items()
        if not key.startswith(f"{network.classifier}.") and not key.endswith(".num_batches_tracked")
    }
    weights.copy_into(network, kept, Path(run), classifier=False)  # they fit, or it says what does not
    weights.write(kept, folder / f"{name}.safetensors", spec.id)
    found = Facts(
        backbone=settings.backbone,
        width=settings.width,
        frames=settings.frames,
        size=settings.size,
        run=spec.id,
        sha256=sha256(folder / f"{name}.safetensors"),
        made_by=json.loads(spec.model_dump_json()),
    )
    write_json(folder / f"{name}.json", found.model_dump(mode="json"))
    return found

"""A run, a dataset or a released network on its way to a repository on the Hugging Face Hub.

The content of the repository is put together in a folder first, with links to large files, and then uploaded.
"""

import shutil
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal

from kinefract import __version__, released
from kinefract.common import checksums
from kinefract.common.errors import UserError
from kinefract.common.files import in_bytes, write_json, write_text
from kinefract.common.layout import (
    CARD,
    CARD_PAGE,
    CHECKSUMS,
    CLASSES,
    HUB_CARD,
    HUB_FOLDERS,
    MANIFEST,
    MODEL,
    MOVING,
    RESULT,
    SPEC_FILE,
    STILL,
)
from kinefract.common.words import counted
from kinefract.config.run_files import read_result
from kinefract.config.specs import DatasetSpec, FinetuneSpec, PretrainSpec
from kinefract.evaluation import predict
from kinefract.exchange import cards
from kinefract.exchange.networks import locate
from kinefract.models import weights
from kinefract.released import hub
from kinefract.synth.store.shards import Shards, shard_files

LICENSE = "apache-2.0"  # of the networks that come with kinefract
OF_DATASET = (SPEC_FILE, MANIFEST, CARD, CARD_PAGE, STILL, MOVING, CHECKSUMS)


@dataclass(frozen=True)
class Staged:
    """What a folder holds for the Hub: a model or a dataset, and the id of the result."""

    kind: Literal["model", "dataset"]
    id: str


def push(
    name: str,
    repository: str,
    root: Path | str = "",
    private: bool = False,
    dry_run: bool = False,
    license: str | None = None,
) -> str:
    """Put a result into a repository on the Hub, which is made if it does not exist.

    Args:
        name: The folder or the id of a finished run or of a dataset, the name of a dataset in the
            configuration, or the name of a network that comes with kinefract.
        repository: ``owner/name``.
        root: The project's folder.
        private: Whether the repository is to be private.
        dry_run: Write the content into a folder below ``results/hub``, and upload nothing.
        license: An identifier of the Hub's list of licences, for the card.

    Returns:
        A line about what was done.

    Raises:
        UserError: there is no such result, it is not finished or damaged, the repository is public although
            ``private`` is wanted, or the Hub refuses.
    """
    if not hub.REPOSITORY.fullmatch(repository):
        raise UserError(f"--repo: wants owner/name, got {repository!r}")
    with ExitStack() as stack:
        if dry_run:
            folder = Path(root, HUB_FOLDERS, repository.replace("/", "--"))
            shutil.rmtree(folder, ignore_errors=True)
        else:
            folder = Path(stack.enter_context(TemporaryDirectory(prefix="kinefract-")))
        staged = stage(name, repository, folder, root, license)
        files = [path for path in folder.rglob("*") if path.is_file()]
        size = f"{counted(len(files), 'file')}, {in_bytes(sum(path.stat().st_size for path in files))}"
        if dry_run:
            return f"{folder}: what would be in the {staged.kind} {repository}, {size}; nothing was uploaded"
        with hub.client(repository) as api:
            url = api.create_repo(repository, private=private or None, repo_type=staged.kind, exist_ok=True)
            if private and not api.repo_info(repository, repo_type=staged.kind).private:
                raise UserError(f"{repository}: is there already and is public, so --private has no effect")
            commit = api.upload_folder(
                repo_id=repository,
                folder_path=folder,
                repo_type=staged.kind,
                commit_message=f"{staged.id}, by kinefract {__version__}",
                delete_patterns=["shards/*"],  # of an earlier dataset that had more
            )
    return f"{url}: {size}, commit {commit.oid[:12]}"


def stage(
    name: str, repository: str, folder: Path, root: Path | str = "", license: str | None = None
) -> Staged:
    """Write the content of a repository into an empty folder; arguments and errors as for ``push``."""
    if name in released.names():
        return _released(name, repository, folder, license)
    spec, source = locate(name, root)
    match spec:
        case DatasetSpec():
            return _dataset(spec, source, repository, folder, license)
        case PretrainSpec():
            return _pretrained(spec, source, repository, folder, license)
        case FinetuneSpec():
            return _finetuned(spec, source, repository, folder, license)


def _released(name: str, repository: str, folder: Path, license: str | None) -> Staged:
    facts, file = released.checked(name)
    page = file.with_suffix(".md")
    if not page.exists():
        raise UserError(f"{page}: no such file; write the page of this network first, as others have one")
    _link(folder / MODEL, file)
    write_json(folder / hub.FACTS, facts.model_dump(mode="json"))
    text = page.read_text(encoding="utf-8")
    write_text(folder / HUB_CARD, cards.of_released(facts, text, repository, license or LICENSE))
    return Staged("model", name)


def _pretrained(
    spec: PretrainSpec, source: Path, repository: str, folder: Path, license: str | None
) -> Staged:
    """Write a pre-trained network without its classifier, whose classes are of use to nobody."""
    _, state = released.pretrained(source)
    weights.write(state, folder / MODEL, spec.id)
    facts = released.facts_of(spec, folder / MODEL)
    write_json(folder / hub.FACTS, facts.model_dump(mode="json"))
    write_text(folder / HUB_CARD, cards.of_network(spec, facts, repository, license))
    return Staged("model", spec.id)


def _finetuned(
    spec: FinetuneSpec, source: Path, repository: str, folder: Path, license: str | None
) -> Staged:
    finished = predict.load(source)  # it is whole, or this says what is wrong
    for name in (SPEC_FILE, MODEL):
        _link(folder / name, source / name)
    write_json(folder / CLASSES, finished.classes)
    result = None
    if (source / RESULT).exists():
        result = dict(read_result(source))
        _link(folder / RESULT, source / RESULT)
    facts = released.facts_of(spec, folder / MODEL)
    write_json(folder / hub.FACTS, facts.model_dump(mode="json"))
    write_text(folder / HUB_CARD, cards.of_network(spec, facts, repository, license, result))
    return Staged("model", spec.id)


def _dataset(spec: DatasetSpec, source: Path, repository: str, folder: Path, license: str | None) -> Staged:
    clips = Shards(source)  # all of its shards are there, or this says which are not
    checksums.check_all(source)
    names = [name for name in OF_DATASET if (source / name).exists()]
    shards = [path for shard in range(spec.recipe.shards) for path in shard_files(source, shard)]
    for path in [*(source / name for name in names), *shards]:
        _link(folder / path.relative_to(source), path)
    write_text(folder / HUB_CARD, cards.of_dataset(spec, clips, repository, license))
    return Staged("dataset", spec.id)


def _link(path: Path, target: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.symlink_to(target.resolve())

"""Networks on the Hugging Face Hub, named ``hf:owner/name`` or ``hf:owner/name@revision``.

``kinefract push`` makes their repositories. Each holds facts (``kinefract.json``) and weights
(``model.safetensors``). That of a fine-tuned network also holds ``spec.yaml`` and ``classes.json``, so that a
copy of it can be read as the folder of a run. Only these files are fetched, and none of them holds code.
"""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from kinefract.common.errors import UserError, first_line
from kinefract.common.extras import needed
from kinefract.config.networks import HUB

FACTS = "kinefract.json"
REPOSITORY = re.compile(r"[A-Za-z0-9][\w.-]*/[\w.-]+", re.ASCII)
NAME = re.compile(rf"{HUB}(?P<repository>{REPOSITORY.pattern})(?:@(?P<revision>[\w./-]+))?", re.ASCII)


def is_name(text: object) -> bool:
    """Return whether a text is the name of a network on the Hub, rightly spelt or not."""
    return str(text).startswith(HUB)


def fetch(name: str, *files: str) -> Path:
    """Fetch files of a repository, or find them in the Hub's cache on this machine.

    Args:
        name: ``hf:owner/name``, with ``@revision`` for a branch, a tag or a commit.
        files: Their names, at least one.

    Returns:
        The folder in the cache in which they lie; all are of one commit.

    Raises:
        UserError: the name is none, ``huggingface_hub`` is not installed, or the Hub does not give the files.
    """
    match = NAME.fullmatch(name)
    if not match:
        raise UserError(f"{name}: wants {HUB}owner/name, or {HUB}owner/name@revision")
    revision = match["revision"]
    with client(name) as api:
        for file in files:
            path = Path(api.hf_hub_download(match["repository"], file, revision=revision))
            revision = path.parent.name  # the commit; the other files are to be of the same one
    return path.parent


@contextmanager
def client(what: str) -> Iterator[Any]:
    """Yield a ``huggingface_hub.HfApi``; an error of the Hub is raised as one line about ``what``.

    Raises:
        UserError: ``huggingface_hub`` is not installed, or it raised any error.
    """
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")  # which huggingface_hub reads when it is imported
    hub = needed("huggingface_hub", "hub")
    api = hub.HfApi(library_name="kinefract")
    try:
        yield api
    except UserError:
        raise
    except Exception as error:  # of HTTP, of files, of sockets and of the Hub's own kinds
        raise UserError(f"{what}: {_reason(error, hub.errors, api.endpoint)}") from error


def _reason(error: Exception, errors: Any, endpoint: str) -> str:
    """Return what an error of the Hub means, and what to do."""
    status = getattr(getattr(error, "response", None), "status_code", None)
    if isinstance(error, errors.RevisionNotFoundError):
        return f"{endpoint} has no such revision of it"
    if isinstance(error, errors.GatedRepoError) or status in (401, 403):
        return f"{endpoint} does not let you; run `hf auth login`, or set HF_TOKEN to a token that may"
    if isinstance(error, errors.RepositoryNotFoundError):
        return f"{endpoint} has no such repository, or it is private; `hf auth login` gives access to yours"
    if isinstance(error, errors.LocalEntryNotFoundError):
        return f"{endpoint} cannot be reached, and this machine's cache does not hold it"
    if isinstance(error, errors.EntryNotFoundError):
        return f"its repository lacks a file, so `kinefract push` did not make it: {first_line(error)}"
    if isinstance(error, ValueError) and status is None:  # of names, and of the metadata of cards
        return " ".join(str(error).split())
    return first_line(error)

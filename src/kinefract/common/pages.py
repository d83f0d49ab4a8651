"""Pages made from templates: one HTML file each, with what it shows embedded and links to other files."""

import base64
import hashlib
import os
import re
from importlib import resources
from pathlib import Path
from typing import Any
from urllib.parse import quote

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from kinefract.common import checksums

LARGEST_EMBEDDED = 4_000_000  # bytes of one file; a larger file is not embedded
ARXIV = re.compile(r"arXiv (\d{4}\.\d{4,5})")


def rendered(template: str, **values: Any) -> str:
    """Return a template's HTML; values are escaped, and a missing value is an error.

    The page's policy lets a browser run the script ``templates/page.js`` alone, by its digest, and load
    nothing from elsewhere.
    """
    environment = Environment(
        loader=PackageLoader("kinefract", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["cited"] = cited
    script = (resources.files("kinefract") / "templates" / "page.js").read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return environment.get_template(template).render(script=Markup(script), digest=digest, **values)


def link(target: Path, page: Path) -> str | None:
    """Return the address of a file or folder, relative to a page; None if it does not exist.

    Links in paths are kept, so that the address is right if ``data`` or ``results`` is one to another disk.
    """
    if not target.exists():
        return None
    return quote(Path(os.path.relpath(target, page.parent)).as_posix())


def cited(text: str) -> Markup:
    """Return a text as HTML in which papers that it names as ``arXiv 2411.17584`` are links to them."""
    return Markup(ARXIV.sub(r'<a href="https://arxiv.org/abs/\1">arXiv \1</a>', str(escape(text))))


def data_uri(path: Path, kind: str) -> str | None:
    """Return a file as a data URI, or None if it is missing or too large for a page.

    Raises:
        UserError: the file differs from its checksum.
    """
    if not path.exists() or path.stat().st_size > LARGEST_EMBEDDED:
        return None
    return f"data:{kind};base64,{base64.b64encode(checksums.read_bytes(path)).decode()}"

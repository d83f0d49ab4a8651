"""Pages made from templates, with files embedded in them."""

import base64
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from kinefract.common import checksums

LARGEST_EMBEDDED = 4_000_000  # bytes of one file; a larger file is not embedded


def rendered(template: str, **values: Any) -> str:
    """Return a template's HTML; values are escaped, and a missing value is an error."""
    environment = Environment(
        loader=PackageLoader("kinefract", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template(template).render(**values)


def data_uri(path: Path, kind: str) -> str | None:
    """Return a file as a data URI, or None if it is missing or too large for a page.

    Raises:
        UserError: the file differs from its checksum.
    """
    if not path.exists() or path.stat().st_size > LARGEST_EMBEDDED:
        return None
    return f"data:{kind};base64,{base64.b64encode(checksums.read_bytes(path)).decode()}"

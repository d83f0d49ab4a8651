"""Where a study's runs are seen in MLflow: their address, and a small page of the project that leads there.

An experiment has another number in each store, so what must be the same in every clone, such as the page of
a study, links to that small page.
"""

import html
import os
import re
from pathlib import Path

from kinefract.common.files import write_text
from kinefract.common.layout import mlflow_page
from kinefract.tracking.database import shown_uri
from kinefract.tracking.view import KEY

PORT = "MLFLOW_PORT"  # MLflow's own variable for its server's port; `make ui` sets it
DEFAULT_PORT = "5000"
# MLflow opens an experiment on an empty page for traces unless its address names the other kind of work.
RUNS = "{server}/#/experiments/{experiment}/runs?workflowType=machine_learning&viewStateShareKey={view}"
PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{study} in MLflow</title>
<body style="font: 1rem/1.5 system-ui, sans-serif; max-width: 44rem; margin: 3rem auto; padding: 0 1rem">
<h1>{study} in MLflow</h1>
{body}
</body>
</html>
"""
LINK = """<p><a href="{address}">{address}</a></p>
<p>If nothing answers there, start MLflow: <code>make ui</code> in the project's folder.</p>
<script>
const address = document.querySelector("a").href;
fetch(address, {{ mode: "no-cors" }}).then(() => location.replace(address), () => {{}});
</script>"""
NOT_HELD = "<p>MLflow could not be used. <code>kinefract sync</code> logs the study to it later.</p>"


def runs_address(root: Path | str, experiment: str) -> str:
    """Return the address at which a browser shows the table of an experiment's runs.

    It is on the server that ``MLFLOW_TRACKING_URI`` names, or else on the one that ``make ui`` starts.
    """
    server = shown_uri(root)
    if not server.startswith(("http://", "https://")):
        server = f"http://127.0.0.1:{os.environ.get(PORT) or DEFAULT_PORT}"
    return RUNS.format(server=server.rstrip("/"), experiment=experiment, view=KEY)


def write_page(root: Path | str, study: str, experiment: str | None) -> None:
    """Write the page of the project that leads to a study's runs.

    Args:
        root: The project's folder.
        study: The study's name.
        experiment: The id of its experiment; None if MLflow cannot be used. A page that knows one stays then.
    """
    if experiment is None and address_of(root, study):
        return
    address = html.escape(runs_address(root, experiment)) if experiment else ""
    body = LINK.format(address=address) if address else NOT_HELD
    write_text(Path(root, mlflow_page(study)), PAGE.format(study=html.escape(study), body=body))


def begun(root: Path | str) -> list[str]:
    """Return the names of the studies that have such a page."""
    return sorted(path.stem for path in Path(root, mlflow_page("")).parent.glob("*.html") if path.stem)


def address_of(root: Path | str, study: str) -> str | None:
    """Return the address of a study's runs from the page that leads there; None if there is none."""
    path = Path(root, mlflow_page(study))
    found = re.search(r'<a href="([^"]*)">', path.read_text(encoding="utf-8")) if path.is_file() else None
    return html.unescape(found[1]) if found else None

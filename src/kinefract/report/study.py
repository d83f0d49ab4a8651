"""The job behind a study: from its finished runs to the files of its folder, the page last."""

import os
from pathlib import Path

from kinefract import tracking
from kinefract.errors import UserError
from kinefract.files import write_json, write_text
from kinefract.report import results, table
from kinefract.specs import StudySpec, project_root


def build(spec_path: Path | str) -> None:
    """Write a study's tables, figures and page into its folder, and log its variants to MLflow.

    ``table.csv``, ``table.md``, ``metrics.json``, ``curves.csv``, ``top1.svg``, ``curves.svg`` and, last,
    ``index.html``.

    Args:
        spec_path: ``results/studies/<id>/spec.yaml``.

    Raises:
        UserError: the spec cannot be used, runs are missing, or a file cannot be written.
    """
    # Matplotlib and Jinja take a second to load, which printing a table need not wait for.
    from kinefract.report import figures, page

    spec = StudySpec.read(spec_path)
    root, folder = project_root(spec_path), Path(spec_path).parent
    rows = results.read(root, spec)
    metrics = table.metrics_of(rows)
    texts = {
        "table.csv": table.table_csv(rows),
        "table.md": table.table_md(rows),
        "curves.csv": table.curves_csv(rows),
        "top1.svg": figures.top1_svg(rows),
        "curves.svg": figures.curves_svg(rows),
    }
    for name, text in texts.items():
        write_text(folder / name, text)
    write_json(folder / table.METRICS, metrics)
    write_text(folder / "index.html", page.render(root, spec, rows))
    shown = ("table.csv", "table.md", "top1.svg", "curves.svg")
    tracking.log_study(root, spec, metrics, [folder / name for name in shown])


def point(root: Path | str, study: str, folder: Path | str) -> None:
    """Make ``results/studies/<study>`` a link to the study's folder, so that its page has a fixed place.

    Args:
        root: The project's folder.
        study: The study's name.
        folder: Its folder, absolute or relative to ``root``.

    Raises:
        UserError: something that is not a link has that name, or the link cannot be made.
    """
    link = Path(root) / StudySpec.PARENT / study
    if link.exists() and not link.is_symlink():
        raise UserError(f"{link}: not a link made by kinefract; move it away, a link to the study goes there")
    target = os.path.relpath(Path(root) / folder, link.parent)
    if link.is_symlink() and str(link.readlink()) == target:
        return
    partial = link.with_name(f".{study}.{os.getpid()}.partial")
    try:
        partial.unlink(missing_ok=True)
        partial.symlink_to(target)
        partial.replace(link)
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise UserError(f"cannot make the link {link}: {error.strerror or error}") from error

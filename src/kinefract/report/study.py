"""The job of a study, which writes the files of its folder from its finished runs, the page last."""

import os
import shutil
from dataclasses import replace
from pathlib import Path

from kinefract import tracking
from kinefract.common import checksums, layout
from kinefract.common.errors import UserError
from kinefract.common.files import write_json, write_text
from kinefract.config import params
from kinefract.config.specs import StudySpec, project_root


def build(spec_path: Path | str, partial: bool = False) -> None:
    """Write a study's tables, figures and page into its folder, and log its variants to MLflow.

    The files are ``table``, ``costs`` and ``classes`` as ``.csv`` and ``.tex``, ``table.md``, ``curves.csv``,
    ``metrics.json``, ``answer.json``, ``top1.svg``, ``curves.svg`` and, last, ``index.html``. A study with
    several datasets also gets ``looks.csv``, one that varies a number ``scaling.svg``.

    Args:
        spec_path: ``results/studies/<id>/spec.yaml``.
        partial: Whether runs may be missing. If some are missing, the files go into the folder ``partial``
            beside the spec, so that they are not taken for the finished study, and nothing is logged. The
            report of the finished study removes that folder.

    Raises:
        UserError: the spec cannot be used, runs are missing, or a file cannot be written.
    """
    # Imported here: Matplotlib, pandas and Jinja take seconds to load, and other uses do not need them.
    from kinefract.report import (
        appearance,
        classes,
        compare,
        cost,
        cost_table,
        figures,
        formats,
        page,
        results,
        scaling,
        table,
    )

    spec = StudySpec.read(spec_path)
    root, folder = project_root(spec_path), Path(spec_path).parent
    found = results.read_available(root, spec) if partial else results.read(root, spec)
    target = folder / layout.PARTIAL if found.missing else folder
    rows = cost.with_costs(root, compare.compared(found.rows))
    changes = classes.changes(rows)
    metrics, numbers = table.metrics_of(rows), table.table_of(rows)
    texts = {
        layout.TABLE: formats.to_csv(numbers),
        layout.TABLE_MD: table.table_md(numbers),
        layout.TABLE_TEX: table.table_tex(numbers),
        layout.COSTS: cost_table.costs_csv(rows),
        layout.COSTS_TEX: cost_table.costs_tex(rows),
        layout.CLASS_CHANGES: classes.classes_csv(changes),
        layout.CLASS_CHANGES_TEX: classes.classes_tex(changes),
        layout.CURVES: formats.to_csv(table.curves_of(rows)),
        layout.TOP1_FIGURE: figures.top1_svg(rows),
        layout.CURVES_FIGURE: figures.curves_svg(rows),
    }
    if seen := appearance.appearances(root, rows):
        texts[layout.LOOKS] = appearance.appearance_csv(seen, rows)
    if curve := scaling.scaling(rows):
        texts[layout.SCALING_FIGURE] = scaling.scaling_svg(curve, rows)
    checksums.remove(target)
    for name, text in texts.items():
        write_text(target / name, text)
    write_json(target / layout.METRICS, metrics)
    write_json(target / layout.ANSWER, {"answer": page.answers(rows), "finished": found.finished})
    paper = _paper(root / layout.PARAMS_FILE, spec.study)
    with checksums.last_file(target / layout.PAGE) as unfinished:
        # Before the study is finished, so that no kill leaves it out; the page links to its runs there.
        if target == folder:
            tracking.log_study(root, spec, metrics, tracking.study_files(folder))
        found = replace(found, rows=rows)
        html = page.render(root, spec, found, changes, target / layout.PAGE, texts[layout.TOP1_FIGURE], paper)
        unfinished.write_text(html, encoding="utf-8")
    if target == folder:
        shutil.rmtree(folder / layout.PARTIAL, ignore_errors=True)


def _paper(params_file: Path, study: str) -> str:
    """Return ``paper`` of a study from the configuration; empty if it is missing or not valid."""
    try:
        studies = params.load(params_file).studies
    except UserError:
        return ""
    return studies[study].paper if study in studies else ""


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

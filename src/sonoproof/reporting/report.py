"""The report: one self-contained HTML file, built from the files of the run folder and from nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from sonoproof.config import ReportConfig
from sonoproof.reporting.checklists import Checklist, filled_checklists, write_checklists
from sonoproof.reporting.figures.figure_writer import FigureWriter
from sonoproof.reporting.page.blocks import Section
from sonoproof.reporting.page.runfiles import RunFiles, read_run_files
from sonoproof.reporting.sections.audit import audit_pictures, audit_section
from sonoproof.reporting.sections.calibration import calibration_section
from sonoproof.reporting.sections.checklists import checklists_section
from sonoproof.reporting.sections.cohort import cohort_section
from sonoproof.reporting.sections.exams import exams_section
from sonoproof.reporting.sections.explanations import errors_section, explained_frames, explanations_section
from sonoproof.reporting.sections.limits import limits_section
from sonoproof.reporting.sections.operating_point import operating_point_section
from sonoproof.reporting.sections.performance import performance_section
from sonoproof.reporting.sections.provenance import provenance_section
from sonoproof.reporting.sections.split import split_section
from sonoproof.reporting.sections.summary import summary_section
from sonoproof.reporting.sections.training import training_section
from sonoproof.reporting.wording.text import relative_href, visible_text
from sonoproof.runfolder import RunFolder, write_text

# Characters of a paragraph: its sentences are this package's own, with names from the sheet in them.
_LONGEST_SENTENCES = 6000


def build_report(run: RunFolder, *, config: ReportConfig) -> Path:
    """Write ``report.html``, the drawn figures under ``figures/`` and the filled checklists under ``checklists/``.

    Sections whose files are missing say so in one line.

    Args:
        run: The run folder.
        config: Title of the report, and the resolution of its figures.

    Returns:
        Path of the report.

    Raises:
        RunFolderError: A file of the run is damaged, or the report cannot be written.
    """
    files = read_run_files(run)
    checklists = filled_checklists(files)
    write_checklists(run, checklists)
    writer = FigureWriter(run, pictures=_count_pictures(files), dpi=config.dpi)
    sections = _sections(files, writer, checklists)
    write_text(run.report, _render(files, sections, title=config.title))
    return run.report


def _sections(files: RunFiles, writer: FigureWriter, checklists: tuple[Checklist, ...]) -> tuple[Section, ...]:
    return (
        summary_section(files, writer),
        cohort_section(files, writer),
        audit_section(files, writer),
        split_section(files),
        training_section(files, writer),
        performance_section(files, writer),
        calibration_section(files, writer),
        operating_point_section(files, writer),
        exams_section(files),
        explanations_section(files, writer),
        errors_section(files, writer),
        limits_section(files),
        checklists_section(checklists),
        provenance_section(files),
    )


def _count_pictures(files: RunFiles) -> int:
    explained = sum(len(explained_frames(part, kind)) for part in files.parts for kind in ("top", "error"))
    return explained + sum(len(audit_pictures(finding)) for finding in files.findings)


def _render(files: RunFiles, sections: tuple[Section, ...], *, title: str) -> str:
    loader = PackageLoader("sonoproof.reporting")
    environment = Environment(
        loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, finalize=_shown
    )
    environment.filters |= {"href": _href, "cut": _cut}
    stylesheet, _, _ = loader.get_source(environment, "report.css")
    return environment.get_template("report.html.j2").render(
        title=title,
        byline=_byline(files.manifest),
        stylesheet=Markup(stylesheet),  # noqa: S704 - a file of this package
        sections=sections,
    )


def _byline(manifest: Mapping[str, Any]) -> tuple[str, ...]:
    """When and with what the run was made, as far as the manifest says."""
    version, finished = manifest.get("sonoproof"), manifest.get("finished") or manifest.get("created")
    texts = (f"Sonoproof {version}" if version else "", _moment(str(finished)) if finished else "")
    return tuple(text for text in texts if text)


def _moment(text: str) -> str:
    try:
        return datetime.fromisoformat(text).strftime("%Y-%m-%d %H:%M %Z").strip()
    except ValueError:
        return text


def _href(path: str) -> Markup:
    return Markup(relative_href(path) or "")  # noqa: S704 - percent-encoded


def _cut(value: object) -> object:
    """A cell of a table, which may hold any text of the sheet, at its usual length."""
    return visible_text(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def _shown(value: object) -> object:
    # Everything the template prints passes here: text loses what cannot be seen, before it is escaped.
    if isinstance(value, str) and not isinstance(value, Markup):
        return visible_text(value, longest=_LONGEST_SENTENCES)
    return value

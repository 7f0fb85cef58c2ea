"""Section "Audit": what was found in the data before anything was trained, with pictures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sonoproof.data.audit.findings import Level, severity
from sonoproof.reporting.figures.figure_writer import FigureWriter
from sonoproof.reporting.page.blocks import AuditFinding, Notice, Prose, Section
from sonoproof.reporting.page.runfiles import RunFiles
from sonoproof.reporting.wording.text import relative_href
from sonoproof.types import Json
from sonoproof.wording import counted, humanise

PICTURE_SUFFIXES = (".png", ".jpg", ".jpeg")
PICTURES_PER_FINDING = 6
FACTS_PER_FINDING = 24
_OWN_KEYS = {"id", "level", "title", "detail", "files", "numbers"}


def audit_section(files: RunFiles, writer: FigureWriter) -> Section:
    """The findings, most severe first."""
    title = "Audit of the data"
    if not files.audit:
        missing = "The run has no audit.json: nothing is reported on look-alikes, conflicting labels and shortcuts."
        return Section("audit", title, (Notice(missing),))
    findings = sorted(files.findings, key=lambda finding: severity(finding.get("level")), reverse=True)
    blocks = [_block(finding, writer) for finding in findings]
    return Section("audit", title, (Prose(_tally(findings)), *blocks))


def audit_pictures(finding: Json) -> list[str]:
    """Run-relative paths of the pictures that the section shows of a finding."""
    pictures = [path for path in _files(finding) if path.lower().endswith(PICTURE_SUFFIXES)]
    return pictures[:PICTURES_PER_FINDING]


def _tally(findings: Sequence[Json]) -> str:
    if not findings:
        return "The audit found nothing to report."
    levels = [str(finding.get("level", Level.INFO)) for finding in findings]
    words = {Level.INFO: "for information"}
    counts = [f"{levels.count(level)} {words.get(level, level)}" for level in reversed(Level) if level in levels]
    return f"The audit reports {counted(len(findings), 'finding')}: {', '.join(counts)}."


def _block(finding: Json, writer: FigureWriter) -> AuditFinding:
    title, shown = str(finding.get("title", "")), audit_pictures(finding)
    others = [path for path in _files(finding) if path not in shown]
    alt = f"Picture of the audit: {title}."
    return AuditFinding(
        identifier=str(finding.get("id", "finding")),
        level=str(finding.get("level", Level.INFO)),
        title=title,
        detail=str(finding.get("detail", "")),
        facts=_facts(finding),
        links=tuple((path, path) for path in others[:FACTS_PER_FINDING]),
        pictures=tuple(
            writer.photograph(path, caption=f"{title} ({path})", alt=alt, links=(("full size", path),))
            for path in shown
        ),
    )


def _facts(finding: Json) -> tuple[tuple[str, str], ...]:
    content = dict(finding.get("numbers") or {})
    content |= {key: value for key, value in finding.items() if key not in _OWN_KEYS}
    # What holds several values is described by the detail, and is in audit.json.
    single = {key: value for key, value in content.items() if isinstance(value, int | float | str)}
    return tuple((str(key).replace("_", " "), humanise(value)) for key, value in single.items())[:FACTS_PER_FINDING]


def _files(finding: Json) -> list[str]:
    files = finding.get("files") or []
    paths = files.values() if isinstance(files, Mapping) else files
    return [str(path) for path in paths if relative_href(str(path)) is not None]

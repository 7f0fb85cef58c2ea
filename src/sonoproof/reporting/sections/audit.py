"""Section "Audit": what was found in the data before anything was trained, with pictures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sonoproof.data.audit.findings import Level, severity
from sonoproof.reporting.figures.figure_writer import FigureWriter
from sonoproof.reporting.page.blocks import Block, Finding, Notice, Picture, Prose, Section
from sonoproof.reporting.page.evidence import Evidence
from sonoproof.reporting.wording.text import relative_href
from sonoproof.wording import counted, humanise

__all__ = ["Gap", "audit_pictures", "audit_section", "measured_gap"]

PICTURE_SUFFIXES = (".png", ".jpg", ".jpeg")
PICTURES_PER_FINDING = 6
FACTS_PER_FINDING = 24
_OWN_KEYS = {"id", "level", "title", "detail", "files"}


@dataclass(frozen=True)
class Gap:
    """The same classifier under a random split and under one that keeps sources together.

    Attributes:
        metric: Name of the metric.
        naive: ``value``, ``low``, ``high`` under the random split.
        honest: The same under the grouped split.
        classifier: What it is, in words.
        detail: What was done, in words; may be empty.
    """

    metric: str
    naive: Mapping[str, Any]
    honest: Mapping[str, Any]
    classifier: str = "a cheap classifier"
    detail: str = ""


def measured_gap(audit: Mapping[str, Any]) -> Gap | None:
    """The gap between random and grouped split, if the audit measured it."""
    for finding in [*(audit.get("findings") or []), audit.get("summary") or {}]:
        gap = finding.get("honest_against_naive") or finding.get("gap")
        if (
            isinstance(gap, Mapping)
            and isinstance(gap.get("naive"), Mapping)
            and isinstance(gap.get("honest"), Mapping)
        ):
            detail = str(gap.get("detail") or finding.get("detail") or "")
            classifier = str(gap.get("classifier") or Gap.classifier)
            return Gap(str(gap.get("metric", "auc")), gap["naive"], gap["honest"], classifier, detail)
    return None


def audit_pictures(audit: Mapping[str, Any]) -> list[str]:
    """Run-relative paths of the pictures that the section shows."""
    return [path for finding in audit.get("findings") or [] for path in _pictures_of(finding)]


def audit_section(evidence: Evidence, easel: FigureWriter) -> Section:
    """The findings, most severe first."""
    if not evidence.audit:
        return Section(
            "audit",
            "Audit of the data",
            (Notice("The run holds no audit.json: nothing is reported on look-alikes, conflicts and shortcuts."),),
        )
    findings = sorted(evidence.audit.get("findings") or [], key=lambda finding: -severity(finding.get("level")))
    blocks: list[Block] = [Prose(_tally(findings))]
    blocks += [_finding(finding, easel) for finding in findings]
    return Section("audit", "Audit of the data", tuple(blocks))


def _tally(findings: Sequence[Mapping[str, Any]]) -> str:
    if not findings:
        return "The audit found nothing to report."
    levels = [str(finding.get("level", "info")) for finding in findings]
    counts = [f"{levels.count(level)} {level}" for level in reversed(Level) if level in levels]
    return f"The audit reports {counted(len(findings), 'finding')}: {', '.join(counts)}."


def _finding(finding: Mapping[str, Any], easel: FigureWriter) -> Finding:
    identifier, title = str(finding.get("id", "finding")), str(finding.get("title", ""))
    shown = _pictures_of(finding)
    others = [path for path in _files(finding) if path not in shown]
    pictures = tuple(_picture(path, title, easel) for path in shown)
    return Finding(
        identifier=identifier,
        level=str(finding.get("level", "info")),
        title=title,
        detail=str(finding.get("detail", "")),
        facts=_facts(finding),
        links=tuple((path, path) for path in others[:FACTS_PER_FINDING]),
        pictures=pictures,
    )


def _picture(path: str, title: str, easel: FigureWriter) -> Picture:
    return easel.photograph(
        path, caption=f"{title} ({path})", alt=f"Picture of the audit: {title}.", links=(("full size", path),)
    )


def _facts(finding: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    numbers = finding.get("numbers")
    content = {**(numbers if isinstance(numbers, Mapping) else {})}
    content |= {key: value for key, value in finding.items() if key not in _OWN_KEYS | {"numbers"}}
    # What holds several values is told by the detail, and stands in audit.json.
    single = {key: value for key, value in content.items() if isinstance(value, int | float | str)}
    return tuple((str(key).replace("_", " "), humanise(value)) for key, value in single.items())[:FACTS_PER_FINDING]


def _pictures_of(finding: Mapping[str, Any]) -> list[str]:
    pictures = [path for path in _files(finding) if path.lower().endswith(PICTURE_SUFFIXES)]
    return pictures[:PICTURES_PER_FINDING]


def _files(finding: Mapping[str, Any]) -> list[str]:
    files = finding.get("files") or []
    paths = list(files.values()) if isinstance(files, Mapping) else list(files)
    return [str(path) for path in paths if relative_href(str(path)) is not None]

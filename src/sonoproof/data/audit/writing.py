"""``audit.json`` and the tables beside it; later stages add their findings to it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pandas as pd

from sonoproof.data.audit.audit import AuditOutcome
from sonoproof.data.audit.findings import Finding, severity
from sonoproof.runfolder import RunFolder, read_json, write_json, write_table

LINK_COLUMNS = ("first", "second", "identical", "flipped", "inliers", "overlap", "agreement", "margin", "joined")
SOURCE_COLUMNS = ("source", "rows", "rows_sheet", "rows_test")


def write_audit(run: RunFolder, outcome: AuditOutcome, *, pictures: Mapping[str, Iterable[Path]]) -> list[Path]:
    """Write ``audit.json``, ``audit/frames.csv`` (measures), ``audit/sources.csv`` and ``audit/links.csv``.

    Args:
        run: The run folder.
        outcome: What the audit found.
        pictures: Pictures in the run folder that belong to a finding, by its id.

    Returns:
        The files written.
    """
    frames, sources, links = (run.audit_folder / f"{name}.csv" for name in ("frames", "sources", "links"))
    write_table(frames, outcome.measures, columns=("image_id",))
    write_table(sources, _sources(outcome.material.records), columns=SOURCE_COLUMNS)
    write_table(links, _links(outcome), columns=LINK_COLUMNS)
    findings = [
        finding.with_files(run.relative(path) for path in pictures.get(finding.id, ())) for finding in outcome.findings
    ]
    content = {"findings": [finding.as_json() for finding in findings], "summary": dict(outcome.summary)}
    write_json(run.audit, content, schema="audit")
    return [run.audit, frames, sources, links]


def add_to_audit(run: RunFolder, findings: Iterable[Finding], *, summary: Mapping[str, Any]) -> None:
    """Add findings and summary entries to ``audit.json``, in place of those of the same name.

    Raises:
        RunFolderError: There is no audit yet.
    """
    audit = read_json(run.audit, schema="audit")
    added = [finding.as_json() for finding in findings]
    names = {finding["id"] for finding in added}
    kept = [finding for finding in audit["findings"] if finding["id"] not in names]
    ordered = sorted([*kept, *added], key=lambda finding: -severity(finding["level"]))
    write_json(run.audit, {"findings": ordered, "summary": {**audit["summary"], **summary}}, schema="audit")


def _sources(records: pd.DataFrame) -> pd.DataFrame:
    counts = pd.DataFrame({"rows": records.groupby("source").size()})
    for origin in ("sheet", "test"):
        counts[f"rows_{origin}"] = (records["origin"] == origin).groupby(records["source"]).sum()
    for label in sorted(set(records["label"]) - {""}):
        counts[f"labelled {label}"] = (records["label"] == label).groupby(records["source"]).sum()
    return counts.sort_values("rows", ascending=False, kind="stable").reset_index(names="source")


def _links(outcome: AuditOutcome) -> pd.DataFrame:
    found = outcome.material.lookalikes
    rows = [] if found is None else [(link, True) for link in found.links] + [(link, False) for link in found.suspected]
    return pd.DataFrame([{**asdict(link), "joined": joined} for link, joined in rows], columns=list(LINK_COLUMNS))

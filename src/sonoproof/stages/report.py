"""The run folder to its report."""

from __future__ import annotations

from pathlib import Path

from sonoproof.reporting.report import build_report
from sonoproof.runfolder import files_in
from sonoproof.stages.context import RunContext


def report(context: RunContext) -> list[Path]:
    """The run folder to one page, and the checklists that it can fill."""
    page = build_report(context.run, config=context.config.report)
    return [page, *files_in(context.run.figures), *files_in(context.run.checklists)]

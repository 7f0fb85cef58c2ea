"""Section "Limits": what a reader must not conclude."""

from __future__ import annotations

from sonoproof.reporting.page.blocks import Points, Section
from sonoproof.reporting.page.limits import limits
from sonoproof.reporting.page.runfiles import RunFiles


def limits_section(files: RunFiles) -> Section:
    """What a reader must not conclude."""
    return Section("limits", "Limits", (Points(tuple(limits(files))),))

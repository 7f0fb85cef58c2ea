"""The measured gap between a random split and one that keeps sources together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sonoproof.types import Json


@dataclass(frozen=True)
class SplitGap:
    """The same classifier under a random split and under one that keeps sources together.

    Attributes:
        metric: Name of the metric.
        naive: ``value``, ``low``, ``high`` under the random split.
        honest: The same under the grouped split.
        classifier: What it is, in words.
    """

    metric: str
    naive: Json
    honest: Json
    classifier: str


def measured_gap(audit: Json) -> SplitGap | None:
    """The gap between random and grouped split, if the audit measured it."""
    for finding in [*(audit.get("findings") or []), audit.get("summary") or {}]:
        gap = finding.get("honest_against_naive") or finding.get("gap") or {}
        if isinstance(gap.get("naive"), Mapping) and isinstance(gap.get("honest"), Mapping):
            classifier = str(gap.get("classifier") or "a cheap classifier")
            return SplitGap(str(gap.get("metric", "auc")), gap["naive"], gap["honest"], classifier)
    return None

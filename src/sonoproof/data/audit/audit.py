"""The audit of a data set: detectors, then policies."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from sonoproof.classes import Classes
from sonoproof.concurrency import Progress
from sonoproof.config import AuditConfig, FramesConfig
from sonoproof.data.audit.appearance import find_appearances, find_properties, properties_by_class
from sonoproof.data.audit.balance import class_balance, find_imbalance
from sonoproof.data.audit.descriptors import describe_frames
from sonoproof.data.audit.duplicates import find_exact_duplicates
from sonoproof.data.audit.faults import find_blank, find_tiny, find_unreadable
from sonoproof.data.audit.findings import Finding, severity
from sonoproof.data.audit.material import Material
from sonoproof.data.audit.naming import find_name_series
from sonoproof.data.audit.policies import apply_policies
from sonoproof.data.audit.sources import (
    effective_sources,
    find_label_outliers,
    find_sources,
    find_sources_across_groups,
)
from sonoproof.data.cohort.grouping import assign_groups
from sonoproof.data.lookalike import LookalikeResult
from sonoproof.errors import AuditBlocked

__all__ = ["DETECTORS", "AuditOutcome", "audit_cohort"]

Detector = Callable[[Material], list[Finding]]

DETECTORS: Final[Mapping[str, Detector]] = MappingProxyType(
    {
        "exact duplicates": find_exact_duplicates,
        "sources": find_sources,
        "sources across groups": find_sources_across_groups,
        "label outliers": find_label_outliers,
        "unreadable": find_unreadable,
        "blank": find_blank,
        "tiny": find_tiny,
        "appearances": find_appearances,
        "properties": find_properties,
        "imbalance": find_imbalance,
        "name series": find_name_series,
    }
)
"""Every detector that changes nothing; those with a policy are in `sonoproof.data.audit.policies`."""


@dataclass(frozen=True)
class AuditOutcome:
    """What the audit found and left.

    Attributes:
        records: The rows that stay, numbered from 0, with ``source``, ``group`` and ``test_twin``.
        quarantined: Rows that a policy left out, `QUARANTINE_COLUMNS`.
        findings: The findings, most severe first.
        summary: Numbers of the data set as a whole, JSON-able.
        blocks: What stops the run; empty where nothing does.
        material: What was looked at: all rows, their measures and links.
    """

    records: pd.DataFrame
    quarantined: pd.DataFrame
    findings: tuple[Finding, ...]
    summary: Mapping[str, Any]
    blocks: tuple[str, ...]
    material: Material = field(repr=False)

    @property
    def measures(self) -> pd.DataFrame:
        """Measures of the frames of `records`, in their order (see `describe_frames`)."""
        return self.material.measures.set_index("image_id").loc[self.records["image_id"]].reset_index()

    def require_clear(self) -> None:
        """Stop where a policy asks for it; write the audit before, so that its reader has something to go by.

        Raises:
            AuditBlocked: The findings, and what to do next.
        """
        if self.blocks:
            lines = "\n".join(f"  - {text}" for text in self.blocks)
            raise AuditBlocked(f"the audit stops the run; see audit.json and the pictures in audit/\n{lines}")


def audit_cohort(
    records: pd.DataFrame,
    *,
    quarantine: pd.DataFrame,
    classes: Classes,
    group_columns: Sequence[str],
    lookalikes: LookalikeResult | None,
    config: AuditConfig,
    frames: FramesConfig,
    load: Callable[[str], npt.NDArray[np.uint8]] | None = None,
    detectors: Mapping[str, Detector] = DETECTORS,
    progress: Progress | None = None,
) -> AuditOutcome:
    """Audit the usable rows of a sheet and of a test folder, and do with conflicts what the settings say.

    Args:
        records: `RECORD_COLUMNS` (``group`` and ``source`` are set here), the group columns and the facts of
            `read_frames_facts`, for both origins.
        quarantine: The rows that could not be used.
        classes: The two classes.
        group_columns: Group columns of the sheet.
        lookalikes: Result of the look-alike search over all rows; None where it was not run, then only identical
            pixels make a source.
        config: Policies.
        frames: Size limit and threads of the decoding.
        load: Decodes the frame of an image id; None decodes its file.
        detectors: What is looked for, by name.
        progress: Called with (frames measured, frames in all).

    Raises:
        FrameError: A file cannot be decoded any more.
    """
    rows = _with_sources(records.reset_index(drop=True), lookalikes)
    rows["group"] = assign_groups(rows, columns=group_columns)
    measures = describe_frames(rows, config=frames, load=load, progress=progress)
    material = Material(rows, measures, quarantine, classes, tuple(group_columns), lookalikes)
    found = [finding for detect in detectors.values() for finding in detect(material)]
    kept, dropped, decided, blocks = apply_policies(rows, config=config)
    kept["group"] = assign_groups(kept, columns=group_columns)
    return AuditOutcome(
        records=kept,
        quarantined=dropped,
        findings=tuple(sorted([*decided, *found], key=lambda finding: -severity(finding.level))),
        summary=_summary(material, dropped=len(dropped)),
        blocks=tuple(blocks),
        material=material,
    )


def _with_sources(records: pd.DataFrame, lookalikes: LookalikeResult | None) -> pd.DataFrame:
    """Each row with its source: that of the search, else the first image with the same pixels."""
    first = records.groupby("pixel_sha256")["image_id"].transform("min")
    if lookalikes is None:
        return records.assign(source=first)
    return records.assign(source=records["image_id"].map(lookalikes.source).fillna(first).astype("str"))


def _summary(material: Material, *, dropped: int) -> dict[str, Any]:
    sheet = material.sheet_records
    sizes = sheet.groupby("source").size()
    return {
        "rows_sheet": len(sheet),
        "rows_test": len(material.records) - len(sheet),
        "rows_quarantined_by_policy": dropped,
        "lookalikes_searched": material.lookalikes is not None,
        "sources": len(sizes),
        "effective_sources": round(effective_sources(sizes), 1),
        "largest_sources": [int(size) for size in sizes.sort_values(ascending=False).head(10)],
        "balance": class_balance(material),
        "by_class": properties_by_class(material),
    }

"""The audit of a data set: detectors, then policies."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final

import numpy as np
import pandas as pd

from sonoproof.classes import Classes
from sonoproof.config import AuditConfig
from sonoproof.data.audit.appearance import find_appearances, find_properties, properties_by_class
from sonoproof.data.audit.balance import class_balance, find_imbalance
from sonoproof.data.audit.duplicates import find_exact_duplicates
from sonoproof.data.audit.examination import Examination
from sonoproof.data.audit.faults import find_blank, find_depths, find_tiny, find_unreadable, is_blank
from sonoproof.data.audit.findings import Finding, severity
from sonoproof.data.audit.material import Material
from sonoproof.data.audit.naming import find_name_series
from sonoproof.data.audit.policies import apply_policies
from sonoproof.data.audit.sources import find_label_outliers, find_sources, find_sources_across_groups
from sonoproof.data.cohort.grouping import assign_groups
from sonoproof.data.lookalike import LookalikeResult
from sonoproof.errors import AuditBlocked
from sonoproof.groups import effective_number
from sonoproof.types import BoolArray

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
        "depth": find_depths,
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
        records: The rows that stay, numbered from 0, with ``source``, ``group``, ``blank`` and ``test_twin``.
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
        """Measures of the frames of `records`, in their order (see `describe_frame`)."""
        return self.material.measures.set_index("image_id").loc[self.records["image_id"]].reset_index()

    def require_clear(self) -> None:
        """Stop where a policy asks for it. Write the audit first, so that there is something to go by.

        Raises:
            AuditBlocked: The findings, and what to do next.
        """
        if self.blocks:
            lines = "\n".join(f"  - {text}" for text in self.blocks)
            raise AuditBlocked(f"the audit stops the run; see audit.json and the pictures in audit/\n{lines}")


def audit_cohort(
    examined: Examination,
    *,
    quarantine: pd.DataFrame,
    classes: Classes,
    group_columns: Sequence[str],
    config: AuditConfig,
    detectors: Mapping[str, Detector] = DETECTORS,
) -> AuditOutcome:
    """Audit the usable rows of a sheet and of a test folder, and do with conflicts what the settings say.

    Args:
        examined: Records of both origins (`RECORD_COLUMNS`, whose ``group`` and ``source`` are set here, and the group
            columns) and what was seen of their frames. Without look-alikes only identical pixels make a source.
        quarantine: The rows that could not be used.
        classes: The two classes.
        group_columns: Group columns of the sheet.
        config: Policies.
        detectors: What is looked for, by name.
    """
    rows = _with_sources(examined.records, examined.lookalikes, blank=is_blank(examined.measures))
    rows["group"] = assign_groups(rows, columns=group_columns)
    material = Material(
        rows, examined.measures, quarantine, classes, tuple(group_columns), examined.lookalikes, examined.bits
    )
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


def _with_sources(records: pd.DataFrame, lookalikes: LookalikeResult | None, *, blank: BoolArray) -> pd.DataFrame:
    """Each row with its source: that of the search, else the first image with the same pixels; a blank one is its own.

    Black frames are equal whoever was scanned, and must not join the patients.
    """
    first = records.groupby("pixel_sha256")["image_id"].transform("min")
    source = first if lookalikes is None else records["image_id"].map(lookalikes.source).fillna(first)
    own = source.where(~blank, records["image_id"]).astype("str")
    return records.assign(source=own, blank=np.where(blank, "yes", ""))


def _summary(material: Material, *, dropped: int) -> dict[str, Any]:
    sheet = material.sheet_records
    sizes = sheet.groupby("source").size()
    return {
        "rows_sheet": len(sheet),
        "rows_test": len(material.records) - len(sheet),
        "rows_quarantined_by_policy": dropped,
        "lookalikes_searched": material.lookalikes is not None,
        "sources": len(sizes),
        "effective_sources": round(effective_number(sizes), 1),
        "largest_sources": [int(size) for size in sizes.sort_values(ascending=False).head(10)],
        "balance": class_balance(material),
        "by_class": properties_by_class(material),
    }

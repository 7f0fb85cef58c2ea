"""Frames that are of little or no use: unreadable, blank, tiny."""

from __future__ import annotations

from typing import Final

import pandas as pd

from sonoproof.data.audit.findings import Finding, Level
from sonoproof.data.audit.material import Material
from sonoproof.types import BoolArray
from sonoproof.wording import counted, of_rows

BLANK_CONTRAST: Final = 4.0
"""Standard deviation of the grey levels under which nothing is to be seen."""

TINY_PX: Final = 64
"""Shorter side under which a frame holds less than the smallest network looks at."""

_NAMED: Final = 5
_REASONS: Final = 3


def find_unreadable(material: Material) -> list[Finding]:
    """Rows that were left out because the file or the row cannot be used."""
    lost = material.quarantine
    if not len(lost):
        return []
    total = len(lost) + len(material.records)
    reasons = lost["reason"].value_counts()
    shown = "; ".join(f"{count:,} × {reason}" for reason, count in reasons.head(_REASONS).items())
    detail = (
        f"{of_rows(len(lost), total)} could not be used and are listed in quarantine.csv, each with its reason "
        f"({shown}). None was replaced by another frame. Repair or remove them and run again."
    )
    numbers = {"rows": len(lost), "of": total, "reasons": {str(k): int(v) for k, v in reasons.head(20).items()}}
    return [Finding("unusable-rows", Level.WARNING, "Rows that cannot be used", detail, numbers, ("quarantine.csv",))]


def is_blank(measures: pd.DataFrame) -> BoolArray:
    """Which frames show nothing, bool (N,)."""
    return (measures["contrast"] < BLANK_CONTRAST).to_numpy(dtype=bool)


def find_blank(material: Material) -> list[Finding]:
    """Frames of one level."""
    blank = material.records[is_blank(material.measures)]
    detail = (
        "They are one grey level from edge to edge, so there is nothing to learn from them; they "
        "join no patients"
    )
    return _faulty(blank, material, name="blank-frames", title="Blank frames", detail=detail)


def find_tiny(material: Material) -> list[Finding]:
    """Frames of a few pixels."""
    tiny = material.records[(material.records[["width", "height"]].min(axis=1) < TINY_PX).to_numpy()]
    detail = f"Their shorter side is under {TINY_PX} pixels, too few to show tissue; they may be thumbnails"
    return _faulty(tiny, material, name="tiny-frames", title="Tiny frames", detail=detail)


def _faulty(rows: pd.DataFrame, material: Material, *, name: str, title: str, detail: str) -> list[Finding]:
    if not len(rows):
        return []
    named = ", ".join(rows["image_id"].head(_NAMED)) + (", …" if len(rows) > _NAMED else "")
    text = (
        f"{of_rows(len(rows), len(material.records), things='frames')}: {named}. {detail}. They were kept; remove "
        f"{'them' if len(rows) > 1 else 'it'} from the sheet if {'they are' if len(rows) > 1 else 'it is'} of no use."
    )
    numbers = {"frames": len(rows), "of": len(material.records), "images": rows["image_id"].head(50).tolist()}
    return [Finding(name, Level.WARNING, f"{title}: {counted(len(rows), 'frame')}", text, numbers)]

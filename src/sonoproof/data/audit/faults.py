"""Frames that are of little or no use: unreadable, blank, tiny."""

from __future__ import annotations

from typing import Final

import pandas as pd

from sonoproof.data.audit.findings import Finding, Level
from sonoproof.data.audit.material import Material
from sonoproof.data.frames.depth import DARK_BITS, DEPTHS
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
    detail = "They are one grey level from edge to edge, so there is nothing to learn from them; they join no patients"
    return _faulty(blank, material, name="blank-frames", title="Blank frames", detail=detail)


def find_tiny(material: Material) -> list[Finding]:
    """Frames of a few pixels."""
    tiny = material.records[(material.records[["width", "height"]].min(axis=1) < TINY_PX).to_numpy()]
    detail = f"Their shorter side is under {TINY_PX} pixels, too few to show tissue; they may be thumbnails"
    return _faulty(tiny, material, name="tiny-frames", title="Tiny frames", detail=detail)


def find_depths(material: Material) -> list[Finding]:
    """Frames of another depth than the cohort: brighter than its white, or so dark that they show little."""
    records, white = material.records, 2**material.bits - 1
    bright = records[(records["overlay"] > 0).to_numpy(dtype=bool)]
    deep = records["mode"].str.startswith("I") | (records["bits"] > DEPTHS[0])
    dark = records[(deep & (records["bits"] <= material.bits - DARK_BITS)).to_numpy(dtype=bool)]
    kinds = (
        ("brighter-than-white", bright, "Samples above the white of the cohort", f"have samples above {white:,}: "
         "overlays drawn in another white, which became 255, or frames stored in another way"),
        ("darker-than-cohort", dark, "Frames of a smaller depth", f"have samples of {DARK_BITS} bits "
         "less or even fewer: they are almost black, or were stored in another way"),
    )  # fmt: skip
    return [_of_another_depth(*kind, material=material) for kind in kinds if len(kind[1])]


def _of_another_depth(name: str, rows: pd.DataFrame, title: str, what: str, *, material: Material) -> Finding:
    detail = (
        f"{of_rows(len(rows), len(material.records), things='frames')} {what} ({_named(rows)}). Grey levels of 16-bit "
        f"files were scaled by {material.bits} bits for all frames alike; frames.bits sets another depth."
    )
    numbers = {"frames": len(rows), "of": len(material.records), "bits": material.bits}
    return Finding(name, Level.WARNING, f"{title}: {counted(len(rows), 'frame')}", detail, numbers)


def _named(rows: pd.DataFrame) -> str:
    return ", ".join(rows["image_id"].head(_NAMED)) + (", …" if len(rows) > _NAMED else "")


def _faulty(rows: pd.DataFrame, material: Material, *, name: str, title: str, detail: str) -> list[Finding]:
    if not len(rows):
        return []
    them, are = ("them", "they are") if len(rows) > 1 else ("it", "it is")
    text = (
        f"{of_rows(len(rows), len(material.records), things='frames')}: {_named(rows)}. {detail}. They were kept; "
        f"remove {them} from the sheet if {are} of no use."
    )
    numbers = {"frames": len(rows), "of": len(material.records), "images": rows["image_id"].head(50).tolist()}
    return [Finding(name, Level.WARNING, f"{title}: {counted(len(rows), 'frame')}", text, numbers)]

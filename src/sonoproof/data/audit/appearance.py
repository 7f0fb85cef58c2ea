"""What frames look like beside their tissue: colour, text, cropped sectors, borders, size, format, quality."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

import numpy as np
import pandas as pd

from sonoproof.data.audit.association import Association, associate
from sonoproof.data.audit.findings import Finding, Level, shares_by_class
from sonoproof.data.audit.material import Material
from sonoproof.types import BoolArray
from sonoproof.wording import of_rows

COLOUR_SHARE: Final = 2e-4
"""Share of coloured pixels from which a frame has a colour overlay: 20 pixels of a frame of 300 x 300."""

STROKE_SHARE: Final = 8e-4
FLAT_SHARE: Final = 0.04


@dataclass(frozen=True)
class _Appearance:
    """Something that a frame has or has not.

    Attributes:
        id: Of the finding.
        title: Of the finding.
        what: Predicate for the frames that have it.
        holds: Which frames have it, bool (N,).
    """

    id: str
    title: str
    what: str
    holds: BoolArray


def find_appearances(material: Material) -> list[Finding]:
    """Colour overlays, burned-in text, cropped sectors and flat borders, and whether they go with a class."""
    found = []
    for appearance in _appearances(material.measures):
        rows = appearance.holds & material.of_sheet
        if rows.any():
            found.append(_appearance_finding(appearance, rows, material))
    return found


def properties(material: Material) -> pd.DataFrame:
    """Size, shape and file of every row, numbers only, with the records' index."""
    records, measures = material.records, material.measures
    pixels = records["width"].astype("float64") * records["height"]
    return pd.DataFrame(
        {
            "width": records["width"].astype("float64"),
            "height": records["height"].astype("float64"),
            "aspect": records["width"] / records["height"].astype("float64"),
            "bits_per_pixel": 8 * records["file_bytes"].astype("float64") / pixels,
            "jpeg_quality": measures["jpeg_quality"],
            "brightness": measures["brightness"],
            "detail": measures["detail"],
        }
    )


def properties_by_class(material: Material) -> dict[str, dict[str, Any]]:
    """Medians of the properties and counts of the formats of each class, for the summary."""
    table = properties(material)
    said = {}
    for name in material.class_names:
        rows = material.labelled & (material.records["label"] == name).to_numpy()
        medians = table[rows].median(numeric_only=True)
        formats = material.records.loc[rows, "format"].value_counts()
        said[name] = {
            "rows": int(rows.sum()),
            "formats": {str(key): int(value) for key, value in formats.items()},
            **{str(key): round(float(value), 3) for key, value in medians.items()},
        }
    return said


def find_properties(material: Material) -> list[Finding]:
    """Properties of the file or of the picture as a whole in which the classes differ."""
    table = properties(material)
    table["format"] = pd.factorize(material.records["format"], sort=True)[0]
    clear = {str(name): found for name in table if (found := _associated(table[name], material)).is_clear}
    if not clear:
        return []
    medians = properties_by_class(material)
    said = "; ".join(f"{_NAMES[name]}: {_medians(name, medians)}" for name in clear)
    detail = (
        f"The classes differ in properties of the picture as a whole ({said}). A classifier may learn these in place "
        "of the anatomy, and would then fail where pictures are taken or stored differently. Convert both "
        "classes to the same form, or collect them in the same way."
    )
    numbers = {"properties": {name: _as_numbers(found) for name, found in clear.items()}, "by_class": medians}
    title = f"The classes differ in {', '.join(_NAMES[name] for name in clear)}"
    return [Finding("properties-by-class", Level.WARNING, title, detail, numbers)]


_NAMES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "width": "width",
        "height": "height",
        "aspect": "aspect ratio",
        "bits_per_pixel": "compression",
        "jpeg_quality": "JPEG quality",
        "brightness": "brightness",
        "detail": "sharpness",
        "format": "file format",
    }
)


def _appearances(measures: pd.DataFrame) -> list[_Appearance]:
    flat = measures[["flat_top", "flat_bottom", "flat_left", "flat_right"]].max(axis=1)
    seen = measures["contrast"] >= 1
    return [
        _Appearance(
            "colour-overlays", "Colour in the frames", "carry colour: calipers, Doppler, annotations or a colour map",
            (measures["colour_share"] >= COLOUR_SHARE).to_numpy(),
        ),
        _Appearance(
            "burned-in-text", "Marks beside the sector", "have bright marks on black ground beside the sector: text, "
            "a scale or a logo", (measures["stroke_share"] >= STROKE_SHARE).to_numpy(),
        ),
        _Appearance(
            "cropped-frames", "Cropped frames", "show tissue up to all four edges: they were cut out of a larger frame",
            ((measures["open_sides"] == 4) & seen).to_numpy(),
        ),
        _Appearance(
            "flat-borders", "Borders of one level", "have a border of one level on some side, at least "
            f"{100 * FLAT_SHARE:.0f} % of it deep", ((flat >= FLAT_SHARE) & seen).to_numpy(),
        ),
    ]  # fmt: skip


def _appearance_finding(appearance: _Appearance, rows: BoolArray, material: Material) -> Finding:
    associated = _associated(rows.astype(np.float64), material)
    shares = {
        name: float(rows[material.labelled & (material.records["label"] == name).to_numpy()].mean())
        for name in material.class_names
        if (material.records["label"] == name).any()
    }
    level = Level.WARNING if associated.is_clear else Level.INFO
    verdict = "They are associated with the class, so they may give it away" if associated.is_clear else "By class"
    detail = (
        f"{of_rows(int(rows.sum()), int(material.of_sheet.sum()), things='frames')} {appearance.what}. {verdict}: "
        f"{shares_by_class(shares, classes=material.class_names)}."
    )
    numbers = {"frames": int(rows.sum()), "share_by_class": shares, **_as_numbers(associated)}
    return Finding(appearance.id, level, appearance.title, detail, numbers)


def _associated(values: Any, material: Material) -> Association:
    rows = material.labelled
    positive = (material.records["label"] == material.classes.positive).to_numpy()
    return associate(np.asarray(values)[rows], positive=positive[rows], groups=material.records["group"][rows])


def _as_numbers(associated: Association) -> dict[str, Any]:
    return {"auc_of_groups": associated.auc, "p": associated.p, "groups": associated.groups}


def _medians(name: str, by_class: Mapping[str, Mapping[str, Any]]) -> str:
    if name == "format":
        return ", ".join(f"{' and '.join(facts['formats'])} in {label}" for label, facts in by_class.items())
    return ", ".join(f"median {facts[name]:g} in {label}" for label, facts in by_class.items())

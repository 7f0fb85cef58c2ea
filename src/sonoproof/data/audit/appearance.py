"""What frames look like apart from their tissue: colour, text, cropped sectors, borders, size, format, quality."""

from __future__ import annotations

from collections.abc import Mapping
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


_APPEARANCES: Final[Mapping[str, tuple[str, str]]] = MappingProxyType(
    {
        "colour-overlays": ("Colour in the frames", "carry colour: calipers, Doppler, annotations or a colour map"),
        "burned-in-text": (
            "Marks beside the sector",
            "have bright marks on black ground beside the sector: text, a scale or a logo",
        ),
        "cropped-frames": ("Cropped frames", "show tissue up to all four edges: they were cut out of a larger frame"),
        "flat-borders": (
            "Borders of one level",
            f"have a border of one level on some side, at least {100 * FLAT_SHARE:.0f} % of it deep",
        ),
    }
)
"""Of each finding its title and what the frames do that it counts."""


def find_appearances(material: Material) -> list[Finding]:
    """Colour overlays, burned-in text, cropped sectors and flat borders, and whether they go with a class."""
    measures = material.measures
    flat = measures[["flat_top", "flat_bottom", "flat_left", "flat_right"]].max(axis=1)
    seen = measures["contrast"] >= 1
    having = {
        "colour-overlays": measures["colour_share"] >= COLOUR_SHARE,
        "burned-in-text": measures["stroke_share"] >= STROKE_SHARE,
        "cropped-frames": (measures["open_sides"] == 4) & seen,
        "flat-borders": (flat >= FLAT_SHARE) & seen,
    }
    rows_of = {name: holds.to_numpy() & material.of_sheet for name, holds in having.items()}
    return [_appearance(name, rows, material) for name, rows in rows_of.items() if rows.any()]


def properties(material: Material) -> pd.DataFrame:
    """Size, shape and file of every row, numbers only, with the records' index."""
    sizes = material.records[["width", "height", "file_bytes"]].astype("float64")
    return pd.DataFrame(
        {
            "width": sizes["width"],
            "height": sizes["height"],
            "aspect": sizes["width"] / sizes["height"],
            "bits_per_pixel": 8 * sizes["file_bytes"] / (sizes["width"] * sizes["height"]),
            **material.measures[["jpeg_quality", "brightness", "detail"]],
        }
    )


def properties_by_class(material: Material) -> dict[str, dict[str, Any]]:
    """Medians of the properties and counts of the formats of each class, for the summary."""
    table = properties(material)
    by_class = {}
    for name in material.class_names:
        rows = material.labelled & (material.records["label"] == name).to_numpy()
        medians = table[rows].median(numeric_only=True)
        formats = material.records.loc[rows, "format"].value_counts()
        by_class[name] = {
            "rows": int(rows.sum()),
            "formats": {str(key): int(value) for key, value in formats.items()},
            **{str(key): round(float(value), 3) for key, value in medians.items()},
        }
    return by_class


def find_properties(material: Material) -> list[Finding]:
    """Properties of the file or of the picture as a whole in which the classes differ."""
    table = properties(material)
    table["format"] = pd.factorize(material.records["format"], sort=True)[0]
    clear = {str(name): found for name in table if (found := _associated(table[name], material)).is_clear}
    if not clear:
        return []
    medians = properties_by_class(material)
    listed = "; ".join(f"{_NAMES[name]}: {_medians(name, medians)}" for name in clear)
    detail = (
        f"The classes differ in properties of the picture as a whole ({listed}). A classifier may learn these in place "
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


def _appearance(name: str, rows: BoolArray, material: Material) -> Finding:
    title, what = _APPEARANCES[name]
    associated = _associated(rows.astype(np.float64), material)
    shares = {
        label: float(rows[material.labelled & (material.records["label"] == label).to_numpy()].mean())
        for label in material.class_names
        if (material.records["label"] == label).any()
    }
    level = Level.WARNING if associated.is_clear else Level.INFO
    verdict = "They are associated with the class, so they may give it away" if associated.is_clear else "By class"
    detail = (
        f"{of_rows(int(rows.sum()), int(material.of_sheet.sum()), things='frames')} {what}. {verdict}: "
        f"{shares_by_class(shares, classes=material.class_names)}."
    )
    numbers = {"frames": int(rows.sum()), "share_by_class": shares, **_as_numbers(associated)}
    return Finding(name, level, title, detail, numbers)


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

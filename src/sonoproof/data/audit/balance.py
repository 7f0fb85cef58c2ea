"""How many rows and groups each class has."""

from __future__ import annotations

from typing import Any, Final

from sonoproof.data.audit.findings import Finding, Level
from sonoproof.data.audit.material import Material
from sonoproof.wording import of_rows

FEW_GROUPS: Final = 10
"""Groups of a class under which an honest test of a classifier has intervals too wide to tell anything."""

RARE_SHARE: Final = 0.1


def class_balance(material: Material) -> dict[str, Any]:
    """Rows and groups by class, and groups that hold both."""
    records = material.records[material.labelled]
    by_class = {
        name: {
            "rows": int((records["label"] == name).sum()),
            "groups": int(records.loc[records["label"] == name, "group"].nunique()),
        }
        for name in material.class_names
    }
    mixed = int((records.groupby("group")["label"].nunique() > 1).sum())
    return {"classes": by_class, "groups": int(records["group"].nunique()), "groups_with_both": mixed}


def find_imbalance(material: Material) -> list[Finding]:
    """The balance of the classes, and whether one has too little to be measured on."""
    balance = class_balance(material)
    rows = sum(entry["rows"] for entry in balance["classes"].values())
    if not rows:
        return []
    scarce = [name for name, entry in balance["classes"].items() if entry["groups"] < FEW_GROUPS]
    rare = [name for name, entry in balance["classes"].items() if entry["rows"] < RARE_SHARE * rows]
    by_class = "; ".join(
        f"{name}: {of_rows(entry['rows'], rows)} in {entry['groups']:,} groups"
        for name, entry in balance["classes"].items()
    )
    level = Level.WARNING if scarce or rare else Level.INFO
    detail = f"{by_class}. {balance['groups_with_both']:,} of {balance['groups']:,} groups hold both classes."
    if scarce:
        detail += (
            f" With fewer than {FEW_GROUPS} independent groups of {' and of '.join(scarce)}, intervals will be too wide"
            " to tell much: collect more patients, not more frames."
        )
    return [Finding("class-balance", level, "Rows and groups by class", detail, balance)]

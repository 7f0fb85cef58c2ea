"""Frames whose decoded pixels are the same, whatever their files are called."""

from __future__ import annotations

import pandas as pd

from sonoproof.data.audit.findings import Finding, Level
from sonoproof.data.audit.material import Material
from sonoproof.data.cohort.grouping import content_of
from sonoproof.wording import counted, of_rows


def duplicate_sets(records: pd.DataFrame) -> list[list[int]]:
    """Index labels of each set of pixel-identical frames that show something, largest set first."""
    content = content_of(records, "pixel_sha256")
    repeated = content[(content != "") & content.duplicated(keep=False)]
    sets = [list(rows.index) for _, rows in repeated.groupby(repeated, sort=False)]
    return sorted(sets, key=lambda rows: (-len(rows), rows))


def conflicting_duplicates(records: pd.DataFrame) -> list[list[int]]:
    """The sets of pixel-identical frames that carry more than one label."""
    return [rows for rows in duplicate_sets(records) if _opposite_pairs(records, rows)]


def find_exact_duplicates(material: Material) -> list[Finding]:
    """How many rows repeat another one pixel by pixel, in the sheet, in the test folder and across."""
    records = material.records
    sets = duplicate_sets(records)
    if not sets:
        return []
    rows, copies = sum(map(len, sets)), sum(len(members) - 1 for members in sets)
    pairs = sum(_pairs(len(members)) for members in sets)
    opposite = sum(_opposite_pairs(records, members) for members in sets)
    within = {
        origin: sum(_pairs(int((records.loc[members, "origin"] == origin).sum())) for members in sets)
        for origin in ("sheet", "test")
    }
    across = pairs - sum(within.values())
    where = (
        ""
        if material.of_sheet.all()
        else f" ({within['sheet']:,} within the sheet, {within['test']:,} within the test folder, {across:,} across)"
    )
    detail = (
        f"{of_rows(rows, len(records))} are pixel-identical copies of another row: {counted(pairs, 'pair')}{where}, "
        f"{opposite:,} of them with opposite labels. Identical frames always stay on one side of the split."
    )
    counts = {"rows": rows, "of": len(records), "sets": len(sets), "copies": copies, "pairs": pairs}
    kinds = {"with_opposite_labels": opposite, "in_sheet": within["sheet"], "in_test": within["test"], "across": across}
    numbers = {**counts, **{f"pairs_{kind}": number for kind, number in kinds.items()}}
    return [Finding("exact-duplicates", Level.WARNING, "Duplicate frames", detail, numbers)]


def _pairs(members: int) -> int:
    return members * (members - 1) // 2


def _opposite_pairs(records: pd.DataFrame, rows: list[int]) -> int:
    labels = records.loc[rows, "label"]
    counts = labels[labels != ""].value_counts().tolist()
    return _pairs(sum(counts)) - sum(map(_pairs, counts))

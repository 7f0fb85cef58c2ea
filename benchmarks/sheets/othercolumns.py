"""Columns that are not the labels, put into a sheet: whatever is taken from them is wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from benchmarks.sheets.writers import Cell

if TYPE_CHECKING:
    from benchmarks.sheets.draw import Coding, Drawn

# Names with the values under them.
OTHERS: tuple[tuple[str, tuple[str | int, ...]], ...] = (
    *((name, ("F", "M")) for name in ("sex", "Geschlecht", "性别")),
    *(
        (name, (0, 1))
        for name in ("reader1_ok", "Train ", "is_test", "menopause", "has_mask", "qc_ok", "x1", "visible")
    ),
    *(
        (name, ("yes", "no"))
        for name in ("exclude", "shadowing", "calcification", "family_history_cancer", "diagnostic")
    ),
    *((name, ("left", "right")) for name in ("side", "Seite", "tumor_side")),
    *(
        (name, ("benign", "malignant"))
        for name in ("reader2", "radiologist_A", "predicted_class", "previous diagnosis")
    ),
    *((name, ("normal", "abnormal")) for name in ("echogenicity", "margin", "lab result", "cycle")),
    *((name, ("positive", "negative")) for name in ("HER2", "PCR_status", "axillary_nodes")),
    *((name, ("train", "val", "test")) for name in ("split", "subset", "use for")),
    *((name, (0, 1, 2, 3, 4)) for name in ("fold", "cv_fold", "score")),
    *((name, ("2", "3", "4a", "5")) for name in ("BI-RADS", "TIRADS")),
    *((name, ("Checked", "Unchecked")) for name in ("findings___1", "diagnosis___2")),
    *((name, ("2024-01-02", "2024-03-04")) for name in ("date", "diagnosis_date")),
    *((name, ("a_mask.png", "b_mask.png")) for name in ("tumor_mask", "lesion_file")),
    ("device", ("A", "B")),
    ("note", ("", "blurred")),
)
SECOND = "a second column of labels"
FOR_HEALTH = ("Healthy", "is_healthy", "Normal")
UNNAMED = ("x", "Gruppe B", "col 3", "tag", "C1", "Angabe")


def add_other_columns(rng: np.random.Generator, drawn: Drawn, _: Coding) -> bool:
    """Add up to five columns for other things."""
    for at in rng.choice(len(OTHERS), size=int(rng.integers(1, 6)), replace=False):
        name, values = OTHERS[int(at)]
        _append(drawn, [Cell(name), *(Cell(values[int(rng.integers(len(values)))]) for _ in drawn.table[1:])])
    return True


def take_name_away(rng: np.random.Generator, drawn: Drawn, coding: Coding) -> bool:
    """Give the column of labels a name that says nothing, unless the user names it."""
    if "label_column" in coding.flags or SECOND in drawn.traps:
        return False
    drawn.table[0][1] = Cell(str(rng.choice(UNNAMED)))
    return True


def add_second_labels(rng: np.random.Generator, drawn: Drawn, _: Coding) -> bool:
    """Add a second column of labels to one named for health; rows in which it says otherwise must not be used."""
    if drawn.table[0][1].value not in FOR_HEALTH:
        return False
    name, words = (
        ("pathology", ("benign", "malignant")) if rng.random() < 0.5 else ("second diagnosis", ("normal", "cancer"))
    )
    column = [Cell(name)]
    for row in range(2, len(drawn.table) + 1):
        truth = drawn.truth[row]
        positive, wrong = bool(truth.positive), rng.random() < 0.06
        column.append(Cell(words[positive != wrong]))
        if wrong:
            truth.positive = None
    _append(drawn, column)
    return True


def _append(drawn: Drawn, column: list[Cell]) -> None:
    for cells, cell in zip(drawn.table, column, strict=True):
        cells.append(cell)

"""Tables of metrics, and the challenge's sheet."""

from __future__ import annotations

from pathlib import Path

import openpyxl
import pandas as pd
import pytest

from sonoproof.reporting.wording.tables import (
    format_interval,
    metrics_latex,
    metrics_rows,
    metrics_table,
    reason_counts,
)
from sonoproof.reporting.workbooks.challenge_sheet import write_challenge_sheet

EVALUATION = {
    "n": 10,
    "n_positive": 4,
    "positive_class": "50% & more_$x$",
    "recall": {"value": 0.75, "low": 0.5, "high": 0.875},
    "precision": {"value": None, "low": None, "high": None},
    "loss": {"value": 1.25, "low": None, "high": None},
    "confusion": {"tp": 3, "fp": 1, "tn": 5, "fn": 1},
    "undefined": {"precision": "no row was predicted positive"},
}


def test_limits_below_zero_are_not_joined_by_a_dash() -> None:
    assert format_interval({"value": 0.081, "low": -0.669, "high": 0.831}) == "0.081 (-0.669 to 0.831)"


def test_rows_say_value_interval_and_reason() -> None:
    assert metrics_rows(EVALUATION) == [
        ("Loss (binary cross-entropy)", "1.250 (no interval)"),
        ("Recall (sensitivity)", "0.750 (0.500–0.875)"),
        ("Precision (positive predictive value)", "undefined: no row was predicted positive"),
    ]


def test_interval_is_never_made_up() -> None:
    assert format_interval(None) == "undefined"
    assert format_interval({"value": 0.5}) == "0.500 (no interval)"
    assert format_interval({"value": 0.91234, "low": 0.85, "high": 0.95}, decimals=2) == "0.91 (0.85–0.95)"


def test_parts_stand_side_by_side_under_their_own_metric() -> None:
    other = {"recall": {"value": 1.0, "low": 0.9, "high": 1.0}}
    table = dict(metrics_table({"val": EVALUATION, "test": other}))
    assert table["Recall (sensitivity)"] == ["0.750 (0.500–0.875)", "1.000 (0.900–1.000)"]
    assert table["Loss (binary cross-entropy)"] == ["1.250 (no interval)", "–"]


def test_latex_escapes_names_and_closes_its_table() -> None:
    latex = metrics_latex({"val": EVALUATION})
    assert r"50\% \& more\_\$x\$" in latex
    assert r"Recall (sensitivity) & 0.750 (0.500--0.875) \\" in latex
    assert latex.count(r"\begin{tabular}") == latex.count(r"\end{tabular}") == 1


@pytest.fixture
def predictions() -> pd.DataFrame:
    names = ["test:a/1.jpg", "test:=cmd|' /C calc'!A0.png", "test:@x.png", "test:-1+2.png", "test:\x07bell.png"]
    return pd.DataFrame({"image_id": names, "predicted": ["healthy", "unhealthy", "healthy", "healthy", "=1+1"]})


def test_challenge_sheet_has_its_columns_and_rows_in_order(tmp_path: Path, predictions: pd.DataFrame) -> None:
    write_challenge_sheet(tmp_path / "s.xlsx", predictions)
    rows = list(openpyxl.load_workbook(tmp_path / "s.xlsx").active.values)  # type: ignore[union-attr]
    assert rows[0] == ("S. No.", "Image Path", "Predicted Class Label")
    assert [row[0] for row in rows[1:]] == [1, 2, 3, 4, 5]
    assert rows[1][1:] == ("a/1.jpg", "healthy")
    assert rows[5][1] == "⟨U+0007⟩bell.png"


def test_challenge_sheet_holds_no_formula(tmp_path: Path, predictions: pd.DataFrame) -> None:
    write_challenge_sheet(tmp_path / "s.xlsx", predictions)
    sheet = openpyxl.load_workbook(tmp_path / "s.xlsx").active
    assert sheet is not None
    cells = [cell for row in sheet.iter_rows(min_row=2) for cell in row]
    assert {cell.data_type for cell in cells} == {"n", "s"}
    assert sheet["B3"].value == "=cmd|' /C calc'!A0.png"
    assert sheet["B3"].quotePrefix


def test_challenge_sheet_writes_the_codes_that_were_asked_for(tmp_path: Path, predictions: pd.DataFrame) -> None:
    write_challenge_sheet(tmp_path / "s.xlsx", predictions.head(2), labels={"healthy": 1, "unhealthy": 0})
    rows = list(openpyxl.load_workbook(tmp_path / "s.xlsx").active.values)  # type: ignore[union-attr]
    assert [row[2] for row in rows[1:]] == [1, 0]
    with pytest.raises(KeyError):
        write_challenge_sheet(tmp_path / "t.xlsx", predictions, labels={"healthy": 1})


def test_reasons_are_counted_by_kind_and_not_by_the_row_that_they_name() -> None:
    reasons = ["has the opposite label: a.png", "is no image", "has the opposite label: b.png"]
    assert list(reason_counts(reasons).items()) == [("has the opposite label", 2), ("is no image", 1)]

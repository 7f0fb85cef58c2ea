"""A split that the sheet gives: what its values mean, and what becomes of a row without a part."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import pytest

from sonoproof.config import SheetConfig
from sonoproof.data.cohort.cohort import Cohort, build_cohort
from sonoproof.data.cohort.description import describe_cohort
from sonoproof.data.labels.givensplit import holds_parts, read_given_parts
from sonoproof.errors import SheetError


@pytest.mark.parametrize(
    ("name", "values", "parts"),
    [
        ("split", ["train", "Val", "TEST", "validation"], ["fit", "val", "test", "val"]),
        ("Aufteilung", ["Training", "Validierung", "Test"], ["fit", "val", "test"]),
        ("set", ["训练集", "测试集"], ["fit", "test"]),
        ("Train ", ["1", "0", "1.0"], ["fit", "test", "fit"]),
        ("is_test", ["yes", "no", "TRUE"], ["test", "fit", "test"]),
        ("isVal", ["0", "1"], ["fit", "val"]),
        ("fold", ["0", "4", "10"], ["fold 0", "fold 4", "fold 10"]),
        ("cv_fold", ["Fold 1", "fold_2", "test"], ["fold 1", "fold 2", "test"]),
        ("split", ["fold1", "fold2"], ["fold 1", "fold 2"]),
        ("split", ["0", "1", "2"], ["", "", ""]),  # which is which?
        ("train_test", ["0", "1"], ["", ""]),
        ("fold", ["0", "1", "-1", "x"], ["fold 0", "fold 1", "", ""]),
        ("split", ["train", "tset", ""], ["fit", "", ""]),
    ],
)
def test_what_a_value_means(name: str, values: list[str], parts: list[str]) -> None:
    assert list(read_given_parts(name, pd.Series(values, dtype="str"))) == parts


def test_values_that_are_parts() -> None:
    assert holds_parts({"train", "test"})
    assert not holds_parts({"train"})
    assert not holds_parts({"train", "test", "other"})


def cohort(folder: Path, split: Sequence[str], *, name: str = "split", use: bool = True) -> Cohort:
    (folder / "frames").mkdir()
    lines = [f"image,label,{name}"]
    for number, part in enumerate(split):
        (folder / "frames" / f"{number}.jpg").write_bytes(b"not decoded here")
        lines.append(f"{number}.jpg,{number % 2},{part}")
    (folder / "labels.csv").write_text("\n".join(lines), encoding="utf-8")
    config = SheetConfig(split_column=name.upper() if use else None)
    return build_cohort(folder / "labels.csv", images=folder / "frames", config=config)


def test_the_records_have_the_given_part_and_a_row_without_one_is_quarantined(tmp_path: Path) -> None:
    found = cohort(tmp_path, ["train", "train", "val", "test", "test", "train", "", "tset"])
    assert list(found.records["given_split"]) == ["fit", "fit", "val", "test", "test", "fit"]
    assert list(found.quarantine["cell"]) == ["C8", "C9"]
    assert list(found.quarantine["reason"]) == ["has no split", "split is not known: 'tset'; write train, val or test"]


def test_a_split_that_is_not_used_is_reported(tmp_path: Path) -> None:
    found = cohort(tmp_path, ["1", "0"] * 4, name="Train", use=False)
    assert "given_split" not in found.records
    assert any("--split-column 'Train'" in line for line in describe_cohort(found))


def test_values_that_name_no_part_are_a_question(tmp_path: Path) -> None:
    with pytest.raises(
        SheetError, match=r"column 'split' \(C\) names no part of a split in 8 of 8 rows: '0' \(4 rows\)"
    ):
        cohort(tmp_path, ["0", "1"] * 4)

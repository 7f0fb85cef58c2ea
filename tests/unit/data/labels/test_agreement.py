"""Columns of labels that contradict each other: found by meaning, else by what usually goes together."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import pytest

from sonoproof.config import SheetConfig
from sonoproof.data.cohort.cohort import Cohort, build_cohort
from sonoproof.data.labels.agreement import answer_same_question, find_contradictions
from sonoproof.errors import SheetError


def contradicted(label: str, ours: str, other: str, theirs: str, *, names: int = 1) -> bool:
    """Whether a row that says so in its two columns is contradicted."""
    found = find_contradictions(pd.Series([ours] * names), pd.Series([theirs] * names), names=(label, other))
    return bool(found.all())


@pytest.mark.parametrize(
    ("label", "ours", "other", "theirs", "expected"),
    [
        ("Healthy", "1", "class", "covid", True),
        ("Healthy", "0", "class", "normal", True),
        ("Healthy", "0", "class", "covid", False),
        ("Healthy", "1", "class", "benign", False),
        ("Healthy", "yes", "PCOS", "yes", True),
        ("Healthy", "no", "PCOS", "no", False),  # another disease
        ("PCOS", "1", "not healthy", "0", True),
        ("diagnosis", "benign", "pathology", "Malignant", True),
        ("diagnosis", "benign", "malignant", "1", True),
        ("diagnosis", "malignant", "benign", "yes", True),
        ("diagnosis", "benign", "cancer", "no", False),
        ("diagnosis", "normal", "pathology", "benign", False),
        ("diagnosis", "simple", "pathology", "complex", False),
        ("diagnosis", "malignant", "PCR", "negative", False),
        ("diagnosis", "malignant", "pathology", "", False),
        ("diagnosis", "malignant", "pathology", "unknown", False),
        ("label", "0", "Healthy", "0", False),  # which of the two 0 says is not known
    ],
)
def test_what_contradicts_what_by_meaning(label: str, ours: str, other: str, theirs: str, expected: bool) -> None:
    assert contradicted(label, ours, other, theirs) is expected
    assert contradicted(other, theirs, label, ours) is expected


def test_without_meaning_the_few_rows_that_do_not_go_together_are_found() -> None:
    label = pd.Series(["a"] * 20 + ["b"] * 20)
    other = pd.Series(["x"] * 18 + ["y"] * 21 + ["x"])
    found = find_contradictions(label, other, names=("label", "class"))
    assert list(found.index[found]) == [18, 19, 39]


@pytest.mark.parametrize(
    ("label", "other"),
    [
        (["a", "b"] * 20, ["x", "x", "y", "y"] * 10),  # another question
        (["a"] * 36 + ["b"] * 4, ["x", "y"] * 20),  # one class is rare
        (["a", "b"] * 4, ["x", "y"] * 3 + ["y", "x"]),  # few rows
        (["cyst"] * 5 + ["adenoma"] * 25 + ["cancer"] * 30, ["x"] * 30 + ["y"] * 30),  # one divides the other further
        (["a", "b"] * 20, [str(number) for number in range(40)]),  # an identifier
    ],
)
def test_columns_that_answer_other_questions_are_not_compared(label: list[str], other: list[str]) -> None:
    assert not find_contradictions(pd.Series(label), pd.Series(other), names=("label", "class")).any()


def read(folder: Path, rows: Sequence[tuple[object, ...]], **settings: str) -> Cohort:
    sheet, frames = folder / "labels.csv", folder / "frames"
    sheet.write_text("".join(",".join(map(str, row)) + "\n" for row in rows), encoding="utf-8")
    frames.mkdir(exist_ok=True)
    for name, *_ in rows[1:]:
        (frames / str(name)).touch()
    return build_cohort(sheet, images=frames, config=SheetConfig(**settings))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("first", "second", "same"),
    [
        (["a", "b"] * 20, ["x", "y"] * 20, True),
        (["a", "b"] * 20, ["x", "y"] * 18 + ["y", "x"] * 2, True),
        (["a", "b", "c"] * 20, ["x", "x", "y"] * 20, True),  # one divides the other further
        (["a", "b"] * 20, ["x", "x", "y", "y"] * 10, False),
        (["a"] * 36 + ["b"] * 4, ["x", "y"] * 20, False),
        (["a", "b"] * 4, ["x", "x", "y", "y"] * 2, True),  # too few to tell
    ],
)
def test_which_columns_answer_the_same_question(first: list[str], second: list[str], same: bool) -> None:
    assert answer_same_question(pd.Series(first), pd.Series(second)) is same
    assert answer_same_question(pd.Series(second), pd.Series(first)) is same


ROWS: list[tuple[object, ...]] = [
    ("image", "Healthy", "diagnosis"),
    *((f"{number}.jpg", number % 2, "normal" if number % 2 else "covid") for number in range(20)),
    ("20.jpg", 1, "covid"),
]


def test_a_contradicted_row_is_quarantined_with_both_cells(tmp_path: Path) -> None:
    found = read(tmp_path, ROWS)
    assert found.quarantine[["sheet_row", "cell", "value", "reason"]].to_numpy().tolist() == [
        [22, "B22", "1", "label contradicts 'diagnosis': it says 'covid' in C22"]
    ]
    assert found.inferred["rows_contradicted"] == {"diagnosis": 1}


def test_of_two_columns_in_the_same_words_that_mostly_agree_the_first_is_used_and_what_differs_is_in_doubt(
    tmp_path: Path,
) -> None:
    words = [("simple", "complex")[number % 2] for number in range(20)]
    rows = [(f"{number}.jpg", word, word) for number, word in enumerate(words)]
    rows[4:6] = [("4.jpg", "simple", "complex"), ("5.jpg", "complex", "simple")]
    found = read(tmp_path, [("image", "diagnosis", "final diagnosis"), *rows], positive="complex")
    assert list(found.quarantine["sheet_row"]) == [6, 7]
    assert found.inferred["rows_contradicted"] == {"final diagnosis": 2}
    half = [*rows[:6], *((name, word, "simple") for name, word, _ in rows[6:])]
    with pytest.raises(SheetError, match="several columns may be the label column"):
        read(tmp_path, [("image", "diagnosis", "final diagnosis"), *half], positive="complex")


def test_rows_of_one_image_that_differ_are_both_in_doubt_whatever_the_other_column_says(tmp_path: Path) -> None:
    found = read(tmp_path, [*ROWS[:-1], ("1.jpg", 0, "normal")])
    assert list(found.quarantine["sheet_row"]) == [3, 22]
    assert "1.jpg" not in set(found.records["image_id"])


def test_the_policy_keeps_the_row_or_asks(tmp_path: Path) -> None:
    kept = read(tmp_path, ROWS, label_conflicts="keep")
    assert kept.quarantine.empty
    assert kept.inferred["rows_contradicted"] == {"diagnosis": 1}
    with pytest.raises(SheetError, match="contradict each other in 1 of 21 rows") as raised:
        read(tmp_path, ROWS, label_conflicts="ask")
    assert "C22: 'Healthy' says '1', 'diagnosis' says 'covid'" in str(raised.value)


def test_columns_that_contradict_each_other_nearly_everywhere_are_a_question(tmp_path: Path) -> None:
    turned = [ROWS[0], *((name, 1 - int(str(healthy)), word) for name, healthy, word in ROWS[1:])]
    with pytest.raises(SheetError, match=r"sheet\.label_conflicts=keep"):
        read(tmp_path, turned)


def test_another_reader_is_counted_but_changes_no_row(tmp_path: Path) -> None:
    same = [(name, word, word) for name, _, word in ROWS[1:-1]]
    rows = [("image", "reader1", "reader2"), *same, ("20.jpg", "normal", "covid")]
    found = read(tmp_path, rows, label_column="reader1")
    assert found.quarantine.empty
    assert found.inferred["rows_where_readers_differ"] == {"reader2": 1}

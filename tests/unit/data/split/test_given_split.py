"""A split that the sheet gives: taken as it is, completed where it lacks a part, and never with a leak."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
import pytest

from sonoproof.config import AuditConfig, SplitConfig
from sonoproof.data.audit.findings import Level
from sonoproof.data.audit.policies import apply_policies
from sonoproof.data.split.leakage import check_no_leak
from sonoproof.data.split.split import split_groups
from sonoproof.errors import CohortError, ConfigError


def records(parts: Sequence[str], *, patients: Sequence[str] = ()) -> pd.DataFrame:
    """A frame for each part; the classes alternate, and each frame is a patient unless patients are given."""
    number = [f"{row:03d}" for row in range(len(parts))]
    groups = [f"patient={patient}" for patient in (patients or number)]
    table = pd.DataFrame({"image_id": number, "origin": "sheet", "group": groups, "given_split": list(parts)})
    label = ["healthy" if row % 2 else "unhealthy" for row in range(len(parts))]
    return table.assign(label=label, source=number, sha256=number, pixel_sha256=number, sheet_row=1, reference=number)


def test_given_parts_are_taken_as_they_are() -> None:
    table = records(["fit"] * 20 + ["val"] * 6 + ["test"] * 8)
    split = split_groups(table, config=SplitConfig(val=0.5))
    assert list(split["part"]) == list(table["given_split"]) == list(split["given"])
    assert set(split["use"][split["part"] == "fit"]) == {"train", "stop"}
    check_no_leak(split, table)


def test_validation_rows_that_are_not_given_come_from_the_fit_rows() -> None:
    table = records(["fit"] * 40 + ["test"] * 10)
    split = split_groups(table, config=SplitConfig(val=0.25))
    assert (split["part"][40:] == "test").all()
    assert split["part"][:40].value_counts().to_dict() == {"fit": 30, "val": 10}
    again = split_groups(table.iloc[::-1], config=SplitConfig(val=0.25)).iloc[::-1]
    assert list(again["part"]) == list(split["part"])


def test_of_folds_the_first_is_the_validation_part_and_all_are_the_folds() -> None:
    table = records([f"fold {row // 4 + 1}" for row in range(20)] + ["test"] * 4)
    split = split_groups(table, config=SplitConfig(folds=5))
    assert list(split["part"]) == ["val"] * 4 + ["fit"] * 16 + ["test"] * 4
    assert list(split["fold"][:20]) == [row // 4 for row in range(20)]
    assert split["fold"][20:].isna().all()
    assert split_groups(table, config=SplitConfig())["fold"].isna().all()
    with pytest.raises(ConfigError, match=r"gives 5 folds, but split\.folds is 3"):
        split_groups(table, config=SplitConfig(folds=3))


@pytest.mark.parametrize(
    ("parts", "config", "error", "message"),
    [
        (["val", "val", "test", "test"], SplitConfig(), CohortError, "no rows to train on"),
        (["fit"] * 8 + ["val", "test", "test"], SplitConfig(), CohortError, "part 'val' .* one class only"),
        (["fit"] * 8 + ["test"] * 4, SplitConfig(test=0.2), ConfigError, "split.test has no meaning"),
    ],
)
def test_a_given_split_that_cannot_be_used(
    parts: list[str], config: SplitConfig, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        split_groups(records(parts), config=config)


def test_a_test_part_beside_a_test_folder_is_a_question() -> None:
    table = records(["fit"] * 8 + ["test"] * 4)
    folder = table.head(2).assign(image_id=["test:a", "test:b"], origin="test", label="", given_split="")
    with pytest.raises(CohortError, match="leave --test-images or --split-column out"):
        split_groups(pd.concat([table, folder], ignore_index=True), config=SplitConfig())


def test_a_divided_group_is_refused_if_the_audit_did_not_see_to_it() -> None:
    patients = ["a", "b", "c", "d", "a", "b"]
    with pytest.raises(CohortError, match="divides 2 groups, for example 'patient=a'"):
        split_groups(records(["fit"] * 4 + ["test"] * 2, patients=patients), config=SplitConfig())


LEAKING = records(["fit", "test", "fit", "val", "fit", "fit"], patients=["a", "a", "b", "b", "c", "c"])


def test_groups_on_several_sides_are_found_and_only_the_more_protected_side_is_kept() -> None:
    kept, dropped, findings, blocks = apply_policies(LEAKING, config=AuditConfig())
    assert list(kept["given_split"]) == ["test", "val", "fit", "fit"]
    assert list(dropped["reference"]) == ["000", "002"]
    assert "is in the part 'test' as well" in dropped["reason"].iloc[0]
    found = next(finding for finding in findings if finding.id == "given-split-leaks")
    assert (found.level, found.numbers["groups"], found.numbers["rows"]) == (Level.SERIOUS, 2, 2)
    assert "patient=a in fit and test" in found.detail
    assert blocks == []


def test_the_policy_may_stop_the_run() -> None:
    kept, dropped, _, blocks = apply_policies(LEAKING, config=AuditConfig(split_leaks="block"))
    assert (len(kept), len(dropped), len(blocks)) == (6, 0, 1)
    assert "Correct the split in the sheet" in blocks[0]


def test_of_a_group_in_several_folds_the_largest_part_is_kept() -> None:
    table = records(["fold 0", "fold 1", "fold 1"], patients=["a", "a", "a"])
    assert list(apply_policies(table, config=AuditConfig())[0]["given_split"]) == ["fold 1", "fold 1"]


def test_a_split_without_leaks_is_only_information() -> None:
    _, dropped, findings, _ = apply_policies(records(["fit", "fit", "val", "test"]), config=AuditConfig())
    assert dropped.empty
    assert [(finding.id, finding.level) for finding in findings] == [("given-split", Level.INFO)]

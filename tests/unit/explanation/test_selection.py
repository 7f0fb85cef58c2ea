from __future__ import annotations

import pandas as pd
import pytest

from sonoproof.explanation.selection import select_frames


def _table(rows: list[tuple[str, str, str, float]]) -> pd.DataFrame:
    table = pd.DataFrame(rows, columns=["image_id", "group", "label", "logit"])
    return table.assign(predicted=["sick" if logit >= 0 else "well" for logit in table["logit"]])


def _chosen(table: pd.DataFrame, kind: str, *, top: int = 2, errors: int = 2) -> list[str]:
    found = select_frames(table, positive="sick", top=top, errors=errors)
    assert list(found[found["kind"] == kind]["rank"]) == list(range(1, int((found["kind"] == kind).sum()) + 1))
    return list(found[found["kind"] == kind]["image_id"])


def test_most_confident_right_ones_and_worst_errors() -> None:
    table = _table(
        [("a", "1", "sick", 9.0), ("b", "2", "well", 8.0), ("c", "3", "well", -3.0), ("d", "4", "sick", -5.0)]
    )
    assert _chosen(table, "top") == ["a", "c"]
    assert _chosen(table, "error") == ["b", "d"]


def test_one_frame_a_group() -> None:
    table = _table([("a", "1", "sick", 9.0), ("b", "1", "sick", 8.0), ("c", "2", "sick", 1.0)])
    assert _chosen(table, "top") == ["a", "c"]
    assert _chosen(table, "top", top=5) == ["a", "c"]


def test_frames_without_group_stand_for_themselves() -> None:
    assert _chosen(_table([("a", "", "sick", 9.0), ("b", "", "sick", 8.0)]), "top") == ["a", "b"]


def test_last_place_goes_to_the_other_class() -> None:
    rows = [("a", "1", "sick", 9.0), ("b", "2", "sick", 8.0), ("c", "3", "well", -0.1)]
    assert _chosen(_table(rows), "top") == ["a", "c"]
    assert _chosen(_table(rows), "top", top=1) == ["a"]
    same_group = [("a", "1", "sick", 9.0), ("b", "2", "sick", 8.0), ("c", "1", "well", -0.1)]
    assert _chosen(_table(same_group), "top") == ["a", "b"]


def test_unknown_labels_are_neither_right_nor_wrong() -> None:
    table = _table([("a", "1", "", 9.0), ("b", "2", "", -8.0)])
    assert _chosen(table, "top") == ["a", "b"]
    assert _chosen(table, "error") == []


@pytest.mark.parametrize("order", [[0, 1, 2], [2, 1, 0], [1, 2, 0]])
def test_ties_do_not_depend_on_the_order_of_rows(order: list[int]) -> None:
    table = _table([("b", "2", "sick", 5.0), ("a", "1", "sick", 5.0), ("c", "3", "sick", 5.0)])
    assert _chosen(table.iloc[order], "top") == ["a", "b"]


def test_confidence_is_in_the_class_predicted() -> None:
    # With a threshold of 0.1 a frame may be called sick at a negative logit: the more negative, the less sure.
    table = _table([("a", "1", "sick", -2.0), ("b", "2", "sick", -0.5)]).assign(predicted="sick")
    assert _chosen(table, "top") == ["b", "a"]


def test_saturated_probabilities_are_told_apart_by_their_logits() -> None:
    table = _table([("a", "1", "sick", 40.0), ("b", "2", "sick", 50.0)]).assign(probability=1.0)
    assert _chosen(table, "top", top=1) == ["b"]


def test_nothing_to_choose_from() -> None:
    empty = select_frames(_table([]), positive="sick", top=5, errors=5)
    assert list(empty.columns) == ["image_id", "kind", "rank"]
    assert len(empty) == 0

"""Which rows may choose: the order of preference, and that no reported row chooses what it is reported with."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from sonoproof.evaluation.choosing.cross_fit import CrossFit
from sonoproof.evaluation.choosing.rows import MAX_NOVELTY_ROWS, ChoosingRows, novelty_rows, rows_to_choose_on
from sonoproof.training.verdict import Decision, OperatingPoint


def cohort(stop_groups: int = 10) -> pd.DataFrame:
    """Groups of two frames of one label each: 20 to train on, some set aside, 10 validation, 10 test."""
    uses = ["train"] * 20 + ["stop"] * stop_groups + ["report"] * 20
    parts = ["fit"] * (20 + stop_groups) + ["val"] * 10 + ["test"] * 10
    rows = [
        {"image_id": f"g{g:03d}_{k}", "group": f"g{g:03d}", "label": "ill" if g % 2 else "well", "part": part,
         "use": use}
        for g, (part, use) in enumerate(zip(parts, uses, strict=True))
        for k in range(2)
    ]  # fmt: skip
    return pd.DataFrame(rows)


def choose(table: pd.DataFrame, **changed: Any) -> ChoosingRows:
    settings: dict[str, Any] = {"out_of_fold": None, "members": 1, "least_groups": 4, "chose_checkpoint": False}
    return rows_to_choose_on(table, positive="ill", score=lambda rows: np.zeros(len(rows)), **(settings | changed))


def test_out_of_fold_rows_of_the_fit_part_come_first_and_no_reported_row_is_among_them() -> None:
    table = cohort()
    raw = table.assign(logit=1.0)  # also the rows of the parts that are reported on
    found = choose(table, out_of_fold=raw)
    assert "out-of-fold" in found.name
    assert not found.cross_fitted
    assert len(found.rows.logits) == (table["part"] == "fit").sum()


def test_rows_set_aside_come_next_and_say_if_they_also_stopped_the_training() -> None:
    found = choose(cohort())
    assert (found.name, found.cross_fitted) == ("rows set aside from the fit part", False)
    assert set(found.rows.groups) == set(cohort().query("use == 'stop'")["group"])
    assert choose(cohort(), chose_checkpoint=True).name.endswith("which also chose the checkpoint")


@pytest.mark.parametrize("changed", [{"members": 3}, {"least_groups": 6}])
def test_validation_rows_are_cross_fitted_for_an_ensemble_or_where_too_few_groups_are_set_aside(
    changed: dict[str, Any],
) -> None:
    table = cohort()
    raw = table[table["part"] == "val"].assign(logit=1.0) if "least_groups" in changed else table.assign(logit=1.0)
    found = choose(table, out_of_fold=raw, **changed)
    assert found.cross_fitted
    assert set(found.rows.groups) == set(table.query("part == 'val'")["group"])


def test_each_row_is_decided_by_the_decision_of_its_fold_and_keeps_its_place() -> None:
    fold = np.array([1, 0, 1, 0, 2])
    decisions = tuple(Decision(operating_point=OperatingPoint(threshold)) for threshold in (0.1, 0.2, 0.3))

    def decide(places: np.ndarray[Any, Any], decision: Decision) -> pd.DataFrame:
        return pd.DataFrame({"place": places, "threshold": decision.operating_point.threshold})

    found = CrossFit(fold, decisions).apply(decide)
    assert list(found["place"]) == [0, 1, 2, 3, 4]
    assert list(found["threshold"]) == [0.2, 0.1, 0.2, 0.1, 0.3]


def test_novelty_is_learned_from_training_rows_and_scaled_by_rows_that_no_gradient_has_seen() -> None:
    train, held_out = novelty_rows(cohort())
    assert set(train["use"]) == {"train"}
    assert set(held_out["use"]) == {"stop"}
    _, validation = novelty_rows(cohort(stop_groups=1))
    assert set(validation["part"]) == {"val"}
    many = pd.concat([cohort().assign(image_id=cohort()["image_id"] + f"_{k}") for k in range(10)])
    assert len(novelty_rows(many)[0]) == MAX_NOVELTY_ROWS

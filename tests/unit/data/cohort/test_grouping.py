"""Groups are the connected components of everything that frames share."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components

from sonoproof.data.cohort.grouping import assign_groups
from sonoproof.errors import CohortError


def records(**columns: list[str]) -> pd.DataFrame:
    table = pd.DataFrame(columns)
    n = len(table)
    table.insert(0, "image_id", [f"{number:03d}.png" for number in range(n)])
    for column in ("sha256", "pixel_sha256"):
        if column not in table:
            table[column] = [f"{column}{number}" for number in range(n)]
    if "source" not in table:
        table["source"] = ""
    return table


def test_frames_of_a_patient_or_of_a_clip_are_one_group() -> None:
    table = records(patient=["1", "1", "2", "3", "4"], clip=["a", "b", "b", "c", ""])
    groups = assign_groups(table, columns=["patient", "clip"])
    assert groups.tolist() == ["g0001", "g0001", "g0001", "patient=3", "patient=4"]


def test_a_missing_value_joins_nothing() -> None:
    table = records(patient=["", "", "7", " "])
    assert assign_groups(table, columns=["patient"]).nunique() == 4


def test_equal_pixels_and_equal_files_are_always_joined() -> None:
    table = records(pixel_sha256=["p", "q", "p", "r"], sha256=["a", "b", "c", "b"])
    assert assign_groups(table, columns=[], by_source=False).tolist() == ["g0001", "g0002", "g0001", "g0002"]


def test_lookalikes_are_joined_unless_told_otherwise() -> None:
    table = records(source=["s1", "s2", "s1", ""])
    assert assign_groups(table, columns=[]).tolist() == ["source=s1", "source=s2", "source=s1", "g0003"]
    assert assign_groups(table, columns=[], by_source=False).nunique() == 4


def test_equal_values_of_different_columns_are_not_joined() -> None:
    table = records(patient=["1", "2"], clip=["2", "1"])
    assert assign_groups(table, columns=["patient", "clip"]).tolist() == ["patient=1", "patient=2"]


def test_values_that_differ_by_spaces_only_are_one() -> None:
    assert assign_groups(records(patient=["7", " 7 "]), columns=["patient"]).nunique() == 1


def test_a_column_that_is_not_there_is_an_error_that_lists_what_is() -> None:
    with pytest.raises(CohortError, match=r"'patient_id'.*'patient'"):
        assign_groups(records(patient=["1"]), columns=["patient_id"])


value = st.sampled_from(["", "a", "b", "c", "d", "e"])
row = st.tuples(value, value, value, st.integers(0, 12))


@settings(max_examples=80, deadline=None)
@given(rows=st.lists(row, min_size=1, max_size=25), seed=st.integers(0, 1000))
def test_groups_are_the_connected_components_in_any_row_order(rows: list[tuple[str, str, str, int]], seed: int) -> None:
    table = records(
        patient=[r[0] for r in rows],
        clip=[r[1] for r in rows],
        source=[r[2] for r in rows],
        pixel_sha256=[f"p{r[3]}" for r in rows],
    )
    groups = assign_groups(table, columns=["patient", "clip"])
    shared = np.zeros((len(rows), len(rows)), np.int8)
    for column in ("patient", "clip", "source", "pixel_sha256"):
        text = table[column].to_numpy(str)
        shared |= (text[:, None] == text[None, :]) & (text != "")[:, None]
    labels = connected_components(csr_array(shared), directed=False)[1]
    expected = set(table["image_id"].groupby(labels).agg(frozenset))
    found = table["image_id"].groupby(groups).agg(frozenset)
    assert set(found) == expected
    shuffled = table.sample(frac=1, random_state=np.random.RandomState(seed))
    assert assign_groups(shuffled, columns=["patient", "clip"]).sort_index().equals(groups)


def test_numbers_follow_the_image_id_not_the_row() -> None:
    table = records(source=["", "", "", ""])
    backwards = assign_groups(table.iloc[::-1], columns=[])
    assert backwards.to_dict() == {0: "g0001", 1: "g0002", 2: "g0003", 3: "g0004"}

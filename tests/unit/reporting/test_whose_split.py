"""The report says whose split it is, and what of the sheet was not used."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from sonoproof.reporting.page.limits import limits
from sonoproof.reporting.page.runfiles import RunFiles, read_run_files
from sonoproof.reporting.sections.split import split_section
from sonoproof.runfolder import RECORD_COLUMNS, SPLIT_COLUMNS, RunFolder, write_json, write_table


def files(root: Path, *, given: list[str] | None, **inferred: object) -> RunFiles:
    """A run of four frames, one of them for validation."""
    run, names = RunFolder(root), ["a", "b", "c", "d"]
    split = pd.DataFrame({"image_id": names, "group": names, "part": ["fit", "fit", "val", "test"], "fold": ""})
    split["use"] = ["train", "train", "report", "report"]
    write_table(run.split, split if given is None else split.assign(given=given), columns=SPLIT_COLUMNS)
    records = pd.DataFrame({"image_id": names}).reindex(columns=list(RECORD_COLUMNS), fill_value="")
    write_table(run.records, records.assign(label=["x", "y", "x", "y"]), columns=RECORD_COLUMNS)
    classes = {"negative": "x", "positive": "y"}
    write_json(run.cohort, {"classes": classes, "group_columns": [], "inferred": inferred}, schema="cohort")
    return read_run_files(run)


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (None, "Sonoproof made the split."),
        (["fit", "fit", "val", "test"], "given by the column “Train” of the sheet (“fit”, “test”, “val”). The 4"),
        (["fit", "fit", "fit", "test"], "Sonoproof took the validation part from its training rows, by groups."),
    ],
)
def test_the_section_says_whose_split_it_is(tmp_path: Path, given: list[str] | None, says: str) -> None:
    section = split_section(files(tmp_path, given=given, split_column="Train"))
    assert says in str(section.blocks[0])


def test_a_split_and_an_exclusion_that_were_not_used_are_limits(tmp_path: Path) -> None:
    found = " ".join(limits(files(tmp_path, given=None, unused_columns={"set": "split", "drop": "exclusion"})))
    assert "gives a split (column “set”), which was not used" in found
    assert "“drop” seems to say which rows to leave out" in found

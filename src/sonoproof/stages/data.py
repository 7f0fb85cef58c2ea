"""Sheet and folder to records, quarantine and groups."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from sonoproof.data.cohort import ClassNames, Cohort, build_cohort, cohort_of_folder
from sonoproof.data.description import describe_cohort
from sonoproof.data.frames import read_frames_facts
from sonoproof.data.grouping import assign_groups
from sonoproof.errors import CohortError
from sonoproof.runfolder import QUARANTINE_COLUMNS, RECORD_COLUMNS, write_json, write_table
from sonoproof.stages.job import Job
from sonoproof.stages.materials import store_of

__all__ = ["audit"]


def audit(job: Job) -> list[Path]:
    """Sheet and folder to records, quarantine and groups: every row is used or says why it is not."""
    assert job.inputs is not None
    cohort = build_cohort(job.inputs.sheet, images=job.inputs.images, config=job.config.sheet)
    cohorts = [cohort]
    if job.inputs.test_images is not None:
        cohorts.append(_test_cohort(job, cohort.classes))
    for line in describe_cohort(cohort):
        job.say(line)
    records, quarantine = _read_frames(job, cohorts)
    columns = cohort.group_columns
    records["source"] = ""
    records["group"] = assign_groups(records, columns=columns)
    _say_accounts(job, cohorts, records=records, quarantine=quarantine)
    write_table(job.run.records, records, columns=RECORD_COLUMNS)
    write_table(job.run.quarantine, quarantine, columns=QUARANTINE_COLUMNS)
    write_json(job.run.cohort, _cohort_facts(cohorts, records, quarantine), schema="cohort")
    return [job.run.records, job.run.quarantine, job.run.cohort]


def _test_cohort(job: Job, classes: ClassNames) -> Cohort:
    assert job.inputs is not None
    assert job.inputs.test_images is not None
    return cohort_of_folder(
        job.inputs.test_images, sheet=job.inputs.test_sheet, config=job.config.sheet, classes=classes
    )


def _read_frames(job: Job, cohorts: Sequence[Cohort]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Decode every frame once, into the store; those that cannot be decoded join the quarantine."""
    wanted = pd.concat([cohort.records for cohort in cohorts], ignore_index=True).fillna("")
    # A frame of a test folder stands in no sheet: it is called by its name in the folder.
    unnamed = wanted["reference"] == ""
    wanted.loc[unnamed, "reference"] = wanted.loc[unnamed, "image_id"].str.removeprefix("test:")
    with store_of(job).writer() as store:
        records, unreadable = read_frames_facts(
            wanted, config=job.config.frames, progress=job.progress, decoded=store.add
        )
    quarantined = [cohort.quarantine for cohort in cohorts if len(cohort.quarantine)]
    quarantine = pd.concat([*quarantined, unreadable], ignore_index=True) if quarantined else unreadable
    return records.reset_index(drop=True), quarantine


def _say_accounts(job: Job, cohorts: Sequence[Cohort], *, records: pd.DataFrame, quarantine: pd.DataFrame) -> None:
    read = sum(cohort.rows_read for cohort in cohorts)
    if read != len(records) + len(quarantine):
        raise CohortError(
            f"{read} rows were read, but {len(records)} are used and {len(quarantine)} quarantined; please report this"
        )
    job.say(f"rows read {read:,} = used {len(records):,} + quarantined {len(quarantine):,}")


def _cohort_facts(cohorts: Sequence[Cohort], records: pd.DataFrame, quarantine: pd.DataFrame) -> dict[str, Any]:
    first = cohorts[0]
    facts: dict[str, Any] = {
        "classes": {"negative": first.classes.negative, "positive": first.classes.positive},
        "group_columns": list(first.group_columns),
    }
    for origin, cohort in zip(("sheet", "test"), cohorts, strict=False):
        facts[origin] = {
            "rows_read": cohort.rows_read,
            "rows_used": int((records["origin"] == origin).sum()),
            "rows_quarantined": int((quarantine["origin"] == origin).sum()),
            "inferred": cohort.inferred,
        }
    totals = {key: sum(facts[o][key] for o in ("sheet", "test") if o in facts) for key in _COUNTS}
    return {**totals, **facts, "inferred": first.inferred}


_COUNTS = ("rows_read", "rows_used", "rows_quarantined")
